package connection

import (
	"strings"
	"testing"

	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

func TestSecrets(t *testing.T) {
	for _, uri := range []string{
		"mongodb://user:p%40ss+word@host/db", "mongodb://user:p%40ss+word@host:1/?authMechanismProperties=AWS_SESSION_TOKEN:p%40ss+word",
		"mongodb://host/?tlsCertificateKeyFilePassword=p%40ss+word",
	} {
		hidden := secretsOf(uri, options.Client().ApplyURI(uri))
		line := hidden.Line("cannot use p@ss+word, nor\n p%40ss+word:\tsorry")
		if strings.Contains(line, "ss+word") || strings.ContainsAny(line, "\n\t") {
			t.Errorf("%s: %q", uri, line)
		}
	}
	if got := oneLine(strings.Repeat("é", 1000)); len(got) > 600 || !strings.HasSuffix(got, "...") {
		t.Errorf("a long line: %d bytes", len(got))
	}
}

func TestClientOptionsOverride(t *testing.T) {
	opts, _, err := Options("mongodb://host/?w=1&journal=false&wtimeoutMS=5&readConcernLevel=local&readPreference=secondary&maxPoolSize=7&appName=a", "b")
	if err != nil {
		t.Fatal(err)
	}
	if wc := opts.WriteConcern; wc.W != "majority" || wc.Journal == nil || !*wc.Journal {
		t.Errorf("write concern %+v", wc)
	}
	if opts.ReadConcern.Level != "majority" || opts.ReadPreference.Mode().String() != "primary" {
		t.Errorf("read concern %+v, preference %v", opts.ReadConcern, opts.ReadPreference)
	}
	if *opts.MaxPoolSize != 7 || *opts.AppName != "b" {
		t.Errorf("pool %d, name %q", *opts.MaxPoolSize, *opts.AppName)
	}
}
