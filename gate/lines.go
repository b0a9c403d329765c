// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package gate

// Output names one output of a lane.
type Output string

const (
	// Relay is the one output that lets people through. Driven active it opens, whatever the
	// polarity and the wiring below make of that.
	Relay Output = "relay"
	// Green is the lamp that says go.
	Green Output = "green"
	// Red is the lamp that says no.
	Red Output = "red"
)

// Outputs lists every output, the relay first.
func Outputs() []Output { return []Output{Relay, Green, Red} }

// Lines are the outputs of one lane, in logical levels: polarity belongs to the implementation.
//
// Drive may be called from two goroutines at a time: a call that hangs on one output must not keep
// another output from being driven, since that is how a stuck lane is brought to rest. After an
// error the level is not known: the line may have moved or not. An output that is not wired is
// driven without effect and without error.
//
// Close releases the outputs and drives nothing: the inert level is the gate's business. The one
// who opened the lines closes them, after [Gate.Run] has returned.
type Lines interface {
	Drive(o Output, active bool) error
	Close() error
}
