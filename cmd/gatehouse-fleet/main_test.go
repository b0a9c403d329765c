// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"gatehouse/cache"
	"gatehouse/credential"
	"gatehouse/credential/credentialtest"
	"gatehouse/device"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
	"gatehouse/test/mosquitto"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"gatehouse-fleet": main, "gatehoused": runKiosk, "gatehouse": explainPass})
}

func TestScripts(t *testing.T) {
	port := mosquitto.FreePort(t)
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"dsc": makeDSC, "mode": checkMode, "field": setField, "kiosk": importBundle,
			"broker": func(ts *testscript.TestScript, _ bool, args []string) { // the one of the scripts that have one
				mosquitto.Run(t, filepath.Dir(ts.MkAbs(args[0])), port)
			},
		},
		Setup: func(e *testscript.Env) error {
			e.Setenv("PORT", strconv.Itoa(port))
			return nil
		},
		Condition: func(name string) (bool, error) {
			if name != "mosquitto" {
				return false, fmt.Errorf("the condition %q is unknown", name)
			}
			return mosquitto.There(), nil
		},
	})
}

// makeDSC writes a document signing certificate: dsc FILE.
func makeDSC(ts *testscript.TestScript, _ bool, args []string) {
	now := time.Now()
	s, err := credentialtest.NewSigner("AT", credential.ES256, 0, now.AddDate(-1, 0, 0), now.AddDate(1, 0, 0))
	ts.Check(err)
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), text, 0o644))
}

// checkMode compares the mode of a file: mode 600 FILE.
func checkMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[1]))
	ts.Check(err)
	if got := strings.TrimLeft(info.Mode().Perm().String(), "-"); got != args[0] {
		ts.Fatalf("%s has mode %s, want %s", args[1], got, args[0])
	}
}

// setField takes a field of the JSON in a file as an environment variable: field NAME FILE.
func setField(ts *testscript.TestScript, _ bool, args []string) {
	var fields map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &fields))
	ts.Setenv(args[0], fields[args[0]])
}

// importBundle takes a bundle as kiosk arena/gate-1 does, with the pin of its local config, and prints what it put in force:
// kiosk BUNDLE [NAME], where another name is another kiosk's memory.
func importBundle(ts *testscript.TestScript, fails bool, args []string) {
	cfg, err := device.LoadConfig(ts.MkAbs("kiosks/arena/gate-1/gatehouse.yaml"))
	ts.Check(err)
	file, err := os.Open(ts.MkAbs(args[0]))
	ts.Check(err)
	defer file.Close()
	b, err := fleet.ReadBundle(file)
	ts.Check(err)
	name := strings.Join(append([]string{"kiosk"}, args[1:]...), "-")
	t, err := cache.OpenTrust(ts.MkAbs(name+".db"), cache.TrustOptions{Pin: cfg.Root, Place: fleet.Place{Venue: cfg.Venue, Kiosk: cfg.Kiosk}})
	ts.Check(err)
	defer t.Close()
	changed, err := t.Apply(context.Background(), b, time.Now())
	if (err != nil) != fails {
		ts.Fatalf("kiosk %s: %v", args[0], err)
	}
	if err != nil {
		fmt.Fprintln(ts.Stderr(), err)
	}
	fmt.Fprintln(ts.Stdout(), strings.Join(changed, "\n"))
}

// A real certificate with a negative serial number, as 4 of 829 in production have, can be listed: the main package says
// so to crypto/x509.
func TestNegativeSerial(t *testing.T) {
	now := time.Now()
	s, err := credentialtest.NewSigner("AT", credential.ES256, 0, now, now.AddDate(1, 0, 0))
	if err != nil {
		t.Fatal(err)
	}
	// TBSCertificate begins with the version, [0] INTEGER 2, and then the serial number (RFC 5280, section 4.1).
	version := []byte{0xa0, 3, 2, 1, 2, 2}
	der := bytes.Clone(s.Certificate)
	at := bytes.Index(der, version)
	if at < 0 {
		t.Fatal("no version 3 certificate")
	}
	der[at+len(version)+1] |= 0x80 // the sign bit of its first byte
	if _, err := x509.ParseCertificate(der); err != nil {
		t.Errorf("x509 refuses it: %v", err)
	}
	f, err := folder.Init(t.TempDir(), now)
	if err != nil {
		t.Fatal(err)
	}
	if err := f.AddIssuer("at", folder.IssuerOptions{Certificates: [][]byte{der}}); err != nil {
		t.Error(err)
	}
}
