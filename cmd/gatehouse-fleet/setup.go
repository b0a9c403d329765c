// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/credential"
	"gatehouse/fleet/folder"
)

func newInit(o *options) *cobra.Command {
	var venues []string
	var broker string
	cmd := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Make a fleet: keys, root and the first venues",
		Long: `Make a fleet in a new or empty folder.

Seven keys are made. Root, issuers and config take two of the three offline keys:
move at least two of those three files to media that are kept apart, and bring
them back when issuers or rules change. The keys of head, revocations, command and
collector stay. A lost or stolen key is replaced with root rotate.

With --broker the fleet is one of kiosks that follow over the network: fleet.yaml
names the broker, and so do the local configs of kiosks. Without it kiosks get
bundles, and a broker can be named in fleet.yaml later.`,
		Example: `  gatehouse-fleet init city --venue arena --venue stadium
  gatehouse-fleet init city --venue arena --broker broker.example:8883`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := o.folder
			if len(args) == 1 {
				dir = args[0]
			}
			if broker != "" {
				if err := folder.CheckBroker(broker); err != nil {
					return err
				}
			}
			f, err := folder.Init(dir, time.Now(), venues...)
			if err != nil {
				return err
			}
			if broker != "" {
				if err := f.SetBroker(broker); err != nil {
					return err
				}
			}
			pin, err := f.Pin()
			if err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "A new fleet in %s, root %s\n", dir, pin)
			for _, v := range venues {
				fmt.Fprintf(cmd.OutOrStdout(), "Edit %s: who is admitted at %s\n", filepath.Join(dir, "venues", v+".yaml"), v)
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Next: gatehouse-fleet -C %s issuer add NAME\n", dir)
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&venues, "venue", nil, "make this `venue` (repeatable)")
	cmd.Flags().StringVar(&broker, "broker", "", "where kiosks meet the fleet, `host:port`")
	return cmd
}

func newVenue(o *options) *cobra.Command {
	return group("venue", "Keep the venues", &cobra.Command{
		Use:   "add NAME",
		Short: "Make a venue: its rule and its secret",
		Long: `Make a venue: venues/NAME.yaml, an example of a rule to be edited, and venues/NAME.key, the secret under which its kiosks
hash passes at rest. docs/rule.md explains the rule, and an editor that knows yaml-language-server completes it.`,
		Example: "  gatehouse-fleet venue add stadium",
		Args:    one("name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := o.open()
			if err != nil {
				return err
			}
			if err := f.AddVenue(args[0]); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Edit %s: who is admitted at %s\nNext: gatehouse-fleet kiosk add %s/NAME\n", filepath.Join(f.Dir(), "venues", args[0]+".yaml"), args[0], args[0])
			return nil
		},
	})
}

