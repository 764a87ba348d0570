package app_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/orgd/orgd/gen/api"
)

// What is in an answer, and so what is not: no address, no hash, no URI.
var (
	summaryKeys      = []string{"collection_name", "created_at", "id", "organization_name", "state"}
	organizationKeys = []string{"admin_id", "collection_name", "created_at", "generation", "id", "organization_name", "state", "updated_at"}
	receiptKeys      = []string{"collections", "deleted_at", "id", "organization_name"}
	tokenKeys        = []string{"access_token", "admin_id", "expires_at", "expires_in", "org_id", "token_type"}
)

func (a answer) hasExactly(keys []string) answer {
	a.t.Helper()
	if diff := cmp.Diff(keys, a.keys()); diff != "" {
		a.t.Errorf("fields (-want +got):\n%s", diff)
	}
	return a
}

// TestTheFiveOperations is the life of an organization.
func TestTheFiveOperations(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		email := newEmail()
		acme := decoded[api.Organization](w.signUp("  Acme Inc ", email, password).is(201))
		if acme.OrganizationName != "Acme Inc" || acme.CollectionName != "org_acme_inc" || acme.State != "active" || acme.Generation != 1 ||
			!acme.CreatedAt.Equal(acme.UpdatedAt) || time.Since(acme.CreatedAt).Abs() > time.Minute {
			t.Errorf("created %+v", acme)
		}
		token := decoded[api.Token](w.login(strings.ToUpper(email), password).is(200))
		if token.AdminID != acme.AdminID || token.OrgID != acme.ID {
			t.Errorf("the token is for %+v, the organization is %+v", token, acme)
		}
		auth := "Authorization: Bearer " + token.AccessToken
		globex := decoded[api.Organization](w.do("PUT", "/org/update", object("organization_name", "Globex"), auth).is(200))
		if globex.ID != acme.ID || globex.OrganizationName != "Globex" || globex.CollectionName != "org_globex" || globex.Generation != 2 ||
			!globex.CreatedAt.Equal(acme.CreatedAt) || globex.UpdatedAt.Before(acme.UpdatedAt) || globex.State != "active" {
			t.Errorf("updated %+v to %+v", acme, globex)
		}
		seen := decoded[api.OrganizationSummary](w.do("GET", "/org/get?organization_name=gLOBEX", "", auth).is(200))
		if seen.ID != acme.ID || seen.Generation == nil || *seen.Generation != 2 {
			t.Errorf("get: %+v", seen)
		}
		gone := decoded[api.DeletionReceipt](w.do("DELETE", "/org/delete", "", auth).is(200))
		if diff := cmp.Diff([]string{"org_globex"}, gone.Collections); diff != "" || gone.ID != acme.ID {
			t.Errorf("deleted %+v", gone)
		}
		w.do("GET", "/org/get?organization_name=Globex", "").is(404, "not_found")
	})
}

// decoded is an answer as a type of the contract.
func decoded[T any](a answer) (v T) {
	a.t.Helper()
	if err := json.Unmarshal([]byte(a.body), &v); err != nil {
		a.t.Fatal(err)
	}
	return v
}

func TestAnswersHaveExactlyTheirFields(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		email := newEmail()
		made := w.signUp("Ünïts & Söhne/GmbH?", email, password).is(201).hasExactly(organizationKeys)
		w.do("GET", made.header.Get("Location"), "").is(200).hasExactly(summaryKeys)
		token := w.login(email, password).is(200).hasExactly(tokenKeys)
		if token.header.Get("Cache-Control") != "no-store" || token.text("token_type") != "Bearer" || token.fields["expires_in"] != 3600.0 {
			t.Errorf("token %v with %v", token.body, token.header)
		}
		if expires, err := time.Parse(time.RFC3339, token.text("expires_at")); err != nil || (time.Until(expires)-time.Hour).Abs() > time.Minute {
			t.Errorf("expires_at %s, %v", token.text("expires_at"), err)
		}
		auth := "Authorization: Bearer " + token.text("access_token")
		w.do("GET", made.header.Get("Location"), "", auth).is(200).hasExactly(organizationKeys)
		w.do("PUT", "/org/update", `{}`, auth).is(200).hasExactly(organizationKeys)
		w.do("DELETE", "/org/delete", "", auth).is(200).hasExactly(receiptKeys)
	})
}

