package app_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/url"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"go.mongodb.org/mongo-driver/v2/bson"
	"pgregory.net/rapid"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/docdbtest/bsontest"
	"github.com/orgd/orgd/internal/docdb/docdbtest/model"
	"github.com/orgd/orgd/internal/docdb/docdbtest/standin"
	"github.com/orgd/orgd/internal/docdb/docdbtest/suite"
	"github.com/orgd/orgd/internal/docdb/mongodb/mongotest"
	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/tenant"
)

// A lister draws documents and lists, and knows from a model what they come to.
type lister struct {
	*world
	auth    string
	r       *rand.Rand
	standIn bool // leave out what the stand-in for MongoDB gets wrong
	asked   int  // pages so far
	docs    []bson.Raw
	indexes []docdb.Index
}

func (w *world) lister(r *rand.Rand, auth string) *lister {
	return &lister{world: w, auth: auth, r: r, standIn: w.uri != "" && mongotest.IsStandIn()}
}

// example draws from a generator of rapid's.
func example[T any](l *lister, g *rapid.Generator[T]) T { return g.Example(int(l.r.Int64())) }

// takes reports whether a step can be done right.
func (l *lister) takes(step suite.Step) bool {
	step.Indexes, step.Stored = l.indexes, append(slices.Clip(l.docs), bsontest.Doc(0)) // an index that not even that fits is none
	return !l.standIn || standin.Takes(step)
}

// id draws an _id of one of many types.
func (l *lister) id() bson.RawValue {
	n := l.r.IntN(1000)
	all := []any{n, int64(n) + 1<<53, float64(n) + 0.5, fmt.Sprint("d", n), fmt.Sprintf("d%d\x00é", n), bson.ObjectID{0: byte(n), 11: byte(n >> 8)},
		bson.D{{Key: "a", Value: n}}, bson.D{{Key: "b", Value: bson.A{n}}}, bson.Binary{Data: []byte{byte(n)}}, bson.DateTime(n - 500), n%2 == 0, nil, "",
		bson.Timestamp{T: uint32(n), I: 1}}
	if l.standIn { // it orders _ids of two documents, or with a NUL, or timestamps, otherwise than MongoDB
		all = []any{n, float64(n) + 0.5, fmt.Sprint("d", n), bson.ObjectID{0: byte(n), 11: byte(n >> 8)}, bson.Binary{Data: []byte{byte(n)}}, bson.DateTime(n - 500), n%2 == 0, nil, ""}
	}
	return bsontest.Value(all[l.r.IntN(len(all))])
}

// document draws one that there is not yet.
func (l *lister) document() bson.Raw {
	for {
		doc := example(l, bsontest.AnyDocument(l.id()))
		taken := slices.ContainsFunc(l.docs, func(other bson.Raw) bool { return docdb.Compare(docdb.ID(other), docdb.ID(doc)) == 0 })
		if !taken && l.takes(suite.Step{Document: doc}) {
			return doc
		}
	}
}

// index draws one; false if none is found that the server gets right.
func (l *lister) index(name string) (docdb.Index, bool) {
	for range 100 {
		ix := docdb.Index{Name: name}
		for range 1 + l.r.IntN(3) {
			path := example(l, bsontest.AnyPath())
			if path != "_id" && !slices.ContainsFunc(ix.Keys, func(k docdb.Key) bool { return k.Path == path }) {
				ix.Keys = append(ix.Keys, docdb.Key{Path: path, Desc: l.r.IntN(2) == 0})
			}
		}
		if len(ix.Keys) > 0 && l.takes(suite.Step{Index: &ix}) {
			return ix, true
		}
	}
	return docdb.Index{}, false
}

// filter draws a filter that Extended JSON can hold: no name twice in one object.
func (l *lister) filter() bson.Raw {
	for {
		f := example(l, bsontest.AnyFilter(2))
		if text := extjson.AppendCanonical(nil, f); len(text) < 4000 && !twice(f) && l.takes(suite.Step{Filter: f}) {
			return f
		}
	}
}

