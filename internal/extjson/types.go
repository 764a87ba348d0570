package extjson

import (
	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/bsonappend"
)

// typesByName are the types of Extended JSON v2 by the name that begins their
// object. Each appends the value that stands behind that name and returns its type.
// Not among them are the forms of version 1, of which some are operators as well.
var typesByName map[string]func(*parser) (bson.Type, error)

func init() { // some refer to the parser, which refers to them
	typesByName = map[string]func(*parser) (bson.Type, error){
		"$oid":               (*parser).objectID,
		"$numberInt":         (*parser).numberInt,
		"$numberLong":        (*parser).numberLong,
		"$numberDouble":      (*parser).numberDouble,
		"$numberDecimal":     (*parser).numberDecimal,
		"$date":              (*parser).date,
		"$binary":            (*parser).binary,
		"$uuid":              (*parser).uuid,
		"$timestamp":         (*parser).timestamp,
		"$regularExpression": (*parser).regex,
		"$symbol":            (*parser).symbol,
		"$code":              (*parser).code,
		"$dbPointer":         (*parser).dbPointer,
		"$undefined":         (*parser).undefined,
		"$minKey":            func(p *parser) (bson.Type, error) { return bson.TypeMinKey, p.one("$minKey") },
		"$maxKey":            func(p *parser) (bson.Type, error) { return bson.TypeMaxKey, p.one("$maxKey") },
	}
}

// typeName takes the beginning of an object that is a value of a type of Extended
// JSON, and returns the type's name. Before anything else it takes nothing and
// returns no name.
func (p *parser) typeName() (string, error) {
	start := p.Pos()
	if !p.Take('{') {
		return "", nil
	}
	p.Space()
	if second := p.PeekSecond(); p.Peek() == '"' && (second == '$' || second == '\\') {
		name, err := p.String()
		if err != nil {
			return "", err
		}
		if typesByName[string(name)] != nil {
			return string(name), nil
		}
	}
	p.Seek(start)
	return "", nil
}

// typed appends the value of a type, whose object goes on behind the name.
func (p *parser) typed(name string) (bson.Type, error) {
	if err := p.Colon(); err != nil {
		return 0, err
	}
	kind, err := typesByName[name](p)
	if err != nil {
		return 0, err
	}
	p.Space()
	if !p.Take('}') {
		return 0, p.fail("is no value of %s", name)
	}
	return kind, nil
}

// within appends the value of a type, by name, that stands within the value of another
// type. No type holds another in any other way, or they would nest without being counted.
func (p *parser) within(what, name string) error {
	inner, err := p.typeName()
	if err == nil && inner != name {
		err = p.fail("is not %s", what)
	}
	if err != nil {
		return err
	}
	_, err = p.typed(name)
	return err
}

const whatDate = `a $date: a time of RFC 3339, or {"$numberLong": "milliseconds since 1970"}`

// date takes a time, and milliseconds for all that RFC 3339 does not have.
func (p *parser) date() (bson.Type, error) {
	if p.Peek() == '{' {
		return bson.TypeDateTime, p.within(whatDate, "$numberLong")
	}
	return bson.TypeDateTime, p.time()
}

// code is JavaScript, alone or with a $scope.
func (p *parser) code() (bson.Type, error) {
	text, err := p.want("a $code: a string")
	if err != nil {
		return 0, err
	}
	if p.Space(); !p.Take(',') {
		p.dst = bsonappend.String(p.dst, text)
		return bson.TypeJavaScript, nil
	}
	p.Space()
	if name, err := p.want("a $code with a $scope"); err != nil || string(name) != "$scope" {
		return 0, p.fail("is not a $code with a $scope")
	}
	if err := p.Colon(); err != nil {
		return 0, err
	}
	dst, at := bsonappend.Begin(p.dst)
	p.dst = bsonappend.String(dst, text)
	if err := p.scope(); err != nil {
		return 0, err
	}
	bsonappend.EndCode(p.dst, at)
	return bson.TypeCodeWithScope, nil
}

func (p *parser) scope() error {
	inner, err := p.typeName()
	if err != nil {
		return err
	}
	if inner != "" || p.Peek() != '{' {
		return p.fail("has a $scope that is not a document")
	}
	return p.document()
}

func (p *parser) dbPointer() (bson.Type, error) {
	const what = `a $dbPointer: {"$ref": "…", "$id": {"$oid": "…"}}`
	var ref []byte
	var id bson.ObjectID
	err := p.members(what, []string{"$ref", "$id"}, func(name string) (err error) {
		if name == "$ref" {
			ref, err = p.want(what)
			return err
		}
		at := len(p.dst)
		if err = p.within(what, "$oid"); err == nil {
			id = bson.ObjectID(p.dst[at:])
			p.dst = p.dst[:at]
		}
		return err
	})
	p.dst = append(bsonappend.String(p.dst, ref), id[:]...)
	return bson.TypeDBPointer, err
}
