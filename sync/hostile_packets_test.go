// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"net"
	"testing"

	"github.com/eclipse/paho.mqtt.golang/packets"

	syncer "gatehouse/sync"
)

// What no broker has to say to a kiosk ends the connection, and neither the process, in which the lanes are, nor its memory. To a
// subscription the library takes as many answers as there are and panics at one too many; of messages at QoS 1 and 2 it keeps
// each until a handshake is over that the broker need not end.
func TestPacketsThatAreNotForAKioskEndTheConnectionOnly(t *testing.T) {
	message := func(qos byte) []byte {
		return []byte{packets.Publish<<4 | qos<<1, 6, 0, 1, 'x', 0, 1, 0xa0}
	}
	for name, raw := range map[string][]byte{
		"more answers than topics": {packets.Suback << 4, 18, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0},
		"no answer":                {packets.Suback << 4, 2, 0, 1},
		"a message at QoS 1":       message(1),
		"a message at QoS 2":       message(2),
		"a message at QoS 3":       message(3),
		"a handshake of QoS 2":     {packets.Pubrec << 4, 2, 0, 1},
		"the end of one":           {packets.Pubrel<<4 | 2, 2, 0, 1},
		"a subscription":           {packets.Subscribe<<4 | 2, 6, 0, 1, 0, 1, 'x', 0},
		"nothing":                  {0, 0},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHostile(t)
			h.between.Seize(func(c net.Conn) {
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
			})
			h.join(h.between.Addr)
			h.failed(syncer.ErrFrame)
			h.recovers(t)
		})
	}
}
