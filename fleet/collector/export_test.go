// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package collector

import (
	"context"
	"fmt"
)

// SetVersion makes the file one of another version.
func (s *SQLite) SetVersion(ctx context.Context, version int) error {
	_, err := s.db.ExecContext(ctx, fmt.Sprintf("PRAGMA user_version = %d", version))
	return err
}
