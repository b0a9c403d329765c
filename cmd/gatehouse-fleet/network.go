// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sys/unix"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/collector"
	"gatehouse/fleet/folder"
)

// office is the folder, and how its operator reaches the broker.
func (o *options) office() (f *folder.Folder, b centre.Broker, err error) {
	if f, err = o.open(); err != nil {
		return nil, b, err
	}
	b, err = officeOf(f)
	return f, b, err
}

// officeOf is how the folder's operator reaches the broker.
func officeOf(f *folder.Folder) (b centre.Broker, err error) {
	if b.Addr, err = f.Broker(); err != nil {
		return b, err
	}
	b.TLS, err = f.OfficeTLS(time.Now())
	return b, err
}

// untilStopped ends with SIGINT or SIGTERM.
func untilStopped(cmd *cobra.Command) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(cmd.Context(), os.Interrupt, syscall.SIGTERM)
}

func newServe(o *options) *cobra.Command {
	var db string
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve the fleet over its broker: documents, heads every ten minutes, blocks, and the events of all kiosks",
		Long: `Serve the fleet over the broker that fleet.yaml names, until stopped.

What "apply" published last is published again, under a new head for each venue,
every ten minutes and whenever the broker comes back: kiosks take their data for
fresh while they hear that. Nothing that was edited since goes out, so it needs the
head and the collector key alone. Revocation lists go out in blocks, as kiosks ask
for them. The events of kiosks are kept in
one SQLite file, each once, and acknowledged; a gap, a broken chain or two events
with one number raise an alarm, which "events --alarms" shows.`,
		Example: "  gatehouse-fleet serve --db events.db",
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, broker, err := o.office()
			if err != nil {
				return err
			}
			keys, err := f.SigningKeys(fleet.RoleCollector)
			if err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd)
			defer stop()
			store, err := collector.OpenSQLite(ctx, databaseOf(f, db))
			if err != nil {
				return err
			}
			unlock, err := serveAlone(f.Dir())
			if err != nil {
				return errors.Join(err, store.Close())
			}
			defer unlock()
			log := slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil))
			centre.New(centre.Config{Broker: broker, Blob: f.Blob, Now: time.Now, Log: log}, folder.Heads{Folder: f}, collector.New(store, f.KeyOf, time.Now, keys...)).Serve(ctx)
			return store.Close()
		},
	}
	cmd.Flags().StringVar(&db, "db", "", "the `file` of the collected events (default: events.db of the folder)")
	return cmd
}

// serveAlone keeps a second "serve" away, with which the first would take turns at the broker, whatever files they collect into: each
// would have holes in it where the other had the turn.
func serveAlone(dir string) (unlock func(), err error) {
	file, err := os.OpenFile(filepath.Join(dir, ".serve"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		file.Close()
		return nil, fmt.Errorf("another gatehouse-fleet serve serves %s: one is enough, stop that first", dir)
	}
	return func() { file.Close() }, nil
}

func databaseOf(f *folder.Folder, path string) string {
	if path == "" {
		return filepath.Join(f.Dir(), "events.db")
	}
	return path
}

func newApply(o *options) *cobra.Command {
	var venues []string
	cmd := &cobra.Command{
		Use:   "apply [DIR]",
		Short: "Show what has changed, sign it and publish it to all kiosks that are joined",
		Long: `Show what has changed in the folder, as "plan" does, sign it with a new head for each
venue, and publish it at the broker that fleet.yaml names. Kiosks that are joined
have it within a second, and the others when they come. All that goes out is checked
before anything is signed; the local configs of kiosks, which stay, are for "check".
With --venue only the kiosks of that venue follow: a roll-out goes venue by venue.

The blocks of a new revocation base are handed out by "serve", which must run for that.`,
		Example: `  gatehouse-fleet apply
  gatehouse-fleet apply city --venue arena`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 1 {
				o.folder = args[0]
			}
			f, broker, err := o.office()
			if err != nil {
				return err
			}
			p, err := f.Plan(time.Now(), venues...)
			if err != nil {
				return fmt.Errorf("%w\nAll faults: gatehouse-fleet check", err)
			}
			if err := printPlan(cmd.OutOrStdout(), p); err != nil {
				return err
			}
			if err := centre.Apply(cmd.Context(), centre.Config{Broker: broker, Now: time.Now}, folder.Applied{Folder: f, Only: venues}); err != nil {
				return err
			}
			fmt.Fprintln(cmd.OutOrStdout(), "Published. See who has it: gatehouse-fleet status")
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&venues, "venue", nil, "only this `venue` (repeatable; default: all)")
	return cmd
}

func newHead(o *options) *cobra.Command {
	var every time.Duration
	cmd := &cobra.Command{
		Use:   "head",
		Short: "Publish a new head for each venue over what was applied, once or on schedule",
		Long: `Sign a new head for each venue over what "apply" published last, and publish it, so that
kiosks take their data for fresh. It is what "serve" does every ten minutes, for a
machine that holds the head key and collects no events. It needs no other key.`,
		Example: `  gatehouse-fleet head
  gatehouse-fleet head --every 10m`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, broker, err := o.office()
			if err != nil {
				return err
			}
			ctx, stop := untilStopped(cmd)
			defer stop()
			publish := func() error {
				return centre.Apply(ctx, centre.Config{Broker: broker, Now: time.Now}, folder.Heads{Folder: f})
			}
			switch {
			case every == 0:
				return publish()
			case every < time.Second:
				return fmt.Errorf("--every %v is too often; 1s is the least", every)
			}
			return repeat(ctx, every, func() error {
				if err := publish(); err != nil && ctx.Err() == nil {
					slog.New(slog.NewTextHandler(cmd.ErrOrStderr(), nil)).Error("not published", "err", err)
				}
				return nil
			})
		},
	}
	cmd.Flags().DurationVar(&every, "every", 0, "go on, and publish one so `often`; 0 is once")
	return cmd
}

// repeat does something at once and then so often, until ctx ends or it fails.
func repeat(ctx context.Context, every time.Duration, do func() error) error {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		if err := do(); ctx.Err() != nil {
			return nil
		} else if err != nil {
			return err
		}
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return nil
		}
	}
}
