// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry_test

import (
	"testing"
	"time"

	"gatehouse/entry"
)

func TestRough(t *testing.T) {
	const day = 24 * time.Hour
	for d, want := range map[time.Duration]string{
		0: "0s", 999 * time.Millisecond: "0s", time.Second: "1s", time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h",
		time.Hour + time.Second: "1h", 5*time.Hour + 59*time.Minute: "5h59m", day: "1d", 51*time.Hour + 59*time.Minute: "2d3h", 400 * day: "400d",
		-90 * time.Second: "-1m30s",
	} {
		if got := entry.Duration(d).Rough(); got != want {
			t.Errorf("%v: %q, want %q", d, got, want)
		}
	}
}
