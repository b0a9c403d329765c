// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/fleet"
	"gatehouse/fleet/folder"
	running "gatehouse/test/mosquitto"
)

var (
	one   = fleet.Place{Venue: "arena", Kiosk: "gate-1"}
	other = fleet.Place{Venue: "arena", Kiosk: "gate-2"}
	far   = fleet.Place{Venue: "stadium", Kiosk: "gate-1"}
)

func check(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// city is a fleet with three kiosks at two venues.
func city(t testing.TB) *folder.Folder {
	t.Helper()
	f, err := folder.Init(filepath.Join(t.TempDir(), "city"), time.Now(), one.Venue, far.Venue)
	check(t, err)
	for _, p := range []fleet.Place{one, other, far} {
		_, err := f.AddKiosk(p)
		check(t, err)
	}
	return f
}

// mosquitto is Debian's broker, for the clients of a test.
type mosquitto struct {
	*running.Broker
	t testing.TB
}

func start(t testing.TB, f *folder.Folder) mosquitto {
	t.Helper()
	return mosquitto{running.Start(t, f), t}
}

// client connects with a certificate; nil without one.
func (m mosquitto) client(f *folder.Folder, certificate, key string) (mqtt.Client, error) {
	m.t.Helper()
	pool := x509.NewCertPool()
	text, err := os.ReadFile(f.AuthorityPath())
	check(m.t, err)
	if !pool.AppendCertsFromPEM(text) {
		m.t.Fatal("no authority")
	}
	cfg := &tls.Config{RootCAs: pool, MinVersion: tls.VersionTLS13}
	if certificate != "" {
		pair, err := tls.LoadX509KeyPair(certificate, key)
		check(m.t, err)
		cfg.Certificates = []tls.Certificate{pair}
	}
	o := mqtt.NewClientOptions().AddBroker("ssl://" + m.Addr).SetTLSConfig(cfg).SetClientID(filepath.Base(filepath.Dir(certificate)) + fmt.Sprint(time.Now().UnixNano()))
	o.SetAutoReconnect(false).SetConnectRetry(false).SetConnectTimeout(10 * time.Second)
	c := mqtt.NewClient(o)
	token := c.Connect()
	token.Wait()
	if err := token.Error(); err != nil {
		return nil, err
	}
	m.t.Cleanup(func() { c.Disconnect(0) })
	return c, nil
}

func (m mosquitto) kiosk(f *folder.Folder, p fleet.Place) mqtt.Client {
	m.t.Helper()
	dir := filepath.Join(f.Dir(), "kiosks", p.Venue, p.Kiosk)
	c, err := m.client(f, filepath.Join(dir, "kiosk.pem"), filepath.Join(dir, "kiosk.key"))
	check(m.t, err)
	return c
}

func (m mosquitto) office(f *folder.Folder) mqtt.Client {
	m.t.Helper()
	certificate, key, err := f.CertifyOffice(time.Now())
	check(m.t, err)
	c, err := m.client(f, certificate, key)
	check(m.t, err)
	return c
}

// hear subscribes and returns what comes.
func hear(t testing.TB, c mqtt.Client, filter string) <-chan string {
	t.Helper()
	heard := make(chan string, 64)
	token := c.Subscribe(filter, 0, func(_ mqtt.Client, m mqtt.Message) { heard <- m.Topic() + " " + string(m.Payload()) })
	token.Wait()
	check(t, token.Error())
	return heard
}

func say(t testing.TB, c mqtt.Client, topic, text string) {
	t.Helper()
	token := c.Publish(topic, 1, false, text)
	token.Wait()
	check(t, token.Error())
}

// next is what comes next on a subscription.
func next(t testing.TB, heard <-chan string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	select {
	case s := <-heard:
		return s
	case <-ctx.Done():
		t.Fatal("nothing came")
		return ""
	}
}

// With the certificate of one kiosk nobody can read or write what is another's.
func TestAKioskReachesItsOwnTopicsOnly(t *testing.T) {
	f := city(t)
	m := start(t, f)
	office, first, second, third := m.office(f), m.kiosk(f, one), m.kiosk(f, other), m.kiosk(f, far)
	const branch = "gatehouse/v1/"

	up := hear(t, office, branch+"#")
	for _, c := range []mqtt.Client{second, third} { // another's name, another venue, what comes from above
		for _, topic := range []string{one.String() + "/up/ev", one.String() + "/up/status", "arena/all/down/head", "all/down/root", one.String() + "/down/cmd"} {
			say(t, c, branch+topic, "forged")
		}
	}
	say(t, first, branch+one.String()+"/up/ev", "mine")
	if got := next(t, up); got != branch+one.String()+"/up/ev mine" {
		t.Fatalf("the office heard %q first", got)
	}

	heard := map[string]<-chan string{}
	for name, c := range map[string]mqtt.Client{"first": first, "second": second, "third": third} {
		heard[name] = hear(t, c, branch+"#")
	}
	for _, topic := range []string{one.String() + "/down/cmd", one.String() + "/up/ev", "arena/all/down/head", "all/down/root"} {
		say(t, office, branch+topic, "x")
	}
	for name, want := range map[string][]string{
		"first":  {one.String() + "/down/cmd", "arena/all/down/head", "all/down/root"},
		"second": {"arena/all/down/head", "all/down/root"},
		"third":  {"all/down/root"},
	} {
		for _, topic := range want {
			if got := next(t, heard[name]); got != branch+topic+" x" {
				t.Errorf("%s heard %q, want %s", name, got, topic)
			}
		}
	}
}

// A certificate's common name has at most 64 characters by X.520 (ub-common-name), and a kiosk's may have 65.
func TestAKioskWithTheLongestNamesReachesItsTopics(t *testing.T) {
	longest := fleet.Place{Venue: strings.Repeat("v", 32), Kiosk: strings.Repeat("k", 32)}
	f, err := folder.Init(filepath.Join(t.TempDir(), "city"), time.Now(), longest.Venue)
	check(t, err)
	_, err = f.AddKiosk(longest)
	check(t, err)
	m := start(t, f)
	topic := "gatehouse/v1/" + longest.String()
	up := hear(t, m.office(f), topic+"/up/#")
	k := m.kiosk(f, longest)
	down := hear(t, k, topic+"/down/#")
	say(t, k, topic+"/up/ev", "mine")
	if got := next(t, up); got != topic+"/up/ev mine" {
		t.Errorf("the office heard %q", got)
	}
	say(t, m.office(f), topic+"/down/cmd", "yours")
	if got := next(t, down); got != topic+"/down/cmd yours" {
		t.Errorf("the kiosk heard %q", got)
	}
}

func TestNobodyConnectsWithoutACertificateOfTheFleet(t *testing.T) {
	f := city(t)
	m := start(t, f)
	if c, err := m.client(f, "", ""); err == nil && c.IsConnectionOpen() {
		t.Error("connected without a certificate")
	}
	strangers := city(t)
	check(t, strangers.CertifyKiosk(one, time.Now()))
	dir := filepath.Join(strangers.Dir(), "kiosks", one.Venue, one.Kiosk)
	if c, err := m.client(f, filepath.Join(dir, "kiosk.pem"), filepath.Join(dir, "kiosk.key")); err == nil && c.IsConnectionOpen() {
		t.Error("connected with another fleet's certificate")
	}
}
