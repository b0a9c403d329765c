// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package mosquitto

import (
	"context"
	"io"
	"log/slog"
	"path/filepath"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
)

// Office is a fleet's operator at a broker.
func Office(t testing.TB, f *folder.Folder, addr string) centre.Broker {
	t.Helper()
	office, err := f.OfficeTLS(time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return centre.Broker{Addr: addr, TLS: office}
}

// Serve runs a fleet's centre at a broker until the test ends, and returns where the events go.
func Serve(t testing.TB, f *folder.Folder, addr string) *collector.SQLite {
	t.Helper()
	return ServeFrom(t, f, addr, renewed{f}, f.Blob)
}

// ServeFrom is Serve with another source of documents and blobs.
func ServeFrom(t testing.TB, f *folder.Folder, addr string, source centre.Source, blob func(fleet.Digest) ([]byte, error)) *collector.SQLite {
	t.Helper()
	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	keys, err := f.SigningKeys(fleet.RoleCollector)
	if err != nil {
		t.Fatal(err)
	}
	c := centre.New(centre.Config{
		Broker: Office(t, f, addr), Blob: blob, Now: time.Now, Log: slog.New(slog.NewTextHandler(io.Discard, nil)),
	}, source, collector.New(store, f.KeyOf, time.Now, keys...))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); c.Serve(ctx) }()
	t.Cleanup(func() { cancel(); <-done })
	return store
}

// Apply publishes what was edited in a fleet's folder.
func Apply(t testing.TB, f *folder.Folder, addr string) {
	t.Helper()
	if err := centre.Apply(t.Context(), centre.Config{Broker: Office(t, f, addr), Now: time.Now}, online{f}); err != nil {
		t.Fatal(err)
	}
}

// online is a folder of which everything that was edited is published, and renewed one of which only heads are.
type (
	online  struct{ *folder.Folder }
	renewed struct{ *folder.Folder }
)

func (o online) Bundle(venue string, at time.Time) (*fleet.Bundle, error) { return o.Online(venue, at) }

func (r renewed) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return r.Renewed(venue, at)
}
