package extjson

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"go.mongodb.org/mongo-driver/v2/bson"

	"github.com/orgd/orgd/internal/docdb/wire"
)

// Append appends a document in relaxed Extended JSON: a value for which JSON has a form
// is in that form. An integer beyond 53 bits is in canonical form, since most readers of
// JSON have nothing but doubles, and would lose its last digits. The document must
// be well-formed; a string in it that is not UTF-8, which orgd does not write, gets
// replacement characters.
func Append(dst []byte, doc bson.Raw) []byte { return appendDocument(dst, doc, false) }

// AppendCanonical appends a document in canonical Extended JSON, which tells every
// type of number apart.
func AppendCanonical(dst []byte, doc bson.Raw) []byte { return appendDocument(dst, doc, true) }

// A level is a document, an array or a scope that is being written.
type level struct {
	rest []byte // its fields that are still to come
	kind bson.Type
}

func appendDocument(dst []byte, doc bson.Raw, canonical bool) []byte {
	return appendNested(dst, bson.RawValue{Type: bson.TypeEmbeddedDocument, Value: doc}, canonical)
}

// appendNested appends a document, an array, or code with a scope. It keeps the levels in a
// list, and does not call itself: programs other than orgd may have stored documents deeper
// than docdb.MaxDepth, and those are served as well.
func appendNested(dst []byte, whole bson.RawValue, canonical bool) []byte {
	var room [4]level
	around, comma := room[:0], false
	dst, fields := appendBegin(dst, whole)
	in := level{fields, whole.Type}
	for {
		name, value, rest := wire.Split(in.rest)
		if name == nil {
			dst = appendEnd(dst, in.kind)
			if len(around) == 0 {
				return dst
			}
			in, around, comma = around[len(around)-1], around[:len(around)-1], true
			continue
		}
		v := bson.RawValue{Type: bson.Type(in.rest[0]), Value: value}
		in.rest = rest
		if comma {
			dst = append(dst, ',')
		}
		if in.kind != bson.TypeArray {
			dst = append(appendText(dst, name), ':')
		}
		switch v.Type {
		case bson.TypeEmbeddedDocument, bson.TypeArray, bson.TypeCodeWithScope:
			around = append(around, in)
			dst, in.rest = appendBegin(dst, v)
			in.kind, comma = v.Type, false
		default:
			dst, comma = appendValue(dst, v, canonical), true
		}
	}
}

// appendBegin appends what begins a level, and returns its fields.
func appendBegin(dst []byte, v bson.RawValue) (_, fields []byte) {
	switch v.Type {
	case bson.TypeArray:
		return append(dst, '['), wire.Elements(v.Value)
	case bson.TypeCodeWithScope:
		code, scope := v.CodeWithScope()
		dst = appendText(append(dst, `{"$code":`...), []byte(code))
		return append(dst, `,"$scope":{`...), wire.Elements(scope)
	}
	return append(dst, '{'), wire.Elements(v.Value)
}

func appendEnd(dst []byte, kind bson.Type) []byte {
	switch kind {
	case bson.TypeArray:
		return append(dst, ']')
	case bson.TypeCodeWithScope:
		return append(dst, `}}`...)
	}
	return append(dst, '}')
}

// appendValue appends a value that holds no others.
func appendValue(dst []byte, v bson.RawValue, canonical bool) []byte {
	switch v.Type {
	case bson.TypeString:
		return appendText(dst, v.Value[4:len(v.Value)-1])
	case bson.TypeBoolean:
		return strconv.AppendBool(dst, v.Value[0] != 0)
	case bson.TypeNull:
		return append(dst, "null"...)
	case bson.TypeObjectID:
		dst = append(dst, `{"$oid":"`...)
		return append(hex.AppendEncode(dst, v.Value), `"}`...)
	case bson.TypeInt32:
		return appendInt32(dst, v.Int32(), canonical)
	case bson.TypeInt64:
		return appendInt64(dst, v.Int64(), canonical)
	case bson.TypeDouble:
		return appendDouble(dst, v.Double(), canonical)
	case bson.TypeDecimal128:
		return append(append(append(dst, `{"$numberDecimal":"`...), v.Decimal128().String()...), `"}`...)
	case bson.TypeDateTime:
		return appendDate(dst, v.DateTime(), canonical)
	case bson.TypeBinary:
		return appendBinary(dst, v)
	}
	return appendRare(dst, v)
}

