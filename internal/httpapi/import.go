package httpapi

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"runtime/debug"
	"time"

	"github.com/orgd/orgd/gen/api"
	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// ImportDocuments implements api.StrictServerInterface.
func (h handlers) ImportDocuments(ctx context.Context, req api.ImportDocumentsRequestObject) (api.ImportDocumentsResponseObject, error) {
	p, err := principalOf(ctx)
	if err != nil {
		return nil, err
	}
	i := &importing{API: h.API, ctx: ctx, principal: p, body: req.Body, memory: &callFrom(ctx).memory}
	if err := i.memory.Keep(importRoom); err != nil {
		return nil, err
	}
	if req.Params.OnConflict != nil {
		switch *req.Params.OnConflict {
		case api.OnConflictSkip:
			i.how = tenant.ConflictSkips
		case api.OnConflictReplace:
			i.how = tenant.ConflictReplaces
		}
	}
	return i, nil
}

// importing is an import on its way. Three goroutines have a part in it: one reads
// lines into a queue, one stores what is in the queue, one writes the answer. So the
// next documents are read while the last ones become durable, and a client that
// does not look at the answer before it has sent everything does not stand still.
type importing struct {
	*API
	ctx       context.Context
	principal org.Principal
	how       tenant.OnConflict
	body      io.Reader
	memory    *memory.Hold

	turn   *fair.Turn // of who reads lines
	queue  importQueue
	report *importReport
	counts importCounts
	told   time.Time // when the last progress was
}

// VisitImportDocumentsResponse implements api.ImportDocumentsResponseObject.
func (i *importing) VisitImportDocumentsResponse(w http.ResponseWriter) error {
	conn := wire.ControllerOf(w)
	i.turn = callFrom(i.ctx).work.Turn()
	source := wire.NewReader(i.ctx, i.body, conn, i.streamTimeout, i.memory, i.turn)
	i.queue.init()
	i.report = newImportReport(w, conn, i.streamTimeout, i.memory)
	read := make(chan struct{})
	go func() {
		defer close(read)
		i.queue.finish(i.readLines(source))
		source.Drain()
	}()
	go i.report.run()

	err := i.store()
	if err != nil {
		i.queue.close()
		source.GiveUp()
	}
	delivered := i.report.finish(i.result(err))
	<-read
	if !delivered {
		cutOff(i.ctx)
	}
	return nil
}

// readLines queues the documents of a stream, and returns why there are no more: nil
// at its end.
func (i *importing) readLines(r io.Reader) (err error) {
	defer i.turn.Done()
	defer caught(&err)
	lines := newLineReader(r, i.room, i.memory.Give)
	for {
		text, err := lines.next()
		item, ok := importItem{refusal: err}, true
		if err == nil {
			err = i.turn.Rest(i.ctx)
		}
		if err == nil {
			item, ok, err = i.readLine(text)
		}
		switch {
		case err == io.EOF:
			return nil
		case errors.Is(err, memory.ErrExhausted):
			return err
		case err != nil && !errors.Is(err, errLineTooLong):
			return errCutOff
		}
		if item.line = lines.number; ok && !i.queue.put(item, i.turn.Done) {
			return nil // nobody stores any more
		}
	}
}

// readLine reads a line, false for one that is of no document, with the memory for the
// document until it is stored; errNoMemory if there is none.
func (i *importing) readLine(text []byte) (item importItem, ok bool, err error) {
	room := parseRoom(text)
	if err := i.room(room); err != nil {
		return item, false, err
	}
	item, ok = readImportLine(text)
	item.room = (1 + storeRoom) * cap(item.body)
	if item.room > room {
		if err := i.room(item.room - room); err != nil {
			return item, false, err
		}
	} else {
		i.memory.Give(room - item.room)
	}
	return item, ok, nil
}

// importRoom is the memory that an import has from the beginning, in bytes. Documents of
// up to 64 KiB never lack any.
const importRoom = 1 << 20