// twice reports whether a name is twice in a document, at any depth.
func twice(doc bson.Raw) bool {
	elements, _ := doc.Elements()
	seen := map[string]bool{}
	for i, e := range elements {
		inner := e.Value()
		if kid := bson.Raw(inner.Value); (inner.Type == bson.TypeEmbeddedDocument || inner.Type == bson.TypeArray) && twice(kid) {
			return true
		}
		if seen[e.Key()] {
			return true
		}
		seen[elements[i].Key()] = true
	}
	return false
}

// A list is a query of documents, as a client asks it.
type list struct {
	filter bson.Raw
	sort   string
	limit  int
	count  bool
	fields []string
}

func (q list) String() string {
	return fmt.Sprintf("filter %s sort %q limit %d fields %q", extjson.AppendCanonical(nil, q.filter), q.sort, q.limit, q.fields)
}

func (q list) path() string {
	v := url.Values{"limit": {fmt.Sprint(q.limit)}}
	if len(q.filter) > 5 {
		v.Set("filter", string(extjson.AppendCanonical(nil, q.filter)))
	}
	if q.sort != "" {
		v.Set("sort", q.sort)
	}
	if q.count {
		v.Set("count", "true")
	}
	if q.fields != nil {
		v.Set("fields", strings.Join(q.fields, ","))
	}
	return "/org/documents?" + v.Encode()
}

// longestParameter is how long a filter in a URL may be.
const longestParameter = 1024

// body is the query as POST /org/documents/query takes it.
func (q list) body(cursor string) string {
	query := map[string]any{"filter": json.RawMessage(extjson.AppendCanonical(nil, q.filter)), "limit": q.limit, "cursor": cursor}
	if q.sort != "" {
		query["sort"] = q.sort
	}
	if q.count {
		query["count"] = true
	}
	if q.fields != nil {
		query["fields"] = strings.Join(q.fields, ",")
	}
	return asJSON(query)
}

func asJSON(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err) // a map of what JSON has
	}
	return string(text)
}

// list draws a query whose order there is.
func (l *lister) list() list {
	q := list{filter: l.filter(), sort: []string{"", "_id", "-_id"}[l.r.IntN(3)], limit: []int{1, 2, 3, 5, 10, 1000}[l.r.IntN(6)], count: l.r.IntN(3) == 0}
	if len(l.indexes) > 0 && l.r.IntN(4) > 0 {
		keys := l.indexes[l.r.IntN(len(l.indexes))].Keys
		q.sort = sortBy(turned(keys[:1+l.r.IntN(len(keys))], l.r.IntN(2) == 0))
	}
	if l.r.IntN(4) == 0 {
		q.fields = []string{example(l, bsontest.AnyPath()), "b"}
	}
	return q
}

func turned(keys []docdb.Key, turn bool) []docdb.Key {
	keys = slices.Clone(keys)
	for i := range keys {
		keys[i].Desc = keys[i].Desc != turn
	}
	return keys
}

func sortBy(keys []docdb.Key) string {
	parts := make([]string, len(keys))
	for i, key := range keys {
		if parts[i] = key.Path; key.Desc {
			parts[i] = "-" + key.Path
		}
	}
	return strings.Join(parts, ",")
}

// orders are those of indexes, forwards or backwards, that begin with a sort. Where
// the sort leaves open what comes first, the index may say.
func orders(sort string, indexes []docdb.Index) (all []docdb.Query) {
	if sort == "" || sort == "_id" || sort == "-_id" {
		return []docdb.Query{{Desc: sort == "-_id"}}
	}
	n := strings.Count(sort, ",") + 1
	for _, ix := range indexes {
		for _, desc := range []bool{false, true} {
			if len(ix.Keys) >= n && sortBy(turned(ix.Keys[:n], desc)) == sort {
				all = append(all, docdb.Query{Order: ix.Keys, Desc: desc})
			}
		}
	}
	return all
}