func appendRare(dst []byte, v bson.RawValue) []byte {
	switch v.Type {
	case bson.TypeTimestamp:
		t, i := v.Timestamp()
		dst = strconv.AppendUint(append(dst, `{"$timestamp":{"t":`...), uint64(t), 10)
		dst = strconv.AppendUint(append(dst, `,"i":`...), uint64(i), 10)
		return append(dst, `}}`...)
	case bson.TypeRegex:
		pattern, options := v.Regex()
		dst = appendText(append(dst, `{"$regularExpression":{"pattern":`...), []byte(pattern))
		dst = appendText(append(dst, `,"options":`...), []byte(options))
		return append(dst, `}}`...)
	case bson.TypeJavaScript:
		return append(appendText(append(dst, `{"$code":`...), []byte(v.JavaScript())), '}')
	case bson.TypeSymbol:
		return append(appendText(append(dst, `{"$symbol":`...), []byte(v.Symbol())), '}')
	case bson.TypeDBPointer:
		ref, id := v.DBPointer()
		dst = appendText(append(dst, `{"$dbPointer":{"$ref":`...), []byte(ref))
		dst = append(append(dst, `,"$id":{"$oid":"`...), id.Hex()...)
		return append(dst, `"}}}`...)
	case bson.TypeUndefined:
		return append(dst, `{"$undefined":true}`...)
	case bson.TypeMinKey:
		return append(dst, `{"$minKey":1}`...)
	case bson.TypeMaxKey:
		return append(dst, `{"$maxKey":1}`...)
	}
	return append(dst, "null"...) // there is no other type
}

func appendInt32(dst []byte, n int32, canonical bool) []byte {
	if !canonical {
		return strconv.AppendInt(dst, int64(n), 10)
	}
	return append(strconv.AppendInt(append(dst, `{"$numberInt":"`...), int64(n), 10), `"}`...)
}

// safe is the largest integer that a double holds with all its neighbours.
const safe = 1<<53 - 1

func appendInt64(dst []byte, n int64, canonical bool) []byte {
	if !canonical && n >= -safe && n <= safe {
		return strconv.AppendInt(dst, n, 10)
	}
	return append(strconv.AppendInt(append(dst, `{"$numberLong":"`...), n, 10), `"}`...)
}

func appendDouble(dst []byte, f float64, canonical bool) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `{"$numberDouble":"NaN"}`...)
	case math.IsInf(f, 1):
		return append(dst, `{"$numberDouble":"Infinity"}`...)
	case math.IsInf(f, -1):
		return append(dst, `{"$numberDouble":"-Infinity"}`...)
	case canonical:
		return append(appendFinite(append(dst, `{"$numberDouble":"`...), f), `"}`...)
	}
	return appendFinite(dst, f)
}

// appendFinite writes a double so that it reads back as a double: 1 as 1.0.
func appendFinite(dst []byte, f float64) []byte {
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	start := len(dst)
	dst = strconv.AppendFloat(dst, f, format, -1, 64)
	if !strings.ContainsAny(string(dst[start:]), ".e") {
		dst = append(dst, ".0"...)
	}
	return dst
}

// The years that relaxed Extended JSON writes as RFC 3339.
const (
	firstRelaxed = 0               // 1970
	afterRelaxed = 253402300800000 // 10000
)

func appendDate(dst []byte, ms int64, canonical bool) []byte {
	if canonical || ms < firstRelaxed || ms >= afterRelaxed {
		return append(strconv.AppendInt(append(dst, `{"$date":{"$numberLong":"`...), ms, 10), `"}}`...)
	}
	layout := "2006-01-02T15:04:05.000Z"
	if ms%1000 == 0 {
		layout = "2006-01-02T15:04:05Z"
	}
	dst = time.UnixMilli(ms).UTC().AppendFormat(append(dst, `{"$date":"`...), layout)
	return append(dst, `"}`...)
}

func appendBinary(dst []byte, v bson.RawValue) []byte {
	kind, data := v.Binary()
	dst = base64.StdEncoding.AppendEncode(append(dst, `{"$binary":{"base64":"`...), data)
	dst = append(dst, `","subType":"`...)
	return append(hex.AppendEncode(dst, []byte{kind}), `"}}`...)
}

const hexDigits = "0123456789abcdef"

// appendText appends a string of JSON.
func appendText(dst, s []byte) []byte {
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c-' ' < utf8.RuneSelf-' ' && c != '"' && c != '\\' { // below the space it wraps
			i++
			continue
		}
		if c >= utf8.RuneSelf {
			if r, size := utf8.DecodeRune(s[i:]); r != utf8.RuneError || size > 1 {
				i += size
				continue
			}
			dst = append(append(dst, s[start:i]...), "\ufffd"...)
		} else {
			dst = appendEscape(append(dst, s[start:i]...), c)
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, `\n`...)
	case '\r':
		return append(dst, `\r`...)
	case '\t':
		return append(dst, `\t`...)
	}
	return append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
}
