// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre_test

import (
	"errors"
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatehouse/fleet/centre"
	syncer "gatehouse/sync"
)

// A broker that sends what nobody asked for ends the connection, and not the program: the client library panics at an answer too
// many to a subscription, and allocates whatever is announced.
func TestWhatABrokerSendsUnaskedEndsTheConnectionOnly(t *testing.T) {
	for name, raw := range map[string][]byte{
		"more answers than topics": {packets.Suback << 4, 4, 0, 1, 0, 0},
		"a frame of 268 MB":        {packets.Publish << 4, 0xff, 0xff, 0xff, 0x7f},
		"a message at QoS 2":       {packets.Publish<<4 | 2<<1, 6, 0, 1, 'x', 0, 1, 0xa0},
	} {
		t.Run(name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			check(t, err)
			served := make(chan struct{})
			go func() {
				defer close(served)
				c, err := l.Accept()
				if err != nil {
					return
				}
				defer c.Close()
				for {
					p, err := packets.ReadPacket(c)
					if err != nil {
						return
					}
					switch p := p.(type) {
					case *packets.ConnectPacket:
						_ = packets.NewControlPacket(packets.Connack).Write(c)
					case *packets.SubscribePacket:
						if raw[0]>>4 == packets.Suback {
							raw[2], raw[3] = byte(p.MessageID>>8), byte(p.MessageID)
						}
						_, _ = c.Write(raw)
					}
				}
			}()
			defer func() { l.Close(); <-served }()
			err = centre.Watch(t.Context(), centre.Broker{Addr: l.Addr().String()}, func([]centre.Seen) error { return nil })
			if !errors.Is(err, centre.ErrBroker) || !errors.Is(err, syncer.ErrFrame) {
				t.Errorf("watched: %v", err)
			}
		})
	}
}