// want is what a list may come to, one text for each order it may have.
func (l *lister) want(docs []bson.Raw, q list) (all []string) {
	filter, err := docdb.ParseFilter(q.filter)
	if err != nil {
		l.t.Fatalf("%v: %v", q, err)
	}
	for _, order := range orders(q.sort, l.indexes) {
		order.Filter = filter
		var text []byte
		for _, doc := range model.Select(docs, order) {
			if q.fields != nil {
				doc = tenant.NewProjection(q.fields).Apply(nil, doc)
			}
			text = append(extjson.Append(text, doc), '\n')
		}
		all = append(all, string(text))
	}
	return all
}

// A page is an answer of GET /org/documents, or of POST /org/documents/query.
type page struct {
	Items []json.RawMessage `json:"items"`
	Next  string            `json:"next_cursor"`
	Total *int64            `json:"total"`
}

// page gets one of either, in turn, so that cursors of the one are given to the other.
func (l *lister) page(q list, cursor string) (p page) {
	l.t.Helper()
	var a answer
	if l.asked++; l.asked%2 == 0 || len(extjson.AppendCanonical(nil, q.filter)) > longestParameter {
		a = l.do("POST", "/org/documents/query", q.body(cursor), l.auth)
	} else {
		a = l.do("GET", q.path()+"&cursor="+cursor, "", l.auth)
	}
	if a.status != 200 {
		l.t.Fatalf("%v: %d %s", q, a.status, a.body)
	}
	if err := json.Unmarshal([]byte(a.body), &p); err != nil {
		l.t.Fatal(err)
	}
	if len(p.Items) > q.limit || p.Next != "" && len(p.Items) != q.limit { // small documents, so only the last is short
		l.t.Fatalf("%v: %d items and the cursor %q", q, len(p.Items), p.Next)
	}
	return p
}

// all follows a list to its end, one document a line.
func (l *lister) all(q list, visit func(page)) string {
	l.t.Helper()
	var text strings.Builder
	for cursor, pages := "", 0; ; pages++ {
		if pages > 10_000 {
			l.t.Fatalf("%v: no end", q)
		}
		p := l.page(q, cursor)
		visit(p)
		for _, item := range p.Items {
			text.Write(item)
			text.WriteByte('\n')
		}
		if cursor = p.Next; cursor == "" {
			return text.String()
		}
	}
}

// TestListsAreAsTheModelHasThem: random documents, indexes, filters, sorts and limits;
// what following the cursors gives is what a scan of a slice in memory gives, in the
// same order.
func TestListsAreAsTheModelHasThem(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	onEachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		rounds, lists := 12, 25
		if w.uri != "" {
			rounds, lists = 2, 15
		}
		if long() {
			rounds *= 25
		}
		nonEmpty := 0
		for round := range rounds {
			l := w.lister(rand.New(rand.NewPCG(seed, uint64(round))), w.account(fmt.Sprint("Round ", round)).auth)
			l.stock(40)
			for range lists {
				q := l.list()
				want := l.want(l.docs, q)
				got := l.all(q, func(p page) {
					if n := int64(strings.Count(want[0], "\n")); q.count != (p.Total != nil) || q.count && *p.Total != n {
						t.Fatalf("round %d: %v: total %v, not %d", round, q, p.Total, n)
					}
				})
				if got != "" {
					nonEmpty++
				}
				l.export(q)
				if !slices.Contains(want, got) {
					t.Fatalf("round %d, indexes %v: %v\ngot\n%swant\n%sof\n%s", round, l.indexes, q, got, strings.Join(want, "or\n"), lines(l.docs))
				}
			}
		}
		if nonEmpty < rounds*lists/4 {
			t.Errorf("only %d of %d lists had documents: draw others", nonEmpty, rounds*lists)
		}
	})
}

