// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
	syncer "gatehouse/sync"
)

// letOfficeWrite lets the office say what kiosks say: so many certificates would take a while to make.
func (m mosquitto) letOfficeWrite() {
	m.t.Helper()
	m.Kill()
	path := filepath.Join(m.Dir, "access")
	text, err := os.ReadFile(path)
	check(m.t, err)
	user := []byte("user " + folder.OfficeName + "\n")
	check(m.t, os.WriteFile(path, bytes.Replace(text, user, append(user, "topic write gatehouse/v1/+/+/up/#\n"...), 1), 0o600))
	m.Again()
}

// All of thousands of kiosks are shown, though their heartbeats never stop coming.
func TestThousandsOfKiosksAreShown(t *testing.T) {
	const kiosks = 3000
	f := city(t)
	m := start(t, f)
	m.letOfficeWrite()
	c := m.office(f)
	place := func(i int) fleet.Place { return fleet.Place{Venue: "arena", Kiosk: fmt.Sprintf("gate-%d", i)} }
	var said []mqtt.Token
	for i := range kiosks {
		status, err := json.Marshal(syncer.Status{Online: true, Boot: "boot", Version: "test", At: time.Now()})
		check(t, err)
		reported, err := json.Marshal(syncer.Reported{Code: "ok", Documents: []syncer.Version{{Kind: "head", Scope: "arena", Version: 7}}})
		check(t, err)
		said = append(said, c.Publish(syncer.UpTopic(place(i), syncer.LeafStatus), 1, true, status),
			c.Publish(syncer.UpTopic(place(i), syncer.LeafReported), 1, true, reported))
	}
	for _, token := range said {
		token.Wait()
		check(t, token.Error())
	}

	beat, err := json.Marshal(syncer.Beat{At: time.Now(), Band: "fresh"})
	check(t, err)
	quiet, beaten := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(beaten)
		pulse := time.NewTicker(20 * time.Millisecond) // of 3000 kiosks, one a minute each
		defer pulse.Stop()
		for i := 0; ; i++ {
			select {
			case <-pulse.C:
				c.Publish(syncer.UpTopic(place(i%kiosks), syncer.LeafBeat), 0, false, beat)
			case <-quiet:
				return
			}
		}
	}()
	defer func() { close(quiet); <-beaten }()

	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	shows, most, shown := 0, 0, errors.New("shown")
	err = centre.Watch(ctx, officeAt(t, f, m.Addr), func(seen []centre.Seen) error {
		told := 0
		for _, s := range seen {
			if s.Status.Online && len(s.Reported.Documents) == 1 {
				told++
			}
		}
		if shows++; shows >= 3 && told == kiosks {
			return shown
		}
		most = max(most, told)
		return nil
	})
	if !errors.Is(err, shown) {
		t.Fatalf("in a minute %d of %d kiosks were shown, %d times: %v", most, kiosks, shows, err)
	}
}
