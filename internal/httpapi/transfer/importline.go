package transfer

import (
	"bytes"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/extjson"
	"github.com/orgd/orgd/internal/httpapi/jsondoc"
	"github.com/orgd/orgd/internal/org"
	"github.com/orgd/orgd/internal/tenant"
)

// readImportLine reads a line; false for a line that has no document: a blank line,
// or the last of a whole export.
func readImportLine(text []byte) (importItem, bool) {
	if len(bytes.TrimSpace(text)) == 0 {
		return importItem{}, false
	}
	doc, err := readImportDocument(text)
	return importItem{body: doc, refusal: err}, doc != nil || err != nil
}

// readImportDocument returns a document with an _id, its own or a new one; nil for
// the trailer of a whole export.
func readImportDocument(text []byte) (bson.Raw, error) {
	doc, err := jsondoc.Read(text)
	if err != nil {
		if whole, ok := isTrailer(text); ok && whole {
			return nil, nil
		} else if ok {
			return nil, errHalfExport
		}
		return nil, err
	}
	if first, err := doc.IndexErr(0); err == nil && first.Key() == "_id" {
		return doc, nil
	}
	fresh := bson.NewObjectID()
	return tenant.WithID(doc, bson.RawValue{Type: bson.TypeObjectID, Value: fresh[:]}), nil
}

var errHalfExport = org.Errorf(org.Invalid, "The export that ends here is not complete: documents of it are missing.")

// maxTrailer is more than a trailer ever has, in bytes.
const maxTrailer = 64 << 10

// isTrailer reports whether a line is the last of an export, which no document can
// be, and whether that came to its end.
func isTrailer(text []byte) (whole, ok bool) {
	if len(text) > maxTrailer {
		return false, false
	}
	line, err := extjson.Parse(text, extjson.Documents)
	if err != nil {
		return false, false
	}
	all, err := line.Elements()
	if err != nil || len(all) != 1 || all[0].Key() != trailerName {
		return false, false
	}
	trailer, ok := all[0].Value().DocumentOK()
	if !ok {
		return false, false
	}
	complete, said := trailer.Lookup("complete").BooleanOK()
	return complete || !said, true
}
