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

// Fill makes the file as full as it is.
func (s *SQLite) Fill(ctx context.Context) error {
	s.db.SetMaxOpenConns(1)                                      // it holds for one connection
	_, err := s.db.ExecContext(ctx, "PRAGMA max_page_count = 1") // SQLite: never fewer than there are
	return err
}