// room takes memory for what is read. While there is none it waits until some of what
// this import itself has read is stored, which gives back what that took and asks for
// nothing; when nothing is on its way any more it is errNoMemory.
func (i *importing) room(bytes int) error {
	if i.memory.Take(bytes) == nil {
		return nil
	}
	i.turn.Done()
	for stored := i.queue.storedSoFar(); ; {
		err := i.memory.Take(bytes)
		if err == nil {
			return nil
		}
		now := i.queue.awaitStored(stored)
		if now == stored {
			return err
		}
		stored = now
	}
}

// caught, deferred, makes of a panic an error: the reader's would end the whole
// process, and the one of who stores would leave the others waiting.
func caught(err *error) {
	if v := recover(); v != nil {
		*err = &panicError{value: v, stack: debug.Stack()}
	}
}

// store stores what is queued, and returns what ended it, nil for the end of the stream.
func (i *importing) store() (err error) {
	defer caught(&err)
	documents := i.Store.Documents(i.principal.OrgID)
	ctx := callFrom(i.ctx).shares(i.ctx)
	for {
		items, end := i.queue.take()
		if len(items) == 0 {
			return end
		}
		// What was good when it began need not be so for as long as it takes.
		if _, err := i.Store.Authenticate(i.ctx, i.principal); err != nil {
			return err
		}
		results, err := documents.Import(ctx, i.how, bodiesOf(items))
		i.account(items, results)
		i.memory.Give(roomOf(items))
		i.queue.stored(len(items))
		if err != nil {
			return err
		}
	}
}

// account tells what became of the lines.
func (i *importing) account(items []importItem, results []tenant.Imported) {
	next := 0
	for _, item := range items {
		one := tenant.Imported{Outcome: tenant.Refused, Err: item.refusal}
		if item.body != nil {
			if next < len(results) {
				one = results[next]
			} else {
				one = tenant.Imported{}
			}
			next++
		}
		i.counts.add(one.Outcome)
		if one.Outcome == tenant.Refused && i.counts.Failed <= maxImportErrors {
			i.report.offer(i.refusal(item.line, one.Err))
		}
	}
	if now := time.Now(); i.counts.Lines > 0 && now.Sub(i.told) >= time.Second {
		i.told = now
		i.report.progress(importLine{Type: "progress", importCounts: &i.counts})
	}
}

// maxImportErrors is how many lines are told to be refused. The rest is counted.
const maxImportErrors = 1000

// importCounts are the contract's, of lines with documents.
type importCounts struct {
	Lines    int64 `json:"lines"`
	Inserted int64 `json:"inserted"`
	Replaced int64 `json:"replaced"`
	Skipped  int64 `json:"skipped"`
	Failed   int64 `json:"failed"`
}

func (c *importCounts) add(o tenant.Outcome) {
	switch o {
	case tenant.NotImported:
		return
	case tenant.Inserted:
		c.Inserted++
	case tenant.Replaced:
		c.Replaced++
	case tenant.Skipped:
		c.Skipped++
	case tenant.Refused:
		c.Failed++
	}
	c.Lines++
}

// importLine is a line of the answer, the contract's ImportLine.
type importLine struct {
	Type    string   `json:"type"`
	Line    int64    `json:"line,omitempty"`
	Code    org.Kind `json:"code,omitempty"`
	Detail  string   `json:"detail,omitempty"`
	Pointer string   `json:"pointer,omitempty"`
	*importCounts
	Complete *bool `json:"complete,omitempty"`
}

// refusal is the line of the answer for a line that was refused.
func (i *importing) refusal(line int64, err error) importLine {
	p := callFrom(i.ctx).problem(err)
	out := importLine{Type: "error", Line: line, Code: p.Code, Detail: p.Detail}
	if len(p.Errors) > 0 {
		out.Pointer, out.Detail = p.Errors[0].Pointer, p.Errors[0].Detail
	}
	return out
}

// result is the last line of the answer.
func (i *importing) result(err error) importLine {
	complete := err == nil
	out := importLine{Type: "result", importCounts: &i.counts, Complete: &complete}
	if err != nil {
		out.Code, out.Detail = i.inStream(i.ctx, err)
	}
	return out
}

var errLineTooLong = &problem.Refusal{Kind: problem.BodyTooLarge, Detail: fmt.Sprintf("The line is larger than %d bytes.", DocumentBodyLimit)}
