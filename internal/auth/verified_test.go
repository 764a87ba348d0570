package auth

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"testing"
	"time"
)

// A Tokens that has seen a token answers as one that has not, at any time.
func TestARememberedTokenIsJudgedLikeANewOne(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	draw := rand.New(rand.NewPCG(seed, 0))
	now := noon
	clock := func(c *TokensConfig) { c.Now = func() time.Time { return now } }
	used := newTokens(t, clock)
	var tokens []string
	for range 20 {
		claims := goodClaims()
		claims["iat"] = noon.Unix() + draw.Int64N(60)
		claims["nbf"] = noon.Unix() + draw.Int64N(60)
		claims["exp"] = noon.Unix() + 120 + draw.Int64N(120)
		claims["jti"] = fmt.Sprint(draw.Uint64())
		text, err := json.Marshal(claims)
		if err != nil {
			t.Fatal(err)
		}
		good := sign(goodHeader, string(text))
		bad := []byte(good)
		bad[draw.IntN(len(bad))] ^= 1
		tokens = append(tokens, good, string(bad))
	}
	right, wrong := 0, 0
	for range 5000 {
		now = noon.Add(time.Duration(draw.IntN(300)-30) * time.Second)
		token := tokens[draw.IntN(len(tokens))]
		got, gotErr := used.Verify(token)
		want, wantErr := newTokens(t, clock).Verify(token)
		if got != want || fmt.Sprint(gotErr) != fmt.Sprint(wantErr) {
			t.Fatalf("at %s: %v, %v, want %v, %v", now, got, gotErr, want, wantErr)
		}
		if wantErr == nil {
			right++
		} else {
			wrong++
		}
	}
	if right < 500 || wrong < 500 {
		t.Errorf("%d were good and %d not: that shows little", right, wrong)
	}
}

func TestVerifiedIsBounded(t *testing.T) {
	var v verified
	last := digest{}
	for n := range 5 * maxVerified {
		last = digest{byte(n), byte(n >> 8), byte(n >> 16)}
		v.remember(last, goodToken{claims: Claims{Cred: int64(n)}, until: noon})
		if len(v.recent) > maxVerified || len(v.earlier) > maxVerified {
			t.Fatalf("%d and %d tokens", len(v.recent), len(v.earlier))
		}
	}
	if c, ok := v.find(last, noon.Add(-1)); !ok || c.Cred != 5*maxVerified-1 {
		t.Error("the last one is forgotten", c)
	}
	if _, ok := v.find(last, noon); ok {
		t.Error("found when its time was over")
	}
	if _, ok := v.find(digest{}, noon.Add(-1)); ok {
		t.Error("the first one is there for ever")
	}
	// One that is asked for again and again is not forgotten.
	kept := digest{255}
	v.remember(kept, goodToken{until: noon})
	for n := range 5 * maxVerified {
		v.remember(digest{1, byte(n), byte(n >> 8), byte(n >> 16)}, goodToken{until: noon})
		if _, ok := v.find(kept, noon.Add(-1)); !ok {
			t.Fatalf("forgotten after %d others", n)
		}
	}
}
