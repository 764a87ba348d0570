// Package extjson reads and writes the objects that MongoDB's Extended JSON has for the
// types that JSON lacks, such as {"$oid": ...}. Errors name what does not fit, shortened.
package extjson

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// WriteID writes an _id: an ObjectId if it looks like one, else a string.
func WriteID(id string) ([]byte, error) {
	if isObjectID(id) {
		return json.Marshal(map[string]string{"$oid": strings.ToLower(id)})
	}
	return json.Marshal(id)
}

// ReadID reads an _id that is an ObjectId, or a string that does not look like one.
func ReadID(raw []byte) (string, error) {
	var text string
	if json.Unmarshal(raw, &text) == nil && !isNull(raw) && !isObjectID(text) {
		return text, nil
	}
	err := Read(raw, "$oid", &text)
	return text, err
}

func isObjectID(s string) bool {
	const digits = "0123456789abcdefABCDEF"
	return len(s) == 24 && strings.Trim(s, digits) == ""
}

// WriteInt64 writes an integer of 64 bits.
func WriteInt64(n int64) []byte { return fmt.Appendf(nil, `{"$numberLong":"%d"}`, n) }

// ReadInt64 reads an integer, in any form that fits.
func ReadInt64(raw []byte) (int64, error) {
	n, err := strconv.ParseInt(number(raw, "$numberLong", "$numberInt"), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("orgd: %.50s is not an integer of 64 bits", raw)
	}
	return n, nil
}

// WriteFloat64 writes a double.
func WriteFloat64(f float64) []byte {
	text := strconv.FormatFloat(f, 'g', -1, 64)
	if math.IsInf(f, 0) {
		text = strings.Replace(strings.TrimPrefix(text, "+"), "Inf", "Infinity", 1)
	}
	return fmt.Appendf(nil, `{"$numberDouble":"%s"}`, text)
}

// ReadFloat64 reads a number, in any form, as a double.
func ReadFloat64(raw []byte) (float64, error) {
	f, err := strconv.ParseFloat(number(raw, "$numberDouble", "$numberInt", "$numberLong"), 64)
	if err != nil {
		return 0, fmt.Errorf("orgd: %.50s is not a double", raw)
	}
	return f, nil
}

// number returns the digits of a number that is written plainly, or as one of some types.
func number(raw []byte, types ...string) string {
	text := string(raw)
	for _, name := range types {
		if Read(raw, name, &text) == nil {
			break
		}
	}
	return text
}

// WriteDate writes an instant, to the millisecond.
func WriteDate(t time.Time) []byte {
	return fmt.Appendf(nil, `{"$date":{"$numberLong":"%d"}}`, t.UnixMilli())
}

// ReadDate reads an instant, in UTC.
func ReadDate(raw []byte) (time.Time, error) {
	var value json.RawMessage
	if err := Read(raw, "$date", &value); err != nil {
		return time.Time{}, err
	}
	var at time.Time
	if json.Unmarshal(value, &at) == nil {
		return at.UTC(), nil
	}
	ms, err := ReadInt64(value)
	if err != nil {
		return time.Time{}, err
	}
	return time.UnixMilli(ms).UTC(), nil
}

type binary struct {
	Base64  []byte `json:"base64"`
	Subtype string `json:"subType"`
}

// WriteBinary writes bytes and their subtype.
func WriteBinary(subtype byte, data []byte) ([]byte, error) {
	inner := binary{append([]byte{}, data...), fmt.Sprintf("%02x", subtype)} // nil would be null
	return json.Marshal(map[string]binary{"$binary": inner})
}

// ReadBinary reads bytes and their subtype.
func ReadBinary(raw []byte) (subtype byte, data []byte, err error) {
	var inner binary
	if err := Read(raw, "$binary", &inner); err != nil {
		return 0, nil, err
	}
	kind, err := strconv.ParseUint(inner.Subtype, 16, 8)
	if err != nil {
		return 0, nil, fmt.Errorf("orgd: %q is not the subtype of a $binary", inner.Subtype)
	}
	return byte(kind), inner.Base64, nil
}

// Read reads an object with nothing but the member of a type, such as "$oid".
func Read(raw []byte, name string, to any) error {
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil || len(object) != 1 || object[name] == nil || isNull(object[name]) {
		return fmt.Errorf("orgd: %.50s is not a %s", raw, name)
	}
	if err := json.Unmarshal(object[name], to); err != nil {
		return fmt.Errorf("orgd: %s: %w", name, err)
	}
	return nil
}

func isNull(raw []byte) bool { return string(raw) == "null" }
