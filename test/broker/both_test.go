// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"testing"
	"time"

	"gatehouse/fleet/folder"
	"gatehouse/sync/mqtttest"
)

// either is a broker of one kind or the other, over TLS with the certificates of a fleet.
type either struct {
	Addr        string
	Kill, Again func()
}

// onBoth runs a test with Debian's Mosquitto and with the embedded broker of the demo: a kiosk must not know which it has.
func onBoth(t *testing.T, test func(t *testing.T, f *folder.Folder, b either)) {
	t.Run("mosquitto", func(t *testing.T) {
		f := city(t)
		m := start(t, f)
		test(t, f, either{m.Addr, m.Kill, m.Again})
	})
	t.Run("embedded", func(t *testing.T) {
		f := city(t)
		cfg, err := f.BrokerTLS(time.Now(), "127.0.0.1")
		check(t, err)
		e, err := mqtttest.New(cfg)
		check(t, err)
		again := func() { check(t, e.Open()) }
		again()
		t.Cleanup(e.Kill)
		test(t, f, either{e.Addr(), e.Kill, again})
	})
}
