package tenant_test

import (
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/faulty"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

func equal(a, b []string) bool { return slices.Equal(a, b) }

// awaited polls an operation to its end, as a client does.
func (w *world) awaited(orgID, id string) org.Operation {
	w.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		op, err := w.Operation(w.t.Context(), orgID, id)
		if err != nil {
			w.t.Fatal(err)
		}
		if op.State != org.OperationRunning {
			return op
		}
		if time.Now().After(deadline) {
			w.t.Fatalf("the operation does not end: %+v", op)
		}
	}
}

func TestOperations(t *testing.T) {
	eachEngine(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		acme, other := w.create("Acme", "acme@x.example"), w.create("Other", "other@x.example")
		w.fill(acme.Collection, 20)
		p := w.login("acme@x.example")
		for range 3 {
			if _, err := w.Update(ctx, p, tenant.UpdateInput{Migrate: true}); err != nil {
				t.Fatal(err)
			}
		}
		all, next, err := w.Operations(ctx, acme.ID, "", 100)
		if err != nil || len(all) != 4 || next != "" || all[3].Kind != "create" {
			t.Fatalf("%+v %q %v", all, next, err)
		}
		for _, op := range all {
			got, err := w.Operation(ctx, acme.ID, op.ID)
			if err != nil || got != op || op.State != org.OperationSucceeded || op.Failure != nil || !op.ETA.IsZero() ||
				op.FinishedAt.IsZero() || op.StartedAt.IsZero() || op.Kind == "update" && (op.DocumentsCopied != 20 || op.DocumentsTotal != 20 || op.BytesCopied == 0) {
				t.Errorf("%+v\n%+v, %v", op, got, err)
			}
			_, err = w.Operation(ctx, other.ID, op.ID)
			w.wants("another's operation", err, org.NotFound)
		}
		first, next, err := w.Operations(ctx, acme.ID, "", 3)
		if err != nil || len(first) != 3 || next != all[2].ID {
			t.Fatalf("%+v %q %v", first, next, err)
		}
		last, next, err := w.Operations(ctx, acme.ID, next, 3)
		if err != nil || len(last) != 1 || last[0] != all[3] || next != "" {
			t.Errorf("%+v %q %v", last, next, err)
		}
	})
}

// held is a world in which a move stops where it creates its collection.
func held(t *testing.T, edits ...func(*tenant.Config)) (w *world, f *faulty.Engine, release func()) {
	f = faulty.New(model.New())
	w = newWorld(t, f, append([]func(*tenant.Config){plain}, edits...)...)
	w.create("Acme", "acme@x.example")
	gate := make(chan struct{})
	f.On(func(c faulty.Call) error {
		if c.Op == "Create" && c.Database == tenantDB || c.Op == "Drop" && c.Database == tenantDB {
			<-gate
		}
		return nil
	})
	return w, f, func() { close(gate) }
}

