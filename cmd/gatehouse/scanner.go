// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

func newScanner() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "scanner",
		Short: "See what a lane's scanner sends",
		Args:  cobra.NoArgs,
		RunE:  func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newTap())
	return cmd
}

func newTap() *cobra.Command {
	var run string
	var whole, asJSON bool
	var count int
	cmd := &cobra.Command{
		Use:   "tap [LANE]",
		Short: "Show the frames of a scanner as they come, masked",
		Long: `Tap shows each frame that a lane's scanner sends until it is interrupted: when, how many bytes, what ended it (CR, LF, or a
gap where the scanner sends no end), the symbology identifier, its shape, and what became of it: delivered, repeat (the same
code again, which is not asked twice) or too_long. The lane decides as ever; gatehouse events tells what it answered.

A frame is masked. Of its first 24 and last 8 bytes x stands for a letter, 9 for a digit, _ for a space and a point for
punctuation; bytes that no pass has are shown (\x1d), and so is what a code of a known kind begins with (GH1:).

--whole shows frames as they are. They are the codes of guests: who reads them can show them, so look at your own test code,
and let nobody read along. It needs the right to write to the control socket, and the record says who did it before the first
is shown.

What to look for: nothing at all is a cable or a port; bytes such as \xf8 are another baud rate; a gap after each code is a
scanner without a suffix, which costs every guest 0.1 s; two codes in one frame are a suffix that the kiosk does not know.

--json prints one object a line: at, bytes, end, symbology, fate, shape, raw (of --whole, in base64) and lost (frames before
it that came faster than they could be shown). Fields may be added; those there stay.`,
		Example: `  gatehouse scanner tap
  gatehouse scanner tap in-1 --count 1
  gatehouse scanner tap in-1 --json | jq .shape`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) > 1 {
				return errors.New("name one lane; gatehouse lanes lists them")
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			lane := strings.Join(args, "")
			if count < 0 {
				return fmt.Errorf("--count %d: write how many, or 0 for all", count)
			}
			if whole {
				fmt.Fprintln(cmd.ErrOrStderr(), "WARNING: whole codes of guests are shown, and the record says that you looked. Let nobody read along.")
			}
			return tap(cmd, client.Dial(run), lane, whole, asJSON, count)
		},
	}
	cmd.ValidArgsFunction = completeLane(&run)
	addRun(cmd, &run)
	cmd.Flags().BoolVar(&whole, "whole", false, "show frames as they are, codes of guests among them")
	cmd.Flags().IntVar(&count, "count", 0, "end after so `many`; 0 goes on")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object a line")
	return cmd
}

// errEnough ends a tap that has shown as many frames as were asked for.
var errEnough = errors.New("enough")

func tap(cmd *cobra.Command, kiosk *client.Client, lane string, whole, asJSON bool, count int) error {
	out := cmd.OutOrStdout()
	err := kiosk.Tap(cmd.Context(), lane, whole, func(t client.Tapped) (err error) {
		if asJSON {
			err = json.NewEncoder(out).Encode(t)
		} else {
			err = printTapped(out, &t, whole)
		}
		if count--; err == nil && count == 0 {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		return nil
	}
	return err
}

func printTapped(w io.Writer, t *client.Tapped, whole bool) error {
	if t.Lost > 0 {
		fmt.Fprintf(w, "… %d came faster than they could be shown\n", t.Lost)
	}
	ends := "too long"
	if t.End != "" {
		ends = "ends in " + t.End
	}
	text := t.Shape
	if whole {
		text = fmt.Sprintf("%q", t.Raw)
	}
	line := fmt.Sprintf("%s %5d bytes, %s, %-9s %s", t.At.Local().Format("15:04:05.000"), t.Bytes, ends, t.Fate, plain(text))
	_, err := fmt.Fprintln(w, strings.TrimRight(line, " "))
	return err
}
