// Code generated from openapi.yaml by make generate. DO NOT EDIT.

package policy

// operations has the contract's by method and path, a * standing for a path parameter.
var operations = map[string]Operation{
	"POST /admin/login":                      {Credential: NoCredential, Safe: true, Repeatable: true},
	"GET /livez":                             {Credential: NoCredential, Safe: true, Repeatable: true, Once: true},
	"GET /operator/organizations":            {Credential: OperatorKey, Safe: true, Repeatable: true},
	"GET /operator/organizations/*":          {Credential: OperatorKey, Safe: true, Repeatable: true},
	"PUT /operator/organizations/*/quota":    {Credential: OperatorKey, Repeatable: true},
	"POST /operator/organizations/*/restore": {Credential: OperatorKey, Repeatable: true},
	"POST /operator/organizations/*/resume":  {Credential: OperatorKey, Repeatable: true},
	"POST /operator/organizations/*/suspend": {Credential: OperatorKey, Repeatable: true},
	"POST /org/create":                       {Credential: NoCredential, Repeatable: true, Keyed: true},
	"DELETE /org/delete":                     {Credential: Token, Repeatable: true},
	"GET /org/documents":                     {Credential: Token, Safe: true, Repeatable: true},
	"POST /org/documents":                    {Credential: Token, Repeatable: true, Keyed: true},
	"POST /org/documents/query":              {Credential: Token, Safe: true, Repeatable: true},
	"DELETE /org/documents/*":                {Credential: Token, Repeatable: true},
	"GET /org/documents/*":                   {Credential: Token, Safe: true, Repeatable: true},
	"PATCH /org/documents/*":                 {Credential: Token, Repeatable: true},
	"PUT /org/documents/*":                   {Credential: Token, Repeatable: true},
	"GET /org/export":                        {Credential: Token, Safe: true, Repeatable: true},
	"POST /org/export":                       {Credential: Token, Safe: true, Repeatable: true},
	"GET /org/get":                           {Credential: OptionalToken, Safe: true, Repeatable: true},
	"POST /org/import":                       {Credential: Token},
	"GET /org/indexes":                       {Credential: Token, Safe: true, Repeatable: true},
	"POST /org/indexes":                      {Credential: Token, Repeatable: true},
	"DELETE /org/indexes/*":                  {Credential: Token, Repeatable: true},
	"GET /org/operations":                    {Credential: Token, Safe: true, Repeatable: true},
	"GET /org/operations/*":                  {Credential: Token, Safe: true, Repeatable: true},
	"GET /org/stats":                         {Credential: Token, Safe: true, Repeatable: true},
	"PUT /org/update":                        {Credential: Token, Repeatable: true},
	"GET /readyz":                            {Credential: NoCredential, Safe: true, Repeatable: true, Once: true},
}
