package organizations

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/crypto/bcrypt"

	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/machine"
	"github.com/orgd/orgd/bench/organization"
	"github.com/orgd/orgd/bench/process"
	"github.com/orgd/orgd/bench/suite"
)

// BareBcrypt is the helper that compares a password with its hash of cost COST, COUNT
// times, on all processors. It writes how many nanoseconds that took.
func BareBcrypt(ctx context.Context, args []string, stdout io.Writer) error {
	if len(args) != 2 {
		return errors.New("usage: bare-bcrypt COST COUNT")
	}
	cost, err1 := strconv.Atoi(args[0])
	count, err2 := strconv.Atoi(args[1])
	if err := errors.Join(err1, err2); err != nil {
		return err
	}
	hash, err := bcrypt.GenerateFromPassword([]byte(organization.Password), cost)
	if err != nil {
		return err
	}
	var (
		next atomic.Int64
		work sync.WaitGroup
	)
	began := time.Now()
	for range machine.Cores() {
		work.Go(func() {
			for next.Add(1) <= int64(count) && ctx.Err() == nil {
				if err := bcrypt.CompareHashAndPassword(hash, []byte(organization.Password)); err != nil {
					panic(err) // it is the password
				}
			}
		})
	}
	work.Wait()
	fmt.Fprintln(stdout, time.Since(began).Nanoseconds())
	return ctx.Err()
}

// hashAlone runs BareBcrypt at the priority at which orgd computes hashes, where the
// system has priorities: otherwise other programs on the machine would slow only orgd
// down.
func hashAlone(ctx context.Context, s *suite.Suite, cost, count int) (load.Sample, error) {
	args := []string{s.Self, "bare-bcrypt", strconv.Itoa(cost), strconv.Itoa(count)}
	if nice, err := exec.LookPath("nice"); err == nil {
		args = append([]string{nice, "-n", "19"}, args...)
	}
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Env, cmd.Stderr = process.Environment(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return load.Sample{}, err
	}
	var took time.Duration
	if _, err := fmt.Sscan(string(out), (*int64)(&took)); err != nil {
		return load.Sample{}, err
	}
	return load.Sample{Requests: count, PerSecond: float64(count) / took.Seconds()}, nil
}
