package auth

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// SecretFile is the name of the file that LoadOrCreateSecret keeps. It holds one
// line, which is also good as JWT_SECRET: tokens then survive a move of the data to a server.
const SecretFile = "jwt.secret"

// secretBytes random bytes are secretChars in base64, so that the length tells a whole
// file from a damaged one.
const (
	secretBytes = 48
	secretChars = 64
)

// LoadOrCreateSecret returns the secret kept in the directory. The first call makes
// it, for the owner only (0600), and returns when it is sure to be there after a
// power cut; several processes that make it at the same time all get the same secret.
//
// A file that other users may read is closed to them, with a warning in the log: to
// refuse it would stop orgd on the volumes of some container platforms, which widen
// permissions. A file that does not hold a secret is an error, never replaced:
// a new secret would end every token.
func LoadOrCreateSecret(dir string, log *slog.Logger) ([]byte, error) {
	path := filepath.Join(dir, SecretFile)
	secret, err := loadSecret(path, log)
	if !errors.Is(err, fs.ErrNotExist) {
		return secret, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make directory for the token secret: %w", err)
	}
	if err := createSecret(dir, path); err != nil {
		return nil, fmt.Errorf("make token secret %q: %w", path, err)
	}
	return loadSecret(path, log)
}

func loadSecret(path string, log *slog.Logger) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read token secret: %w", err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("read token secret: %q is not a file", path)
	}
	if info.Mode().Perm()&0o077 != 0 {
		tighten(path, info.Mode().Perm(), log)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read token secret: %w", err)
	}
	line := strings.TrimSpace(string(text))
	if raw, err := base64.StdEncoding.DecodeString(line); err != nil || len(raw) != secretBytes || len(line) != secretChars {
		return nil, fmt.Errorf("token secret %q is damaged: it does not hold the %d characters that orgd wrote; "+
			"restore it from a backup, or delete it: then a new one is made, and everyone has to log in again", path, secretChars)
	}
	return []byte(line), nil
}

func tighten(path string, was fs.FileMode, log *slog.Logger) {
	attrs := []any{"path", path, "permissions", fmt.Sprintf("%#o", was)}
	if err := os.Chmod(path, 0o600); err != nil {
		log.Warn("others may read the token secret, and its permissions cannot be changed", append(attrs, "error", err)...)
		return
	}
	log.Warn("others could read the token secret; it is now closed to them", attrs...)
}

// createSecret puts a new secret at path unless there is one already.
func createSecret(dir, path string) error {
	raw := make([]byte, secretBytes)
	_, _ = rand.Read(raw) // never fails
	whole, err := writeTemporary(dir, base64.StdEncoding.EncodeToString(raw)+"\n")
	if err != nil {
		return err
	}
	defer os.Remove(whole)
	// A link, unlike a rename, does not replace what another process has just made.
	// Not all file systems have links.
	if err := os.Link(whole, path); err != nil && !errors.Is(err, fs.ErrExist) {
		if err := os.Rename(whole, path); err != nil {
			return err
		}
	}
	return syncDirectory(dir)
}

// writeTemporary makes a file of its own for the owner only, and returns its path
// when its content is on the disk.
func writeTemporary(dir, content string) (path string, err error) {
	f, err := os.CreateTemp(dir, SecretFile+".*.tmp") // 0600
	if err != nil {
		return "", err
	}
	_, err = f.WriteString(content)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		os.Remove(f.Name())
		return "", err
	}
	return f.Name(), nil
}

// syncDirectory makes a new name in a directory survive a power cut. Windows does
// not let a directory be synced.
func syncDirectory(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
