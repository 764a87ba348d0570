//go:build !unix

package app

import "math"

// openFiles is how many files this process may have open: here the system sets no limit
// that is met.
func openFiles() int { return math.MaxInt32 }
