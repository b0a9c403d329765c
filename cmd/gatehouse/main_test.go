// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"crypto/ed25519"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
)

func TestMain(m *testing.M) {
	switch os.Getenv(envMain) {
	case "gatehouse":
		main()
		return
	case "kiosk":
		kiosk()
		return
	}
	testscript.Main(m, map[string]func(){"gatehouse": main, "kiosk": kiosk, "powerless": powerless, "babbler": babbler})
}

// TestScript runs testdata/script. Each script finds in its folder what an issuer and a country made.
func TestScript(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(env *testscript.Env) error {
			return errors.Join(provide(env.WorkDir), provideFleet(env.WorkDir), plugScanner(env))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){"waitkiosk": waitKiosk, "scan": scan, "waittap": waitTap, "waitfile": waitFile, "discreet": discreet},
	})
}

// noon is when the scripts' passes are shown.
var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// provide writes the passes and the trust lists that the scripts use.
func provide(dir string) error {
	private := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{1}, ed25519.SeedSize))
	k, err := credential.NewSigningKey("arena", private)
	if err != nil {
		return err
	}
	c := credential.Claims{ID: []byte("12345678"), Kind: "ticket", Expires: noon.Add(time.Hour)}
	pass, err := credential.Sign(c, k)
	if err != nil {
		return err
	}
	spki, err := x509.MarshalPKIXPublicKey(private.Public())
	if err != nil {
		return err
	}
	byName := k
	byName.ID = []byte("2026-a")
	named, err := credential.Sign(c, byName)
	if err != nil {
		return err
	}
	country, err := credentialtest.NewSigner("AT", credential.ES256, 0, noon.AddDate(-1, 0, 0), noon.AddDate(1, 0, 0))
	if err != nil {
		return err
	}
	dcc, err := credentialtest.SignHC1(credentialtest.DCC{
		FamilyName: "MUSTERMANN", GivenName: "ERIKA", BirthDate: "1964-08-12", UCI: "URN:UVCI:01:AT:1",
		Issued: noon.AddDate(0, -1, 0), Expires: noon.AddDate(0, 1, 0), Test: &credentialtest.Test{Sampled: noon.Add(-time.Hour)},
	}, country)
	if err != nil {
		return err
	}
	b64 := base64.StdEncoding.EncodeToString
	trust := []any{
		map[string]any{"issuer": "arena", "spki": b64(spki), "jwk": map[string]string{
			"kty": "OKP", "crv": "Ed25519", "kid": "2026-a", "x": base64.RawURLEncoding.EncodeToString(private.Public().(ed25519.PublicKey))}},
		map[string]any{"issuer": "AT", "x509": b64(country.Certificate)},
	}
	line := func(m map[string]any) string {
		b, err := json.Marshal(m)
		if err != nil {
			panic(err) // maps of texts marshal
		}
		return string(b) + "\n"
	}
	broken := []any{map[string]any{"issuer": "X", "x509": "AAAA"}, map[string]any{"issuer": "Y"}, 5, trust[0]}
	list, err := json.Marshal(trust)
	if err != nil {
		return err
	}
	at := noon.Format(time.RFC3339)
	for name, text := range map[string]string{
		"pass.txt":   pass + "\n",
		"dcc.txt":    dcc + "\n",
		"kid.txt":    hex.EncodeToString(k.ID),
		"trust.json": string(list),
		"own.ndjson": line(map[string]any{"id": "a", "code": pass, "at": at, "trust": trust}) +
			line(map[string]any{"id": "b", "code": []string{dcc}, "at": at, "trust": trust}) +
			line(map[string]any{"id": "c", "code": named, "at": at, "trust": trust}) +
			line(map[string]any{"id": "d", "code": pass, "at": noon.Add(time.Hour), "trust": trust}) +
			line(map[string]any{"id": "e", "code": pass, "at": at, "trust": []any{}}) +
			line(map[string]any{"id": "f", "code": pass, "at": at, "trust": trust, "revoked": []string{hex.EncodeToString(c.ID)}}) +
			line(map[string]any{"id": 7, "code": pass[:len(pass)-3], "at": at, "trust": trust}) +
			line(map[string]any{"id": "h", "code": []string{pass, pass}, "at": at, "trust": trust}) +
			line(map[string]any{"id": "i", "code": pass, "at": at, "trust": broken}) +
			line(map[string]any{"id": "j", "code": pass, "at": at, "trust": "nonsense"}),
		"bare.ndjson": line(map[string]any{"id": "a", "code": pass}),
		"null.ndjson": line(map[string]any{"id": "a", "code": nil}) + line(map[string]any{"id": "b"}) +
			line(map[string]any{"id": "c", "code": []any{nil}}) + line(map[string]any{"id": "d", "code": []any{pass, nil}}) +
			line(map[string]any{"id": "e", "code": []any{}}),
		"odd.ndjson": "not JSON\n\n[]\n" + line(map[string]any{"id": "d", "code": 5}) +
			`{"id":"e","code":"` + strings.Repeat("x", maxLine) + "\"}\n" + strings.TrimSuffix(line(map[string]any{"id": "f", "code": pass}), "\n"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// TestAnswersComeAsLinesCome has a program ask line by line through two pipes: each answer must come
// before the next line is sent.
func TestAnswersComeAsLinesCome(t *testing.T) {
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() {
		b, err := newBatch("", "", &bytes.Buffer{})
		if err == nil {
			err = b.run(inR, outW)
		}
		outW.Close()
		done <- err
	}()
	if err := outR.SetReadDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	answers := json.NewDecoder(outR)
	for i := range 3 {
		// The begin of the next line is there already, as buffers have it.
		fmt.Fprintf(inW, "%d\",\"code\":\"x\"}\n{\"id\":\"", i)
		if i == 0 {
			fmt.Fprintf(inW, "%d\",\"code\":\"x\"}\n{\"id\":\"", i)
			skip(t, answers) // the first line has no begin: malformed
		}
		var a answer
		if err := answers.Decode(&a); err != nil {
			t.Fatal(err)
		}
		if string(a.ID) != fmt.Sprintf("\"%d\"", i) || a.Reason != "unrecognised" {
			t.Errorf("answer %d: %+v", i, a)
		}
	}
	inW.Close()
	skip(t, answers) // the unfinished line
	if err := <-done; err != nil {
		t.Error(err)
	}
}

func skip(t *testing.T, answers *json.Decoder) {
	t.Helper()
	var a answer
	if err := answers.Decode(&a); err != nil || a.Reason != "malformed" {
		t.Fatalf("%+v, %v", a, err)
	}
}

// An answer is JSON whatever the id was: a client that decodes it as UTF-8 must not fail.
func TestIDThatIsNoTextIsNotEchoed(t *testing.T) {
	b := &batch{now: time.Now, diagnostics: io.Discard, lists: map[string]*trustList{}, trust: &trustList{}}
	if a := b.answer(1, []byte("{\"id\":\"bad\xff\",\"code\":\"x\"}")); string(a.ID) != `""` || a.Reason != "unrecognised" {
		t.Errorf("answered id %q, reason %s", a.ID, a.Reason)
	}
}
