// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// MaxFrame is the longest MQTT packet that is read, in bytes behind its fixed header: the largest document, its topic, and
// some.
const MaxFrame = 4<<20 + 1<<10

// ErrFrame: the broker announced a packet that is longer than any that it can have for us, or of a kind that it has no reason to
// send. The connection is ended before anything is allocated for it.
var ErrFrame = errors.New("the broker announced a packet that nobody asked for")

// writeMost is how long the network may take for one write.
const writeMost = 20 * time.Second

// guarded is a connection to a broker that nobody trusts. It follows the fixed headers of the packets that come in (MQTT
// 3.1.1, section 2.2), since the client library allocates what they announce, up to 256 MiB, and is at ease with honest brokers
// only: an answer too many to a subscription is a panic, and messages at QoS 1 and 2 are kept until the broker ends a handshake.
type guarded struct {
	net.Conn
	bad    func(error)
	frames frames
}

func (c *guarded) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if bad := c.frames.follow(b[:n]); bad != nil {
		if c.bad != nil {
			c.bad(bad)
		}
		_ = c.Conn.Close()
		return 0, bad
	}
	return n, err
}

// Write gives a connection that takes nothing any more up.
func (c *guarded) Write(b []byte) (int, error) {
	if err := c.Conn.SetWriteDeadline(time.Now().Add(writeMost)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// frames follows a stream of packets.
type frames struct {
	left   uint64 // bytes of the packet under way
	length uint64 // read so far of a length under way
	digits uint   // of the length that were read
	inside bool   // the length is under way
	kind   byte   // of the packet under way: the first byte of its header
	qos    byte   // the highest of a message
}

// subackSize is what a SUBACK has behind its header: nobody here subscribes to more than one topic at a time.
const subackSize = 3

// expected tells whether a packet is one that was asked for: of messages that were subscribed to at one QoS, of an answer to what
// was published at QoS 0 or 1.
func expected(kind byte, length uint64, qos byte) bool {
	switch kind >> 4 {
	case packets.Publish:
		return kind>>1&0b11 <= qos
	case packets.Suback:
		return length == subackSize
	case packets.Connack, packets.Puback, packets.Pingresp:
		return true
	}
	return false
}

// maxDigits is how many bytes a remaining length may have.
const maxDigits = 4

func (f *frames) follow(b []byte) error {
	for len(b) > 0 {
		switch {
		case f.left > 0:
			n := min(f.left, uint64(len(b)))
			f.left -= n
			b = b[n:]
			continue
		case !f.inside:
			f.inside, f.length, f.digits, f.kind = true, 0, 0, b[0]
		default:
			f.length |= uint64(b[0]&127) << (7 * f.digits)
			f.digits++
			if f.length > MaxFrame || b[0]&128 != 0 && f.digits == maxDigits {
				return fmt.Errorf("%w: at least %d bytes", ErrFrame, f.length)
			}
			if b[0]&128 == 0 {
				if !expected(f.kind, f.length, f.qos) {
					return fmt.Errorf("%w: 0x%02x, of %d bytes", ErrFrame, f.kind, f.length)
				}
				f.inside, f.left = false, f.length
			}
		}
		b = b[1:]
	}
	return nil
}
