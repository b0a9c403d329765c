// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"gatehouse/device/client"
)

// Bounds of a support bundle, which goes by mail.
const (
	supportEvents = 1000
	supportLog    = 2000 // lines
	supportPart   = 8 << 20
)

func newSupport() *cobra.Command {
	var run, config, out string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "support",
		Short: "Gather what somebody far away needs to help",
		Long: `Support gathers the local config without comments and secrets, the kiosk's status, documents, GPIO lines and newest
events, what the doctor finds, and the end of the log where journald keeps it. It lists what there is; with --out it writes
that, and the list, into a tar.gz file that only you can read. What could not be had is on the list with the reason: it
works with the daemon dead.

Everything in it is masked: no file of the venue's secret, no pass, no id, and of long hexadecimal numbers the first eight
digits alone. Look into it all the same before you give it away: tar -xzOf FILE | less. Run it as root: the config, the
doctor and the log need that. The reasons that staff gave (gatehouse gate) are in it as they wrote them.

--json prints the list: objects with name, what, bytes, and error where the part could not be had. Fields may be added; those
there stay.`,
		Example: `  sudo gatehouse support
  sudo gatehouse support --out gate-1.tar.gz`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			parts := gather(cmd.Context(), client.Dial(run), config)
			list := listParts(parts)
			if asJSON {
				if err := printJSON(cmd.OutOrStdout(), partsJSON(parts)); err != nil || out == "" {
					return err
				}
				return writeSupport(out, append(parts, part{name: "LIST.txt", text: []byte(list)}))
			}
			if _, err := io.WriteString(cmd.OutOrStdout(), list); err != nil {
				return err
			}
			if out == "" {
				_, err := fmt.Fprintln(cmd.OutOrStdout(), "\nnothing was written; write it with: gatehouse support --out FILE")
				return err
			}
			if err := writeSupport(out, append(parts, part{name: "LIST.txt", text: []byte(list)})); err != nil {
				return err
			}
			_, err := fmt.Fprintf(cmd.OutOrStdout(), "\nwritten to %s; look into it with: tar -xzOf %s | less\n", out, out)
			return err
		},
	}
	addRun(cmd, &run)
	cmd.Flags().StringVar(&config, "config", "", "the local config, a `file` (default: the one that the doctor looks at)")
	cmd.Flags().StringVar(&out, "out", "", "write the bundle into this new `file`")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	return cmd
}

// part is one file of a support bundle, or why it is not there.
type part struct {
	name, what string
	text       []byte
	err        error
}

// gather collects every part, masked. One that cannot be had does not keep the others out.
func gather(ctx context.Context, kiosk *client.Client, config string) []part {
	var parts []part
	add := func(name, what string, get func() ([]byte, error)) {
		text, err := get()
		text = mask(text)
		if len(text) > supportPart {
			text = append([]byte("… the beginning is left out\n"), text[len(text)-supportPart:]...)
		}
		parts = append(parts, part{name, what, text, err})
	}
	asked := func(name, what string, ask func() (any, error)) {
		add(name, what, func() ([]byte, error) {
			answer, err := ask()
			if err != nil {
				return nil, err
			}
			return json.MarshalIndent(answer, "", "  ")
		})
	}
	add("doctor.json", "what the doctor finds", func() ([]byte, error) {
		text, err := askDoctor(ctx, config)
		var report struct{ Config string }
		if err == nil && json.Unmarshal(text, &report) == nil {
			config = report.Config
		}
		return text, err
	})
	add("config.yaml", "the local config, without comments and secrets", func() ([]byte, error) {
		if config == "" {
			return nil, errors.New("where it is nobody could tell; name it with --config FILE")
		}
		text, err := os.ReadFile(config)
		return maskConfig(text), err
	})
	asked("status.json", "how the kiosk is", func() (any, error) { return kiosk.Status(ctx) })
	asked("trust.json", "the documents in force, issuers and key ids", func() (any, error) { return kiosk.Trust(ctx) })
	asked("lines.json", "GPIO chips and lines", func() (any, error) { return kiosk.Lines(ctx) })
	add("events.ndjson", "the newest events, with short hashes", func() ([]byte, error) { return newestEvents(ctx, kiosk) })
	add("log.txt", "the end of the log", func() ([]byte, error) { return readJournal(ctx) })
	return parts
}

// askDoctor has gatehoused look; that it finds something is no failure here.
func askDoctor(ctx context.Context, config string) ([]byte, error) {
	daemon, err := findDaemon()
	if err != nil {
		return nil, err
	}
	args := []string{"-doctor", "-json"}
	if config != "" {
		args = append(args, "-config", config)
	}
	text, err := exec.CommandContext(ctx, daemon, args...).Output()
	if ended := (*exec.ExitError)(nil); errors.As(err, &ended) && len(text) > 0 {
		err = nil
	}
	return text, err
}

func newestEvents(ctx context.Context, kiosk *client.Client) ([]byte, error) {
	var text bytes.Buffer
	e := &events{kiosk: kiosk, out: &text, count: supportEvents, asJSON: true}
	err := e.show(ctx, false)
	return text.Bytes(), err
}

func readJournal(ctx context.Context) ([]byte, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return exec.CommandContext(ctx, "journalctl", "--unit", "gatehoused", "--lines", strconv.Itoa(supportLog), "--no-pager", "--output", "short-iso").Output()
}

func listParts(parts []part) string {
	var list bytes.Buffer
	t := tabwriter.NewWriter(&list, 0, 0, 2, ' ', 0)
	for _, p := range parts {
		if p.err != nil {
			fmt.Fprintf(t, "%s\tnot there\t%s\n", p.name, mask([]byte(p.err.Error())))
			continue
		}
		fmt.Fprintf(t, "%s\t%d bytes\t%s\n", p.name, len(p.text), p.what)
	}
	_ = t.Flush() // into memory
	return list.String()
}

// listedPart is a part on the list as programs read it.
type listedPart struct {
	Name  string `json:"name"`
	What  string `json:"what"`
	Bytes int    `json:"bytes"`
	Error string `json:"error,omitempty"`
}

func partsJSON(parts []part) (list []listedPart) {
	for _, p := range parts {
		listed := listedPart{Name: p.name, What: p.what, Bytes: len(p.text)}
		if p.err != nil {
			listed.Error = string(mask([]byte(p.err.Error())))
		}
		list = append(list, listed)
	}
	return list
}

// writeSupport writes the parts that are there into a new file.
func writeSupport(path string, parts []part) (err error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, os.ErrExist) {
		return fmt.Errorf("%s is there already; choose another name", path)
	}
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, f.Close()); err != nil {
			err = errors.Join(err, os.Remove(path)) // half a bundle helps nobody
		}
	}()
	zip := gzip.NewWriter(f)
	files := tar.NewWriter(zip)
	for _, p := range slices.DeleteFunc(slices.Clone(parts), func(p part) bool { return p.err != nil }) {
		head := &tar.Header{Name: "gatehouse-support/" + p.name, Mode: 0o600, Size: int64(len(p.text)), ModTime: time.Now()}
		if err := files.WriteHeader(head); err != nil {
			return err
		}
		if _, err := files.Write(p.text); err != nil {
			return err
		}
	}
	return errors.Join(files.Close(), zip.Close())
}
