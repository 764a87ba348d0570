package docdb

import "go.mongodb.org/mongo-driver/v2/bson"

// In returns the filter that selects documents with one of these values at path.
func In(path string, values []bson.RawValue) Filter {
	list := bson.A{}
	for _, v := range values {
		list = append(list, v)
	}
	raw, err := bson.Marshal(bson.D{{Key: path, Value: bson.D{{Key: "$in", Value: list}}}})
	if err != nil {
		panic(err)
	}
	f, err := ParseFilter(raw)
	if err != nil {
		panic(err)
	}
	return f
}
