// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/fleet/folder"
)

func newPlan(o *options) *cobra.Command {
	var venues []string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "plan",
		Short: "Show what the next bundle changes, for which kiosk",
		Long: `Show what the next bundle of each venue brings that the last one did not: documents with their versions and for which
kiosks they are; who is admitted, rule by rule in words; issuers and their keys; passes revoked, and revocations lifted;
issuers that are down or up again; and which offline keys it takes to sign that. It is a dry run of bundle: nothing is signed
and nothing changed, and what revoke, issuer down or an editor wrote can still be taken out of the folder.

A folder with a fault has no plan; check tells all of them.

--json prints one object: venues, each with venue, kiosks, head (its sequence; absent where none was signed), fresh_until,
hard_after, documents (each with kind, scope, from, to, why and kiosks), policies (each with kiosks and changes), issuers,
revocations (each with issuer, revoked and lifted), down (each with issuer and since), up and unknown (what cannot be told,
as what was signed then is not kept any more); and keys, each with role, takes, here and of. why is new, changed, withdrawn,
ahead (the former was signed by a clock that was wrong), signatures (the newest root does not allow the former's keys) or
issued (signed already, with the bundle of another venue). Fields may be added; those there stay.`,
		Example: `  gatehouse-fleet plan
  gatehouse-fleet plan --venue arena
  gatehouse-fleet plan --json | jq '.venues[].documents'`,
		Args: none,
		RunE: func(cmd *cobra.Command, _ []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			p, err := f.Plan(time.Now(), venues...)
			if err != nil {
				return fmt.Errorf("%w\nAll faults: gatehouse-fleet check", err)
			}
			if asJSON {
				return json.NewEncoder(cmd.OutOrStdout()).Encode(p)
			}
			return printPlan(cmd.OutOrStdout(), p)
		},
	}
	cmd.Flags().StringArrayVar(&venues, "venue", nil, "only this `venue` (repeatable; default: all)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print one JSON object")
	return cmd
}

// words for why a document is signed.
var whys = map[string]string{
	folder.WhyNew: "new", folder.WhyChanged: "changed", folder.WhyWithdrawn: "withdrawn",
	folder.WhyAhead:      "dated anew: it was signed by a clock that was far ahead",
	folder.WhySignatures: "signed anew: keys that signed it are no longer in the root",
	folder.WhyIssued:     "signed already, for another venue",
}

// mostIDs is how many ids of revoked passes are printed.
const mostIDs = 10

func printPlan(w io.Writer, p *folder.Plan) error {
	if len(p.Venues) == 0 {
		fmt.Fprintln(w, "There is no venue yet. Next: gatehouse-fleet venue add NAME")
	}
	for i := range p.Venues {
		if i > 0 {
			fmt.Fprintln(w)
		}
		printVenue(w, &p.Venues[i])
	}
	for i := range p.Keys {
		if text := p.Keys[i].Missing(); text != "" {
			fmt.Fprintf(w, "Bring keys first: %s\n", text)
		}
	}
	return nil
}

func printVenue(w io.Writer, v *folder.VenuePlan) {
	fmt.Fprintf(w, "%s, %s: ", v.Venue, kiosksText(v.Kiosks, "no kiosk yet"))
	if v.Head == 0 {
		fmt.Fprintln(w, "nothing was signed yet")
	} else {
		fmt.Fprintf(w, "head %d, fresh until %s\n", v.Head, v.FreshUntil.Format(time.RFC3339))
	}
	if v.Same() {
		fmt.Fprintln(w, "  nothing changes; a bundle brings a new head alone")
	}
	for _, d := range v.Documents {
		version := fmt.Sprintf("version %d", d.To)
		if d.From != 0 {
			version = fmt.Sprintf("version %d to %d", d.From, d.To)
		}
		fmt.Fprintf(w, "  %s of %s, %s: %s", d.Kind, d.Scope, version, whys[d.Why])
		if _, kiosk, narrow := strings.Cut(d.Scope, "/"); narrow {
			fmt.Fprintf(w, ", for %s alone", kiosk)
		}
		fmt.Fprintln(w)
	}
	for _, c := range v.Policies {
		fmt.Fprintf(w, "  for %s:\n", kiosksText(c.Kiosks, "the kiosks to come"))
		for _, change := range c.Changes {
			fmt.Fprintf(w, "    %s\n", change)
		}
	}
	for _, text := range v.Issuers {
		fmt.Fprintf(w, "  %s\n", text)
	}
	for _, r := range v.Revocations {
		printRevoked(w, r)
	}
	for _, d := range v.Down {
		fmt.Fprintf(w, "  issuer %s is down since %s\n", d.Issuer, d.Since.Format(time.RFC3339))
	}
	for _, issuer := range v.Up {
		fmt.Fprintf(w, "  issuer %s is up again\n", issuer)
	}
	for _, text := range v.Unknown {
		fmt.Fprintf(w, "  not known: %s\n", text)
	}
}

func kiosksText(kiosks []string, none string) string {
	if len(kiosks) == 0 {
		return none
	}
	return strings.Join(kiosks, " ")
}

func printRevoked(w io.Writer, r folder.RevokedChange) {
	if len(r.Revoked) > 0 {
		fmt.Fprintf(w, "  issuer %s, %s revoked:\n", r.Issuer, counted(len(r.Revoked), "id"))
	}
	for i, id := range r.Revoked {
		if i == mostIDs {
			fmt.Fprintf(w, "    and %d more; --json shows all\n", len(r.Revoked)-i)
			break
		}
		fmt.Fprintf(w, "    %s\n", id)
	}
	if r.Lifted > 0 {
		fmt.Fprintf(w, "  issuer %s, %s lifted, no longer in revoked/%s.txt: such passes count again\n", r.Issuer, counted(r.Lifted, "id"), r.Issuer)
	}
}
