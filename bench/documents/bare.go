package documents

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"

	"github.com/cockroachdb/pebble/v2"
	"github.com/cockroachdb/pebble/v2/bloom"
	"github.com/labstack/echo/v4"

	"github.com/orgd/orgd/bench/bare"
	"github.com/orgd/orgd/bench/fixture"
	"github.com/orgd/orgd/internal/garbage"
)

// Bare is the helper that serves GET and POST of documents from a Pebble with nothing
// around it; its arguments are DIR COUNT SIZE BODY. There are COUNT values of SIZE bytes from the beginning, and
// every answer is BODY. A POST commits two keys, as a document with one index has. If
// DIR is the URI of a MongoDB server, each request makes one call of the bare driver
// instead, in bareCollection as it is.
func Bare(ctx context.Context, args []string, stdout io.Writer) (err error) {
	if len(args) != 4 {
		return errors.New("usage: bare-documents DIR COUNT SIZE BODY")
	}
	count, err1 := strconv.ParseInt(args[1], 10, 64)
	size, err2 := strconv.Atoi(args[2])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	defer garbage.Tune()()
	get, insert, end, err := bareCalls(ctx, args[0], count, size)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, end()) }()
	body := []byte(args[3])
	e := echo.New()
	e.GET("/org/documents/:id", func(c echo.Context) error {
		if err := get(c.Param("id")); err != nil {
			return err
		}
		return c.Blob(http.StatusOK, "application/json", body)
	})
	e.POST("/org/documents", func(c echo.Context) error {
		text, err := io.ReadAll(c.Request().Body)
		if err != nil {
			return err
		}
		if err := insert(text); err != nil {
			return err
		}
		return c.Blob(http.StatusCreated, "application/json", body)
	})
	return bare.Serve(ctx, e, stdout)
}

// bareCalls are what the handlers do.
func bareCalls(ctx context.Context, where string, count int64, size int) (get func(id string) error, insert func(text []byte) error, end func() error, err error) {
	if strings.HasPrefix(where, "mongodb") {
		d, err := openDriver(ctx, where, int(count))
		if err != nil {
			return nil, nil, nil, err
		}
		var last atomic.Int64
		last.Store(5 * fixture.NumbersFrom) // no document of the loop has such a number
		return d.get, func([]byte) error { return d.insert(int(last.Add(1))) }, d.close, nil
	}
	db, err := openPebble(where)
	if err != nil {
		return nil, nil, nil, err
	}
	b := &bareStore{db: db, size: size}
	if err := b.fill(count); err != nil {
		return nil, nil, nil, errors.Join(err, db.Close())
	}
	return func(id string) error { _, err := b.get(id); return err }, b.insert, db.Close, nil
}

// openPebble opens a Pebble with the options of the embedded engine.
func openPebble(dir string) (*pebble.DB, error) {
	o := &pebble.Options{
		Cache:                       pebble.NewCache(32 << 20),
		FormatMajorVersion:          pebble.FormatTableFormatV6,
		Logger:                      silent{},
		MemTableSize:                8 << 20,
		MemTableStopWritesThreshold: 3,
		CompactionConcurrencyRange:  func() (int, int) { return 1, 2 },
		WALBytesPerSync:             1 << 20,
	}
	defer o.Cache.Unref()
	o.ApplyCompressionSettings(func() pebble.DBCompressionSettings { return pebble.DBCompressionBalanced })
	for i := range o.Levels {
		o.Levels[i].FilterPolicy, o.Levels[i].FilterType = bloom.FilterPolicy(10), pebble.TableFilter
		o.Levels[i].BlockSize = 8 << 10
	}
	return pebble.Open(dir, o)
}

type silent struct{}

func (silent) Infof(string, ...any)  {}
func (silent) Errorf(string, ...any) {}
func (silent) Fatalf(format string, args ...any) {
	panic(fmt.Sprintf(format, args...))
}

type bareStore struct {
	db   *pebble.DB
	size int // bytes of a value
	last atomic.Int64
}

func (b *bareStore) fill(count int64) error {
	for b.last.Load() < count {
		batch := b.db.NewBatch()
		for i := 0; i < 1000 && b.last.Load() < count; i++ {
			if err := b.put(batch, fixture.Append(nil, int(b.last.Load()))); err != nil {
				return err
			}
		}
		if err := batch.Commit(pebble.NoSync); err != nil {
			return err
		}
	}
	return b.db.Flush()
}

// put adds a value under the next key, and the key of an index that leads to it.
func (b *bareStore) put(batch *pebble.Batch, text []byte) error {
	n := b.last.Add(1) - 1
	value := make([]byte, b.size)
	copy(value, text)
	key := []byte(fixture.ID(int(n)))
	return errors.Join(batch.Set(key, value, nil), batch.Set(fmt.Appendf(nil, "user-%08d@bench.example", n), key, nil))
}

func (b *bareStore) get(id string) ([]byte, error) {
	value, closer, err := b.db.Get([]byte(id))
	if err != nil {
		return nil, err
	}
	defer closer.Close()
	return append([]byte(nil), value...), nil
}

func (b *bareStore) insert(text []byte) error {
	batch := b.db.NewBatchWithSize(b.size + 1<<10)
	if err := b.put(batch, text); err != nil {
		return err
	}
	return batch.Commit(pebble.Sync)
}
