// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package torture

import (
	"context"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"testing"
	"time"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
)

// The places between two steps where the collector dies.
const (
	beforeCommit  point = "before the collector's commit"
	beforeReceipt point = "between the collector's commit and its receipt"
)

// buildTool builds gatehouse-fleet, with the race detector where this test has it.
func buildTool(t *testing.T, dir string) string {
	t.Helper()
	path := filepath.Join(dir, "gatehouse-fleet")
	args := []string{"build", "-o", path}
	if info, ok := debug.ReadBuildInfo(); ok {
		for _, s := range info.Settings {
			if s.Key == "-race" && s.Value == "true" {
				args = append(args, "-race")
			}
		}
	}
	if out, err := exec.CommandContext(t.Context(), "go", append(args, "gatehouse/cmd/gatehouse-fleet")...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// renewed is a folder of which only new heads are published, over what was applied.
type renewed struct{ *folder.Folder }

func (r renewed) Bundle(venue string, at time.Time) (*fleet.Bundle, error) {
	return r.Renewed(venue, at)
}

// runCentre is the child that stands for gatehouse-fleet serve where it is to die at a place.
func runCentre(dir string, at point) error {
	f, err := folder.Open(dir)
	if err != nil {
		return err
	}
	office, err := f.OfficeTLS(time.Now())
	if err != nil {
		return err
	}
	addr, err := f.Broker()
	if err != nil {
		return err
	}
	keys, err := f.SigningKeys(fleet.RoleCollector)
	if err != nil {
		return err
	}
	store, err := collector.OpenSQLite(context.Background(), filepath.Join(dir, "events.db"))
	if err != nil {
		return err
	}
	centre.New(centre.Config{
		Broker: centre.Broker{Addr: addr, TLS: office}, Blob: f.Blob, Now: time.Now, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
	}, renewed{f}, collector.New(mortalStore{store, at}, f.KeyOf, time.Now, keys...)).Serve(context.Background())
	return store.Close()
}

// mortalStore is a store whose process dies at a batch.
type mortalStore struct {
	collector.Store
	at point
}

func (s mortalStore) Batch(ctx context.Context, do func(collector.Tx) error) error {
	err := s.Store.Batch(ctx, func(tx collector.Tx) error {
		err := do(tx)
		if err == nil && s.at == beforeCommit {
			die()
		}
		return err
	})
	if err == nil && s.at == beforeReceipt {
		die()
	}
	return err
}
