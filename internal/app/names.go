package app

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// unknown refuses every variable of the file that orgd does not have.
func unknown(file map[string]string, path string) []error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(file)) {
		if isOurs(name) {
			continue
		}
		hint := "allowed: the variables that orgd help lists"
		if near, distance := nearest(name); distance <= len(near)/3 {
			hint = "did you mean " + near + "?"
		}
		problems = append(problems, fmt.Errorf("%s in %s: orgd has no such variable; %s", shownName(name), path, hint))
	}
	return problems
}

// misspelled refuses those variables of the environment that must be meant for orgd: at
// most two letters away from a variable of orgd that is not set, and with a beginning that
// other programs do not use. An environment belongs to many programs: any other name may be
// meant for one of them.
func misspelled(env, file map[string]string) []error {
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(env)) {
		near, distance := nearest(name)
		_, inEnv := env[near]
		_, inFile := file[near]
		if isOurs(name) || inEnv || inFile || distance > 2 || !hasOwnBeginning(name) {
			continue
		}
		problems = append(problems, fmt.Errorf("%s: orgd has no such variable; did you mean %s? "+
			"If it is meant for another program, set %s too, be it to nothing", name, near, near))
	}
	return problems
}

func hasOwnBeginning(name string) bool {
	for _, beginning := range []string{"MONGO", "MASTER_DB", "TENANT_DB", "JWT_", "BCRYPT_", "OPERATOR_K", "RATE_LIMIT_", "TRUSTED_PROX"} {
		if strings.HasPrefix(strings.ToUpper(name), beginning) {
			return true
		}
	}
	return false
}

func isOurs(name string) bool {
	return slices.ContainsFunc(Variables(), func(v Variable) bool { return v.Name == name })
}

// nearest returns the variable of orgd that is spelled most like a name, and how many
// letters apart they are, upper and lower case being the same.
func nearest(name string) (near string, distance int) {
	for _, v := range Variables() {
		if d := editDistance(strings.ToUpper(name), v.Name); near == "" || d < distance {
			near, distance = v.Name, d
		}
	}
	return near, distance
}

// editDistance counts the letters to insert, delete, replace, or swap with the next.
func editDistance(a, b string) int {
	d := make([][]int, len(a)+1)
	for i := range d {
		d[i] = make([]int, len(b)+1)
		d[i][0] = i
	}
	for j := range d[0] {
		d[0][j] = j
	}
	for i := 1; i <= len(a); i++ {
		for j := 1; j <= len(b); j++ {
			replace := d[i-1][j-1]
			if a[i-1] != b[j-1] {
				replace++
			}
			d[i][j] = min(d[i-1][j]+1, d[i][j-1]+1, replace)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				d[i][j] = min(d[i][j], d[i-2][j-2]+1)
			}
		}
	}
	return d[len(a)][len(b)]
}

// shownName returns how an error may name a variable of the file. A line such as the second
// half of a secret that was wrapped is taken for a name by the parser.
func shownName(name string) string {
	if _, distance := nearest(name); distance <= 2 || plainName.MatchString(name) {
		return name
	}
	return "a line that does not begin with the name of a variable"
}

var plainName = regexp.MustCompile(`^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$`)
