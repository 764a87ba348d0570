package app

import "github.com/orgd/orgd/internal/httpapi/wire"

// How the files that the process may have open are shared out: a quarter, and no more than
// are ever used, to the tables of the embedded engine; some to its logs, the connections to
// MongoDB and all else; the rest to clients.
const (
	mostTables      = 1000
	otherFiles      = 64
	mostConnections = 10_000
	// fewestConnections are allowed however few files there are.
	fewestConnections = 16
)

func openTables() int { return min(openFiles()/4, mostTables) }

// connections are those of clients that the configuration and the system allow.
func (c Config) connections() *wire.Connections {
	all := c.MaxConnections
	if all == 0 {
		all = min(max(openFiles()-openTables()-otherFiles, fewestConnections), mostConnections)
	}
	each := c.MaxConnectionsAddress
	if each == 0 {
		each = max(all/4, 1)
	}
	return wire.NewConnections(all, each, c.TrustedProxies)
}
