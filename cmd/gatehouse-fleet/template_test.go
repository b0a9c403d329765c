// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"gatehouse/device"
	"gatehouse/fleet"
	"gatehouse/fleet/folder"
)

// The sync: block that a kiosk's local config is made with joins it, as it stands where the fleet names a broker, and without
// its comment sign where it does not yet.
func TestTheLocalConfigJoins(t *testing.T) {
	const comment = "\n# sync: {"
	for _, broker := range []string{"", "broker.example:8883", "[2001:db8::7]:8883"} {
		dir := filepath.Join(t.TempDir(), "city")
		f, err := folder.Init(dir, time.Now(), "arena")
		must(t, err)
		if broker != "" {
			must(t, f.SetBroker(broker))
		}
		gate := fleet.Place{Venue: "arena", Kiosk: "gate-1"}
		home, err := f.AddKiosk(gate)
		must(t, err)
		must(t, f.CertifyKiosk(gate, time.Now()))
		path := filepath.Join(home, "gatehouse.yaml")
		text, err := os.ReadFile(path)
		must(t, err)
		want := broker
		if broker == "" {
			cfg, err := device.LoadConfig(path)
			must(t, err)
			if len(cfg.Sync.Brokers) != 0 || bytes.Count(text, []byte(comment)) != 1 {
				t.Fatalf("without a broker the config has %+v\n%s", cfg.Sync, text)
			}
			want = "broker.example:8883"
			must(t, os.WriteFile(path, bytes.Replace(text, []byte(comment), []byte("\nsync: {"), 1), 0o600))
		}
		cfg, err := device.LoadConfig(path)
		must(t, err)
		if !slices.Equal(cfg.Sync.Brokers, []string{want}) {
			t.Errorf("brokers %q, want %s", cfg.Sync.Brokers, want)
		}
	}
}