// export holds an export of the query's filter against the model.
func (l *lister) export(q list) {
	l.t.Helper()
	want := l.want(l.docs, list{filter: q.filter})[0]
	want += fmt.Sprintf(`{"_trailer":{"documents":%d,"complete":true}}`+"\n", strings.Count(want, "\n"))
	body := asJSON(map[string]any{"filter": json.RawMessage(extjson.AppendCanonical(nil, q.filter))})
	if got := l.do("POST", "/org/export", body, l.auth).is(200).body; got != want {
		l.t.Fatalf("%v: exported\n%swant\n%s", q, got, want)
	}
}

func lines(docs []bson.Raw) string {
	var text []byte
	for _, doc := range docs {
		text = append(extjson.AppendCanonical(text, doc), '\n')
	}
	return string(text)
}

// stock puts documents and indexes into the organization and into a model, each
// before or after the other; what one refuses the other has to.
func (l *lister) stock(n int) {
	l.t.Helper()
	db := model.New().Database("m")
	reference, ctx := db.Collection("c"), l.t.Context()
	if err := db.Create(ctx, "c"); err != nil {
		l.t.Fatal(err)
	}
	index := func(name string) {
		ix, ok := l.index(name)
		if !ok {
			return
		}
		keys := []map[string]string{}
		for _, key := range ix.Keys {
			keys = append(keys, map[string]string{"path": key.Path, "order": map[bool]string{false: "asc", true: "desc"}[key.Desc]})
		}
		body, err := json.Marshal(map[string]any{"name": ix.Name, "keys": keys})
		if err != nil {
			l.t.Fatal(err)
		}
		want := 201
		switch err := reference.CreateIndex(ctx, ix); {
		case errors.Is(err, docdb.ErrExists):
			want = 409
		case errors.Is(err, docdb.ErrInvalid):
			want = 422
		case err != nil:
			l.t.Fatal(err)
		}
		if a := l.do("POST", "/org/indexes", string(body), l.auth); a.status != want {
			l.t.Fatalf("%s: %d, not %d: %s\nof\n%s", body, a.status, want, a.body, lines(l.docs))
		}
		if l.indexes, err = reference.Indexes(ctx); err != nil {
			l.t.Fatal(err)
		}
	}
	documents := func(n int) {
		var fresh []bson.Raw
		refused := 0
		for range n {
			doc := l.document()
			if err := reference.Insert(ctx, doc); errors.Is(err, docdb.ErrInvalid) {
				refused++ // arrays at two paths of an index
			} else if err != nil {
				l.t.Fatal(err)
			} else {
				l.docs = append(l.docs, doc)
			}
			fresh = append(fresh, doc)
		}
		a := l.do("POST", "/org/import", lines(fresh), l.auth, asLines).is(200)
		if !strings.Contains(a.body, fmt.Sprintf(`"inserted":%d,"replaced":0,"skipped":0,"failed":%d,"complete":true`, n-refused, refused)) {
			l.t.Fatalf("%s, and not %d refused of\n%s", a.body, refused, lines(fresh))
		}
	}
	index("i")
	documents(n / 2)
	index("j")
	index("k")
	documents(n / 2)
	all := model.Select(l.docs, docdb.Query{})
	want := lines(all) + fmt.Sprintf(`{"_trailer":{"documents":%d,"complete":true}}`+"\n", len(all))
	if got := l.do("GET", "/org/export?canonical=true", "", l.auth).is(200).body; got != want {
		l.t.Fatalf("exported\n%swant\n%s", got, want)
	}
}

