package tenant_test

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func TestCreatedOrganizationIsFoundUnderEverySpelling(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		o := w.create("Acme Inc", "admin@acme.example")
		want := org.Organization{ID: o.ID, Name: "Acme Inc", Collection: "org_acme_inc", Generation: 1,
			State: org.StateActive, AdminID: o.AdminID, CreatedAt: o.CreatedAt, UpdatedAt: o.CreatedAt}
		for _, name := range []string{"Acme Inc", " acme  INC", "ＡＣＭＥ inc"} {
			got, err := w.Lookup(t.Context(), name)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("Lookup(%q): %s", name, diff)
			}
		}
		if _, err := w.Lookup(t.Context(), "Acme"); !errors.Is(err, org.NotFound) {
			t.Errorf("Lookup of another name: %v", err)
		}
	})
}

func TestCreateRefusesTakenNamesAndAddressesAndReservesNothing(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		w.create("Acme", "a@x.example")
		_, err := w.Create(t.Context(), tenant.CreateInput{Name: "ACME", Email: "b@x.example", Password: password})
		if !errors.Is(err, org.NameTaken) {
			t.Errorf("same name: %v", err)
		}
		_, err = w.Create(t.Context(), tenant.CreateInput{Name: "Beta", Email: "A@X.example", Password: password})
		if !errors.Is(err, org.EmailTaken) {
			t.Errorf("same address: %v", err)
		}
		w.create("Beta", "b@x.example")
	})
}

func TestCreateSaysEverythingThatIsWrongAtOnce(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	_, err := w.Create(t.Context(), tenant.CreateInput{Name: "a\x00", Email: "nope", Password: "short"})
	var e *org.Error
	if !errors.As(err, &e) || e.Kind != org.Invalid {
		t.Fatal(err)
	}
	var fields []string
	for _, f := range e.Fields {
		fields = append(fields, f.Field)
	}
	if diff := cmp.Diff([]string{"organization_name", "email", "password"}, fields); diff != "" {
		t.Error(diff)
	}
	if s := dump(t.Context(), t, w.engine); len(s) != 0 {
		t.Errorf("left behind: %v", s)
	}
}

func TestNamesOfOneSlugGetCollectionsOfTheirOwn(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		seen := map[string]bool{}
		for i, name := range []string{"a b", "a-b", "a.b", "日本", "中国", "!!!", "a_b"} {
			o := w.create(name, fmt.Sprintf("u%d@x.example", i))
			if seen[o.Collection] {
				t.Errorf("%q shares %s", name, o.Collection)
			}
			seen[o.Collection] = true
			if ok := regexp.MustCompile(`^org_[a-z0-9_]+(\.[a-z0-9]+)?$`).MatchString(o.Collection); !ok {
				t.Errorf("%q has the collection %q", name, o.Collection)
			}
		}
		w.sound()
	})
}

func TestForeignCollectionIsNeitherAdoptedNorDropped(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		db := w.engine.Database(tenantDB)
		if err := db.Create(t.Context(), "org_acme"); err != nil {
			t.Fatal(err)
		}
		w.put("org_acme", bson.D{{Key: "_id", Value: "mine"}})
		o := w.create("Acme", "a@x.example")
		if o.Collection == "org_acme" {
			t.Fatal("adopted")
		}
		if _, err := w.Delete(t.Context(), w.login("a@x.example")); err != nil {
			t.Fatal(err)
		}
		if n, err := db.Collection("org_acme").Count(t.Context(), docdb.Filter{}); n != 1 || err != nil {
			t.Errorf("documents left: %d, %v", n, err)
		}
	})
}

