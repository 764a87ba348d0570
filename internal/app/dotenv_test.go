package app

import (
	"strings"
	"testing"
)

func TestLoadReadsTheFile(t *testing.T) {
	path := writeDotenv(t, "\ufeff# a comment\r\n\r\nexport MASTER_DB_NAME = from_file # why\r\nTENANT_DB_NAME=\"quoted\"\r\n"+
		"DATA_DIR='/srv/$HOME data'\r\nLISTEN_ADDR: \":9000\"\r\nJWT_SECRET="+goodSecret+"\r\nLOG_LEVEL=\r\nLOG_FORMAT=json")
	c, err := Load([]string{"MASTER_DB_NAME=from_environment", "LOG_FORMAT="}, path)
	if err != nil {
		t.Fatal(err)
	}
	for name, pair := range map[string][2]string{
		"the environment wins":                     {c.MasterDBName, "from_environment"},
		"the file comes second":                    {c.TenantDBName, "quoted"},
		"nothing is replaced in single quotes":     {c.DataDir, "/srv/$HOME data"},
		"a colon will do":                          {c.ListenAddr, ":9000"},
		"a secret":                                 {c.JWTSecret.Reveal(), goodSecret},
		"an empty value is the default":            {c.LogLevel.String(), "INFO"},
		"an empty variable hides that of the file": {c.LogFormat, "text"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %q, want %q", name, pair[0], pair[1])
		}
	}
}

func TestLoadRefusesABadFile(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"no value", "LOG_LEVEL=info\n# comment\nLOG_FORMAT\nDATA_DIR=x\n", ", line 3: cannot be read; allowed: NAME=value"},
		{"an open quote", "LOG_LEVEL=info\nDATA_DIR='x\nLOG_FORMAT=text\n", ", line 2: cannot be read"},
		{"an open quote in the first line", "DATA_DIR=\"x", ", line 1: cannot be read"},
		{"a dash in a name", "LOG-LEVEL=info", ", line 1: cannot be read"},
		{"a variable in a value", "DATA_DIR=$HOME/data", "a $ followed by a name is taken for another variable; allowed: the value in single quotes"},
		{"a variable in double quotes", `DATA_DIR="${HOME}/data"`, "a $ followed by a name is taken for another variable"},
		{"an unknown variable", "COLOUR=red", "COLOUR in "},
		{"a name close to one of ours", "MONGODB_URI=mongodb://h", "did you mean MONGO_URI?"},
		{"another name close to one of ours", "JWT_EXPIRY_MINUTES=5", "did you mean JWT_EXP_MINUTES?"},
		{"small letters", "jwt_secret=x", "jwt_secret in "},
		{"a line without a name", "=x", "a line that does not begin with the name of a variable in "},
		{"a value out of bounds", "BCRYPT_COST=1", "BCRYPT_COST in "},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := Load(nil, writeDotenv(t, c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v, want one line with %q", err, c.want)
			}
		})
	}
	t.Run("a directory", func(t *testing.T) {
		if _, err := Load(nil, t.TempDir()); err == nil {
			t.Error("no error")
		}
	})
}

func TestDollarSignsThatReplaceNothing(t *testing.T) {
	for text, want := range map[string]string{
		`DATA_DIR=a$`:         "a$",
		`DATA_DIR=a$$b`:       "a$$b",
		`DATA_DIR='a$HOME'`:   "a$HOME",
		`DATA_DIR=a\$HOME`:    "a$HOME",
		`DATA_DIR="a\$HOME"`:  "a$HOME",
		`DATA_DIR=a$(HOME)/x`: "a$(HOME)/x",
	} {
		c, err := Load(nil, writeDotenv(t, text))
		if err != nil && !strings.Contains(err.Error(), "single quotes") {
			t.Errorf("%s: %v", text, err)
		}
		if err == nil && c.DataDir != want {
			t.Errorf("%s is read as %q", text, c.DataDir)
		}
	}
}
