package contracttest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/routers"
)

// linesType is the media type of streams of JSON values, one a line. OpenAPI 3.0 has
// no words for their lines, so the contract says it by an extension beside the
// stream's own schema, which is a string:
//
//	application/x-ndjson:
//	  schema: {type: string}
//	  x-line-schema: {$ref: '#/components/schemas/ExportLine'}
//
// A stream without it is an error, so that no line goes unchecked.
const linesType = "application/x-ndjson"

// checkLines holds every line of a stream against the line's schema.
func (c *Contract) checkLines(route *routers.Route, resp *http.Response, body []byte) []error {
	if !strings.HasPrefix(resp.Header.Get("Content-Type"), linesType) {
		return nil
	}
	documented := route.Operation.Responses.Status(resp.StatusCode)
	if documented == nil || documented.Value.Content.Get(linesType) == nil {
		return nil // which ValidateResponse says already
	}
	return c.holdLines(documented.Value.Content.Get(linesType), body)
}

// holdLines holds a text against the schema of its lines.
func (c *Contract) holdLines(stream *openapi3.MediaType, body []byte) []error {
	schema, err := lineSchema(c.doc, stream)
	if err != nil {
		return []error{err}
	}
	var wrong []error
	text, whole := bytes.CutSuffix(body, []byte("\n"))
	if !whole && len(body) > 0 {
		wrong = append(wrong, fmt.Errorf("the last of the lines has no end"))
	}
	for i, line := range bytes.Split(text, []byte("\n")) {
		if len(body) == 0 {
			break // a stream of no lines
		}
		var v any
		if err := json.Unmarshal(line, &v); err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", i+1, err))
		} else if err := schema.VisitJSON(v, append(answerFormats, openapi3.MultiErrors(), openapi3.VisitAsResponse())...); err != nil {
			wrong = append(wrong, fmt.Errorf("line %d: %w", i+1, err))
		}
	}
	return wrong
}

func lineSchema(doc *openapi3.T, stream *openapi3.MediaType) (*openapi3.Schema, error) {
	line, _ := stream.Extensions["x-line-schema"].(map[string]any)
	ref, _ := line["$ref"].(string)
	schema := doc.Components.Schemas[strings.TrimPrefix(ref, "#/components/schemas/")]
	if schema == nil {
		return nil, fmt.Errorf("the contract does not say by x-line-schema what a line of this stream is: %q", ref)
	}
	return schema.Value, nil
}
