// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre_test

import (
	"context"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
	"gatehouse/sync/mqtttest"
)

// revokeMany writes so many ids into an issuer's list that it travels as a blob of several blocks.
func revokeMany(t *testing.T, f *folder.Folder, issuer string, from int) {
	t.Helper()
	var text strings.Builder
	for i := range 20000 {
		text.WriteString(hexID(from+i) + "\n")
	}
	check(t, os.MkdirAll(filepath.Join(f.Dir(), "revoked"), 0o755))
	check(t, os.WriteFile(filepath.Join(f.Dir(), "revoked", issuer+".txt"), []byte(text.String()), 0o644))
}

// A head is put in force whole: the long lists of several issuers come in one after the other, and only together say anything.
// So it is for a kiosk that knows nothing yet, and for one that gets two new ones.
func TestSeveralLongListsComeTogether(t *testing.T) {
	f := newFleet(t, gate.Venue)
	check(t, f.AddIssuer("stadium", folder.IssuerOptions{}))
	revokeMany(t, f, "arena", 0)
	revokeMany(t, f, "stadium", 1<<20)
	store, err := collector.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "events.db"))
	check(t, err)
	defer store.Close()
	b := mqtttest.Start(t)
	serving, stop := context.WithCancel(t.Context())
	served := make(chan struct{})
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	c := centre.New(centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Blob: f.Blob, Now: time.Now, Log: log}, online{f}, collector.New(store, f.KeyOf, time.Now))
	go func() { defer close(served); c.Serve(serving) }()
	defer func() { stop(); <-served }()

	w := join(t, f, b.Addr())
	inForce := func(version uint64) func() bool {
		return func() bool {
			now := w.versions(t)
			return now["revocations/arena all"] >= version && now["revocations/stadium all"] >= version
		}
	}
	w.until(t, "the first lists of both", inForce(1))
	revokeMany(t, f, "arena", 1<<22)
	revokeMany(t, f, "stadium", 1<<23)
	check(t, centre.Apply(t.Context(), centre.Config{Broker: centre.Broker{Addr: b.Addr()}, Now: time.Now}, online{f}))
	w.until(t, "the second lists of both", inForce(2))
}