// TestRacingCreates: of many creates of one name in different spellings, one
// wins, and the losers' addresses stay free.
func TestRacingCreates(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		rounds := 10
		if w.slow {
			rounds = 1
		}
		for round := range rounds {
			const racers = 24
			var wg sync.WaitGroup
			errs := make([]error, racers)
			start := make(chan struct{})
			for i := range racers {
				wg.Go(func() {
					<-start
					name := []string{"race %d", "RACE  %d", " Race %d ", "ｒａｃｅ %d"}[i%4]
					_, errs[i] = w.Create(t.Context(), tenant.CreateInput{
						Name: fmt.Sprintf(name, round), Email: fmt.Sprintf("r%d.%d@x.example", round, i), Password: password})
				})
			}
			close(start)
			wg.Wait()
			won := 0
			for i, err := range errs {
				switch {
				case err == nil:
					won++
				case errors.Is(err, org.NameTaken):
					w.create(fmt.Sprintf("loser %d.%d", round, i), fmt.Sprintf("r%d.%d@x.example", round, i))
				default:
					t.Errorf("racer %d: %v", i, err)
				}
			}
			if won != 1 {
				t.Fatalf("round %d: %d winners", round, won)
			}
		}
		w.sound()
	})
}

func TestLogin(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		o := w.create("Acme", "Admin@Acme.example")
		p, err := w.Login(t.Context(), "admin@acme.EXAMPLE", password)
		if err != nil {
			t.Fatal(err)
		}
		want := org.Principal{AdminID: o.AdminID, OrgID: o.ID, Role: org.RoleOwner, Credential: 1}
		if diff := cmp.Diff(want, p); diff != "" {
			t.Error(diff)
		}
		if got, err := w.Authenticate(t.Context(), p); err != nil || got.ID != o.ID {
			t.Errorf("Authenticate = %+v, %v", got, err)
		}
		for _, c := range [][2]string{
			{"admin@acme.example", "wrong password"}, {"nobody@acme.example", password}, {"no address", password},
			{"admin@acme.example", ""}, {"admin@acme.example", password + "\x00" + password}, {"", ""},
			{"admin@acme.example", strings.Repeat("x", 73)},
		} {
			if _, err := w.Login(t.Context(), c[0], c[1]); !errors.Is(err, org.BadCredentials) {
				t.Errorf("Login(%q, %q): %v", c[0], c[1], err)
			}
		}
	})
}

func TestTokensAreCheckedAgainstTheStorage(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	o, other := w.create("Acme", "a@x.example"), w.create("Other", "o@x.example")
	good := w.login("a@x.example")
	for name, p := range map[string]org.Principal{
		"unknown organization":          {AdminID: o.AdminID, OrgID: "nope", Credential: 1},
		"unknown admin":                 {AdminID: "nope", OrgID: o.ID, Credential: 1},
		"admin of another organization": {AdminID: other.AdminID, OrgID: o.ID, Credential: 1},
		"earlier credentials":           {AdminID: o.AdminID, OrgID: o.ID, Credential: 0},
		"later credentials":             {AdminID: o.AdminID, OrgID: o.ID, Credential: 2},
		"nobody":                        {},
	} {
		if _, err := w.Authenticate(t.Context(), p); !errors.Is(err, org.TokenRevoked) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := w.Update(t.Context(), p, tenant.UpdateInput{}); !errors.Is(err, org.TokenRevoked) {
			t.Errorf("update, %s: %v", name, err)
		}
		if _, err := w.Delete(t.Context(), p); !errors.Is(err, org.TokenRevoked) {
			t.Errorf("delete, %s: %v", name, err)
		}
	}
	if _, err := w.Authenticate(t.Context(), good); err != nil {
		t.Error(err)
	}
}

