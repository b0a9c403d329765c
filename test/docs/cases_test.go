// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"bytes"
	"compress/zlib"
	"crypto"
	"crypto/elliptic"
	"crypto/sha256"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/fxamacker/cbor/v2"
)

// sample is a vector before it is made.
type sample struct {
	id, reason, note string
	*draft
	text    string // the code, where it is made of no draft
	at      time.Time
	revoked []string
}

// change makes a sample of a right pass of the key and one change.
func change(id, reason, note string, k *testKey, alter func(*draft)) sample {
	d := newDraft(k, id)
	if alter != nil {
		alter(d)
	}
	return sample{id: id, reason: reason, note: note, draft: d}
}

func samples(t *testing.T, k *keys) []sample {
	all := valid(k)
	all = append(all, unknown(k)...)
	all = append(all, texts(t, k)...)
	all = append(all, envelopes(k)...)
	all = append(all, encodings(t, k)...)
	all = append(all, claims(k)...)
	all = append(all, signatures(k)...)
	return append(all, times(k)...)
}

func valid(k *keys) []sample {
	holder := bytes.Repeat([]byte{0x5a}, 16)
	green := func(kind string) func(*draft) {
		return func(d *draft) {
			d.claims = d.claims.without(-70002).with(-70001, kind).with(-70004, "green").with(-70006, holder)
		}
	}
	full := func(d *draft) {
		d.claims = pairs{
			{1, d.issuer}, {4, morning.Add(time.Hour).Unix()}, {5, morning.Unix()}, {6, morning.Add(-time.Hour).Unix()},
			{7, []byte("a sixteen-byte #")}, {65535, map[string]any{"status_list": map[string]any{"idx": 4711, "uri": "arena/2026"}}},
			{-70001, "ticket"}, {-70002, []string{"arena/north", "stadium"}}, {-70003, 3}, {-70004, "gold"}, {-70005, "wide"}, {-70006, holder},
		}
	}
	scopes := make([]string, 32)
	for i := range scopes {
		scopes[i] = "v" + string(rune('a'+i/26)) + string(rune('a'+i%26))
	}
	scopes[31] = strings.Repeat("v", 31) + "/" + strings.Repeat("z", 32)
	limits := func(d *draft) {
		d.claims = pairs{
			{1, d.issuer}, {4, 253402300799}, {5, 1}, {6, 1}, {7, bytes.Repeat([]byte{0xff}, 16)},
			{65535, map[string]any{"status_list": map[string]any{"idx": uint64(1<<64 - 1), "uri": strings.Repeat("u", 256)}}},
			{-70001, strings.Repeat("k", 32)}, {-70002, scopes}, {-70003, 1<<31 - 1}, {-70004, strings.Repeat("l", 32)},
			{-70005, strings.Repeat("g", 32)}, {-70006, holder},
		}
	}
	own := func(d *draft) {
		d.claims = append(pairs{d.claims[0], d.claims[1], d.claims[2], d.claims[3], {8, map[int]any{1: nil}}}, d.claims[4:]...)
		d.claims = append(d.claims, pair{-80000, []any{"ours", 1, true, nil}}, pair{"seat", "C12"})
	}
	return []sample{
		change("ticket-ed25519", "ok", "a day ticket", k.arena, nil),
		change("ticket-es256", "ok", "a day ticket, signed with ES256", k.es256, nil),
		change("least", "ok", "iss, exp and a cti of 8 bytes, and no more", k.arena, func(d *draft) {
			d.claims = pairs{{1, d.issuer}, {4, morning.Add(time.Hour).Unix()}, {7, []byte("8 bytes.")}}
		}),
		change("full", "ok", "every claim", k.arena, full),
		change("health-green", "ok", "a health code", k.health, green("health")),
		change("travel-green", "ok", "a travel code of another issuer, of the same holder", k.travel, green("travel")),
		change("limits", "ok", "every claim at its limit", k.edge, limits),
		change("own-claims", "ok", "claims of the issuer's own are passed over", k.arena, own),
		change("tags-61-18", "ok", "the tags 61(18(…)), as a CWT may bear them", k.arena, func(d *draft) { d.tags = []byte{0xd8, 61, 0xd2} }),
		change("tags-none", "ok", "no tag", k.arena, func(d *draft) { d.tags = nil }),
		change("kid-unprotected", "ok", "the kid alone in the unprotected header", k.arena, func(d *draft) {
			d.protected, d.unprotected = d.protected.without(4), pairs{{4, d.kid}}
		}),
		change("kid-of-jwk", "ok", "the kid of a JSON Web Key is its text", k.jwk, nil),
		change("es256-other-s", "ok", "the other S of the same signature: one pass, for a pass is known by its cti", k.es256, func(d *draft) {
			d.sign = func(t *testing.T, k *testKey, message []byte) []byte {
				raw := k.sign(t, message)
				r, s := new(big.Int).SetBytes(raw[:32]), new(big.Int).SetBytes(raw[32:])
				return join(r, s.Sub(elliptic.P256().Params().N, s))
			}
		}),
	}
}

