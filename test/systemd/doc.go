// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package systemd asks systemd's own tools about the files that make a kiosk of a Debian machine, as make install puts them
// in place.
package systemd
