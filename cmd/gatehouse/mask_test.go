// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

func TestMask(t *testing.T) {
	id, digest := "00112233445566778899aabbccddeeff", "sha256:"+strings.Repeat("ab", 32)
	for _, c := range []struct{ text, want string }{
		{"event=2 pass=0123abcd key=9e4314e7669407ca", "event=2 pass=0123abcd key=9e4314e7669407ca"},
		{`code="GH1:NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL"`, `code="GH1:…masked"`},
		{"HC1:6BF+70790T9WJWG.FKY*4GO0.O1CV2 end", "HC1:…masked end"},
		{"code=HC1:6BF+7 790T9 WJWG.FKY*4 GO0, shown", "code=HC1:…masked, shown"}, // base45 has spaces
		{"a shc:/5676290952432060346029243740 b", "a shc:…masked b"},
		{"id " + id + ".", "id 00112233…masked."},
		{"root: " + digest, "root: " + digest},
		{`"` + strings.Repeat("Zm9v", 20) + `"`, `"Zm9vZm9v…masked"`},
		{"eyJhbGciOiJFUzI1NiJ9." + strings.Repeat("Zm9v", 20) + ".c2ln", "eyJhbGci…masked.c2ln"},
		{"", ""},
	} {
		if got := string(mask([]byte(c.text))); got != c.want {
			t.Errorf("mask(%q) = %q, want %q", c.text, got, c.want)
		}
	}
	config := "# the PIN of the safe is 1234\nvenue: arena # and 5678\nvenue_key: venue.key\nmqtt:\n  password: hunter2\n  \"api_token\": abc\n"
	want := "venue: arena\nvenue_key: venue.key\nmqtt:\n  password: masked\n  \"api_token\": masked\n"
	if got := string(maskConfig([]byte(config))); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

// discreet holds that nothing of some files is in a support bundle, and names what is:
//
//	discreet BUNDLE FILE...
func discreet(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: discreet BUNDLE FILE...")
	}
	zip, err := gzip.NewReader(strings.NewReader(ts.ReadFile(args[0])))
	ts.Check(err)
	var all bytes.Buffer
	files := tar.NewReader(zip)
	for {
		head, err := files.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		ts.Check(err)
		ts.Logf("%s (%d bytes)", head.Name, head.Size)
		_, err = io.Copy(&all, files)
		ts.Check(err)
	}
	for _, name := range args[1:] {
		secret := strings.TrimSpace(ts.ReadFile(name))
		if len(secret) < 16 || strings.Contains(all.String(), secret[4:20]) {
			ts.Fatalf("a piece of %s is in the bundle", name)
		}
	}
	if all.Len() < 1000 {
		ts.Fatalf("the bundle has %d bytes; the check would see nothing", all.Len())
	}
}

// Wherever a code stands, and whatever stands around it, no piece of it gets through the mask.
func FuzzMask(f *testing.F) {
	f.Add("code=\"", "\" shown", "NCFOXN%TS3DH3ZSUZK+.V0ETD%65NL")
	f.Add("", "", "6BF+70790 T9WJWG.FKY*4GO0.O1CV2")
	f.Add("a shc:/5 ", "\n", " 0  $")
	f.Add("GH1:", "HC1:", "A")
	f.Fuzz(func(t *testing.T, before, after, body string) {
		code := strings.Map(func(r rune) rune {
			if strings.ContainsRune("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:", r) {
				return r
			}
			return -1
		}, body)
		secret := strings.TrimSpace(code)
		if len(secret) < 8 || strings.Contains(before+after, secret[:8]) {
			return
		}
		for _, kind := range []string{"GH1:", "HC1:"} {
			if got := string(mask([]byte(before + kind + code + after))); strings.Contains(got, secret[:8]) || strings.Contains(got, secret[len(secret)-8:]) && !strings.Contains(before+after, secret[len(secret)-8:]) {
				t.Errorf("%q of %q is in %q", secret, before+kind+code+after, got)
			}
		}
	})
}