func unknown(k *keys) []sample {
	other := func(kid []byte) func(*draft) {
		return func(d *draft) { d.kid, d.protected = kid, d.protected.with(4, kid) }
	}
	return []sample{
		change("unknown-issuer", "unknown_issuer", "an iss that the trust list does not name", k.arena, func(d *draft) {
			d.issuer, d.claims = "test-nobody", d.claims.with(1, "test-nobody")
		}),
		change("unknown-key", "unknown_key", "a key that the trust list does not name", k.stranger, nil),
		change("key-of-another", "unknown_key", "the kid of another issuer's key", k.health, func(d *draft) {
			d.issuer, d.claims = "test-arena", d.claims.with(1, "test-arena")
		}),
		change("no-kid", "unknown_key", "no kid", k.arena, func(d *draft) { d.kid, d.protected = nil, d.protected.without(4) }),
		change("empty-kid", "unknown_key", "a kid of no bytes", k.arena, other([]byte{})),
		change("key-of-certificates", "key_not_allowed", "signed with a key that may sign HC1 only", k.country, nil),
	}
}

func texts(t *testing.T, k *keys) []sample {
	right := newDraft(k.arena, "ticket-ed25519").cose(t)
	body := strings.TrimPrefix(code(right), "GH1:")
	var packed bytes.Buffer
	z := zlib.NewWriter(&packed)
	z.Write(right) // a bytes.Buffer takes everything
	z.Close()
	text := func(id, reason, note, text string) sample {
		return sample{id: id, reason: reason, note: note, text: text}
	}
	return []sample{
		text("text-empty", "unrecognised", "nothing", ""),
		text("text-lower-case", "unrecognised", "a prefix in lower case", "gh1:"+body),
		text("text-space", "unrecognised", "a space before the prefix", " GH1:"+body),
		text("text-version", "unrecognised", "a prefix that is not assigned", "GH2:"+body),
		text("text-bare", "unrecognised", "no prefix", body),
		text("text-only-prefix", "malformed", "nothing behind the prefix", "GH1:"),
		text("text-body-lower-case", "malformed", "letters that are no base45", "GH1:"+strings.ToLower(body)),
		text("text-one-left", "malformed", "one base45 digit left over", "GH1:"+body+"0"),
		text("text-group-too-large", "malformed", "a base45 group above 65535", "GH1::::"+body[3:]),
		text("text-cut", "malformed", "cut off in the middle", "GH1:"+body[:len(body)/6*3]),
		text("text-line-end", "malformed", "a line end behind the code", "GH1:"+body+"\r"),
		text("text-deflated", "malformed", "compressed, as HC1 is", code(packed.Bytes())),
		text("text-too-long", "malformed", "longer than 4296 characters", "GH1:"+strings.Repeat("0", 4293)),
	}
}

