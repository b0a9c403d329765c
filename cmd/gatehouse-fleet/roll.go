// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
)

// errShown ends a look at the fleet.
var errShown = errors.New("shown")

func newStatus(o *options) *cobra.Command {
	var asJSON bool
	var wait time.Duration
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every kiosk: joined or not, versions in force, age of its data, events waiting, conditions",
		Long: `Show every kiosk of the folder, and every other that the broker has heard of.

None of it is signed: it is what kiosks say of themselves, for people to look at.
HEAD is the number of the newest head in force there, and DATA what that makes of the
data: fresh, stale or hard; LACKS is what the head names and has not arrived.

Heartbeats come every minute and are kept by nobody; how many events wait is told by
them alone. With --wait it stays until each kiosk that is joined was heard, and "watch"
stays for good. A kiosk that is gone without a word is seen by its heartbeat's age.

--json prints an array; fields may be added, those there stay: {"kiosk": "venue/kiosk", "status": {"online", "boot",
"nonce", "version", "at"}, "reported": {"documents", "missing", "code", "reason",
"program", "band", "signed", "conditions"}, "beat": {"at", "clock", "uptime" in seconds, "band", "signed",
"conditions", "ledger", "last", "received"}, "beat_at", "stranger": true for one that is not in the folder}.`,
		Example: `  gatehouse-fleet status
  gatehouse-fleet status --wait 90s --json`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			var last []listed
			show := func(ctx context.Context, f *folder.Folder) error {
				if wait > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, wait)
					defer cancel()
				}
				return watchRoll(ctx, f, func(seen []listed) error {
					if last = seen; wait > 0 && slices.ContainsFunc(seen, unheard) {
						return nil
					}
					return errShown
				})
			}
			if err := o.online(cmd, show); err != nil && !errors.Is(err, errShown) {
				return err
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(last)
			}
			return showRoll(cmd.OutOrStdout(), last, time.Now())
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON array")
	cmd.Flags().DurationVar(&wait, "wait", 0, "stay at most so `long`, until each kiosk that is joined was heard")
	return cmd
}

// clearScreen moves to the first line and clears what is below (ECMA-48, CUP and ED).
const clearScreen = "\x1b[H\x1b[J"

func newWatch(o *options) *cobra.Command {
	return &cobra.Command{
		Use:   "watch",
		Short: "Stay, and show every kiosk with each change",
		Long: `Stay, and show what "status" shows, with each change and each heartbeat, until stopped.
On a terminal the newest state takes the place of the one before; into a file or a
pipe each is written below the last.`,
		Example: "  gatehouse-fleet watch",
		Args:    none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			file, isFile := out.(*os.File)
			terminal := isFile && isTerminal(file)
			return o.online(cmd, func(ctx context.Context, f *folder.Folder) error {
				return watchRoll(ctx, f, func(seen []listed) error {
					if terminal {
						fmt.Fprint(out, clearScreen)
					}
					fmt.Fprintln(out, time.Now().Format(time.DateTime))
					return showRoll(out, seen, time.Now())
				})
			})
		},
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// online does something with the folder until it is done or the program is stopped.
func (o *options) online(cmd *cobra.Command, do func(context.Context, *folder.Folder) error) error {
	f, err := o.open()
	if err != nil {
		return err
	}
	ctx, stop := untilStopped(cmd)
	defer stop()
	return do(ctx, f)
}

// listed is a kiosk as the broker has it.
type listed struct {
	centre.Seen
	Stranger bool `json:"stranger,omitempty"` // it is no kiosk of the folder
}

// watchRoll calls show with what kiosks say of themselves, those of the folder that said nothing among them, until it fails
// or ctx ends.
func watchRoll(ctx context.Context, f *folder.Folder, show func([]listed) error) error {
	broker, err := officeOf(f)
	if err != nil {
		return err
	}
	kiosks, err := f.Kiosks()
	if err != nil {
		return err
	}
	return centre.Watch(ctx, broker, func(seen []centre.Seen) error { return show(rollOf(seen, kiosks)) })
}

// rollOf is who was seen and who is in the folder, by name.
func rollOf(seen []centre.Seen, kiosks []fleet.Place) []listed {
	roll := map[fleet.Place]listed{}
	for _, s := range seen {
		roll[s.Kiosk] = listed{s, true}
	}
	for _, p := range kiosks {
		s := roll[p].Seen
		s.Kiosk = p
		roll[p] = listed{Seen: s}
	}
	return slices.SortedFunc(maps.Values(roll), func(a, b listed) int { return strings.Compare(a.Kiosk.String(), b.Kiosk.String()) })
}

// unheard: a kiosk that is joined, of which no heartbeat came yet.
func unheard(s listed) bool { return s.Status.Online && s.BeatAt.IsZero() }

func showRoll(out io.Writer, seen []listed, now time.Time) error {
	if len(seen) == 0 {
		_, err := fmt.Fprintln(out, "No kiosk is in this folder, and the broker has heard of none. Next: gatehouse-fleet kiosk add VENUE/KIOSK")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIOSK\tJOINED\tHEARTBEAT\tHEAD\tDATA\tSIGNED\tLACKS\tEVENTS WAITING\tCONDITIONS")
	for _, s := range seen {
		joined, head, waiting := "no", "-", "-"
		switch {
		case s.Status.Online:
			joined = "yes"
		case s.Status.Boot == "":
			joined = "never"
		}
		if s.Stranger {
			joined += ", is not in the folder"
		}
		for _, v := range s.Reported.Documents {
			if v.Kind == string(fleet.KindHead) {
				head = strconv.FormatUint(v.Version, 10)
			}
		}
		lacks := "-"
		if n := len(s.Reported.Missing); n > 0 {
			lacks = strconv.Itoa(n)
		}
		band, signed, conditions := s.Reported.Band, s.Reported.Signed, s.Reported.Conditions
		if !s.BeatAt.IsZero() {
			band, signed, conditions = s.Beat.Band, s.Beat.Signed, s.Beat.Conditions
			waiting = strconv.FormatUint(s.Beat.Last-min(s.Beat.Last, s.Beat.Received), 10)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Kiosk, joined, ago(s.BeatAt, now, "-"), head, orDash(plain(band)),
			ago(signed, now, "-"), lacks, waiting, orDash(plain(strings.Join(conditions, " "))))
	}
	if err := w.Flush(); err != nil {
		return err
	}
	if slices.ContainsFunc(seen, func(s listed) bool { return s.Stranger }) {
		_, err := fmt.Fprintln(out, "Who is not in the folder is shut out by gatehouse-fleet broker-config and a reload of the broker, and listed until that starts anew")
		return err
	}
	if slices.ContainsFunc(seen, unheard) {
		_, err := fmt.Fprintln(out, "Heartbeats come every minute; with --wait 90s they are waited for")
		return err
	}
	if slices.ContainsFunc(seen, func(s listed) bool { return !s.Status.Online }) {
		_, err := fmt.Fprintln(out, "What keeps a kiosk away it tells itself: gatehouse status, at the kiosk")
		return err
	}
	return nil
}

// ago is how long ago something was, or what to say where it never was.
func ago(at, now time.Time, never string) string {
	if at.IsZero() {
		return never
	}
	return now.Sub(at).Round(time.Second).String() + " ago"
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// plain takes out what could steer a terminal, or turn the order of what it shows: a kiosk may be somebody else's by now.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s)
}
