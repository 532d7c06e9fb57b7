package kingdee

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"os"
	"strings"
	"testing"
	"time"
)

// vectors are published example values, recomputed.
type vectors struct {
	AuthorityInfo struct {
		Key, IV string
		Cases   []struct {
			AccessToken   string `json:"access_token"`
			UserID        string `json:"user_id"`
			AuthorityInfo string `json:"authority_info"`
		}
	} `json:"authority_info"`
	AppSignature struct {
		AppKey       string `json:"app_key"`
		AppSecret    string `json:"app_secret"`
		AppSignature string `json:"app_signature"`
	} `json:"app_signature"`
	GatewaySignature struct {
		ClientSecret  string `json:"client_secret"`
		Method, Path  string
		Query         map[string]string
		Nonce         string
		Timestamp     string
		HMACHex       string `json:"hmac_hex"`
		XAPISignature string `json:"x_api_signature"`
	} `json:"gateway_signature"`
}

func TestKnownAnswers(t *testing.T) {
	b, err := os.ReadFile("testdata/kingdee-auth.json")
	if err != nil {
		t.Fatal(err)
	}
	var v vectors
	if err := json.Unmarshal(b, &v); err != nil {
		t.Fatal(err)
	}
	if v.AuthorityInfo.Key != authorityKey || v.AuthorityInfo.IV != authorityIV {
		t.Error("the default key or IV is not the published one")
	}
	if len(v.AuthorityInfo.Cases) != 2 {
		t.Fatalf("%d cases", len(v.AuthorityInfo.Cases))
	}
	for _, c := range v.AuthorityInfo.Cases {
		got, err := authorityInfo(authorityKey, authorityIV, c.AccessToken, c.UserID)
		if err != nil || got != c.AuthorityInfo {
			t.Errorf("authority_info = %q, %v; want %q", got, err, c.AuthorityInfo)
		}
	}
	if got := appSignature(v.AppSignature.AppKey, v.AppSignature.AppSecret); got != v.AppSignature.AppSignature {
		t.Errorf("app_signature = %q", got)
	}
	g := v.GatewaySignature
	query := url.Values{}
	for name, value := range g.Query {
		query.Set(name, value)
	}
	got := hexMAC(g.ClientSecret, canonical(strings.ToLower(g.Method), g.Path, query, g.Nonce, g.Timestamp))
	if got != g.XAPISignature {
		t.Errorf("X-Api-Signature = %q, want %q", got, g.XAPISignature)
	}
	if raw, err := base64.StdEncoding.DecodeString(got); err != nil || string(raw) != g.HMACHex {
		t.Errorf("it covers %q, %v", raw, err)
	}
}

// TestCanonical has what the known answers do not: sorting, no query, and the
// encoder's two passes.
func TestCanonical(t *testing.T) {
	for _, tc := range []struct {
		path  string
		query url.Values
		want  string
	}{
		{"/a/b", nil, "POST\n%2Fa%2Fb\n\nx-api-nonce:1\nx-api-timestamp:2\n"},
		{
			"/a",
			url.Values{"b": {"2"}, "a": {"x y~*="}, "a-b": {"中"}},
			"POST\n%2Fa\na-b=%25E4%25B8%25AD&a=x%2By%257E%2A%253D&b=2\nx-api-nonce:1\nx-api-timestamp:2\n",
		},
	} {
		if got := canonical("POST", tc.path, tc.query, "1", "2"); got != tc.want {
			t.Errorf("got  %q\nwant %q", got, tc.want)
		}
	}
}

func TestAuthorityInfoSettings(t *testing.T) {
	for _, tc := range []struct{ key, iv string }{{"short", authorityIV}, {authorityKey, "short"}} {
		if got, err := authorityInfo(tc.key, tc.iv, "t", "u"); err == nil {
			t.Errorf("key %q, iv %q gave %q", tc.key, tc.iv, got)
		}
	}
}

// TestSign: the signature is of the very stamp and nonce that are sent, each call
// has its own, and the names are the vendor's.
func TestSign(t *testing.T) {
	now := time.UnixMilli(1670305063559)
	query := url.Values{"outerInstanceId": {"42"}}
	nonces := make(map[string]bool)
	for range 20 {
		h := map[string][]string{}
		if err := sign(h, "200001", "s3cret", "POST", "/p", query, now); err != nil {
			t.Fatal(err)
		}
		nonce := h["X-Api-Nonce"][0]
		nonces[nonce] = true
		if len(nonce) != 10 || h["X-Api-TimeStamp"][0] != "1670305063559" || h["X-Api-ClientID"][0] != "200001" ||
			h["X-Api-Auth-Version"][0] != "2.0" || h["X-Api-SignHeaders"][0] != "X-Api-TimeStamp,X-Api-Nonce" {
			t.Fatalf("headers %v", h)
		}
		raw, err := base64.StdEncoding.DecodeString(h["X-Api-Signature"][0])
		if err != nil || len(raw) != 64 {
			t.Fatalf("signature covers %d bytes: %v", len(raw), err)
		}
		if _, err := hex.DecodeString(string(raw)); err != nil {
			t.Fatal(err)
		}
		if want := hexMAC("s3cret", canonical("POST", "/p", query, nonce, "1670305063559")); h["X-Api-Signature"][0] != want {
			t.Error("the signature is of something else")
		}
	}
	if len(nonces) < 19 {
		t.Errorf("%d nonces in 20 calls", len(nonces))
	}
}
