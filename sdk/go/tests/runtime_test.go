package orgd_test

import (
	"testing"

	"github.com/google/uuid"
	original "github.com/oapi-codegen/runtime"

	"github.com/orgd/orgd/sdk/go/internal/runtime"
)

// TestRuntimeIsTheGenerators: what stands in for the generator's own runtime writes
// and reads the same as that.
func TestRuntimeIsTheGenerators(t *testing.T) {
	for _, text := range []string{"", "plain", "a b", "a+b", "a/b?c=d&e#f", "50%", `{"name": "Ünï"}`, "a,b;c=d", "..", "*"} {
		writesTheSame(t, text)
		readsTheSame[string](t, text)
	}
	writesTheSame(t, true)
	writesTheSame(t, int32(-7))
	writesTheSame(t, int64(1)<<40)
	writesTheSame(t, uuid.MustParse("019aaf2e-53c4-7d51-a2a7-0f0d1e9b3c55"))
	for _, text := range []string{"", "0", "30", "-1", "+1", "2147483647", "2147483648", "1.5", "soon", " 1"} {
		readsTheSame[int32](t, text)
	}
}

func writesTheSame[T runtime.Scalar](t *testing.T, v T) {
	t.Helper()
	for _, at := range []struct {
		style    string
		explode  bool
		here     runtime.ParamLocation
		original original.ParamLocation
	}{
		{"simple", false, runtime.ParamLocationPath, original.ParamLocationPath},
		{"simple", false, runtime.ParamLocationHeader, original.ParamLocationHeader},
		{"form", true, runtime.ParamLocationQuery, original.ParamLocationQuery},
	} {
		got, err := runtime.StyleParamWithOptions(at.style, at.explode, "name", v, runtime.StyleParamOptions{ParamLocation: at.here})
		want, wantErr := original.StyleParamWithOptions(at.style, at.explode, "name", v, original.StyleParamOptions{ParamLocation: at.original})
		if got != want || err != nil || wantErr != nil {
			t.Errorf("%v in %s: %q, %v, want %q, %v", v, at.style, got, err, want, wantErr)
		}
	}
}

func readsTheSame[T string | int32](t *testing.T, text string) {
	t.Helper()
	for _, required := range []bool{false, true} {
		var got, want T
		err := runtime.BindStyledParameterWithOptions("simple", "Name", text, &got,
			runtime.BindStyledParameterOptions{ParamLocation: runtime.ParamLocationHeader, Required: required})
		wantErr := original.BindStyledParameterWithOptions("simple", "Name", text, &want,
			original.BindStyledParameterOptions{ParamLocation: original.ParamLocationHeader, Required: required})
		if (err == nil) != (wantErr == nil) || err == nil && got != want {
			t.Errorf("%q, required %t: %v, %v, want %v, %v", text, required, got, err, want, wantErr)
		}
	}
}
