package contract

import "encoding/json"

// SetApart takes the properties that are Extended JSON out of a body, which is known to be
// JSON. Of them a schema says only that they are objects, so the rest has empty ones for
// openapi3filter: what it would make of the others has lost the order of names, and digits.
// The properties are nil if nothing is set apart.
func (e *Endpoint) SetApart(body []byte) (properties map[string]json.RawMessage, rest []byte) {
	var all map[string]json.RawMessage
	if len(e.Extended) == 0 || json.Unmarshal(body, &all) != nil { // which is not even an object
		return nil, body
	}
	properties = map[string]json.RawMessage{}
	for _, name := range e.Extended {
		if text := all[name]; len(text) > 0 && text[0] == '{' {
			properties[name], all[name] = text, json.RawMessage("{}")
		}
	}
	rest, err := json.Marshal(all)
	if err != nil {
		panic(err) // it was JSON
	}
	return properties, rest
}