// TestListsWhileOthersWrite: while writers put, move about in every order, and remove
// other documents, and the data moves to other collections, the documents that stay as
// they are come exactly once and in their order.
func TestListsWhileOthersWrite(t *testing.T) {
	t.Parallel()
	seed := seedOf(t)
	onEachEngine(t, func(t *testing.T, w *world) {
		w.longOnMongoDB()
		auth := w.account("Acme").auth
		l := w.lister(rand.New(rand.NewPCG(seed, 0)), auth)
		stays, lists, enough := 150, 40, int64(3)
		if w.uri != "" {
			stays, lists, enough = 40, 3, 1
		}
		if long() {
			lists, enough = lists*20, enough*20
		}
		l.indexes = append(l.indexes,
			docdb.Index{Name: "a", Keys: []docdb.Key{{Path: "a"}}},
			docdb.Index{Name: "n", Keys: []docdb.Key{{Path: "n"}, {Path: "s"}}},
		)
		w.do("POST", "/org/indexes", `{"name":"a","keys":[{"path":"a"}]}`, auth).is(201)
		w.do("POST", "/org/indexes", `{"name":"n","keys":[{"path":"n"},{"path":"s"}]}`, auth).is(201)
		draw := func(l *lister, id string) bson.Raw {
			for {
				doc := bsontest.Doc(id, "a", example(l, bsontest.AnyValue(1)), "n", l.r.IntN(5), "s", example(l, bsontest.AnyScalar()), "b", example(l, bsontest.AnyValue(2)))
				if l.takes(suite.Step{Document: doc}) {
					return doc
				}
			}
		}
		for i := range stays {
			l.docs = append(l.docs, draw(l, fmt.Sprintf("%03d-stays", i*5)))
		}
		w.do("POST", "/org/import", lines(l.docs), auth, asLines).is(200)

		stop := make(chan struct{})
		var others sync.WaitGroup
		defer others.Wait()
		defer close(stop)
		again := func(f func()) {
			others.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
						f()
					}
				}
			})
		}
		var moves, writes atomic.Int64
		again(func() {
			w.do("PUT", "/org/update", `{}`, auth).is(200)
			moves.Add(1)
		})
		for writer := range 2 {
			l := w.lister(rand.New(rand.NewPCG(seed, uint64(writer+1))), auth)
			l.indexes = []docdb.Index{{Name: "a", Keys: []docdb.Key{{Path: "a"}}}}
			again(func() {
				id := fmt.Sprintf("%03d-goes%d", l.r.IntN(stays*5), writer)
				if l.r.IntN(3) == 0 {
					w.do("DELETE", "/org/documents/"+id, "", auth)
				} else if a := w.do("PUT", "/org/documents/"+id, string(extjson.AppendCanonical(nil, draw(l, id))), auth); a.status != 200 {
					a.is(201)
				}
				writes.Add(1)
			})
		}
		for done := 0; done < lists || moves.Load() < enough; done++ {
			q := l.list()
			q.count, q.fields, q.limit = false, nil, min(q.limit, 40)
			got := ""
			for line := range strings.Lines(l.all(q, func(page) {})) {
				if strings.HasPrefix(line[len(`{"_id":"000`):], "-stays") {
					got += line
				}
			}
			if want := l.want(l.docs, q); !slices.Contains(want, got) {
				t.Fatalf("after %d moves: %v\ngot\n%swant\n%s", moves.Load(), q, got, strings.Join(want, "or\n"))
			}
		}
		t.Logf("%d moves, %d writes", moves.Load(), writes.Load())
	})
}