func envelopes(k *keys) []sample {
	sealed := func(seal func(protected, unprotected, payload, signature []byte) []byte) func(*draft) {
		return func(d *draft) { d.seal = seal }
	}
	bstr := func(b []byte) []byte { // a byte string with a head of two or three bytes, as all parts of a pass but small ones have
		if len(b) < 24 {
			return append([]byte{0x40 + byte(len(b))}, b...)
		}
		if len(b) < 256 {
			return append([]byte{0x58, byte(len(b))}, b...)
		}
		return append([]byte{0x59, byte(len(b) >> 8), byte(len(b))}, b...)
	}
	array := func(head byte, parts ...[]byte) []byte { return append([]byte{head}, bytes.Join(parts, nil)...) }
	bad := func(id, note string, alter func(*draft)) sample { return change(id, "malformed", note, k.arena, alter) }
	return []sample{
		bad("cose-tail", "a byte behind the end", func(d *draft) { d.tail = []byte{0} }),
		bad("cose-tag-sign", "the tag of COSE_Sign (98)", func(d *draft) { d.tags = []byte{0xd8, 98} }),
		bad("cose-tag-61-alone", "the tag 61 alone", func(d *draft) { d.tags = []byte{0xd8, 61} }),
		bad("cose-three-parts", "an array of three", sealed(func(p, u, c, s []byte) []byte { return array(0x83, bstr(p), u, bstr(c)) })),
		bad("cose-five-parts", "an array of five", sealed(func(p, u, c, s []byte) []byte { return array(0x85, bstr(p), u, bstr(c), bstr(s), bstr(s)) })),
		bad("cose-detached", "a detached payload (null)", sealed(func(p, u, c, s []byte) []byte { return array(0x84, bstr(p), u, []byte{0xf6}, bstr(s)) })),
		bad("cose-no-claims", "a payload of no bytes", sealed(func(p, u, c, s []byte) []byte { return array(0x84, bstr(p), u, []byte{0x40}, bstr(s)) })),
		bad("cose-no-signature", "a signature of no bytes", sealed(func(p, u, c, s []byte) []byte { return array(0x84, bstr(p), u, bstr(c), []byte{0x40}) })),
		bad("cose-indefinite", "an array of indefinite length", sealed(func(p, u, c, s []byte) []byte { return array(0x9f, bstr(p), u, bstr(c), bstr(s), []byte{0xff}) })),
		bad("cose-no-alg", "no algorithm", func(d *draft) { d.protected = d.protected.without(1) }),
		bad("cose-alg-unprotected", "the algorithm in the unprotected header", func(d *draft) {
			d.protected, d.unprotected = d.protected.without(1), pairs{{1, algEdDSA}}
		}),
		bad("cose-kid-twice", "a kid in both headers", func(d *draft) { d.unprotected = pairs{{4, d.kid}} }),
		bad("cose-kid-too-long", "a kid of 65 bytes", func(d *draft) { d.protected = d.protected.with(4, make([]byte, 65)) }),
		bad("cose-critical", "critical headers (crit)", func(d *draft) {
			d.protected = pairs{{1, algEdDSA}, {2, []int{99}}, {4, d.kid}, {99, 1}}
		}),
		bad("cose-unsigned-header", "a header outside of what is signed", func(d *draft) { d.unprotected = pairs{{99, "unsigned"}} }),
	}
}

