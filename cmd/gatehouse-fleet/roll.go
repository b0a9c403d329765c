// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
)

// errShown ends a look at the fleet.
var errShown = errors.New("shown")

func newStatus(o *options) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "status",
		Short: "Show every kiosk that was heard of: joined or not, versions in force, age of its data, events waiting, conditions",
		Long: `Show every kiosk that the broker has heard of.

None of it is signed: it is what kiosks say of themselves, for people to look at.
HEAD is the number of the newest head in force there, and DATA what that makes of the
data: fresh, stale or hard; LACKS is what the head names and has not arrived. A kiosk
that is gone without a word is seen by the age of its last heartbeat, which comes
every minute: "watch" stays to hear it.

--json prints an array; fields may be added, those there stay: {"kiosk": "venue/kiosk", "status": {"online", "boot",
"nonce", "version", "at"}, "reported": {"documents", "missing", "code", "reason",
"program"}, "beat": {"at", "clock", "uptime" in seconds, "band", "signed",
"conditions", "ledger", "last", "received"}, "beat_at"}.`,
		Example: "  gatehouse-fleet status --json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			err := watchRoll(cmd, o, func(seen []centre.Seen) error {
				if asJSON {
					return errors.Join(json.NewEncoder(cmd.OutOrStdout()).Encode(seen), errShown)
				}
				return errors.Join(showRoll(cmd.OutOrStdout(), seen, time.Now()), errShown)
			})
			if errors.Is(err, errShown) {
				return nil
			}
			return err
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "write one JSON array")
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
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			out := cmd.OutOrStdout()
			f, isFile := out.(*os.File)
			terminal := isFile && isTerminal(f)
			return watchRoll(cmd, o, func(seen []centre.Seen) error {
				if terminal {
					fmt.Fprint(out, clearScreen)
				}
				fmt.Fprintln(out, time.Now().Format(time.DateTime))
				return showRoll(out, seen, time.Now())
			})
		},
	}
}

func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}

// watchRoll calls show with what kiosks say of themselves, until it fails or the program is stopped.
func watchRoll(cmd *cobra.Command, o *options, show func([]centre.Seen) error) error {
	f, err := o.open()
	if err != nil {
		return err
	}
	broker, err := officeOf(f)
	if err != nil {
		return err
	}
	ctx, stop := untilStopped(cmd)
	defer stop()
	return centre.Watch(ctx, broker, show)
}

func showRoll(out io.Writer, seen []centre.Seen, now time.Time) error {
	if len(seen) == 0 {
		_, err := fmt.Fprintln(out, "No kiosk was heard of at this broker. See what one says of it: gatehouse status, at the kiosk.")
		return err
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "KIOSK\tJOINED\tHEARTBEAT\tHEAD\tDATA\tSIGNED\tLACKS\tEVENTS WAITING\tCONDITIONS")
	for _, s := range seen {
		joined, head, waiting := "no", "-", "-"
		if s.Status.Online {
			joined = "yes"
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
		if s.Beat.Ledger != "" {
			waiting = strconv.FormatUint(s.Beat.Last-min(s.Beat.Last, s.Beat.Received), 10)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", s.Kiosk, joined, ago(s.BeatAt, now, "none yet"), head, orDash(plain(s.Beat.Band)),
			ago(s.Beat.Signed, now, "-"), lacks, waiting, orDash(plain(strings.Join(s.Beat.Conditions, " "))))
	}
	return w.Flush()
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

// plain takes out what could steer a terminal: what kiosks say is not signed.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 {
			return -1
		}
		return r
	}, s)
}
