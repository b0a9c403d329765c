// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package fleet

import (
	"encoding/hex"
	"fmt"
	"time"
	"unicode/utf8"
)

// Nonce is 16 random bytes: a connection's, or a command's id.
type Nonce [16]byte

// String gives 32 hexadecimal digits.
func (n Nonce) String() string { return hex.EncodeToString(n[:]) }

// MarshalText gives 32 hexadecimal digits.
func (n Nonce) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads 32 hexadecimal digits.
func (n *Nonce) UnmarshalText(text []byte) error {
	if b, err := hex.DecodeString(string(text)); err == nil && len(b) == len(n) {
		copy(n[:], b)
		return nil
	}
	return fmt.Errorf("%w: %q is not 32 hexadecimal digits", ErrMalformed, text)
}

// Action is what a command orders.
type Action string

// The actions.
const (
	ActionOpen      Action = "open"       // let one person through
	ActionCloseLane Action = "close-lane" // answer lane_closed until it is opened again
	ActionOpenLane  Action = "open-lane"  // decide again
	ActionIdentify  Action = "identify"   // make the lane show itself to somebody who stands there
	ActionResync    Action = "resync"     // ask for everything anew
)

// needsLane tells which actions are about a lane. ok is false for one that is not known.
func (a Action) needsLane() (lane, ok bool) {
	switch a {
	case ActionOpen, ActionCloseLane, ActionOpenLane, ActionIdentify:
		return true, true
	case ActionResync:
		return false, true
	}
	return false, false
}

// maxReason bounds a command's reason, in bytes.
const maxReason = 200

// Command is an order to one kiosk. Boot and Nonce make it fresh without a clock: the kiosk takes it once, on the
// connection that it announced with them, and never after a restart. A connection can stand for days and a broker hold a command
// back: a kiosk that knows the time looks at Issued as well.
type Command struct {
	ID     Nonce  `cbor:"id"`
	Boot   string `cbor:"boot"`  // the kiosk's boot id, as its status says
	Nonce  Nonce  `cbor:"nonce"` // of its connection
	Action Action `cbor:"action"`
	Lane   string `cbor:"lane,omitempty"`
	Reason string `cbor:"reason"` // for the record: who wants it, and why

	Issued time.Time `cbor:"-"` // when it was signed; of a command that OpenCommand returned
}

func (c *Command) check() error {
	lane, ok := c.Action.needsLane()
	switch {
	case !ok:
		return fmt.Errorf("%w: the action %q", ErrUnsupported, c.Action)
	case lane != (c.Lane != "") || lane && !ValidName(c.Lane):
		return fmt.Errorf("%w: %s with the lane %q", ErrMalformed, c.Action, c.Lane)
	case c.Reason == "" || len(c.Reason) > maxReason || !utf8.ValidString(c.Reason):
		return fmt.Errorf("%w: a command's reason has 1 to %d bytes of text", ErrMalformed, maxReason)
	case c.Boot == "" || len(c.Boot) > 64:
		return fmt.Errorf("%w: a command without the boot that it is for", ErrMalformed)
	}
	return nil
}

// SignCommand makes the message that orders a kiosk to do something.
func SignCommand(to Place, at time.Time, c Command, keys ...SigningKey) ([]byte, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	return signMessage(messageCommand, to, at, c, keys...)
}

// OpenCommand reads a command that the root allows for this kiosk. Whether it is fresh is for the caller to ask.
func (r *Root) OpenCommand(raw []byte, to Place) (*Command, error) {
	var c Command
	issued, err := r.openByRole(raw, messageCommand, to, &c)
	if err != nil {
		return nil, err
	}
	c.Issued = issued
	return &c, c.check()
}
