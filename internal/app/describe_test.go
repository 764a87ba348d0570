package app

import (
	"bytes"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestDescribe(t *testing.T) {
	path := writeDotenv(t, "BCRYPT_COST=11\nMONGO_URI=mongodb://h\n")
	c, err := Load([]string{"MONGO_URI=", "DATA_DIR=a\tb", "LOG_LEVEL=DEBUG", "TRUSTED_PROXIES=10.0.0.1,10.1.0.0/16", "OPERATOR_KEY=" + goodKey}, path)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	c.Describe(&out)
	got := strings.Join(strings.Fields(strings.ReplaceAll(out.String(), path, ".env")), " ")
	want := "VARIABLE VALUE FROM MONGO_URI (embedded engine) environment MASTER_DB_NAME master_db default TENANT_DB_NAME tenant_db default " +
		"JWT_SECRET (made once, kept in DATA_DIR) default JWT_ALGORITHM HS256 default JWT_EXP_MINUTES 60 default " +
		`LISTEN_ADDR 127.0.0.1:8000 default DATA_DIR "a\tb" environment MIN_FREE_SPACE 128 default ACCEPT_DATA_LOSS false default BCRYPT_COST 11 .env OPERATOR_KEY set (39 bytes) environment ` +
		"RATE_LIMIT_SIGNUP 60 default RATE_LIMIT_SIGNUP_TOTAL (ten times RATE_LIMIT_SIGNUP) default RATE_LIMIT_LOGIN 60 default " +
		"RATE_LIMIT_LOOKUP 60000 default RATE_LIMIT_MOVE 600 default RATE_LIMIT_ORGANIZATION 0 default MAX_MOVES 16 default MAX_ORGANIZATIONS 100000 default MAX_IDEMPOTENCY_KEYS 1000000 default DELETE_GRACE 0s default MOVE_GRACE 0s default DOCTOR_DEEP false default TRUSTED_PROXIES 10.0.0.1/32,10.1.0.0/16 environment " +
		"LOG_LEVEL debug environment LOG_FORMAT text default MEMORY_BUDGET 256 default MAX_CONNECTIONS 0 default MAX_CONNECTIONS_PER_ADDRESS 0 default QUERY_TIMEOUT 10s default SHUTDOWN_TIMEOUT 10s default"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s\n%s", diff, out.String())
	}
}

func TestEveryVariableIsDescribed(t *testing.T) {
	var text, markdown bytes.Buffer
	DescribeVariables(&text)
	MarkdownVariables(&markdown)
	all := Variables()
	if len(all) != 32 {
		t.Errorf("%d variables, want 32", len(all))
	}
	for _, v := range all {
		if v.Name == "" || v.Default == "" || v.Default == "()" || v.Allowed == "" || v.Desc == "" {
			t.Errorf("%+v lacks something", v)
		}
		for name, table := range map[string]string{"help": text.String(), "markdown": markdown.String()} {
			if strings.Count(table, v.Name+" ")+strings.Count(table, "`"+v.Name+"`") == 0 {
				t.Errorf("%s is not in the table of %s", v.Name, name)
			}
		}
	}
	for line := range strings.Lines(markdown.String()) {
		if n := strings.Count(strings.ReplaceAll(line, `\|`, ""), "|"); n != 5 {
			t.Errorf("%d bars in the line %s", n, line)
		}
	}
	if n := strings.Count(text.String(), "\n"); n != len(all) {
		t.Errorf("help has %d lines", n)
	}
}