func TestUpdateRenamesRotatesAndMoves(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		w.clock = w.clock.Add(time.Second)
		o := w.create("Acme", "a@x.example")
		w.fill(o.Collection, 1200)
		before := contents(t.Context(), t, w.engine.Database(tenantDB).Collection(o.Collection))
		p := w.login("a@x.example")
		w.clock = w.clock.Add(time.Second)
		got, err := w.Update(t.Context(), p, tenant.UpdateInput{
			Name: ptr("Globex"), Email: ptr("g@x.example"), Password: ptr("another password"), Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		want := o
		want.Name, want.Collection, want.Generation = "Globex", "org_globex", 2
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(org.Organization{}, "UpdatedAt")); diff != "" {
			t.Error(diff)
		}
		if !got.UpdatedAt.After(o.UpdatedAt) {
			t.Errorf("updated at %v, not after %v", got.UpdatedAt, o.UpdatedAt)
		}
		after := contents(t.Context(), t, w.engine.Database(tenantDB).Collection(got.Collection))
		if diff := cmp.Diff(before, after); diff != "" {
			t.Errorf("data differs: %s", diff)
		}
		w.sound()
		if _, err := w.Authenticate(t.Context(), p); !errors.Is(err, org.TokenRevoked) {
			t.Errorf("old token: %v", err)
		}
		if _, err := w.Login(t.Context(), "a@x.example", password); !errors.Is(err, org.BadCredentials) {
			t.Errorf("old credentials: %v", err)
		}
		if _, err := w.Login(t.Context(), "g@x.example", "another password"); err != nil {
			t.Errorf("new credentials: %v", err)
		}
		w.create("Acme", "a@x.example") // both are free again
	})
}

func TestUpdateChangesOnlyGivenFields(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	o := w.create("Acme", "a@x.example")
	p := w.login("a@x.example")
	for name, c := range map[string]struct {
		in         tenant.UpdateInput
		collection string
		tokenLives bool
	}{
		"nothing":         {tenant.UpdateInput{}, "org_acme", true},
		"the same values": {tenant.UpdateInput{Name: ptr("Acme"), Email: ptr("a@x.example")}, "org_acme", true},
		"spelling":        {tenant.UpdateInput{Name: ptr(" ACME ")}, "org_acme", true},
	} {
		got, err := w.Update(t.Context(), p, c.in)
		if err != nil || got.Collection != c.collection || got.ID != o.ID {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
		if _, err := w.Authenticate(t.Context(), p); (err == nil) != c.tokenLives {
			t.Errorf("%s: token: %v", name, err)
		}
		w.sound()
	}
}

func TestEveryMoveHasAFreshCollection(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	o := w.create("Acme", "a@x.example")
	w.fill(o.Collection, 3)
	p := w.login("a@x.example")
	seen := map[string]bool{o.Collection: true}
	for i := range 5 {
		got, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		if seen[got.Collection] || got.Generation != int64(i+2) {
			t.Errorf("move %d: %s, generation %d", i, got.Collection, got.Generation)
		}
		seen[got.Collection] = true
	}
	w.sound()
}

func TestRefusedUpdateLeavesEverythingAsItWas(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		w.create("Other", "o@x.example")
		w.create("Acme", "a@x.example")
		p := w.login("a@x.example")
		before := dump(t.Context(), t, w.engine)
		for name, c := range map[string]struct {
			in   tenant.UpdateInput
			want org.Kind
		}{
			"name taken":   {tenant.UpdateInput{Name: ptr("OTHER"), Email: ptr("n@x.example"), Password: ptr("new password"), Migrate: true}, org.NameTaken},
			"email taken":  {tenant.UpdateInput{Name: ptr("New"), Email: ptr("O@x.example"), Password: ptr("new password"), Migrate: true}, org.EmailTaken},
			"bad name":     {tenant.UpdateInput{Name: ptr("\x00"), Email: ptr("n@x.example")}, org.Invalid},
			"bad email":    {tenant.UpdateInput{Name: ptr("New"), Email: ptr("n")}, org.Invalid},
			"bad password": {tenant.UpdateInput{Name: ptr("New"), Password: ptr(strings.Repeat("x", 73))}, org.Invalid},
		} {
			if _, err := w.Update(t.Context(), p, c.in); !errors.Is(err, c.want) {
				t.Errorf("%s: %v", name, err)
			}
			if diff := cmp.Diff(before, dump(t.Context(), t, w.engine)); diff != "" {
				t.Errorf("%s: %s", name, diff)
			}
		}
		if _, err := w.Authenticate(t.Context(), p); err != nil {
			t.Error(err)
		}
		w.create("New", "n@x.example")
	})
}