func TestUpdateAsync(t *testing.T) {
	w, _, release := held(t)
	p := w.login("acme@x.example")
	op, err := w.UpdateAsync(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex"), Password: ptr(rotated), Migrate: true})
	if err != nil || op.State != org.OperationRunning || op.Kind != "update" {
		t.Fatalf("%+v, %v", op, err)
	}
	if now, err := w.Operation(t.Context(), p.OrgID, op.ID); err != nil || now.State != org.OperationRunning {
		t.Errorf("%+v, %v", now, err)
	}
	_, err = w.UpdateAsync(t.Context(), p, tenant.UpdateInput{})
	w.wants("another update", err, org.OperationInProgress)
	_, _, err = w.DeleteAsync(t.Context(), p)
	w.wants("a deletion", err, org.OperationInProgress)
	release()
	if op = w.awaited(p.OrgID, op.ID); op.State != org.OperationSucceeded {
		t.Errorf("%+v", op)
	}
	if _, err := w.Login(t.Context(), "acme@x.example", rotated); err != nil {
		t.Error(err)
	}
	w.sound()
}

// What is known at the start to be in the way is told at once, and leaves nothing.
func TestUpdateAsyncIsRefusedAtOnce(t *testing.T) {
	f := faulty.New(model.New())
	w := newWorld(t, f, plain)
	w.create("Acme", "acme@x.example")
	w.create("Taken", "taken@x.example")
	p := w.login("acme@x.example")
	for _, c := range []struct {
		in   tenant.UpdateInput
		kind org.Kind
	}{
		{tenant.UpdateInput{Name: ptr("TAKEN")}, org.NameTaken}, {tenant.UpdateInput{Email: ptr("taken@x.example")}, org.EmailTaken},
		{tenant.UpdateInput{Name: ptr("")}, org.Invalid},
	} {
		_, err := w.UpdateAsync(t.Context(), p, c.in)
		w.wants("refused by what is there", err, c.kind)
	}
	// Somebody takes the name between the first look and the reservation.
	taken := false
	f.On(func(c faulty.Call) error {
		if c.Op == "Insert" && c.Collection == "operations" && !taken {
			taken = true
			w.create("Globex", "globex@x.example")
		}
		return nil
	})
	_, err := w.UpdateAsync(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex"), Migrate: true})
	w.wants("refused by the reservation", err, org.NameTaken)
	all, _, err := w.Operations(t.Context(), p.OrgID, "", 1)
	if err != nil || len(all) != 1 || all[0].Kind != "create" {
		t.Errorf("it has left %+v in the history, %v", all, err)
	}
	w.sound()
}

func TestDeleteAsync(t *testing.T) {
	w, _, release := held(t)
	p := w.login("acme@x.example")
	op, receipt, err := w.DeleteAsync(t.Context(), p)
	if err != nil || op == nil || op.Kind != "delete" || receipt.OrganizationID != "" {
		t.Fatalf("%+v, %+v, %v", op, receipt, err)
	}
	_, err = w.Authenticate(t.Context(), p)
	w.wants("the token", err, org.TokenRevoked)
	_, err = w.AuthenticateWatcher(t.Context(), p)
	w.wants("the token of a watcher", err, "")
	if now, err := w.Operation(t.Context(), p.OrgID, op.ID); err != nil || now.State != org.OperationRunning {
		t.Errorf("%+v, %v", now, err)
	}
	release()
	for deadline := time.Now().Add(30 * time.Second); err == nil && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
		_, err = w.AuthenticateWatcher(t.Context(), p)
	}
	w.wants("the token of a watcher, in the end", err, org.TokenRevoked)
	if err := w.Close(t.Context()); err != nil {
		t.Error(err)
	}
	w.sound()
	if got := dump(t.Context(), t, w.engine); len(got) > 0 {
		t.Errorf("left: %v", got)
	}
}

func TestDeleteAsyncWithGraceIsDoneAtOnce(t *testing.T) {
	w := newWorld(t, model.New(), withGrace)
	w.create("Acme", "acme@x.example")
	op, receipt, err := w.DeleteAsync(t.Context(), w.login("acme@x.example"))
	if err != nil || op != nil || receipt.PurgeAfter.IsZero() {
		t.Errorf("%+v, %+v, %v", op, receipt, err)
	}
}

// Close waits for what goes on in the background.
func TestCloseWaitsForAsync(t *testing.T) {
	w, _, release := held(t)
	p := w.login("acme@x.example")
	if _, err := w.UpdateAsync(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
		t.Fatal(err)
	}
	closed := make(chan error, 1)
	go func() { closed <- w.Close(t.Context()) }()
	select {
	case err := <-closed:
		t.Fatalf("did not wait: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	release()
	if err := <-closed; err != nil {
		t.Error(err)
	}
	w.sound()
	again := newWorld(t, w.engine, plain)
	if _, err := again.UpdateAsync(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil {
		t.Error(err)
	}
	_, err := w.UpdateAsync(t.Context(), p, tenant.UpdateInput{})
	if k := kindOf(err); k != org.Unavailable && k != org.OperationInProgress {
		t.Errorf("after Close: %v", err)
	}
	if err := again.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// An asynchronous update that was answered is not lost in a crash.
func TestAcceptedIsNotLost(t *testing.T) {
	for _, mode := range faulty.Modes {
		for k := 1; k < 40; k++ {
			engine := model.New()
			w := newWorld(t, engine, plain)
			w.create("Acme", "acme@x.example")
			p := w.login("acme@x.example")
			f := faulty.New(engine)
			s := openStore(t, f, plain)
			f.DieAt(f.Calls()+k, mode)
			op, err := s.UpdateAsync(t.Context(), p, tenant.UpdateInput{Name: ptr("Globex"), Password: ptr(rotated), Migrate: true})
			_ = s.Close(t.Context())
			again := &world{Store: openStore(t, engine, plain), t: t, engine: engine}
			if err == nil {
				if got := again.awaited(p.OrgID, op.ID); got.State != org.OperationSucceeded {
					t.Errorf("call %d %s: accepted, and %+v", k, mode, got)
				}
			}
			again.sound()
		}
	}
}

func TestETA(t *testing.T) {
	began := time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)
	clock := began
	f := faulty.New(model.New())
	w := newWorld(t, f, plain, func(c *tenant.Config) { c.Now = func() time.Time { return clock } })
	acme := w.create("Acme", "acme@x.example")
	w.fill(acme.Collection, 2500)
	p := w.login("acme@x.example")
	seen := 0
	f.On(func(c faulty.Call) error {
		if c.Op != "InsertMany" || c.Database != tenantDB {
			return nil
		}
		clock = clock.Add(10 * time.Second)
		time.Sleep(1100 * time.Millisecond) // longer than the pause between two marks
		all, _, err := w.Operations(t.Context(), acme.ID, "", 1)
		if err != nil || len(all) != 1 {
			t.Errorf("%+v, %v", all, err)
			return nil
		}
		if op := all[0]; op.DocumentsCopied > 0 {
			seen++
			took := op.UpdatedAt.Sub(began)
			want := op.UpdatedAt.Add(took * time.Duration(op.DocumentsTotal-op.DocumentsCopied) / time.Duration(op.DocumentsCopied))
			if op.DocumentsTotal != 2500 || op.ETA.Sub(want).Abs() > time.Second {
				t.Errorf("%+v, want an end at about %s", op, want)
			}
		}
		return nil
	})
	if _, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true}); err != nil || seen == 0 {
		t.Errorf("seen %d times, %v", seen, err)
	}
}

// An organization whose name or address is reserved no more, whatever the reason, can have another: the update ends.
func TestAnUpdateOfAnOrganizationWithoutItsReservationEnds(t *testing.T) {
	for missing, in := range map[string]tenant.UpdateInput{
		"name:acme":            {Name: ptr("Globex")},
		"email:acme@x.example": {Email: ptr("globex@x.example")},
	} {
		t.Run(missing, func(t *testing.T) {
			w := sharedWorld(t)
			acme := w.create("Acme", "acme@x.example")
			p := w.login("acme@x.example")
			if err := w.engine.Database(masterDB).Collection("reservations").Delete(t.Context(), docdb.StringID(missing), docdb.Filter{}); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Update(t.Context(), p, in); err != nil {
				t.Errorf("it is told %v", err)
			}
			all, _, err := w.Operations(t.Context(), acme.ID, "", 1)
			if err != nil || len(all) != 1 || all[0].Kind != "update" || all[0].State != org.OperationSucceeded {
				t.Errorf("%+v, %v", all, err)
			}
			w.sound()
		})
	}
}

// The checkpoint after a claim fails, so the claim is tried again. A move does not claim a second collection; a create
// gives up the one that it has proposed. One is left.
func TestAClaimThatIsTriedAgainLeavesOneCollection(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := faulty.New(model.New())
		w := newWorld(t, f, plain, shared)
		w.claimsAgain(f, "create", 2, func() error {
			_, err := w.Create(t.Context(), tenant.CreateInput{Name: "Acme", Email: "acme@x.example", Password: password})
			return err
		})
		p := w.login("acme@x.example")
		w.claimsAgain(f, "move", 1, func() error {
			_, err := w.Update(t.Context(), p, tenant.UpdateInput{Migrate: true})
			return err
		})
	})
}

// claimsAgain has an operation try its claim twice: the first takes so long that a checkpoint is made after it, which
// fails.
func (w *world) claimsAgain(f *faulty.Engine, name string, claims int, operation func() error) {
	w.t.Helper()
	claimed, failed := 0, false
	f.On(func(c faulty.Call) error {
		switch {
		case c.Op == "Insert" && c.Collection == "collections":
			claimed++
			time.Sleep(2 * time.Second)
		case c.Op == "Replace" && c.Collection == "operations" && claimed == 1 && !failed:
			failed = true
			return docdb.ErrUnavailable
		}
		return nil
	})
	if err := operation(); err != nil || !failed {
		w.t.Errorf("%s: the checkpoint failed: %t; it is told %v", name, failed, err)
	}
	if n := w.count("collections"); claimed != claims || n != 1 {
		w.t.Errorf("%s: it has claimed %d collections, want %d; %d are there after it", name, claimed, claims, n)
	}
	w.sound()
}
