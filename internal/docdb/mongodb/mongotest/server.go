package mongotest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// startTimeout bounds the start of a server: it is a Python program.
const startTimeout = 60 * time.Second

// dirPrefix begins the names of the servers' directories; the id of the test
// process follows.
const dirPrefix = "orgd-mongotest-"

// A Server is a server process of its own, for tests that kill it. Its methods
// are not safe for concurrent use.
type Server struct {
	program string
	dir     string
	port    int
	process *os.Process
	done    chan struct{} // closed when the process has ended
}

// Start starts a server for one test, which also ends it and removes its files.
// The test is skipped or fails as with URI; with ORGD_TEST_MONGO_URI only it is
// skipped too, because that server must not be killed.
func Start(t testing.TB) *Server {
	t.Helper()
	if os.Getenv("ORGD_TEST_MONGO_URI") != "" && os.Getenv("ORGD_TEST_MONGOD") == "" {
		t.Skip("needs a MongoDB server that may be killed, and ORGD_TEST_MONGO_URI gives another")
	}
	s, err := newServer(Program(t))
	if err != nil {
		t.Fatalf("start a MongoDB server for tests: %v", err)
	}
	t.Cleanup(s.remove)
	return s
}

func newServer(program string) (*Server, error) {
	sweep()
	dir, err := os.MkdirTemp("", dirPrefix+strconv.Itoa(os.Getpid())+"-")
	if err != nil {
		return nil, err
	}
	s := &Server{program: program, dir: dir}
	// Another process may take the port before the server does.
	for range 3 {
		if s.port, err = freePort(); err == nil {
			err = s.start()
		}
		if err == nil {
			break
		}
	}
	if err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// URI returns the server's connection string. It stays the same over a Restart.
func (s *Server) URI() string { return fmt.Sprintf("mongodb://127.0.0.1:%d/", s.port) }

// Kill ends the server with SIGKILL, as the kernel or a power cut would.
func (s *Server) Kill() {
	if s.process == nil {
		return
	}
	_ = s.process.Kill() // fails only if it has ended already
	<-s.done
	s.process = nil
}

// Restart starts the server again on the files that the last one left, after a
// Kill if it is still running.
func (s *Server) Restart(t testing.TB) {
	t.Helper()
	s.Kill()
	if err := s.start(); err != nil {
		t.Fatalf("restart the MongoDB server: %v", err)
	}
}

func (s *Server) remove() {
	s.Kill()
	_ = os.RemoveAll(s.dir)
}

// start starts the process and waits until it answers.
func (s *Server) start() error {
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(s.program, s.arguments()...)
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = dieWithParent()
	started := make(chan error)
	done := make(chan struct{})
	// The kernel ends the server when the thread that started it ends, so that
	// thread is kept for as long as the server runs.
	go func() {
		runtime.LockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // an error is expected: the test kills the server
		}
		close(done)
	}()
	if err := <-started; err != nil {
		return err
	}
	s.process, s.done = cmd.Process, done
	if err := s.await(); err != nil {
		s.Kill()
		return err
	}
	return nil
}

func (s *Server) arguments() []string {
	port, data := strconv.Itoa(s.port), filepath.Join(s.dir, "data")
	if strings.HasPrefix(filepath.Base(s.program), "mongod") {
		_ = os.MkdirAll(data, 0o700) // mongod says so if it is missing
		return []string{"--bind_ip", "127.0.0.1", "--port", port, "--dbpath", data}
	}
	return []string{"--host", "127.0.0.1", "--port", port, "--storage-path", data, "--sync-on-commit"}
}

// await waits for the first answer.
func (s *Server) await() error {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	for {
		conn, err := net.DialTimeout("tcp", s.address(), time.Second)
		if err == nil {
			_ = conn.Close()
			err = s.ping(ctx)
		}
		select {
		case <-s.done:
			return fmt.Errorf("%s ended at once: %s", s.program, s.tail())
		case <-ctx.Done():
			return fmt.Errorf("%s did not answer within %s: %s", s.program, startTimeout, s.tail())
		case <-time.After(20 * time.Millisecond):
		}
		if err == nil {
			return nil
		}
	}
}

func (s *Server) address() string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)) }

func (s *Server) ping(ctx context.Context) error {
	client, err := mongo.Connect(options.Client().ApplyURI(s.URI()).SetServerSelectionTimeout(startTimeout))
	if err != nil {
		return err
	}
	return errors.Join(client.Ping(ctx, nil), client.Disconnect(ctx))
}

// tail returns the end of the server's log.
func (s *Server) tail() string {
	log, _ := os.ReadFile(filepath.Join(s.dir, "log")) // no log: nothing to show
	return string(log[max(0, len(log)-2000):])
}

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}

// ended reports whether there is no process of that id; false if it cannot tell.
func ended(pid int) bool {
	process, err := os.FindProcess(pid)
	return err == nil && errors.Is(process.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// sweep removes the files of test processes that were killed.
func sweep() {
	dirs, _ := filepath.Glob(filepath.Join(os.TempDir(), dirPrefix+"*"))
	for _, dir := range dirs {
		id, _, _ := strings.Cut(strings.TrimPrefix(filepath.Base(dir), dirPrefix), "-")
		if pid, err := strconv.Atoi(id); err == nil && ended(pid) {
			_ = os.RemoveAll(dir)
		}
	}
}
