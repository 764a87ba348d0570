// Package orgd is the Go client of orgd, the organization management service.
//
//	c, err := orgd.New("https://orgd.example", orgd.WithLogin("admin@acme.example", password))
//	...
//	o, err := c.UpdateOrganization(ctx, orgd.Update{Name: "Acme Corporation"})
//
// A [Client] is safe for use by many goroutines; make one and keep it.
//
// # Credentials
//
// [WithLogin] logs in when the client first needs a token, again shortly before
// the token expires, and once more when the server refuses it; however many
// goroutines wait for a token, one of them logs in. [WithToken] sends a token that
// you have. Credentials go to the server given to [New] and nowhere else: redirects
// are errors, not followed. No error, and no way to print a Client, shows a
// password, a token or a key.
//
// # Errors
//
// An answer that is not a success is an [*Error], with the contract's code, the
// inputs that were refused and the request id. Each code is an error itself:
//
//	if errors.Is(err, orgd.ErrNameTaken) { ... }
//
// For calls that change something, one question matters most:
// errors.Is(err, [ErrOutcomeUnknown]) says that the call may have been carried out
// all the same (the connection broke, a proxy gave up, the server itself does
// not know). If it is false, nothing was done.
//
// # Retries
//
// A call whose error may pass is tried again, up to [WithRetries] times, after 0.2
// seconds and then twice as long each time, with jitter, and not before the
// server's Retry-After. A wait longer than 30 seconds, or past the context's
// deadline, is not begun: the call returns at once, with [Error.RetryAfter] in the
// error.
//
//   - Nothing was done (no connection, `rate_limited`, `unavailable`): always.
//   - It may have been done (a connection that broke, 502, 504, any other 503):
//     reads, PUT and DELETE, and a POST that the server is known to recognise
//     by its Idempotency-Key. If the second attempt is then refused, the first may
//     be the reason: the error is that refusal and ErrOutcomeUnknown.
//   - A request whose body cannot be read a second time is sent once; an import is
//     sent again as long as nothing of its body was read.
//
// CreateOrganization and Insert send an Idempotency-Key, a new one for each call,
// so that the server carries them out once however often they are sent; see
// [WithIdempotencyKey].
//
// # Documents
//
// [DocumentsOf] gives access to the organization's documents as values of a type of
// yours, with conditions ([IfMatch], [IfAbsent]), lists over all pages, imports and
// exports of any length that hold no more than a little of it in memory:
//
//	people := orgd.DocumentsOf[Person](c)
//	ada, err := people.Insert(ctx, Person{Name: "Ada Lovelace"})
//	...
//	for doc, err := range people.List(ctx, orgd.Query{Filter: map[string]any{"city": "London"}}) { ... }
//
// # Values
//
// Documents are MongoDB's, and are sent as its Extended JSON, in which a value that
// JSON has no form for is an object such as {"$date": ...}. encoding/json does not
// know these objects. [DocumentID], [Int64], [Float64], [Decimal], [Date] and
// [Binary] read and write them; for other types, and to keep a value exactly as it
// is, use [encoding/json.RawMessage], as a field or as T. A value that does not fit
// its field is an error, never another value. Only the type of a number can get
// lost: a double with a whole value, read into a map[string]any or a plain int or
// float64, may be stored again as an integer. To leave the rest of a document
// untouched, change it by Patch.
//
// # Long operations
//
// An update moves all data of the organization. [Client.UpdateOrganizationAsync] and
// [Client.DeleteOrganizationAsync] do not wait for the end; [Client.WaitOperation]
// does, and reports the progress.
//
// # Everything else in the contract
//
// [Client.API] is the generated client, of package client, with a method for every
// operation, and the same logins, retries and errors. [Decode], [Pages] and [Lines] turn its
// answers into Go values, iterators over lists and over streams.
package orgd