// The mission: the token says who the admin and which the organization is.
func TestATokenSaysWhoAndWhereAndNothingSecret(t *testing.T) {
	t.Parallel()
	w := start(t, "JWT_EXP_MINUTES=5")
	acc := w.account("Acme")
	token := strings.TrimPrefix(acc.auth, "Authorization: Bearer ")
	var claims map[string]any
	raw, err := base64.RawURLEncoding.DecodeString(strings.Split(token, ".")[1])
	if err == nil {
		err = json.Unmarshal(raw, &claims)
	}
	if err != nil {
		t.Fatal(err)
	}
	if claims["admin_id"] != acc.adminID || claims["sub"] != acc.adminID || claims["org_id"] != acc.id || claims["role"] != "owner" {
		t.Errorf("claims %v of %+v", claims, acc)
	}
	if claims["exp"].(float64)-claims["iat"].(float64) != 300 {
		t.Errorf("the token lives from %v to %v", claims["iat"], claims["exp"])
	}
	if strings.Contains(string(raw), acc.email) || strings.Contains(string(raw), "$2") {
		t.Errorf("the claims %s hold an address or a hash", raw)
	}
}

func TestGetShowsMoreToItsOwnAdminsOnly(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		acme, globex := w.account("Acme"), w.account("Globex")
		const get = "/org/get?organization_name=Acme"
		w.do("GET", get, "").is(200).hasExactly(summaryKeys)
		w.do("GET", get, "", acme.auth).is(200).hasExactly(organizationKeys)
		w.do("GET", get, "", globex.auth).is(200).hasExactly(summaryKeys)
		w.do("GET", get, "", acme.auth+"x").is(401, "unauthenticated")
		w.do("GET", "/org/get?organization_name=Nobody", "", acme.auth).is(404, "not_found")
		w.do("HEAD", get, "").is(200)
		w.do("HEAD", "/org/get?organization_name=Nobody", "").is(404)
	})
}

func TestUpdateChangesWhatIsGivenOnly(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		acc := w.account("Acme")
		other := w.account("Globex")

		moved := w.do("PUT", "/org/update", `{}`, acc.auth).is(200)
		if moved.text("organization_name") != "Acme" || moved.text("collection_name") == acc.collection || moved.fields["generation"] != 2.0 {
			t.Errorf("{} gives %s", moved.body)
		}
		stays := w.do("PUT", "/org/update", `{"organization_name":"ACME","migrate":false}`, acc.auth).is(200)
		if stays.text("organization_name") != "ACME" || stays.text("collection_name") != moved.text("collection_name") || stays.fields["generation"] != 2.0 {
			t.Errorf("another spelling without a move gives %s", stays.body)
		}
		w.do("PUT", "/org/update", `{"organization_name":"Initech"}`, acc.auth).is(200)
		w.do("GET", "/org/get?organization_name=Acme", "").is(404, "not_found")
		w.signUp("acme", newEmail(), password).is(201) // the old name is free

		// A conflict changes nothing of what came with it.
		const fresh = "staple gun and a horse"
		w.do("PUT", "/org/update", object("organization_name", " gloBEX ", "password", fresh), acc.auth).is(409, "name_taken").blames("#/organization_name")
		w.do("PUT", "/org/update", object("organization_name", "Umbrella", "email", strings.ToUpper(other.email)), acc.auth).is(409, "email_taken").blames("#/email")
		w.do("GET", "/org/get?organization_name=Umbrella", "").is(404, "not_found")
		w.login(acc.email, fresh).is(401, "bad_credentials")
		w.do("GET", "/org/get?organization_name=Initech", "", acc.auth).is(200).hasExactly(organizationKeys)
	})
}

func TestNewCredentialsReplaceTheOldOnesAtOnce(t *testing.T) {
	t.Parallel()
	eachEngine(t, func(t *testing.T, w *world) {
		acc := w.account("Acme")
		moved, fresh := newEmail(), "staple gun and a horse"
		w.journal.keep(moved, fresh)
		w.do("PUT", "/org/update", object("password", fresh), acc.auth).is(200)
		w.do("PUT", "/org/update", `{}`, acc.auth).is(401, "token_revoked")
		w.login(acc.email, password).is(401, "bad_credentials")
		auth := "Authorization: Bearer " + w.login(acc.email, fresh).is(200).text("access_token")
		w.do("PUT", "/org/update", object("email", moved), auth).is(200)
		w.do("DELETE", "/org/delete", "", auth).is(401, "token_revoked")
		w.login(acc.email, fresh).is(401, "bad_credentials")
		w.login(moved, fresh).is(200)
		w.signUp("Globex", acc.email, password).is(201) // the old address is free
	})
}
