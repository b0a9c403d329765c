// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder_test

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// Certificates that end are told half a year before, each with how it is renewed; and renewed in that way they count for ten
// more years, with the kiosk's key as it was, and for whoever still has the authority's former certificate.
func TestCertificatesThatEndAreToldAndRenewed(t *testing.T) {
	o := plainOperator(t)
	check(t, o.SetBroker("broker.example:8883"))
	broker := t.TempDir()
	found := func(at time.Time, what string) []string {
		t.Helper()
		return slices.DeleteFunc(inspect(t, o, at), func(line string) bool { return !strings.Contains(line, what) })
	}
	files := []string{"broker/ca.pem", "broker/broker.pem", "kiosks/arena/gate-1/kiosk.pem"}
	if lines := found(morning, "kiosk.pem"); len(lines) != 1 || !strings.Contains(lines[0], "warning: it is missing, so the kiosk cannot join; run gatehouse-fleet broker-config") {
		t.Errorf("a kiosk without a certificate: %q", lines)
	}
	check(t, o.Mosquitto(broker, 8883, morning, "broker.example"))
	key, err := o.KioskKey(place)
	check(t, err)
	was := certificate(t, o.path("broker", "ca.pem"))

	early, late, over := morning.AddDate(9, 5, 0), morning.AddDate(9, 8, 0), morning.AddDate(10, 0, 1)
	for _, file := range files {
		if lines := found(early, file+": "); len(lines) != 0 {
			t.Errorf("%s is told of too early: %q", file, lines)
		}
		if lines := found(late, file+": "); len(lines) != 1 || !strings.Contains(lines[0], "warning: it ends 20") || !strings.Contains(lines[0], "gatehouse-fleet broker-config") {
			t.Errorf("%s ends soon: %q", file, lines)
		}
		if lines := found(over, file+": "); len(lines) != 1 || !strings.Contains(lines[0], "warning: it ended 20") {
			t.Errorf("%s has ended: %q", file, lines)
		}
	}

	check(t, os.Remove(o.path("broker", "ca.pem")))
	check(t, os.Remove(o.path("kiosks", "arena", "gate-1", "kiosk.pem")))
	check(t, o.Mosquitto(broker, 8883, late, "broker.example"))
	for _, file := range files {
		if lines := found(over, file+": "); len(lines) != 0 {
			t.Errorf("%s was renewed: %q", file, lines)
		}
	}
	if again, err := o.KioskKey(place); err != nil || !again.Equal(key) {
		t.Errorf("the kiosk's record is signed by another key now: %v", err)
	}
	former := x509.NewCertPool()
	former.AddCert(was)
	if _, err := certificate(t, o.path("broker", "broker.pem")).Verify(x509.VerifyOptions{Roots: former, DNSName: "broker.example", CurrentTime: late}); err != nil {
		t.Errorf("a kiosk that has not got the new authority yet: %v", err)
	}
}

func certificate(t *testing.T, path string) *x509.Certificate {
	t.Helper()
	text, err := os.ReadFile(path)
	check(t, err)
	block, _ := pem.Decode(text)
	cert, err := x509.ParseCertificate(block.Bytes)
	check(t, err)
	return cert
}
