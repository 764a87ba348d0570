package app

import (
	"fmt"
	"io"
	"log/slog"
	"reflect"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
)

// A Variable describes a variable of the configuration.
type Variable struct {
	Name    string
	Default string // or, in brackets, what takes effect without a value
	Allowed string
	Desc    string
}

// Variables returns all, in the order of Config.
func Variables() []Variable {
	var all []Variable
	for _, f := range fields() {
		v := Variable{Name: f.Tag.Get("envconfig"), Default: f.Tag.Get("default"), Allowed: allowed(f), Desc: f.Tag.Get("desc")}
		if v.Default == "" {
			v.Default = "(" + f.Tag.Get("unset") + ")"
		}
		all = append(all, v)
	}
	return all
}

// DescribeVariables writes what each variable does, for help on the command line.
func DescribeVariables(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, v := range Variables() {
		fmt.Fprintf(t, "  %s\t%s\t%s\n", v.Name, v.Default, v.Desc)
	}
	_ = t.Flush()
}

// MarkdownVariables writes the variables as a table for README.
func MarkdownVariables(w io.Writer) {
	escape := strings.NewReplacer("|", `\|`, "*", `\*`, "<", "&lt;", "$", `\$`)
	fmt.Fprint(w, "| variable | default | allowed | what it does |\n|---|---|---|---|\n")
	for _, v := range Variables() {
		value := "`" + v.Default + "`"
		if strings.HasPrefix(v.Default, "(") {
			value = strings.Trim(v.Default, "()")
		}
		fmt.Fprintf(w, "| `%s` | %s | %s | %s |\n", v.Name, value, escape.Replace(v.Allowed), escape.Replace(v.Desc))
	}
}

// Describe writes the value of each variable that is in force, and where it is from.
// Secrets are masked.
func (c Config) Describe(w io.Writer) {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "VARIABLE\tVALUE\tFROM")
	for _, f := range fields() {
		name := f.Tag.Get("envconfig")
		source := c.sources[name]
		if source == "" {
			source = "default"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", name, c.shown(f), source)
	}
	_ = t.Flush()
}

// shown returns a field's value for people to read, on one line.
func (c Config) shown(f reflect.StructField) string {
	value := reflect.ValueOf(c).FieldByIndex(f.Index)
	text := fmt.Sprint(value.Interface())
	switch {
	case value.IsZero() && f.Tag.Get("unset") != "":
		return "(" + f.Tag.Get("unset") + ")"
	case f.Name == "MongoURI":
		return MaskURI(c.MongoURI.Reveal())
	case strings.ContainsFunc(text, unicode.IsControl):
		return strconv.Quote(text)
	}
	if _, isLevel := value.Interface().(slog.Level); isLevel {
		return strings.ToLower(text)
	}
	return text
}
