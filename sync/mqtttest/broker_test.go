// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package mqtttest_test

import (
	"net"
	"testing"
	"time"

	"github.com/eclipse/paho.mqtt.golang/packets"

	"gatehouse/sync/mqtttest"
)

// A broker can be killed while its clients leave, and while somebody has connected and said nothing.
func TestABrokerIsKilledWhileItsClientsLeave(t *testing.T) {
	b := mqtttest.Start(t)
	call := func() net.Conn {
		c, err := net.Dial("tcp", b.Addr())
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	for round := range 300 {
		silent, clients := call(), make([]net.Conn, 8)
		for i := range clients {
			clients[i] = call()
			hello := packets.NewControlPacket(packets.Connect).(*packets.ConnectPacket)
			hello.ProtocolName, hello.ProtocolVersion, hello.CleanSession = "MQTT", 4, true
			hello.ClientIdentifier = string(rune('a' + i))
			if err := hello.Write(clients[i]); err != nil {
				t.Fatal(err)
			}
			if _, err := packets.ReadPacket(clients[i]); err != nil {
				t.Fatal(err)
			}
		}
		killed := make(chan struct{})
		go func() { defer close(killed); b.Kill() }()
		for _, c := range clients {
			_ = c.Close()
		}
		select {
		case <-killed:
		case <-time.After(time.Minute):
			t.Fatalf("round %d: not killed in a minute", round)
		}
		_ = silent.Close()
		b.Restart()
	}
}
