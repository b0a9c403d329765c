// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet"
	"gatehouse/fleet/centre"
	"gatehouse/fleet/folder"
)

func newCommand(o *options) *cobra.Command {
	var reason string
	wait := 20 * time.Second
	cmd := &cobra.Command{
		Use:   "cmd VENUE/KIOSK ACTION [LANE]",
		Short: "Order one kiosk that is joined: open, close-lane, open-lane, identify or resync",
		Long: `Order one kiosk that is joined now, and print what became of it.

The order is signed with the command key and bound to the kiosk's boot and
connection: it is carried out once or not at all, and never later. The kiosk
records it, with the reason, before it acts. "identify" has the lane's red lamp blink
for whoever stands there, and "resync" has the kiosk ask for everything anew.`,
		Example: `  gatehouse-fleet cmd arena/gate-1 open in-1 --reason "pushchair, asked by telephone"
  gatehouse-fleet cmd arena/gate-1 close-lane in-1 --reason "turnstile is being repaired"`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) < 2 || len(args) > 3 {
				return fmt.Errorf("an order is VENUE/KIOSK ACTION [LANE], and here are %d of these; see %s --help", len(args), cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			order, err := orderOf(f, args, reason)
			if err != nil {
				return err
			}
			broker, err := officeOf(f)
			if err != nil {
				return err
			}
			keys, err := f.SigningKeys(fleet.RoleCommand)
			if err != nil {
				return err
			}
			ctx, cancel := context.WithTimeout(cmd.Context(), wait)
			defer cancel()
			r, err := centre.Command(ctx, broker, order, time.Now(), keys...)
			switch {
			case errors.Is(err, centre.ErrOffline):
				return fmt.Errorf("%w\nNo order is kept for later. gatehouse-fleet status shows who is joined; at the kiosk: gatehouse gate", err)
			case errors.Is(err, centre.ErrNoAnswer):
				return fmt.Errorf("%w: gatehouse-fleet events --venue %s --kiosk %s", err, order.To.Venue, order.To.Kiosk)
			case err != nil:
				return err
			}
			if !r.Done {
				return fmt.Errorf("%s: %s", order.To, plain(fmt.Sprintf("%s: %s", r.Code, r.Text)))
			}
			fmt.Fprintf(cmd.OutOrStdout(), "%s: done (event %d)\n", order.To, r.Event)
			return nil
		},
	}
	cmd.Flags().StringVar(&reason, "reason", "", "why, for the `record`: who asks, and what for")
	cmd.Flags().DurationVar(&wait, "wait", wait, "how long to wait for the answer")
	return cmd
}

// orderOf reads KIOSK, ACTION and LANE, and tells what is wrong with them before anybody is asked.
func orderOf(f *folder.Folder, args []string, reason string) (order centre.Order, err error) {
	if order.To, err = placeOf(args[0]); err != nil {
		return order, err
	}
	order.Action, order.Reason = fleet.Action(args[1]), reason
	if len(args) == 3 {
		order.Lane = args[2]
	}
	kiosks, err := f.Kiosks()
	switch {
	case err != nil:
		return order, err
	case !slices.Contains(actions(), order.Action):
		return order, fmt.Errorf("there is no order %q; there are %s", args[1], list(actions()))
	case order.Action != fleet.ActionResync && order.Lane == "":
		return order, fmt.Errorf("which lane? Write: gatehouse-fleet cmd %s %s LANE --reason TEXT", order.To, order.Action)
	case order.Action == fleet.ActionResync && order.Lane != "":
		return order, fmt.Errorf("%s is about the whole kiosk; leave %q out", order.Action, order.Lane)
	case strings.TrimSpace(reason) == "":
		return order, errors.New("why? It is recorded with the order. Add --reason TEXT")
	case !slices.Contains(kiosks, order.To):
		return order, fmt.Errorf("%s is no kiosk of this fleet; there are: %s", order.To, list(kiosks))
	}
	return order, nil
}

// actions are what a kiosk can be ordered to do.
func actions() []fleet.Action {
	return []fleet.Action{fleet.ActionOpen, fleet.ActionCloseLane, fleet.ActionOpenLane, fleet.ActionIdentify, fleet.ActionResync}
}

// list names things for an error that helps.
func list[T any](things []T) string {
	if len(things) == 0 {
		return "none"
	}
	names := make([]string, len(things))
	for i, t := range things {
		names[i] = fmt.Sprint(t)
	}
	return strings.Join(names, ", ")
}

// placeOf reads VENUE/KIOSK.
func placeOf(text string) (fleet.Place, error) {
	venue, kiosk, ok := strings.Cut(text, "/")
	p := fleet.Place{Venue: venue, Kiosk: kiosk}
	if !ok || p.Validate() != nil {
		return p, fmt.Errorf("%q is not VENUE/KIOSK; write for example arena/gate-1: each name has 1 to 32 of a-z, 0-9 and -", text)
	}
	return p, nil
}
