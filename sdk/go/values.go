package orgd

import (
	"encoding/json"
	"time"

	"github.com/orgd/orgd/sdk/go/internal/extjson"
)

// A DocumentID is an _id, or a reference to one: 24 hexadecimal digits mean an
// ObjectId, anything else a string, as in the server's paths. A field for the _id of a
// document to Insert needs `json:"_id,omitempty"`, so that an empty DocumentID is not
// sent.
type DocumentID string

// MarshalJSON implements json.Marshaler.
func (id DocumentID) MarshalJSON() ([]byte, error) { return extjson.WriteID(string(id)) }

// UnmarshalJSON implements json.Unmarshaler.
func (id *DocumentID) UnmarshalJSON(raw []byte) error {
	v, err := extjson.ReadID(raw)
	if err != nil {
		return err
	}
	*id = DocumentID(v)
	return nil
}

// An Int64 is an integer that is stored as an integer of 64 bits, whatever its value. A
// plain int64 is sent whole, too, but beyond 53 bits it comes back as an object, which
// encoding/json cannot read into an int64.
type Int64 int64

// MarshalJSON implements json.Marshaler.
func (n Int64) MarshalJSON() ([]byte, error) { return extjson.WriteInt64(int64(n)), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (n *Int64) UnmarshalJSON(raw []byte) error {
	v, err := extjson.ReadInt64(raw)
	if err != nil {
		return err
	}
	*n = Int64(v)
	return nil
}

// A Float64 is stored as a double, even if its value is whole, and may be infinite or
// not a number.
type Float64 float64

// MarshalJSON implements json.Marshaler.
func (f Float64) MarshalJSON() ([]byte, error) { return extjson.WriteFloat64(float64(f)), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (f *Float64) UnmarshalJSON(raw []byte) error {
	v, err := extjson.ReadFloat64(raw)
	if err != nil {
		return err
	}
	*f = Float64(v)
	return nil
}

// A Decimal is a decimal number of at most 34 digits, as text: "10.50".
type Decimal string

// MarshalJSON implements json.Marshaler.
func (d Decimal) MarshalJSON() ([]byte, error) {
	return json.Marshal(map[string]string{"$numberDecimal": string(d)})
}

// UnmarshalJSON implements json.Unmarshaler.
func (d *Decimal) UnmarshalJSON(raw []byte) error {
	return extjson.Read(raw, "$numberDecimal", (*string)(d))
}

// A Date is a time that is stored as a date, to the millisecond, and comes back in
// UTC. A plain time.Time would be stored as text.
type Date struct{ time.Time }

// MarshalJSON implements json.Marshaler.
func (d Date) MarshalJSON() ([]byte, error) { return extjson.WriteDate(d.Time), nil }

// UnmarshalJSON implements json.Unmarshaler.
func (d *Date) UnmarshalJSON(raw []byte) error {
	v, err := extjson.ReadDate(raw)
	if err != nil {
		return err
	}
	d.Time = v
	return nil
}

// A Binary is stored as bytes. A plain []byte would be stored as text, in base64.
type Binary struct {
	Subtype byte // 0: bytes of no kind in particular; 4: a UUID
	Data    []byte
}

// MarshalJSON implements json.Marshaler.
func (b Binary) MarshalJSON() ([]byte, error) { return extjson.WriteBinary(b.Subtype, b.Data) }

// UnmarshalJSON implements json.Unmarshaler.
func (b *Binary) UnmarshalJSON(raw []byte) error {
	subtype, data, err := extjson.ReadBinary(raw)
	if err != nil {
		return err
	}
	*b = Binary{subtype, data}
	return nil
}
