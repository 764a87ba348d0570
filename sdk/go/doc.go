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
// [WithLogin] logs in when a token is first needed, again shortly before it
// runs out, and once more when the server refuses it; however many goroutines
// wait for a token, one of them logs in. [WithToken] sends a token that you
// have. Credentials go to the server given to [New] and nowhere else: redirects
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
// For calls that change something, one question matters more than which error
// it was: errors.Is(err, [ErrOutcomeUnknown]) says that it may have been done
// all the same (the connection broke, a proxy gave up, the server itself does
// not know). When it says no, nothing was done.
//
// # Retries
//
// What may pass is tried again, up to [WithRetries] times, after 0.2 seconds
// and then twice as long each time, with jitter, and not before the server's
// Retry-After. A wait longer than 30 seconds, or past the context's deadline,
// is not begun: the error comes back at once, with [Error.RetryAfter] in it.
//
//   - Nothing was done (no connection, `rate_limited`, `unavailable`): always.
//   - It may have been done (a connection that broke, 502, 504, any other 503):
//     reads, PUT and DELETE, and a POST that the server is known to recognise
//     by its Idempotency-Key. When the second try is then refused, which may be
//     the first one's doing, the error is that refusal and ErrOutcomeUnknown.
//   - A body that cannot be read a second time is sent once; that of an import as
//     long as nothing of it was read.
//
// CreateOrganization and Insert have an Idempotency-Key of their own for each call,
// so they are carried out once however often they are sent; see [WithIdempotencyKey].
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
// Documents are MongoDB's, and travel as its Extended JSON: what JSON has no form for
// is an object such as {"$date": ...}. encoding/json knows nothing of that, so for
// such values there are [DocumentID], [Int64], [Float64], [Decimal], [Date] and
// [Binary]; for the rest, and to keep all as it is, take [encoding/json.RawMessage], as a field
// or as T. Whatever does not fit a field is an error, never another value. What
// cannot be told apart is the type of a number: in a map[string]any, and in a plain
// int or float64, a double that is whole may be stored again as an integer. Change
// documents by Patch to leave the rest of them untouched.
//
// # What takes long
//
// An update moves all data of the organization. [Client.UpdateOrganizationAsync] and
// [Client.DeleteOrganizationAsync] do not wait for it; [Client.WaitOperation] does,
// and tells how far it is.
//
// # Everything else in the contract
//
// [Client.API] is the generated client, of package client, with a method for every operation, and
// all of the above holds for it too. [Decode], [Pages] and [Lines] turn its
// answers into Go values, iterators over lists and over streams.
package orgd
