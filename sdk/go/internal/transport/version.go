package transport

import (
	"runtime/debug"
	"strings"
)

// Version names the SDK and, in a program that was built with modules, its version.
func Version() string {
	const module = "github.com/orgd/orgd/sdk/go"
	v := "devel"
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, m := range append(info.Deps, &info.Main) {
			if m.Path == module && IsHeaderText(m.Version) && m.Version != "(devel)" {
				v = m.Version
			}
		}
	}
	return "orgd-go/" + v
}

// IsHeaderText reports whether s is visible ASCII without spaces, which a header can carry.
func IsHeaderText(s string) bool {
	return s != "" && strings.IndexFunc(s, func(r rune) bool { return r <= ' ' || r > '~' }) < 0
}
