package orgd

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// A DocumentID is an _id, or a reference to one: 24 hexadecimal digits are an
// ObjectId, anything else is a string, as in the server's paths. The empty one is
// for Insert to be left out: `json:"_id,omitempty"`.
type DocumentID string

// MarshalJSON implements json.Marshaler.
func (id DocumentID) MarshalJSON() ([]byte, error) {
	if isObjectID(string(id)) {
		return json.Marshal(map[string]string{"$oid": strings.ToLower(string(id))})
	}
	return json.Marshal(string(id))
}

// UnmarshalJSON implements json.Unmarshaler.
func (id *DocumentID) UnmarshalJSON(raw []byte) error {
	var text string
	if json.Unmarshal(raw, &text) == nil && !isNull(raw) && !isObjectID(text) {
		*id = DocumentID(text)
		return nil
	}
	if err := typed(raw, "$oid", &text); err != nil {
		return err
	}
	*id = DocumentID(text)
	return nil
}

func isObjectID(s string) bool {
	const digits = "0123456789abcdefABCDEF"
	return len(s) == 24 && strings.Trim(s, digits) == ""
}

// An Int64 is an integer that is stored as one of 64 bits, whatever its size. A
// plain int64 is sent whole, too, but comes back as an object where it is beyond 53
// bits, which encoding/json then refuses.
type Int64 int64

// MarshalJSON implements json.Marshaler.
func (n Int64) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"$numberLong":"%d"}`, int64(n)), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (n *Int64) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	for _, name := range []string{"$numberLong", "$numberInt"} {
		if typed(raw, name, &text) == nil {
			break
		}
	}
	v, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return fmt.Errorf("orgd: %.50s is not an integer of 64 bits", raw)
	}
	*n = Int64(v)
	return nil
}

// A Float64 is stored as a double, also where it is whole, and may be infinite or
// not a number.
type Float64 float64

// MarshalJSON implements json.Marshaler.
func (f Float64) MarshalJSON() ([]byte, error) {
	text := strconv.FormatFloat(float64(f), 'g', -1, 64)
	if math.IsInf(float64(f), 0) {
		text = strings.Replace(strings.TrimPrefix(text, "+"), "Inf", "Infinity", 1)
	}
	return fmt.Appendf(nil, `{"$numberDouble":"%s"}`, text), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (f *Float64) UnmarshalJSON(raw []byte) error {
	text := string(raw)
	for _, name := range []string{"$numberDouble", "$numberInt", "$numberLong"} {
		if typed(raw, name, &text) == nil {
			break
		}
	}
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return fmt.Errorf("orgd: %.50s is not a double", raw)
	}
	*f = Float64(v)
	return nil
}

// A Decimal is a decimal number of at most 34 digits, in text: "10.50".
type Decimal string

// MarshalJSON implements json.Marshaler.
func (d Decimal) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"$numberDecimal": string(d)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Decimal) UnmarshalJSON(raw []byte) error { return typed(raw, "$numberDecimal", (*string)(d)) }

// A Date is a time that is stored as such, to the millisecond, and comes back in
// UTC. A plain time.Time would be stored as text.
type Date struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (d Date) MarshalJSON() ([]byte, error) {
	return fmt.Appendf(nil, `{"$date":{"$numberLong":"%d"}}`, d.UnixMilli()), nil
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Date) UnmarshalJSON(raw []byte) error {
	var value json.RawMessage
	if err := typed(raw, "$date", &value); err != nil {
		return err
	}
	var at time.Time
	if json.Unmarshal(value, &at) == nil {
		d.Time = at.UTC()
		return nil
	}
	var ms Int64
	if err := ms.UnmarshalJSON(value); err != nil {
		return err
	}
	d.Time = time.UnixMilli(int64(ms)).UTC()
	return nil
}

// A Binary is bytes. A plain []byte would be stored as text, in base64.
type Binary struct {
	Subtype byte // 0: bytes of no kind in particular; 4: a UUID
	Data    []byte
}

type binary struct {
	Base64  []byte `json:"base64"`
	Subtype string `json:"subType"`
}

// MarshalJSON implements json.Marshaler.
func (b Binary) MarshalJSON() ([]byte, error) {
	inner := binary{append([]byte{}, b.Data...), fmt.Sprintf("%02x", b.Subtype)} // nil would be null
	return json.Marshal(map[string]binary{"$binary": inner})
}

// UnmarshalJSON implements json.Unmarshaler.
func (b *Binary) UnmarshalJSON(raw []byte) error {
	var inner binary
	if err := typed(raw, "$binary", &inner); err != nil {
		return err
	}
	kind, err := strconv.ParseUint(inner.Subtype, 16, 8)
	if err != nil {
		return fmt.Errorf("orgd: %q is not the subtype of a $binary", inner.Subtype)
	}
	*b = Binary{byte(kind), inner.Base64}
	return nil
}

// typed reads an object of one of Extended JSON's types.
func typed(raw []byte, name string, to any) error {
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