// TestBoundsOfAPage: limits, and pages of documents that are large.
func TestBoundsOfAPage(t *testing.T) {
	t.Parallel()
	w := start(t)
	auth := w.account("Acme").auth
	for _, limit := range []string{"0", "-1", "1001", "2147483648", "99999999999999999999", "1.5", "1e2", "x", "", "%20" + "1", "1&limit=2"} {
		a := w.do("GET", "/org/documents?limit="+limit, "", auth).is(400, "malformed")
		if limit != "1&limit=2" {
			a.blames("limit")
		}
	}
	var body strings.Builder
	for i := range 1001 {
		fmt.Fprintf(&body, `{"_id":"d%04d"}`+"\n", i)
	}
	w.do("POST", "/org/import", body.String(), auth, asLines).is(200)
	l := w.lister(nil, auth)
	for query, n := range map[string]int{"": 100, "?limit=1": 1, "?limit=1000": 1000} {
		var p page
		if err := json.Unmarshal([]byte(w.do("GET", "/org/documents"+query, "", auth).is(200).body), &p); err != nil || len(p.Items) != n || p.Next == "" {
			t.Errorf("%q: %d items, %v", query, len(p.Items), err)
		}
	}
	if got := l.all(list{filter: bson.Raw{5, 0, 0, 0, 0}, limit: 1000}, func(page) {}); strings.Count(got, "\n") != 1001 {
		t.Errorf("%d documents", strings.Count(got, "\n"))
	}

	big := w.account("Big").auth
	const each, number = 3 << 20, 6
	for i := range number {
		line := fmt.Sprintf(`{"_id":"d%d","n":%d,"pad":%q}`, i, i, strings.Repeat("x", each))
		w.send(w.request("PUT", fmt.Sprintf("/org/documents/d%d", i), strings.NewReader(line), big)).is(201)
	}
	w.do("POST", "/org/indexes", `{"name":"by_n","keys":[{"path":"n"}]}`, big).is(201)
	for _, query := range []string{"", "&sort=-n&filter=" + url.QueryEscape(`{"n":{"$gte":0}}`)} {
		seen, cursor, pages := 0, "", 0
		for {
			a := w.do("GET", "/org/documents?limit=1000"+query+"&cursor="+cursor, "", big).is(200)
			var p page
			if err := json.Unmarshal([]byte(a.body), &p); err != nil {
				t.Fatal(err)
			}
			if len(p.Items) == 0 || len(a.body) > 8<<20+each+1000 {
				t.Errorf("%q: a page of %d documents and %d bytes", query, len(p.Items), len(a.body))
			}
			seen, pages = seen+len(p.Items), pages+1
			if cursor = p.Next; cursor == "" {
				break
			}
		}
		if seen != number || pages != 2 {
			t.Errorf("%q: %d documents on %d pages", query, seen, pages)
		}
	}
}

// TestTheHintOfAnUnindexedSort: a sort that no index has is refused, and what the
// refusal says to do helps.
func TestTheHintOfAnUnindexedSort(t *testing.T) {
	t.Parallel()
	onEachEngine(t, func(t *testing.T, w *world) {
		auth := w.account("Acme").auth
		for i := range 7 {
			w.do("PUT", fmt.Sprint("/org/documents/d", i), fmt.Sprintf(`{"a":{"b":%d},"c":%d}`, i%3, -i), auth).is(201)
		}
		w.do("POST", "/org/indexes", `{"name":"mixed","keys":[{"path":"c"},{"path":"x","order":"desc"}]}`, auth).is(201)
		for _, sort := range []string{"a.b", "-a.b,c", "c,x", "x", "-x,c", "c,-x,a", "weird \"ü"} {
			a := w.do("GET", "/org/documents?sort="+url.QueryEscape(sort), "", auth).is(400, "no_index").blames("sort")
			_, hint, ok := strings.Cut(a.text("detail"), "POST /org/indexes ")
			if !ok {
				t.Errorf("%s: no hint in %s", sort, a.body)
				continue
			}
			w.do("POST", "/org/indexes", hint, auth).is(201)
			w.do("GET", "/org/documents?sort="+url.QueryEscape(sort), "", auth).is(200)
		}
		for _, sort := range []string{"_id,a", "a,a", "a,", ",a", "-", "_rev", "$a", "a..b", strings.Repeat("a,", 40) + "b"} {
			w.do("GET", "/org/documents?sort="+url.QueryEscape(sort), "", auth).is(400, "malformed").blames("sort")
		}
	})
}
