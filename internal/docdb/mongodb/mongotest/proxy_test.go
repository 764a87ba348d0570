package mongotest

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// client connects to a server, without the driver's own retries.
func client(t *testing.T, uri string) *mongo.Client {
	t.Helper()
	c, err := mongo.Connect(options.Client().ApplyURI(uri).SetRetryWrites(false).SetRetryReads(false))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		err := c.Disconnect(context.WithoutCancel(t.Context()))
		if err != nil && !errors.Is(err, mongo.ErrClientDisconnected) {
			t.Error(err)
		}
	})
	return c
}

// through is two collections reached through a proxy, and the same past it, each with the
// document 1.
func through(t *testing.T) (p *Proxy, a, b, aThere, bThere *mongo.Collection) {
	t.Helper()
	p = NewProxy(t, URI(t))
	name := Database(t)
	db, there := client(t, p.URI()).Database(name), client(t, URI(t)).Database(name)
	for _, c := range []string{"org_a", "b"} {
		if _, err := there.Collection(c).InsertOne(t.Context(), bson.D{{Key: "_id", Value: 1}, {Key: "n", Value: 0}}); err != nil {
			t.Fatal(err)
		}
	}
	return p, db.Collection("org_a"), db.Collection("b"), there.Collection("org_a"), there.Collection("b")
}

// increment adds 1 to n, and gives up after a while.
func increment(t *testing.T, c *mongo.Collection) error {
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	_, err := c.UpdateByID(ctx, 1, bson.D{{Key: "$inc", Value: bson.D{{Key: "n", Value: 1}}}})
	return err
}

func n(t *testing.T, c *mongo.Collection) int {
	t.Helper()
	var doc struct{ N int }
	if err := c.FindOne(t.Context(), bson.D{{Key: "_id", Value: 1}}).Decode(&doc); err != nil {
		t.Fatal(err)
	}
	return doc.N
}

func TestProxyFaults(t *testing.T) {
	for name, test := range map[string]struct {
		fault     Fault
		fails     bool
		did, held int
	}{
		"pass":  {fault: Pass, did: 1},
		"cut":   {fault: Cut, fails: true},
		"lose":  {fault: Lose, fails: true, did: 1},
		"stall": {fault: Stall, fails: true, did: 1},
		"hold":  {fault: Hold, fails: true, held: 1},
		"twice": {fault: Twice, did: 2},
	} {
		t.Run(name, func(t *testing.T) {
			p, a, _, there, _ := through(t)
			p.On(Nth(2, "update", "org_", test.fault))
			if err := increment(t, a); err != nil {
				t.Errorf("the one before: %v", err)
			}
			if err := increment(t, a); (err != nil) != test.fails {
				t.Errorf("got error %v", err)
			}
			if got := n(t, there); got != 1+test.did || len(p.Held()) != test.held {
				t.Errorf("it was done %d times, and %v is held", got-1, p.Held())
			}
			if err := increment(t, a); err != nil || n(t, there) != 2+test.did {
				t.Errorf("the one after: %v", err)
			}
		})
	}
}

func TestAHeldCommandArrivesWhenItIsDelivered(t *testing.T) {
	p, a, b, aThere, bThere := through(t)
	p.On(First(3, "update", "", Hold))
	for _, c := range []*mongo.Collection{a, b, a} {
		if err := increment(t, c); err == nil {
			t.Error("it was answered")
		}
	}
	// The client that sent them is gone, and so are its connections.
	if err := a.Database().Client().Disconnect(t.Context()); err != nil {
		t.Fatal(err)
	}
	held := p.Held()
	if len(held) != 3 || held[1].Name != "update" || held[1].Collection != "b" || held[1].Database != b.Database().Name() || held[1].N <= held[0].N {
		t.Fatalf("held: %v", held)
	}
	if answers := p.Deliver(held[1]); len(answers) != 1 || answers[0].Lookup("n").AsInt64() != 1 {
		t.Errorf("the server answers %v", answers)
	}
	if diff := cmp.Diff([]int{0, 1}, []int{n(t, aThere), n(t, bThere)}); diff != "" {
		t.Errorf("one was delivered (-want +got):\n%s", diff)
	}
	if answers := p.Deliver(); len(answers) != 2 || len(p.Held()) != 0 || len(p.Deliver(held...)) != 0 {
		t.Errorf("all others: %v; held are %v", answers, p.Held())
	}
	if diff := cmp.Diff([]int{2, 1}, []int{n(t, aThere), n(t, bThere)}); diff != "" {
		t.Errorf("all were delivered (-want +got):\n%s", diff)
	}
}

func TestAHeldCommandOfAServerThatIsGone(t *testing.T) {
	s := Start(t)
	p := NewProxy(t, s.URI())
	c := client(t, p.URI()).Database("d").Collection("c")
	p.On(First(1, "update", "", Hold))
	if err := increment(t, c); err == nil {
		t.Error("it was answered")
	}
	s.Kill()
	if answers := p.Deliver(); len(answers) != 1 || answers[0] != nil {
		t.Errorf("the server answers %v", answers)
	}
}

func TestATestAnswersForTheServer(t *testing.T) {
	p, a, b, aThere, bThere := through(t)
	p.Answer(func(c Command) any {
		if c.Name == "update" && c.Collection == "org_a" {
			return bson.D{{Key: "ok", Value: 0}, {Key: "code", Value: 13}, {Key: "codeName", Value: "Unauthorized"}}
		}
		return nil
	})
	var refused mongo.CommandError
	if err := increment(t, a); !errors.As(err, &refused) || refused.Code != 13 {
		t.Errorf("got error %v", err)
	}
	if err := increment(t, b); err != nil {
		t.Error(err)
	}
	if diff := cmp.Diff([]int{0, 1}, []int{n(t, aThere), n(t, bThere)}); diff != "" {
		t.Errorf("done (-want +got):\n%s", diff)
	}
}

func TestADelayIsOfEveryMessage(t *testing.T) {
	p, a, _, there, _ := through(t)
	if err := increment(t, a); err != nil { // connects
		t.Fatal(err)
	}
	const d = 30 * time.Millisecond
	p.Delay(d)
	began := time.Now()
	for range 3 {
		if err := increment(t, a); err != nil {
			t.Fatal(err)
		}
	}
	if took := time.Since(began); took < 3*d || n(t, there) != 4 {
		t.Errorf("three messages took %s, and n is %d", took, n(t, there))
	}
}