func encodings(t *testing.T, k *keys) []sample {
	bad := func(id, note string, alter func(*draft)) sample { return change(id, "malformed", note, k.arena, alter) }
	raw := func(b ...byte) cbor.RawMessage { return b }
	exp := encode(t, morning.Add(time.Hour).Unix())
	return []sample{
		bad("cbor-long-integer", "exp in 8 bytes where 4 do", func(d *draft) {
			d.claims = d.claims.with(4, raw(append([]byte{0x1b, 0, 0, 0, 0}, exp[1:]...)...))
		}),
		bad("cbor-float", "exp as a float", func(d *draft) { d.claims = d.claims.with(4, 1777888800.5) }),
		bad("cbor-tagged-time", "exp behind tag 1", func(d *draft) { d.claims = d.claims.with(4, raw(append([]byte{0xc1}, exp...)...)) }),
		bad("cbor-keys-out-of-order", "exp behind iat", func(d *draft) { d.claims[1], d.claims[2] = d.claims[2], d.claims[1] }),
		bad("cbor-key-twice", "exp twice", func(d *draft) { d.claims = append(d.claims[:2:2], d.claims[1:]...) }),
		bad("cbor-indefinite-map", "claims of indefinite length", func(d *draft) {
			b := d.claims.encode(t)
			b[0] = 0xbf
			d.payload = append(b, 0xff)
		}),
		bad("cbor-not-utf8", "a kind that is no UTF-8", func(d *draft) { d.claims = d.claims.with(-70001, raw(0x62, 0xc3, 0x28)) }),
		bad("cbor-tail", "a byte behind the claims", func(d *draft) { d.payload = append(d.claims.encode(t), 0) }),
		bad("cbor-nested-deeply", "a claim nested 13 deep", func(d *draft) {
			d.claims = append(d.claims, pair{-80000, raw(append(bytes.Repeat([]byte{0x81}, 13), 0)...)})
		}),
		bad("cbor-array", "claims that are no map", func(d *draft) { d.payload = []byte{0x80} }),
	}
}

func claims(k *keys) []sample {
	bad := func(id, note string, key, value any) sample {
		return change(id, "malformed", note, k.arena, func(d *draft) {
			if d.claims = d.claims.without(key); value != nil {
				d.claims = insert(d.claims, pair{key, value})
			}
		})
	}
	status := func(v any) any { return map[string]any{"status_list": v} }
	return []sample{
		bad("iss-none", "no iss", 1, nil),
		bad("iss-empty", "an empty iss", 1, ""),
		bad("iss-too-long", "an iss of 33 bytes", 1, strings.Repeat("i", 33)),
		bad("exp-none", "no exp", 4, nil),
		bad("exp-zero", "an exp of 0", 4, 0),
		bad("exp-negative", "an exp before 1970", 4, -1),
		bad("exp-too-late", "an exp in the year 10000", 4, 253402300800),
		bad("cti-none", "no cti", 7, nil),
		bad("cti-short", "a cti of 7 bytes", 7, []byte("7 bytes")),
		bad("cti-long", "a cti of 17 bytes", 7, []byte("seventeen bytes!!")),
		bad("cti-text", "a cti that is a text", 7, "sixteen letters!"),
		bad("kind-empty", "an empty kind", -70001, ""),
		bad("kind-too-long", "a kind of 33 bytes", -70001, strings.Repeat("k", 33)),
		bad("scope-empty", "an empty scope; leave it out", -70002, []string{}),
		bad("scope-text", "a scope that is no list", -70002, "arena"),
		bad("scope-three-parts", "a scope of three parts", -70002, []string{"arena/north/door"}),
		bad("scope-no-zone", "a zone without a name", -70002, []string{"arena/"}),
		bad("scope-too-long", "a scope of 65 bytes", -70002, []string{strings.Repeat("v", 65)}),
		bad("scope-too-many", "33 scopes", -70002, strings.Split(strings.Repeat("arena,", 32)+"arena", ",")),
		bad("uses-zero", "no use; leave it out", -70003, 0),
		bad("uses-too-many", "2147483648 uses", -70003, 1<<31),
		bad("level-empty", "an empty level", -70004, ""),
		bad("grant-empty", "an empty grant", -70005, ""),
		bad("holder-short", "a holder of 15 bytes", -70006, make([]byte, 15)),
		bad("status-other", "a status of another mechanism", 65535, map[string]any{"status_book": 1}),
		bad("status-no-idx", "a status list without an index", 65535, status(map[string]any{"uri": "arena/2026"})),
		bad("status-no-uri", "a status list without a uri", 65535, status(map[string]any{"idx": 1})),
		bad("status-uri-too-long", "a uri of 257 bytes", 65535, status(map[string]any{"idx": 1, "uri": strings.Repeat("u", 257)})),
	}
}

