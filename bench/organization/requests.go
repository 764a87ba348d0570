package organization

import (
	"encoding/json"
	"fmt"
	"net/url"

	"github.com/orgd/orgd/bench/client"
)

// Password is that of every admin.
const Password = "correct horse battery"

// Name is the name of organization number n.
func Name(n int) string { return fmt.Sprintf("Bench %06d", n) }

// Email is the e-mail address of the admin of organization number n.
func Email(n int) string { return fmt.Sprintf("admin-%06d@bench.example", n) }

// LookupRequest asks for organization number n by its name.
func LookupRequest(n int) client.Request {
	return client.NewRequest("GET", "/org/get?organization_name="+url.QueryEscape(Name(n)), nil)
}

// CreateRequest creates organization number n.
func CreateRequest(n int) client.Request {
	return post("/org/create", map[string]string{"organization_name": Name(n), "email": Email(n), "password": Password})
}

// LoginRequest logs the admin of organization number n in.
func LoginRequest(n int) client.Request {
	return post("/admin/login", map[string]string{"email": Email(n), "password": Password})
}

func post(path string, body map[string]string) client.Request {
	data, err := json.Marshal(body)
	if err != nil {
		panic(err) // strings can be marshaled
	}
	return client.NewRequest("POST", path, data)
}
