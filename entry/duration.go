// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration whose text form also takes days ("270d"), for signed and local config.
type Duration time.Duration

// MarshalText writes whole days as "3d" and all else as time.Duration does.
func (d Duration) MarshalText() ([]byte, error) {
	const day = Duration(24 * time.Hour)
	if d != 0 && d%day == 0 {
		return []byte(strconv.FormatInt(int64(d/day), 10) + "d"), nil
	}
	return []byte(time.Duration(d).String()), nil
}

// UnmarshalText reads "500ms", "24h" or "270d".
func (d *Duration) UnmarshalText(text []byte) error {
	s := string(text)
	if days, ok := strings.CutSuffix(s, "d"); ok {
		n, err := strconv.ParseInt(days, 10, 32)
		if err != nil || n < -100_000 || n > 100_000 {
			return fmt.Errorf("entry: %q is not a duration; write 500ms, 24h or 270d", s)
		}
		*d = Duration(time.Duration(n) * 24 * time.Hour)
		return nil
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return fmt.Errorf("entry: %q is not a duration; write 500ms, 24h or 270d", s)
	}
	*d = Duration(v)
	return nil
}

// Rough is the duration in its two largest units, for people: 2d3h, 5h, 1m30s.
func (d Duration) Rough() string {
	units := []struct {
		long Duration
		name string
	}{{Duration(24 * time.Hour), "d"}, {Duration(time.Hour), "h"}, {Duration(time.Minute), "m"}, {Duration(time.Second), "s"}}
	if d < 0 {
		return "-" + (-d).Rough()
	}
	for i, u := range units {
		if d < u.long {
			continue
		}
		text := fmt.Sprint(int64(d/u.long), u.name)
		if i+1 < len(units) && d%u.long >= units[i+1].long {
			text += fmt.Sprint(int64(d%u.long/units[i+1].long), units[i+1].name)
		}
		return text
	}
	return "0s"
}
