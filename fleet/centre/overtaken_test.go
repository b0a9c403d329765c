// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre_test

import (
	"path/filepath"
	"sync"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// slow is a source that signs, and while its publisher has not begun somebody else signs and publishes.
type slow struct {
	online
	meanwhile func()
}

func (s slow) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	b, err := s.online.Bundle(venue, at)
	s.meanwhile()
	return b, err
}

// Of two who publish at one moment the slower one's head is older, and comes to the broker last. It must not be what the broker
// retains for kiosks that come later.
func TestTheNewestHeadIsRetained(t *testing.T) {
	f, err := folder.Init(filepath.Join(t.TempDir(), "city"), time.Now(), gate.Venue)
	check(t, err)
	b := mqtttest.Start(t)
	var mu sync.Mutex
	var heads []uint64 // as the broker got them
	b.Subscribe(syncer.DocumentTopic(fleet.KindHead, fleet.Scope(gate.Venue)), func(_ string, payload []byte) {
		d, err := fleet.ParseDocument(payload)
		check(t, err)
		mu.Lock()
		defer mu.Unlock()
		heads = append(heads, d.Version())
	})
	cfg := centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Now: time.Now}
	check(t, centre.Apply(t.Context(), cfg, slow{online{f}, func() { check(t, centre.Apply(t.Context(), cfg, online{f})) }}))
	newest, err := f.Last(gate.Venue, time.Now())
	check(t, err)
	head := newest.Documents[len(newest.Documents)-1]
	mu.Lock()
	defer mu.Unlock()
	if len(heads) < 2 || heads[len(heads)-1] != head.Version() {
		t.Errorf("the broker got the heads %v, and the newest is %d", heads, head.Version())
	}
}
