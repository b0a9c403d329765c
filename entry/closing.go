// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

// Closing is the event by which staff close a lane (EventClosed) or release one that they closed (EventReleased): by is who
// asks, as the machine knows him, and why is his reason. Whoever records it acts on it afterwards, and not without it. The
// error is ErrNoReason.
func Closing(kind EventKind, lane, by, why string, now Moment) (*Event, error) {
	if err := checkReason(why); err != nil {
		return nil, err
	}
	return &Event{At: now.At, Clock: now.Clock, Kind: kind, Lane: lane, Note: by + ": " + why}, nil
}
