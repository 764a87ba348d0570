package access

import (
	"context"
	"maps"
	"slices"
	"sync"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/tenant/master"
)

// unanswered has the documents whose last write by this process got no answer: the write may be
// carried out any time later, in the collection to which it was sent. A move compares them again
// until its very end, so that no reader sees such a write which a later reader does not. After the
// move they do not matter any more. A nil unanswered, of a process that is alone, is empty.
type unanswered struct {
	mu    sync.Mutex
	known map[string]*unansweredIn // by organization
}

type unansweredIn struct {
	collection string
	ids        map[string]bson.RawValue
}

// Limits on what is remembered; docs/moves.md says what happens beyond them.
const (
	maxUnanswered              = 1000 // documents of an organization
	maxUnansweredOrganizations = 1000
)

func (u *unanswered) add(orgID, collection string, ids []bson.RawValue) {
	if u == nil {
		return
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	in := u.known[orgID]
	if in == nil || in.collection != collection {
		if u.known == nil || len(u.known) >= maxUnansweredOrganizations {
			u.known = map[string]*unansweredIn{}
		}
		in = &unansweredIn{collection, map[string]bson.RawValue{}}
		u.known[orgID] = in
	}
	for _, id := range ids {
		if len(in.ids) < maxUnanswered {
			in.ids[string(rune(id.Type))+string(id.Value)] = id
		}
	}
}

func (u *unanswered) any(orgID string) bool {
	if u == nil {
		return false
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	return u.known[orgID] != nil
}

// in returns the documents of an organization whose data is in that collection.
func (u *unanswered) in(orgID, collection string) []bson.RawValue {
	if u == nil {
		return nil
	}
	u.mu.Lock()
	defer u.mu.Unlock()
	in := u.known[orgID]
	if in == nil {
		return nil
	}
	if in.collection != collection {
		delete(u.known, orgID)
		return nil
	}
	ids := make([]bson.RawValue, 0, len(in.ids))
	for _, id := range in.ids {
		ids = append(ids, id)
	}
	return ids
}

func (u *unanswered) organizations() []string {
	u.mu.Lock()
	defer u.mu.Unlock()
	return slices.Collect(maps.Keys(u.known))
}

// Unanswered reports whether a move has to hear from this process of a write that got no answer. Those
// of organizations that have moved since, or are gone, do not matter any more.
func (a *Access) Unanswered(ctx context.Context) (bool, error) {
	for _, orgID := range a.unanswered.organizations() {
		o, err := master.Found(a.master.Organizations.Get(ctx, orgID))
		if err != nil {
			return false, err
		}
		collection := ""
		if o != nil {
			collection = o.Collection
		}
		if len(a.unanswered.in(orgID, collection)) > 0 {
			return true, nil
		}
	}
	return false, nil
}

// RecordUnanswered makes the move compare, in its next round, the documents whose writes got no answer.
func (a *Access) RecordUnanswered(ctx context.Context, o *master.Organization) error {
	if o.Move == nil {
		return nil
	}
	return a.Dirty.Record(ctx, o.Move.Dirty, o.Epoch-1, true, a.unanswered.in(o.ID, o.Collection)...)
}

// tellUnanswered records for the organization's move the documents whose writes got no answer.
func (a *Access) tellUnanswered(ctx context.Context, orgID string) error {
	if !a.unanswered.any(orgID) {
		return nil
	}
	o, err := master.Found(a.master.Organizations.Get(ctx, orgID))
	if err != nil || o == nil {
		return err
	}
	return a.RecordUnanswered(ctx, o)
}
