package organization

import (
	"context"

	"github.com/orgd/orgd/bench/client"
	"github.com/orgd/orgd/bench/load"
	"github.com/orgd/orgd/bench/process"
)

// CreateClients is how many clients create organizations at a time.
const CreateClients = 16

// CreateAll creates organizations from number begin up to but not including end.
func CreateAll(ctx context.Context, orgd *process.Server, begin, end int) error {
	_, err := Creates(begin, end).Run(ctx, orgd)
	return err
}

// Creates is the load of CreateAll, to be measured.
func Creates(begin, end int) load.Load {
	return load.Load{Clients: CreateClients, Count: end - begin, Do: func(c client.Client, n int) error {
		_, err := c.Do(CreateRequest(begin+n), 201)
		return err
	}}
}