// insert puts a claim where deterministic CBOR has it: by rising positive keys, then by falling negative ones.
func insert(claims pairs, p pair) pairs {
	rank := func(key any) int {
		if n := key.(int); n >= 0 {
			return n
		}
		return 1<<20 - key.(int)
	}
	i := 0
	for i < len(claims) && rank(claims[i].key) < rank(p.key) {
		i++
	}
	return append(append(claims[:i:i], p), claims[i:]...)
}

func signatures(k *keys) []sample {
	forged := func(id, note string, key *testKey, sign func(t *testing.T, k *testKey, message []byte) []byte) sample {
		return change(id, "bad_signature", note, key, func(d *draft) { d.sign = sign })
	}
	return []sample{
		forged("sig-one-bit", "one bit of the signature is another", k.arena, func(t *testing.T, k *testKey, m []byte) []byte {
			s := k.sign(t, m)
			s[20] ^= 4
			return s
		}),
		change("sig-other-claims", "bad_signature", "a claim was changed after signing", k.arena, func(d *draft) {
			signed := *d
			d.claims = d.claims.with(-70003, 9)
			d.sign = func(t *testing.T, k *testKey, _ []byte) []byte {
				return k.sign(t, encode(t, []any{"Signature1", signed.protected.encode(t), []byte{}, signed.claims.encode(t)}))
			}
		}),
		forged("sig-by-another", "signed by another key under this kid", k.arena, func(t *testing.T, _ *testKey, m []byte) []byte {
			return k.health.sign(t, m)
		}),
		forged("sig-of-the-claims", "the claims are signed, and not the Sig_structure", k.arena, func(t *testing.T, key *testKey, _ []byte) []byte {
			return key.sign(t, newDraft(key, "sig-of-the-claims").claims.encode(t))
		}),
		forged("sig-cut", "a signature of 63 bytes", k.arena, func(t *testing.T, k *testKey, m []byte) []byte { return k.sign(t, m)[:63] }),
		forged("sig-es256-der", "ES256 as ASN.1 and not as R‖S", k.es256, func(t *testing.T, k *testKey, m []byte) []byte {
			digest := sha256.Sum256(m)
			der, err := k.signer.Sign(nil, digest[:], crypto.SHA256)
			if err != nil {
				t.Fatal(err)
			}
			return der
		}),
		forged("sig-es256-zero", "ES256 with R and S of 0", k.es256, func(*testing.T, *testKey, []byte) []byte { return make([]byte, 64) }),
		change("sig-other-alg", "bad_signature", "a header that names another algorithm than the key's", k.es256, func(d *draft) {
			d.protected = d.protected.with(1, algEdDSA)
		}),
		change("sig-empty-header", "malformed", "a protected header of no bytes", k.arena, func(d *draft) {
			d.seal = func(_, u, c, s []byte) []byte {
				return bytes.Join([][]byte{{0x84, 0x40}, u, {0x58, byte(len(c))}, c, {0x58, 64}, s}, nil)
			}
		}),
	}
}

func times(k *keys) []sample {
	day := func(d *draft) {
		d.claims = insert(d.claims, pair{5, morning.Unix()})
	}
	at := func(s sample, at time.Time) sample { s.at = at; return s }
	gone := change("revoked", "revoked", "the cti is among the revoked ids", k.arena, nil)
	gone.revoked = []string{"00112233445566778899aabbccddeeff", gone.cti()}
	other := change("another-revoked", "ok", "another cti is revoked", k.arena, nil)
	other.revoked = gone.revoked
	end := morning.Add(14 * time.Hour)
	return []sample{
		at(change("early", "not_yet_valid", "a second before nbf", k.arena, day), morning.Add(-time.Second)),
		at(change("first-second", "ok", "at nbf itself", k.arena, day), morning),
		at(change("last-second", "ok", "a second before exp", k.arena, day), end.Add(-time.Second)),
		at(change("late", "expired", "at exp itself", k.arena, day), end),
		at(change("before-iat", "ok", "before iat: a rule's max_age asks for it, not the signature", k.arena, nil), morning.Add(-3*time.Hour)),
		gone, other,
	}
}
