package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"github.com/labstack/echo/v4"
	"golang.org/x/crypto/bcrypt"
)

// helpers are the yardsticks, and what is measured without an orgd, that run as
// processes of their own, as orgd does: this program, with one of these names as its first argument.
var helpers = map[string]func(ctx context.Context, args []string, stdout io.Writer) error{
	"bare-echo":      bareEcho,
	"bare-documents": bareDocuments,
	"bare-bcrypt":    bareBcrypt,
	"move":           moveHelper,
	"hostile":        hostile,
}

// bareEcho serves GET /org/get with a body and nothing else: BODY.
func bareEcho(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 1 {
		return errors.New("usage: bare-echo BODY")
	}
	body := []byte(args[0])
	e := echo.New()
	e.GET("/org/get", func(c echo.Context) error { return c.Blob(http.StatusOK, "application/json", body) })
	return serveBare(ctx, e, stdout)
}

// serveBare serves until the context ends, and says where.
func serveBare(ctx context.Context, e *echo.Echo, stdout io.Writer) error {
	e.HideBanner, e.HidePort = true, true
	e.GET("/readyz", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "url=http://%s\n", l.Addr())
	// With time limits as orgd has them: they are set anew for each request.
	server := &http.Server{Handler: e, ReadHeaderTimeout: 10 * time.Second, IdleTimeout: 2 * time.Minute}
	context.AfterFunc(ctx, func() { _ = server.Close() })
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// password is everybody's.
const password = "correct horse battery"

// bareBcrypt compares a password with its hash: COST COUNT. It writes how many
// nanoseconds that took.
func bareBcrypt(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: bare-bcrypt COST COUNT")
	}
	cost, err1 := strconv.Atoi(args[0])
	count, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(password), cost)
	if err != nil {
		return err
	}
	var (
		next atomic.Int64
		work sync.WaitGroup
	)
	began := time.Now()
	for range cores() {
		work.Go(func() {
			for next.Add(1) <= int64(count) && ctx.Err() == nil {
				if err := bcrypt.CompareHashAndPassword(hash, []byte(password)); err != nil {
					panic(err) // it is the password
				}
			}
		})
	}
	work.Wait()
	fmt.Fprintln(stdout, time.Since(began).Nanoseconds())
	return ctx.Err()
}

// hashAlone runs bareBcrypt at the priority at which orgd computes hashes, where
// the system has such: otherwise whatever else runs on the machine would slow only
// orgd down.
func (s *suite) hashAlone(ctx context.Context, cost, count int) (sample, error) {
	args := []string{s.self, "bare-bcrypt", strconv.Itoa(cost), strconv.Itoa(count)}
	if nice, err := exec.LookPath("nice"); err == nil {
		args = append([]string{nice, "-n", "19"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stderr = environment(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return sample{}, err
	}
	var took time.Duration
	if _, err := fmt.Sscan(string(out), (*int64)(&took)); err != nil {
		return sample{}, err
	}
	return sample{requests: count, perSecond: float64(count) / took.Seconds()}, nil
}
