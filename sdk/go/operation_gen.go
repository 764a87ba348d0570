// Code generated from openapi.yaml by make generate. DO NOT EDIT.

package orgd

// operations has the contract's by method and path, a * standing for a path parameter.
var operations = map[string]operation{
	"POST /admin/login":                      {credential: ofNobody, safe: true, repeatable: true},
	"GET /livez":                             {credential: ofNobody, safe: true, repeatable: true, once: true},
	"GET /operator/organizations":            {credential: ofOperator, safe: true, repeatable: true},
	"GET /operator/organizations/*":          {credential: ofOperator, safe: true, repeatable: true},
	"PUT /operator/organizations/*/quota":    {credential: ofOperator, repeatable: true},
	"POST /operator/organizations/*/restore": {credential: ofOperator, repeatable: true},
	"POST /operator/organizations/*/resume":  {credential: ofOperator, repeatable: true},
	"POST /operator/organizations/*/suspend": {credential: ofOperator, repeatable: true},
	"POST /org/create":                       {credential: ofNobody, repeatable: true, keyed: true},
	"DELETE /org/delete":                     {credential: ofTenant, repeatable: true},
	"GET /org/documents":                     {credential: ofTenant, safe: true, repeatable: true},
	"POST /org/documents":                    {credential: ofTenant, repeatable: true, keyed: true},
	"POST /org/documents/query":              {credential: ofTenant, safe: true, repeatable: true},
	"DELETE /org/documents/*":                {credential: ofTenant, repeatable: true},
	"GET /org/documents/*":                   {credential: ofTenant, safe: true, repeatable: true},
	"PATCH /org/documents/*":                 {credential: ofTenant, repeatable: true},
	"PUT /org/documents/*":                   {credential: ofTenant, repeatable: true},
	"GET /org/export":                        {credential: ofTenant, safe: true, repeatable: true},
	"POST /org/export":                       {credential: ofTenant, safe: true, repeatable: true},
	"GET /org/get":                           {credential: ofAnybody, safe: true, repeatable: true},
	"POST /org/import":                       {credential: ofTenant},
	"GET /org/indexes":                       {credential: ofTenant, safe: true, repeatable: true},
	"POST /org/indexes":                      {credential: ofTenant, repeatable: true},
	"DELETE /org/indexes/*":                  {credential: ofTenant, repeatable: true},
	"GET /org/operations":                    {credential: ofTenant, safe: true, repeatable: true},
	"GET /org/operations/*":                  {credential: ofTenant, safe: true, repeatable: true},
	"GET /org/stats":                         {credential: ofTenant, safe: true, repeatable: true},
	"PUT /org/update":                        {credential: ofTenant, repeatable: true},
	"GET /readyz":                            {credential: ofNobody, safe: true, repeatable: true, once: true},
}
