package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/orgd/orgd/internal/fair"
	"github.com/orgd/orgd/internal/httpapi/contract"
	"github.com/orgd/orgd/internal/httpapi/jsondoc"
	"github.com/orgd/orgd/internal/httpapi/memory"
	"github.com/orgd/orgd/internal/httpapi/problem"
	"github.com/orgd/orgd/internal/httpapi/request"
	"github.com/orgd/orgd/internal/httpapi/wire"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// An Import is an import on its way. Three goroutines have a part in it: one reads
// lines into a queue, one stores what is in the queue, one writes the answer. So the
// next documents are read while the last ones become durable, and a client that
// does not look at the answer before it has sent everything does not stand still.
type Import struct {
	service   *Service
	ctx       context.Context
	state     *request.State
	principal org.Principal
	how       tenant.OnConflict
	body      io.Reader

	turn   *fair.Turn // of the goroutine that reads lines
	queue  importQueue
	report *importReport
	counts importCounts
	told   time.Time // when the last progress was
}

// NewImport begins an import of the body's lines.
func (s *Service) NewImport(ctx context.Context, body io.Reader, how tenant.OnConflict) (*Import, error) {
	p, err := request.Principal(ctx)
	if err != nil {
		return nil, err
	}
	i := &Import{service: s, ctx: ctx, state: request.Of(ctx), principal: p, how: how, body: body}
	if err := i.state.Memory.Keep(importRoom); err != nil {
		return nil, err
	}
	return i, nil
}

// VisitImportDocumentsResponse implements api.ImportDocumentsResponseObject.
func (i *Import) VisitImportDocumentsResponse(w http.ResponseWriter) error {
	conn := wire.ControllerOf(w)
	i.turn = i.state.NewTurn()
	source := wire.NewReader(i.ctx, i.body, conn, i.state.Timeouts.Stream, &i.state.Memory, i.turn)
	i.queue.init()
	i.report = newImportReport(w, conn, i.state.Timeouts.Stream, &i.state.Memory)
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
		cutOff(i.state)
	}
	return nil
}

// readLines queues the documents of a stream, and returns why there are no more: nil
// at its end.
func (i *Import) readLines(r io.Reader) (err error) {
	defer i.turn.Done()
	defer caught(&err)
	lines := newLineReader(r, i.room, i.state.Memory.Give)
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
			return problem.ErrCutOff
		}
		if item.line = lines.number; ok && !i.queue.put(item, i.turn.Done) {
			return nil // the import has ended
		}
	}
}

// readLine reads a line, false for one that is of no document, with the memory for the
// document until it is stored; memory.ErrExhausted if there is none.
func (i *Import) readLine(text []byte) (item importItem, ok bool, err error) {
	room := jsondoc.ParseRoom(text)
	if err := i.room(room); err != nil {
		return item, false, err
	}
	item, ok = readImportLine(text)
	item.room = (1 + jsondoc.StoreRoom) * cap(item.body)
	if item.room > room {
		if err := i.room(item.room - room); err != nil {
			return item, false, err
		}
	} else {
		i.state.Memory.Give(room - item.room)
	}
	return item, ok, nil
}

// importRoom is the memory that an import has from the beginning, in bytes. Documents of
// up to 64 KiB never lack any.
const importRoom = 1 << 20

// room takes memory for what is read. While there is none it waits until some of what
// this import itself has read is stored, which gives memory back and takes none; when
// nothing of it is on its way any more the error is memory.ErrExhausted.
func (i *Import) room(bytes int) error {
	if i.state.Memory.Take(bytes) == nil {
		return nil
	}
	i.turn.Done()
	for stored := i.queue.storedSoFar(); ; {
		err := i.state.Memory.Take(bytes)
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

// caught, deferred, makes an error of a panic: a panic of the goroutine that reads would end the
// whole process, and one of the goroutine that stores would leave the others waiting.
func caught(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("%v", v)
	}
}

// store stores what is queued, and returns what ended it, nil for the end of the stream.
func (i *Import) store() (err error) {
	defer caught(&err)
	documents := i.service.Store.Documents(i.principal.OrgID)
	ctx := i.state.Shares(i.ctx)
	for {
		items, end := i.queue.take()
		if len(items) == 0 {
			return end
		}
		// The bearer was good when the import began, and need not be for as long as it takes.
		if _, err := i.service.Store.Authenticate(i.ctx, i.principal); err != nil {
			return err
		}
		results, err := documents.Import(ctx, i.how, bodiesOf(items))
		i.account(items, results)
		i.state.Memory.Give(roomOf(items))
		i.queue.stored(len(items))
		if err != nil {
			return err
		}
	}
}

// account counts what became of the lines, and reports those that were refused.
func (i *Import) account(items []importItem, results []tenant.Imported) {
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

// maxImportErrors is how many refused lines are reported. The rest are counted.
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
func (i *Import) refusal(line int64, err error) importLine {
	p := i.state.Problem(err)
	out := importLine{Type: "error", Line: line, Code: p.Code, Detail: p.Detail}
	if len(p.Errors) > 0 {
		out.Pointer, out.Detail = p.Errors[0].Pointer, p.Errors[0].Detail
	}
	return out
}

// result is the last line of the answer.
func (i *Import) result(err error) importLine {
	complete := err == nil
	out := importLine{Type: "result", importCounts: &i.counts, Complete: &complete}
	if err != nil {
		out.Code, out.Detail = i.service.inStream(i.ctx, err)
	}
	return out
}

var errLineTooLong = &problem.Refusal{Kind: problem.BodyTooLarge, Detail: fmt.Sprintf("The line is larger than %d bytes.", contract.DocumentBodyLimit)}
