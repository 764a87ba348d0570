package embedded

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"github.com/cockroachdb/pebble/v2/vfs/errorfs"

	"github.com/orgd/orgd/internal/docdb"
	"github.com/orgd/orgd/internal/docdb/embedded/journal"
)

// written returns what a crash leaves after n acknowledged documents; with a mark of the
// first of them, up to marked.
func written(t *testing.T, n, marked int) (crash func() *vfs.MemFS, m journal.Mark) {
	t.Helper()
	mem := vfs.NewCrashableMem()
	e := open(t, Config{Dir: "data", FS: mem, MinFreeBytes: -1, NoUpkeep: true})
	c := newCollection(t, e)
	mustIndex(t, c, docdb.Index{Name: "v", Keys: keyOn("v"), Unique: true})
	for i := range n {
		mustInsert(t, c, doc("_id", name("doc", i), "v", i, "pad", strings.Repeat("x", i%200)))
		if i+1 == marked {
			e.store.Tend()
		}
	}
	return func() *vfs.MemFS { return mem.CrashClone(vfs.CrashCloneCfg{}) }, e.store.Health.Marker.Saved
}

// fileOf returns the path and the content, to be changed, of the newest log or manifest.
func fileOf(t *testing.T, fs *vfs.MemFS, isLog bool) (path string, content []byte) {
	t.Helper()
	names, err := fs.List("data")
	if err != nil {
		t.Fatal(err)
	}
	newest := uint64(0)
	for _, n := range names {
		if number, log, ok := journal.NumberOf(n); ok && log == isLog && number >= newest {
			newest, path = number, fs.PathJoin("data", n)
		}
	}
	content, err = fs.UnsafeGetFileDataBuffer(path)
	if err != nil {
		t.Fatal(err)
	}
	return path, content
}

func truncate(t *testing.T, fs vfs.FS, path string, content []byte) {
	t.Helper()
	content = append([]byte{}, content...)
	f, err := fs.Create(path, vfs.WriteCategoryUnspecified)
	if err == nil {
		_, err = f.Write(content)
	}
	if err = errors.Join(err, f.Close()); err != nil {
		t.Fatal(err)
	}
}

// found opens a directory and returns how many of the documents are there, which must be
// the first ones.
func found(t *testing.T, config Config, n int) (int, error) {
	t.Helper()
	config.Dir, config.MinFreeBytes = "data", -1
	e, err := Open(config)
	if err != nil {
		return 0, err
	}
	defer e.Close()
	checkConsistent(t, e)
	there := 0
	for i := range n {
		if _, err := e.Database("db").Collection("c").Get(bg, docdb.StringID(name("doc", i))); err == nil {
			if there != i {
				t.Errorf("document %d is there, and not all before it", i)
			}
			there++
		}
	}
	return there, nil
}

// TestADamagedLogIsNotTakenForATornOne flips one byte of the newest log at many places.
func TestADamagedLogIsNotTakenForATornOne(t *testing.T) {
	const n = 300
	t.Run("with a mark of all", func(t *testing.T) {
		crash, m := written(t, n, n)
		for at := int64(0); at < m.Log.Bytes; at += 397 {
			fs := crash()
			_, log := fileOf(t, fs, true)
			log[at] ^= 1
			if there, err := found(t, Config{FS: fs}, n); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("byte %d of %d: %d of %d documents are there, %v", at, m.Log.Bytes, there, n, err)
			}
		}
	})
	t.Run("without a mark, by what follows", func(t *testing.T) {
		crash, _ := written(t, n, 0)
		_, log := fileOf(t, crash(), true)
		for at := 0; at < len(log)*9/10; at += 397 {
			fs := crash()
			_, log := fileOf(t, fs, true)
			log[at] ^= 1
			if there, err := found(t, Config{FS: fs}, n); !errors.Is(err, journal.ErrDamaged) {
				t.Errorf("byte %d of %d: %d of %d documents are there, %v", at, len(log), there, n, err)
			}
		}
	})
}

// TestATornLogIsFineBehindTheMark cuts the newest log short.
func TestATornLogIsFineBehindTheMark(t *testing.T) {
	const n, marked = 200, 100
	crash, m := written(t, n, marked)
	_, log := fileOf(t, crash(), true)
	if m.Log.Bytes < 1000 || m.Log.Bytes > int64(len(log))-1000 {
		t.Fatalf("the mark is at %d of %d bytes", m.Log.Bytes, len(log))
	}
	for at := len(log); at >= 0; at -= 211 {
		fs := crash()
		path, log := fileOf(t, fs, true)
		truncate(t, fs, path, log[:at])
		there, err := found(t, Config{FS: fs}, n)
		switch {
		case int64(at) < m.Log.Bytes && !errors.Is(err, journal.ErrDamaged):
			t.Errorf("cut to %d bytes, before the mark at %d: %d documents are there, %v", at, m.Log.Bytes, there, err)
		case int64(at) >= m.Log.Bytes && (err != nil || there < marked):
			t.Errorf("cut to %d bytes, behind the mark at %d: %d documents are there, %v", at, m.Log.Bytes, there, err)
		}
	}
}

