// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package credential_test

import (
	"testing"

	"gatehouse/credential"
)

func TestBase45(t *testing.T) {
	// RFC 9285, section 4.3 and 4.4.
	for text, want := range map[string]string{"BB8": "AB", "%69 VD92EX0": "Hello!!", "UJCLQE7W581": "base-45", "QED8WEX0": "ietf!", "": "", "FGW": "\xff\xff"} {
		b, err := credential.DecodeBase45(text)
		if err != nil || string(b) != want {
			t.Errorf("%q: got %q, %v, want %q", text, b, err, want)
		}
		if got := credential.EncodeBase45([]byte(want)); got != text {
			t.Errorf("%q: encoded %q, want %q", want, got, text)
		}
	}
	for _, text := range []string{"A", "BB8A", "GGW", ":::", "::", "V5", "bb8", "BB\n", "B\x008", "BÄ", "\xff\xff\xff"} {
		if b, err := credential.DecodeBase45(text); err == nil {
			t.Errorf("%q: decoded to %q", text, b)
		}
	}
}

func FuzzBase45(f *testing.F) {
	for _, s := range []string{"", "BB8", "%69 VD92EX0", "GGW", "FGW", "U5", "A", ":::"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		b, err := credential.DecodeBase45(text)
		if err == nil && credential.EncodeBase45(b) != text {
			t.Errorf("%q is another encoding of %x", text, b)
		}
		if back, err := credential.DecodeBase45(credential.EncodeBase45([]byte(text))); err != nil || string(back) != text {
			t.Errorf("%q came back as %q, %v", text, back, err)
		}
	})
}
