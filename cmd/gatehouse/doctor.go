// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"

	"github.com/spf13/cobra"
)

// errUnwell is the end of an examination that found a failure; what it found was printed.
var errUnwell = errors.New("the doctor found what keeps this kiosk from working; gatehouse fault CODE says more")

func newDoctor() *cobra.Command {
	var config string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look for what keeps this kiosk from working",
		Long: `Doctor looks at the local config, the venue's secret, the state folder and its disk, the databases and the floor, the
scanners' ports, the lines of the GPIO chip, the clock, the time zone and the sockets, and says of each what to do. It
works with the daemon dead, and changes nothing. A daemon that runs is asked instead of its databases, ports and lines.

Each line is ok, warn, fail, or skipped with the reason. Doctor exits with 1 when something fails, else with 0. Run it as
root: the daemon's files are its own. It has gatehoused look (gatehoused -doctor), which is what will run: the one beside
this program, else the one in the PATH.

--json prints an object: version, config, verdict (ok, warn or fail, the worst) and checks, each with name, lane (of
scanner and gate), verdict (ok, warn, fail or skipped), code (GH-101; none where nothing is wrong), text and do. Fields may
be added; those there stay.`,
		Example: `  sudo gatehouse doctor
  gatehouse doctor --config kiosks/arena/gate-1/gatehouse.yaml
  gatehouse doctor --json | jq '.checks[] | select(.verdict == "fail")'`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			daemon, err := findDaemon()
			if err != nil {
				return err
			}
			args := []string{"-doctor"}
			if asJSON {
				args = append(args, "-json")
			}
			if config != "" {
				args = append(args, "-config", config)
			}
			look := exec.CommandContext(cmd.Context(), daemon, args...)
			look.Stdout, look.Stderr = cmd.OutOrStdout(), cmd.ErrOrStderr()
			err = look.Run()
			var ended *exec.ExitError
			if errors.As(err, &ended) && ended.ExitCode() == 1 {
				return errUnwell
			}
			return err
		},
	}
	cmd.Flags().StringVar(&config, "config", "", "the local config, a `file` (default: gatehoused's own)")
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the report as JSON")
	return cmd
}

// findDaemon finds the daemon's program: beside this one, else in the PATH.
func findDaemon() (string, error) {
	if self, err := os.Executable(); err == nil {
		if beside := filepath.Join(filepath.Dir(self), "gatehoused"); isFile(beside) {
			return beside, nil
		}
	}
	path, err := exec.LookPath("gatehoused")
	if err != nil {
		return "", fmt.Errorf("gatehoused is not installed here, and it is what looks: %w", err)
	}
	return path, nil
}

func isFile(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular()
}
