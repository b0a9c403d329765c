// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Files copies a folder of the disk to the host, as the guest's next mount
// would find it: the journal is replayed first, in a copy. The machine must be
// off. folder is the one as the guest names it below /data; it appears in to
// under its own name.
func (b *Bench) Files(ctx context.Context, folder, to string) error {
	look := b.path("look")
	if err := run(ctx, "cp", "--sparse=always", b.path("disk"), look); err != nil {
		return err
	}
	defer os.Remove(look)
	err := run(ctx, "e2fsck", "-f", "-y", look)
	var exit *exec.ExitError
	if err != nil && (!errors.As(err, &exit) || exit.ExitCode() != fsckCorrected) {
		return err
	}
	if err := run(ctx, "debugfs", "-R", "rdump "+folder+" "+to, look); err != nil {
		return err
	}
	// debugfs says what it could not do and ends well.
	if _, err := os.Stat(filepath.Join(to, filepath.Base(folder))); err != nil {
		return fmt.Errorf("virtual: %s is not on the disk: %w", folder, err)
	}
	return nil
}

// fsckCorrected is the exit code of e2fsck for a journal that was replayed.
const fsckCorrected = 1