func TestWhatIsMissingOrDamagedIsTold(t *testing.T) {
	for what, spoil := range map[string]func(*testing.T, *vfs.MemFS) error{
		"the newest log is gone": func(t *testing.T, fs *vfs.MemFS) error {
			path, _ := fileOf(t, fs, true)
			return fs.Remove(path)
		},
		"the manifest is damaged at its end": func(t *testing.T, fs *vfs.MemFS) error {
			_, manifest := fileOf(t, fs, false)
			manifest[len(manifest)-3] ^= 4
			return nil
		},
	} {
		t.Run(what, func(t *testing.T) {
			crash, _ := written(t, 20, 20)
			fs := crash()
			if err := spoil(t, fs); err != nil {
				t.Fatal(err)
			}
			if there, err := found(t, Config{FS: fs}, 20); !errors.Is(err, journal.ErrDamaged) || !strings.Contains(err.Error(), "backup") {
				t.Errorf("%d documents are there, %v", there, err)
			}
		})
	}
}

// TestALossCanBeAccepted opens what is damaged all the same, once.
func TestALossCanBeAccepted(t *testing.T) {
	const n = 300
	for _, marked := range []int{0, n} {
		t.Run(fmt.Sprint("marked ", marked), func(t *testing.T) {
			crash, _ := written(t, n, marked)
			fs := crash()
			path, log := fileOf(t, fs, true)
			log[len(log)/2] ^= 1
			if _, err := found(t, Config{FS: fs}, n); !errors.Is(err, journal.ErrDamaged) {
				t.Fatal(err)
			}
			there, err := found(t, Config{FS: fs, AcceptLoss: true}, n)
			if err != nil || there < n/4 || there > n*3/4 {
				t.Errorf("%d documents are there, %v", there, err)
			}
			if again, err := found(t, Config{FS: fs}, n); again != there || err != nil {
				t.Errorf("later %d documents are there, not %d: %v", again, there, err)
			}
			if _, err := fs.Stat(fs.PathJoin("data", journal.DamagedDir, fs.PathBase(path))); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestTheMarkIsNeverAheadOfTheDisk takes away what is not synced before every operation on
// the mark's files, and at many others, while documents are written.
func TestTheMarkIsNeverAheadOfTheDisk(t *testing.T) {
	mem := vfs.NewCrashableMem()
	var mu sync.Mutex
	var crashes []*vfs.MemFS
	ofMark := 0
	disk := &brokenDisk{FS: errorfs.Wrap(mem, errorfs.InjectorFunc(func(op errorfs.Op) error {
		mu.Lock()
		defer mu.Unlock()
		isMark := strings.Contains(op.Path, journal.MarkFile)
		if isMark {
			ofMark++
		}
		if len(crashes) < 150 && (isMark || rand.IntN(10) == 0) {
			crashes = append(crashes, mem.CrashClone(vfs.CrashCloneCfg{UnsyncedDataPercent: len(crashes) % 3 * 40,
				RNG: rand.New(rand.NewPCG(uint64(len(crashes)), 3))}))
		}
		return nil
	}))}
	e := open(t, Config{Dir: "data", FS: disk, MinFreeBytes: -1, MemTableBytes: 64 << 10, NoUpkeep: true})
	c := newCollection(t, e)
	enough := func() bool {
		mu.Lock()
		defer mu.Unlock()
		return ofMark >= 20 && len(crashes) >= 50
	}
	var wg sync.WaitGroup
	for w := range 4 {
		wg.Go(func() {
			for i := 0; i < 40 || !enough() && i < 10_000; i++ { // on a busy machine the mark is seldom written
				if err := c.Insert(bg, doc("_id", fmt.Sprint(w, "-", i), "pad", strings.Repeat("x", rand.IntN(8000)))); err != nil {
					t.Error(err)
				}
			}
		})
	}
	written := make(chan struct{})
	go func() { wg.Wait(); close(written) }()
	for !isClosed(written) {
		e.store.Tend()
	}
	mu.Lock() // what goes on in the background does so still
	all, ops := slices.Clone(crashes), ofMark
	mu.Unlock()
	if ops < 20 || len(all) < 50 {
		t.Fatalf("%d operations on the mark, %d crashes are too few to say anything", ops, len(all))
	}
	for i, fs := range all {
		if _, err := fs.Stat(fs.PathJoin("data", "FORMAT")); err != nil {
			continue // a crash of the first start
		}
		if _, err := found(t, Config{FS: fs}, 0); err != nil {
			t.Errorf("crash %d: %v", i, err)
		}
	}
}

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
