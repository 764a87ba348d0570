package app

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/joho/godotenv"
)

// readDotenv returns the variables in a file of lines NAME=value; none if there is
// no such file. Its errors hold no value: the parser's own would show the rest of
// the file.
func readDotenv(path string) (map[string]string, error) {
	if path == "" {
		return nil, nil
	}
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", path, err)
	}
	text = bytes.TrimPrefix(text, []byte("\ufeff"))
	values, err := godotenv.UnmarshalBytes(text)
	if err != nil {
		return nil, fmt.Errorf("%s, line %d: cannot be read; allowed: NAME=value, with both quotes if any", path, badLine(text))
	}
	return values, checkReplaced(path, text, values)
}

// badLine returns the number of the line where the statement begins that godotenv
// cannot read: the one after the longest beginning that it can.
func badLine(text []byte) int {
	lines := bytes.SplitAfter(text, []byte("\n"))
	for n := len(lines) - 1; n > 0; n-- {
		if _, err := godotenv.UnmarshalBytes(bytes.Join(lines[:n], nil)); err == nil {
			return n + 1
		}
	}
	return 1
}

// checkReplaced refuses values in which godotenv has put other variables in place of
// $NAME: few know that it does, and a password that loses a part of itself is hard to
// find. It parses the text once more, without dollar signs.
func checkReplaced(path string, text []byte, values map[string]string) error {
	const mark = "\x01"
	unreplaced, err := godotenv.UnmarshalBytes(bytes.ReplaceAll(text, []byte("$"), []byte(mark)))
	if err != nil {
		return fmt.Errorf("read %s: a $ is in a place where it cannot be", path)
	}
	back := strings.NewReplacer(`\`+mark, "$", mark, "$")
	var problems []error
	for name, value := range values {
		if value != back.Replace(unreplaced[name]) {
			problems = append(problems, fmt.Errorf("%s in %s: a $ followed by a name is taken for another variable; "+
				"allowed: the value in single quotes, as in NAME='pa$SWORD'", shownName(name), path))
		}
	}
	slices.SortFunc(problems, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(problems...)
}
