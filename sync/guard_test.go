// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"bytes"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"
)

// published is a packet of a broker with this payload.
func published(t testing.TB, payload []byte) []byte {
	p := packets.NewControlPacket(packets.Publish).(*packets.PublishPacket)
	p.TopicName, p.Payload = "gatehouse/v1/all/down/root", payload
	var b bytes.Buffer
	if err := p.Write(&b); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// announced is the header of a packet of this length, and nothing of the packet.
func announced(length uint64) []byte {
	b := []byte{packets.Publish << 4}
	for {
		digit := byte(length & 127)
		if length >>= 7; length > 0 {
			digit |= 128
		}
		if b = append(b, digit); length == 0 {
			return b
		}
	}
}

func TestALongFrameEndsTheConnectionBeforeItIsAllocated(t *testing.T) {
	for name, frame := range map[string][]byte{
		"256 MiB":     announced(268435455),
		"a bit more":  announced(MaxFrame + 1),
		"five digits": {0x30, 0xff, 0xff, 0xff, 0xff, 0x01},
	} {
		ours, broker := net.Pipe()
		go func() { broker.Write(append(published(t, []byte("good")), frame...)) }()
		c := &guarded{Conn: ours}
		_, err := io.Copy(io.Discard, io.LimitReader(c, 1<<10))
		if !errors.Is(err, ErrFrame) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := broker.Write([]byte{0}); err == nil {
			t.Errorf("%s: the connection is open", name)
		}
	}
}

func TestFramesOfAllowedLengthPass(t *testing.T) {
	stream := bytes.Join([][]byte{published(t, nil), published(t, make([]byte, 200)), published(t, make([]byte, 4<<20)), {0xd0, 0x00}, published(t, []byte("x"))}, nil)
	for _, step := range []int{1, 7, 4096, len(stream)} {
		var f frames
		for b := stream; len(b) > 0; {
			n := min(step, len(b))
			if err := f.follow(b[:n]); err != nil {
				t.Fatalf("in steps of %d: %v", step, err)
			}
			b = b[n:]
		}
		if f.inside || f.left != 0 {
			t.Errorf("in steps of %d it ends within a packet: %+v", step, f)
		}
	}
}

// FuzzFrames holds that the guard cuts a stream as the library does: what it lets pass, the library can read without
// allocating more than a frame may have.
func FuzzFrames(f *testing.F) {
	f.Add(published(f, []byte("x")), 3)
	f.Add(announced(268435455), 1)
	f.Add([]byte{0x30, 0x80, 0x80, 0x80, 0x80}, 2)
	f.Fuzz(func(t *testing.T, stream []byte, step int) {
		var whole, parts frames
		werr := whole.follow(stream)
		var perr error
		step = 1 + max(step, 0)%16
		for b := stream; len(b) > 0 && perr == nil; b = b[min(step, len(b)):] {
			perr = parts.follow(b[:min(step, len(b))])
		}
		if (werr == nil) != (perr == nil) || werr == nil && whole != parts {
			t.Fatalf("whole: %+v %v; in parts: %+v %v", whole, werr, parts, perr)
		}
		for r := bytes.NewReader(stream); werr == nil; {
			at := len(stream) - r.Len()
			rest := stream[at:]
			var one frames
			if len(rest) == 0 || one.follow(rest) != nil {
				break
			}
			p, err := packets.ReadPacket(r)
			if err != nil {
				break
			}
			if n := p.Details(); n.Qos > 3 {
				t.Fatal("no packet")
			}
		}
	})
}