func newIssuer(o *options) *cobra.Command {
	var algorithm string
	var formats []string
	var x509, spki, jwk []string
	var opts folder.IssuerOptions
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Make an issuer: with a key of its own, or with public keys that are given",
		Long: `Make an issuer of passes.

Without public keys a private key is made in keys/, to issue Gatehouse passes
with. With --x509, --spki or --jwk somebody else signs, and only the public keys
are kept. What each key may sign is in issuers/NAME.yaml afterwards.`,
		Example: `  gatehouse-fleet issuer add arena --kind ticket --scope arena
  gatehouse-fleet issuer add at --x509 dsc.pem
  gatehouse-fleet issuer add rail --spki rail-public.pem --kind travel`,
		Args: one("name"),
		RunE: func(cmd *cobra.Command, args []string) (err error) {
			f, err := o.open()
			if err != nil {
				return err
			}
			if opts.Algorithm, err = credential.ParseAlgorithm(algorithm); err != nil {
				return err
			}
			for _, name := range formats {
				opts.Formats = append(opts.Formats, credential.Format(name))
			}
			for _, s := range []struct {
				paths []string
				into  *[][]byte
			}{{x509, &opts.Certificates}, {spki, &opts.SPKIs}, {jwk, &opts.JWKs}} {
				if *s.into, err = readAll(s.paths); err != nil {
					return err
				}
			}
			if cmd.Flags().Changed("alg") && len(x509)+len(spki)+len(jwk) > 0 {
				return fmt.Errorf("--alg is for a key that is made here; leave it out where public keys are given")
			}
			if err := f.AddIssuer(args[0], opts); err != nil {
				return err
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Issuer %s is in %s\nNext: name it under accept in a venue's rule, then %s\n", args[0], filepath.Join(f.Dir(), "issuers", args[0]+".yaml"), spread(f))
			return nil
		},
	}
	fl := add.Flags()
	fl.StringVar(&algorithm, "alg", "EdDSA", "`algorithm` of the key that is made: EdDSA or ES256")
	fl.StringArrayVar(&x509, "x509", nil, "`file` of document signing certificates, PEM (several in one) or DER (repeatable)")
	fl.StringArrayVar(&spki, "spki", nil, "`file` of a public key, PEM or DER (repeatable)")
	fl.StringArrayVar(&jwk, "jwk", nil, "`file` of a JSON Web Key (repeatable)")
	fl.StringArrayVar(&formats, "format", nil, "`format` that the keys may sign, gh1 or hc1 (repeatable; default: what suits the keys)")
	fl.StringArrayVar(&opts.Kinds, "kind", nil, "`kind` of pass that the keys may sign (repeatable; default: every kind)")
	fl.StringArrayVar(&opts.Scopes, "scope", nil, "`venue` or venue/zone that the keys may sign for (repeatable; default: everywhere)")
	return group("issuer", "Keep the issuers", add, newIssuerList(o), newIssuerDown(o), newIssuerUp(o))
}

func readAll(paths []string) ([][]byte, error) {
	var texts [][]byte
	for _, p := range paths {
		text, err := os.ReadFile(p)
		if err != nil {
			return nil, err
		}
		texts = append(texts, text)
	}
	return texts, nil
}

func newKiosk(o *options) *cobra.Command {
	return group("kiosk", "Keep the kiosks", &cobra.Command{
		Use:   "add VENUE/KIOSK",
		Short: "Make the local config of a kiosk, with the root pinned, the venue's secret and its certificate",
		Long: `Make the folder of a kiosk: kiosks/VENUE/KIOSK/gatehouse.yaml, its local config with the digest of the fleet's first root,
and venue.key, its copy of the venue's secret; for the network kiosk.pem and kiosk.key, as whom it comes to the broker and what
it signs its record with, and broker-ca.pem. All of them go into /etc/gatehouse of the kiosk. A file policy.yaml beside them is
the kiosk's own layer of the rule: its keys take the place of the venue's.`,
		Example: "  gatehouse-fleet kiosk add arena/gate-1",
		Args:    one("VENUE/KIOSK"),
		RunE: func(cmd *cobra.Command, args []string) error {
			place, err := placeOf(args[0])
			if err != nil {
				return err
			}
			f, err := o.open()
			if err != nil {
				return err
			}
			dir, err := f.AddKiosk(place)
			if err != nil {
				return err
			}
			if err := f.CertifyKiosk(place, time.Now()); err != nil {
				return err
			}
			next := fmt.Sprintf("gatehouse-fleet bundle --venue %s -o %s.bundle", place.Venue, place.Venue)
			if _, err := f.Broker(); err == nil {
				next = "gatehouse-fleet broker-config mosquitto DIR, so that the broker knows it"
			}
			fmt.Fprintf(cmd.OutOrStdout(), "Edit %s: port and lines of this kiosk\nPut it, with venue.key and kiosk.key (mode 0600), kiosk.pem and broker-ca.pem, into /etc/gatehouse of the kiosk\nNext: %s\n", filepath.Join(dir, "gatehouse.yaml"), next)
			return nil
		},
	})
}
