package mongodb

import "github.com/orgd/orgd/internal/fair"

// Scans are the places for scans.
func (e *Engine) Scans() *fair.Queue { return e.shared.Scans }
