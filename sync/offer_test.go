// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer_test

import (
	"sync"
	"testing"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
	"gatehouse/sync/mqtttest"
)

// While a long list is built, which takes a slow card a minute and more, events leave and orders are heard. What arrives
// meanwhile is offered afterwards.
func TestAListThatIsBuiltHoldsNothingUp(t *testing.T) {
	b, k := mqtttest.Start(t), newKiosk(t)
	built := make(chan struct{})
	k.built = built
	e := listen(t, b)
	b.Publish(syncer.DocumentTopic(fleet.KindHead, "arena"), true, document(t, fleet.KindHead, "arena", 1).Bytes())
	k.join(b.Addr())
	finish := sync.OnceFunc(func() { close(built) })
	t.Cleanup(finish)
	s := e.status()
	k.until("an offer under way", func() bool { return len(k.offered) == 1 })

	k.set(func() { k.events = append(k.events, []byte{0xa0}) })
	collect(t, b, e, 0, 1)
	k.until("the event received", func() bool { return k.receipt.Seq == 1 })
	raw, err := fleet.SignCommand(place, morning, fleet.Command{
		ID: fleet.Nonce{1}, Boot: s.Boot, Nonce: nonceOf(t, s), Action: fleet.ActionOpen, Lane: "in-1", Reason: "pushchair",
	}, key(t, fleet.RoleCommand))
	if err != nil {
		t.Fatal(err)
	}
	b.Publish("gatehouse/v1/arena/gate-1/down/cmd", false, raw)
	k.until("the order obeyed", func() bool { return len(k.obeyed) == 1 })
	b.Publish(syncer.DocumentTopic(fleet.KindConfig, "arena"), true, document(t, fleet.KindConfig, "arena", 1).Bytes())
	e.next("up/res/")
	finish()
	k.until("both documents offered", func() bool { return len(k.offered) == 2 })
}
