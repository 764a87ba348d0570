package auth

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestLoadOrCreateSecret(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there", "yet")
	var log bytes.Buffer
	load := func(t *testing.T) []byte {
		t.Helper()
		secret, err := LoadOrCreateSecret(dir, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		return secret
	}
	first := load(t)
	path := filepath.Join(dir, SecretFile)

	t.Run("makes a secret that passes the check", func(t *testing.T) {
		if err := CheckSecret(first); err != nil {
			t.Error(err)
		}
	})
	t.Run("is for the owner only", func(t *testing.T) {
		if mode := permissions(t, path); mode != 0o600 {
			t.Errorf("the file has permissions %#o", mode)
		}
	})
	t.Run("leaves nothing else in the directory", func(t *testing.T) {
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 1 {
			t.Errorf("the directory holds %v, %v", entries, err)
		}
	})
	t.Run("returns the same one later", func(t *testing.T) {
		if again := load(t); !bytes.Equal(first, again) {
			t.Error("the second call returned another secret")
		}
		if log.Len() > 0 {
			t.Errorf("it logged %s", log.String())
		}
	})
	t.Run("closes a file that others can read, and warns", func(t *testing.T) {
		if err := os.Chmod(path, 0o644); err != nil {
			t.Fatal(err)
		}
		if again := load(t); !bytes.Equal(first, again) {
			t.Error("it returned another secret")
		}
		if mode := permissions(t, path); mode != 0o600 {
			t.Errorf("the file has permissions %#o", mode)
		}
		if !strings.Contains(log.String(), "level=WARN") || strings.Contains(log.String(), string(first)) {
			t.Errorf("the log is %q", log.String())
		}
	})
}

func permissions(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode().Perm()
}

func TestLoadOrCreateSecretRefusesADamagedFile(t *testing.T) {
	good := strings.Repeat("QUJDREVG", 8)
	for name, content := range map[string]string{
		"empty":         "",
		"cut short":     good[:40] + "\n",
		"too long":      good + good,
		"not base64":    "!" + good[1:],
		"two lines":     good + "\n" + good + "\n",
		"zeros instead": strings.Repeat("\x00", 65),
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, SecretFile)
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := LoadOrCreateSecret(dir, slog.New(slog.DiscardHandler))
			if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "damaged") {
				t.Errorf("error = %v", err)
			}
			if err != nil && strings.Contains(err.Error(), "QUJD") {
				t.Errorf("the error holds the secret: %v", err)
			}
			if now, _ := os.ReadFile(path); string(now) != content {
				t.Error("the file was changed")
			}
		})
	}
	t.Run("a directory in its place", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.Mkdir(filepath.Join(dir, SecretFile), 0o700); err != nil {
			t.Fatal(err)
		}
		if _, err := LoadOrCreateSecret(dir, slog.New(slog.DiscardHandler)); err == nil {
			t.Error("no error")
		}
	})
}

func TestLoadOrCreateSecretIsTheSameForAllWhoMakeIt(t *testing.T) {
	dir := t.TempDir()
	secrets := make([]string, 16)
	var wg sync.WaitGroup
	for i := range secrets {
		wg.Go(func() {
			secret, err := LoadOrCreateSecret(dir, slog.New(slog.DiscardHandler))
			if err != nil {
				t.Error(err)
			}
			secrets[i] = string(secret)
		})
	}
	wg.Wait()
	for _, s := range secrets {
		if s != secrets[0] || s == "" {
			t.Fatalf("different secrets: %q", secrets)
		}
	}
}
