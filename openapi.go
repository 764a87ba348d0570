// Package orgd carries the contract, openapi.yaml, which a package further down
// the tree could not embed.
package orgd

import _ "embed"

// OpenAPI is openapi.yaml: the contract that this server was generated from,
// checks requests against and shows to its clients.
//
//go:embed openapi.yaml
var OpenAPI string
