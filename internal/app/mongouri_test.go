package app

import (
	"math/rand/v2"
	"strings"
	"testing"
)

func TestMaskURI(t *testing.T) {
	for uri, want := range map[string]string{
		"mongodb://localhost":                                                             "mongodb://localhost",
		"mongodb://localhost:27017/db":                                                    "mongodb://localhost:27017/db",
		"mongodb://u:PASS@h":                                                              "mongodb://u:***@h",
		"mongodb://u:@h":                                                                  "mongodb://u:***@h",
		"mongodb://:PASS@h":                                                               "mongodb://:***@h",
		"mongodb://PASS@h":                                                                "mongodb://***@h",
		"mongodb://u:PASS@a:1,b:2,c.example.com/db?w=1":                                   "mongodb://u:***@a:1,b:2,c.example.com/db?w=1",
		"mongodb://u%40x:PASS%2F%40%3A@h/?tls=true":                                       "mongodb://u%40x:***@h/?tls=true",
		"mongodb+srv://u:PASS@c.abcde.mongodb.net/?w=1":                                   "mongodb+srv://u:***@c.abcde.mongodb.net/?w=1",
		"mongodb+srv://u:PASS@c.abcde.mongodb.net":                                        "mongodb+srv://u:***@c.abcde.mongodb.net",
		"mongodb://u:PASS@[2001:db8::1]:27017":                                            "mongodb://u:***@[2001:db8::1]:27017",
		"mongodb://%2Ftmp%2Fmongodb-27017.sock":                                           "mongodb://%2Ftmp%2Fmongodb-27017.sock",
		"mongodb://h?replicaSet=rs0&authSource=admin":                                     "mongodb://h?replicaSet=rs0&authSource=admin",
		"mongodb://h/?tlsCertificateKeyFilePassword=PASS":                                 "mongodb://h/?tlsCertificateKeyFilePassword=***",
		"mongodb://h/?sslClientCertificateKeyPassword=PASS&w=majority":                    "mongodb://h/?sslClientCertificateKeyPassword=***&w=majority",
		"mongodb://h/?authMechanism=MONGODB-AWS&authMechanismProperties=AWS_SESSION:PASS": "mongodb://h/?authMechanism=MONGODB-AWS&authMechanismProperties=***",
		"mongodb://h/?proxyPassword=PASS;w=1":                                             "mongodb://h/?proxyPassword=***&w=1",
		"mongodb://h/?PASSword=PASS":                                                      "mongodb://h/?PASSword=***",
		"mongodb://h/?PASS":                                                               "mongodb://h/?***",
		"mongodb://h/?PASS%3Dx=y":                                                         "mongodb://h/?***",
		"mongodb://h/?appName=a%20PASS!":                                                  "mongodb://h/?appName=***",
		"mongodb://a:PASS==@a.mongo.cosmos.azure.com:10255/?ssl=true&appName=@a@":         "mongodb://a:***@a.mongo.cosmos.azure.com:10255/?ssl=true&appName=***",
		// Reserved characters that should have been encoded: nothing is safe to show.
		"mongodb://u:PA@SS@h":            "***",
		"mongodb://u:PA/SS@h":            "***",
		"mongodb://u:PA?SS@h":            "***",
		"mongodb://u:12/PASS@h/db":       "***",
		"mongodb://u:12?PASS=1@h":        "***",
		"mongodb://u:12?appName=PASS@h":  "***",
		"mongodb://u:PA:SS@h":            "***",
		"mongodb://u:PA SS@h ":           "***",
		"mongodb://u:PASS":               "***",
		"mongodb://h:27017:PASS":         "***",
		"mongodb://h/db.PASS!":           "***",
		"mongodb://u:PASS@h\nx":          "***",
		"mongodb://u:PASS@":              "***",
		"mongodb://":                     "***",
		"postgres://u:PASS@h":            "***",
		"MONGODB://u:PASS@h":             "***",
		"u:PASS@h":                       "***",
		"PASS":                           "***",
		"":                               "***",
		"mongodb://u:PASS@h/db?x=1#PASS": "mongodb://u:***@h/db?x=***",
	} {
		if got := MaskURI(uri); got != want {
			t.Errorf("MaskURI(%q)\n got %q\nwant %q", uri, got, want)
		}
	}
}

// Whatever the password, nothing of it is shown, neither by MaskURI nor in an error.
func TestMaskURINeverShowsAPassword(t *testing.T) {
	const reserved = "@:/?#[]!$&'()*+,;=% \"\\"
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		var password strings.Builder
		for range 1 + r.IntN(4) {
			password.WriteString("PASS")
			password.WriteByte(reserved[r.IntN(len(reserved))])
		}
		for _, before := range []string{"mongodb://u:", "mongodb+srv://u:", "mongodb://h1:27017,u:"} {
			uri := before + password.String() + "PASS@host.example:27017/db?w=1"
			if got := MaskURI(uri); strings.Contains(got, "PASS") {
				t.Fatalf("MaskURI(%q) = %q", uri, got)
			}
			if err := checkMongoURI(uri); err != nil && strings.Contains(err.Error(), "PASS") {
				t.Fatalf("the error about %q is %q", uri, err)
			}
		}
	}
}

func TestCheckMongoURI(t *testing.T) {
	for _, good := range []string{
		"mongodb://localhost", "mongodb://u:p@a,b:2/db?replicaSet=x", "mongodb+srv://u:p%40@c.x.mongodb.net/?retryWrites=true",
		"mongodb://[::1]:27017", "mongodb://%2Ftmp%2Fm.sock", "mongodb://a_b.svc.cluster.local:27017",
	} {
		if err := checkMongoURI(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
}
