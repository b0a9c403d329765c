// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/device/client"
	"gatehouse/fleet/folder"
)

// come gives the broker another certificate and starts it anew.
func (m mosquitto) come(certificate, key string) {
	m.t.Helper()
	for name, from := range map[string]string{"broker.pem": certificate, "broker.key": key} {
		text, err := os.ReadFile(from)
		check(m.t, err)
		check(m.t, os.WriteFile(filepath.Join(m.Dir, name), text, 0o600))
	}
	m.Kill()
	m.Again()
}

// told waits until the kiosk has said why it is not joined.
func (k *kiosk) told(why string) {
	k.t.Helper()
	k.until("told: "+why, func(*client.Status) bool { return k.log.has("fleet connection") && k.log.has(why) })
}

// fresh tells whether the kiosk has young data.
func fresh(s *client.Status) bool { return s.Data.Freshness == "fresh" }

// A kiosk whose clock is right talks to no broker with an expired certificate, one of another authority or for another host,
// says which it is, learns nothing meanwhile, and joins when its own broker is back, without a restart.
func TestABrokerWithAWrongCertificateIsRefused(t *testing.T) {
	for _, c := range []struct {
		name, says string
		certify    func(own, strangers *folder.Folder) (certificate, key string, err error)
	}{
		{"expired", "expired", func(own, _ *folder.Folder) (string, string, error) {
			return own.CertifyBroker(time.Now().AddDate(-11, 0, 0), "127.0.0.1")
		}},
		{"foreign", "unknown authority", func(_, strangers *folder.Folder) (string, string, error) {
			return strangers.CertifyBroker(time.Now(), "127.0.0.1")
		}},
		{"another host", "cannot validate certificate for", func(own, _ *folder.Folder) (string, string, error) {
			return own.CertifyBroker(time.Now(), "broker.example")
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			f, strangers := city(t), city(t)
			check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
			m := start(t, f)
			certificate, key, err := c.certify(f, strangers)
			check(t, err)
			m.come(certificate, key)
			k := runKiosk(t, f, one, m.Addr)
			k.told(c.says)
			s, err := k.client.Status(t.Context())
			check(t, err)
			if fresh(s) {
				t.Error("data came from a broker that nobody should talk to")
			}
			certificate, key, err = f.CertifyBroker(time.Now(), "127.0.0.1")
			check(t, err)
			m.come(certificate, key)
			apply(t, f, m.Addr)
			k.until("joined", fresh)
		})
	}
}

// A kiosk whose own certificate has ended is told so, and comes in with a new one without a restart.
func TestAKioskWithAnExpiredCertificateIsRefused(t *testing.T) {
	f := city(t)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(t, f)
	apply(t, f, m.Addr)
	check(t, f.CertifyKiosk(one, time.Now().AddDate(-11, 0, 0)))
	k := runKiosk(t, f, one, m.Addr)
	k.told("certificate")
	check(t, f.CertifyKiosk(one, time.Now()))
	k.until("joined", fresh)
}

// A board that woke in 1970 reaches its fleet, which tells it the time. Whom it talks to it makes sure of all the same.
func TestAKioskOf1970FollowsItsFleet(t *testing.T) {
	f, strangers := city(t), city(t)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(t, f)
	certificate, key, err := strangers.CertifyBroker(time.Now(), "127.0.0.1")
	check(t, err)
	m.come(certificate, key)
	woke := time.Now()
	clock := device.SystemClock()
	clock.Wall = func() time.Time { return time.Unix(100, 0).Add(time.Since(woke)) }
	clock.Synced = func() bool { return false }
	k := runKioskAt(t, f, one, m.Addr, 1, clock)
	k.told("unknown authority")
	certificate, key, err = f.CertifyBroker(time.Now(), "127.0.0.1")
	check(t, err)
	m.come(certificate, key)
	apply(t, f, m.Addr)
	k.until("its time from the fleet", func(s *client.Status) bool {
		return s.Clock.State == "behind" && s.Clock.At.Year() == time.Now().UTC().Year()
	})
}

// A kiosk whose key is missing, or whose certificate is spoiled, works all the same, says so, and joins once they are there.
func TestAKioskWithoutItsCertificateWorksAndWaits(t *testing.T) {
	f := city(t)
	check(t, f.AddIssuer("arena", folder.IssuerOptions{}))
	m := start(t, f)
	apply(t, f, m.Addr)
	home := filepath.Join(f.Dir(), "kiosks", one.Venue, one.Kiosk)
	key, err := os.ReadFile(filepath.Join(home, "kiosk.key"))
	check(t, err)
	check(t, os.Remove(filepath.Join(home, "kiosk.key")))
	k := runKiosk(t, f, one, m.Addr)
	k.told("sync.key")
	k.until("its lane in service", func(s *client.Status) bool { return s.Lanes[0].Gate == "in service" })
	check(t, os.WriteFile(filepath.Join(home, "kiosk.key"), key, 0o600))
	k.until("joined", fresh)
}