func TestRacingUpdatesOfOneOrganization(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	for round := range 20 {
		o := w.create(fmt.Sprintf("Org %d", round), fmt.Sprintf("a%d@x.example", round))
		w.fill(o.Collection, 20)
		p := w.login(fmt.Sprintf("a%d@x.example", round))
		var wg sync.WaitGroup
		errs := make([]error, 8)
		for i := range errs {
			wg.Go(func() {
				_, errs[i] = w.Update(t.Context(), p, tenant.UpdateInput{Name: ptr(fmt.Sprintf("Org %d.%d", round, i)), Migrate: true})
			})
		}
		wg.Wait()
		won := int64(0)
		for _, err := range errs {
			var e *org.Error
			switch {
			case err == nil:
				won++
			case !errors.As(err, &e) || e.Kind != org.OperationInProgress || e.Operation == "":
				t.Errorf("round %d: %v", round, err)
			}
		}
		got, err := w.Authenticate(t.Context(), p)
		if err != nil || won < 1 || got.Generation != 1+won {
			t.Errorf("round %d: %d won; %+v, %v", round, won, got, err)
		}
	}
	w.sound()
}

func TestRacingRenamesToOneName(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	for round := range 20 {
		var wg sync.WaitGroup
		errs := make([]error, 6)
		for i := range errs {
			email := fmt.Sprintf("a%d.%d@x.example", round, i)
			w.create(fmt.Sprintf("Org %d.%d", round, i), email)
			p := w.login(email)
			wg.Go(func() {
				_, errs[i] = w.Update(t.Context(), p, tenant.UpdateInput{Name: ptr(fmt.Sprintf("Target %d", round))})
			})
		}
		wg.Wait()
		won := 0
		for _, err := range errs {
			if err == nil {
				won++
			} else if !errors.Is(err, org.NameTaken) {
				t.Errorf("round %d: %v", round, err)
			}
		}
		if won != 1 {
			t.Errorf("round %d: %d won", round, won)
		}
	}
	w.sound()
}

func TestDeleteLeavesNoTrace(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		bystander := w.create("Bystander", "b@x.example")
		w.put(bystander.Collection, bson.D{{Key: "_id", Value: 1}})
		before := dump(t.Context(), t, w.engine)
		o := w.create("Acme", "a@x.example")
		w.fill(o.Collection, 100)
		p := w.login("a@x.example")
		o, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true})
		if err != nil {
			t.Fatal(err)
		}
		got, err := w.Delete(t.Context(), p)
		if err != nil {
			t.Fatal(err)
		}
		want := org.DeletionReceipt{OrganizationID: o.ID, Name: "Acme", Collections: []string{o.Collection}}
		if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(org.DeletionReceipt{}, "DeletedAt")); diff != "" {
			t.Error(diff)
		}
		if diff := cmp.Diff(before, dump(t.Context(), t, w.engine)); diff != "" {
			t.Error(diff)
		}
		w.sound()
		if _, err := w.Authenticate(t.Context(), p); !errors.Is(err, org.TokenRevoked) {
			t.Errorf("token: %v", err)
		}
		w.create("Acme", "a@x.example")
	})
}

func TestRacingDeletesAndUpdates(t *testing.T) {
	w := newWorld(t, embeddedEngine(t))
	for round := range 20 {
		email := fmt.Sprintf("a%d@x.example", round)
		o := w.create(fmt.Sprintf("Org %d", round), email)
		w.fill(o.Collection, 20)
		p := w.login(email)
		var wg sync.WaitGroup
		var deleted [3]error
		for i := range deleted {
			wg.Go(func() { _, deleted[i] = w.Delete(t.Context(), p) })
			wg.Go(func() {
				_, _ = w.Update(t.Context(), p, tenant.UpdateInput{Name: ptr(fmt.Sprintf("X %d.%d", round, i)), Migrate: true})
			})
		}
		wg.Wait()
		gone := 0
		for _, err := range deleted {
			switch {
			case err == nil:
				gone++
			case !errors.Is(err, org.TokenRevoked) && !errors.Is(err, org.OperationInProgress):
				t.Errorf("round %d: %v", round, err)
			}
		}
		if gone > 1 {
			t.Errorf("round %d: deleted %d times", round, gone)
		}
		w.sound()
	}
}

func ptr[T any](v T) *T { return &v }
