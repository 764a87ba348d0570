package peer

import (
	"context"
	"errors"
	"slices"
	"strings"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"

	"github.com/orgd/orgd/bench/load"
)

// A sample is that of a load, and how many commands the server got meanwhile.
type sample struct {
	load.Sample
	commands int64
}

// each is how many commands a request came to.
func (x sample) each() float64 { return float64(x.commands) / float64(max(x.Requests, 1)) }

// unasked are the commands that drivers send by themselves, and those of the count.
var unasked = []string{"hello", "ismaster", "ping", "endsessions", "serverstatus"}

// counted measures, and counts the server's commands.
func counted(ctx context.Context, server *mongo.Client, run func(context.Context) (load.Sample, error)) (sample, error) {
	before, err := commandsOf(ctx, server)
	if err != nil {
		return sample{}, err
	}
	x, err := run(ctx)
	if err != nil {
		return sample{}, err
	}
	after, err := commandsOf(ctx, server)
	return sample{x, after - before}, err
}

// commandsOf is how many commands the server has got since it started.
func commandsOf(ctx context.Context, server *mongo.Client) (n int64, err error) {
	var status struct {
		Metrics struct {
			Commands map[string]bson.RawValue `bson:"commands"`
		} `bson:"metrics"`
	}
	if err := server.Database("admin").RunCommand(ctx, bson.D{{Key: "serverStatus", Value: 1}}).Decode(&status); err != nil {
		return 0, err
	}
	if len(status.Metrics.Commands) == 0 {
		return 0, errors.New("the MongoDB server does not count its commands: serverStatus has no metrics.commands; a mongod and secantusd-rs have them")
	}
	for name, counts := range status.Metrics.Commands {
		doc, ok := counts.DocumentOK() // "<UNKNOWN>" is a number
		if ok && !slices.Contains(unasked, strings.ToLower(name)) {
			n += doc.Lookup("total").AsInt64()
		}
	}
	return n, nil
}
