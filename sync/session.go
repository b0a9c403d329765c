// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	mrand "math/rand/v2"
	"reflect"
	"runtime/debug"
	"sync/atomic"
	"time"

	mqtt "github.com/eclipse/paho.mqtt.golang"

	"gatehouse/entry"
	"gatehouse/fleet"
)

// session is one connection: everything about it happens in its own goroutine.
type session struct {
	*Client
	link  mqtt.Client
	bad   atomic.Pointer[error] // what the guard has ended the connection for
	inbox *inbox
	nonce fleet.Nonce
	lost  chan error

	sending   sending
	fetching  fetching
	orders    orders
	rereading rereading
	fruitful  bool // the connection brought something that was wanted

	pending   []promise
	beat      time.Time   // when the next is due
	heard     atomic.Bool // lately, something that was not retained
	unheard   int         // heartbeats since then
	joined    bool        // something was heard
	offered   time.Time
	offer     bool        // documents wait to be offered
	offering  chan answer // of the offer that is under way; nil: none is
	corrected time.Time
	reported  Reported
}

// answer is what came of an offer.
type answer struct {
	missing fleet.Missing
	err     error
}

// promise is a token that the broker has yet to fulfil.
type promise struct {
	token mqtt.Token
	until time.Time
}

func newSession(c *Client) *session {
	s := &session{Client: c, lost: make(chan error, 1)}
	s.inbox = newInbox(c.cfg.Place, &c.heap, s.refused)
	_, _ = rand.Read(s.nonce[:]) // never fails
	return s
}

func (s *session) refused(topic string, err error) {
	if kept, ok := s.complaints.due(time.Now()); ok {
		s.cfg.Log.Warn("message left", "topic", topic, "unsaid", kept, "err", err)
	}
}

// deliver takes a message from the library until ctx, the connection's, ends. The library goes on for a while after that with what
// it had read; by then the next connection may stand, and what is old would push out what is new.
func (s *session) deliver(ctx context.Context, m mqtt.Message) {
	if ctx.Err() != nil {
		return
	}
	if !m.Retained() {
		s.heard.Store(true)
	}
	s.inbox.put(m.Topic(), m.Payload())
}

func (s *session) lose(err error) {
	select {
	case s.lost <- fmt.Errorf("%w: %w", ErrLost, err):
	default:
	}
}

func (s *session) status(online bool) Status {
	_, b := s.kiosk.Report()
	return Status{Online: online, Boot: s.cfg.Boot, Nonce: s.nonce.String(), Version: s.cfg.Program, At: b.At}
}

// run works on the connection until it ends.
func (s *session) run(ctx context.Context) error {
	if err := s.subscribe(ctx); err != nil {
		return err
	}
	if err := s.sendBeat(time.Now()); err != nil {
		return err
	}
	s.offer = true // what the last connection brought may have waited for this one
	s.sending.begin(s.outbox.Receipt(), &s.rhythm)
	defer s.takeRest(ctx)
	ticker := time.NewTicker(s.rhythm.tick)
	defer ticker.Stop()
	defer func() {
		if s.offering != nil {
			<-s.offering
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return s.leave()
		case err := <-s.lost:
			return err
		case <-s.inbox.news:
			s.offer = true
			s.sending.hears()
		case m := <-s.inbox.messages:
			s.take(ctx, m)
		case a := <-s.offering:
			s.answered(a)
		case <-ticker.C:
		}
		if err := s.work(ctx, time.Now()); err != nil {
			return err
		}
	}
}

// takeRest takes the blocks and receipts that came before the connection was lost. Orders are not: nobody hears the answer.
func (s *session) takeRest(ctx context.Context) {
	for {
		select {
		case m := <-s.inbox.messages:
			if m.leaf == LeafBlock || m.leaf == LeafReceipt {
				s.take(ctx, m)
			}
		default:
			return
		}
	}
}

// leave says goodbye: the broker publishes the will only where nobody did.
func (s *session) leave() error {
	bye, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	_ = await(bye, s.link.Publish(up(s.cfg.Place, LeafStatus), 1, true, encodeNote(s.status(false))), time.Second)
	return nil
}

// subscribe asks for all topics, and makes sure that the broker grants them.
func (s *session) subscribe(ctx context.Context) error {
	for _, token := range s.askForTopics() {
		if err := await(ctx, token, s.rhythm.answer); err != nil {
			return err
		}
		for filter, qos := range token.(*mqtt.SubscribeToken).Result() {
			if qos >= 0x80 {
				return fmt.Errorf("%w: %s", ErrSubscribe, filter)
			}
		}
	}
	return nil
}

// work does what is due.
func (s *session) work(ctx context.Context, now time.Time) error {
	if s.heard.Swap(false) {
		s.unheard = 0
		if !s.joined {
			s.joined = true
			s.cfg.State(nil)
		}
	}
	if s.offer && s.offering == nil && now.Sub(s.offered) >= s.rhythm.offer {
		s.offer, s.offered = false, now
		s.offerDocuments(ctx, nil)
	}
	if err := errors.Join(s.sendRecords(now), s.askForBlocks(ctx, now)); err != nil {
		return err
	}
	if s.rereading.over(now, &s.rhythm) {
		s.reread(now)
	}
	if !now.Before(s.beat) {
		if err := s.sendBeat(now); err != nil {
			return err
		}
	}
	return s.collect(now)
}

// publish sends, and remembers what the broker owes for it.
func (s *session) publish(leaf string, retained bool, qos byte, payload []byte) {
	token := s.link.Publish(up(s.cfg.Place, leaf), qos, retained, payload)
	s.pending = append(s.pending, promise{token, time.Now().Add(s.rhythm.answer)})
}

// collect looks at what the broker owes.
func (s *session) collect(now time.Time) error {
	kept := s.pending[:0]
	for _, p := range s.pending {
		select {
		case <-p.token.Done():
			if err := p.token.Error(); err != nil {
				return fmt.Errorf("%w: %w", ErrLost, err)
			}
			continue
		default:
		}
		if now.After(p.until) {
			return ErrSilent
		}
		kept = append(kept, p)
	}
	s.pending = kept
	return nil
}

// deafAfter is how many heartbeats may bring nothing back. A busy broker may drop one of them.
const deafAfter = 2

// sendBeat says how the kiosk is, its own status with it, which it has subscribed to. Its answer shows that the broker is still
// there, which a keep-alive over a half-open connection does not, and that it comes back shows that messages do.
func (s *session) sendBeat(now time.Time) error {
	if s.unheard == deafAfter {
		return ErrDeaf
	}
	s.unheard++
	s.beat = now.Add(s.rhythm.beat + mrand.N(s.rhythm.beat))
	_, b := s.kiosk.Report()
	s.rereading.old = b.Band != string(entry.Fresh)
	s.publish(LeafStatus, true, 1, encodeNote(s.status(true)))
	s.publish(LeafBeat, false, 0, encodeNote(b))
	s.report()
	return nil
}

// report publishes what is in force where that has changed.
func (s *session) report() {
	r, _ := s.kiosk.Report()
	if !reflect.DeepEqual(r, s.reported) {
		s.reported = r
		s.publish(LeafReported, true, 1, encodeNote(r))
	}
}

// take deals with a message.
func (s *session) take(ctx context.Context, m message) {
	var err error
	switch m.leaf {
	case LeafReceipt:
		err = s.takeReceipt(m.payload)
	case LeafBlock:
		err = s.takeBlock(m.payload)
	case LeafCommand:
		err = s.takeCommand(ctx, m.payload)
	case LeafStatus:
		s.correct(m.payload)
	}
	if err != nil {
		s.refused(m.leaf, err)
	}
}

// correct publishes the own status where the broker has another: an old connection's will may come after a new one's
// greeting.
func (s *session) correct(payload []byte) {
	var seen Status
	if err := ReadNote(payload, &seen); err == nil && seen.Online && seen.Nonce == s.nonce.String() {
		return
	}
	if now := time.Now(); now.Sub(s.corrected) >= s.rhythm.correct {
		s.corrected = now
		s.publish(LeafStatus, true, 1, encodeNote(s.status(true)))
	}
}

// offerDocuments lets the kiosk believe what it can of what arrived. It takes a slow card a minute and more to build a long list;
// events leave and orders are heard meanwhile.
func (s *session) offerDocuments(ctx context.Context, blobs [][]byte) {
	answers := make(chan answer, 1)
	s.offering = answers
	go func() {
		var a answer
		defer func() { answers <- a }()
		defer recovered(&a.err)
		a.missing, a.err = s.docs.Offer(ctx, s.heap.all(), blobs)
	}()
}

// ErrPanic: the program failed on what came from outside.
var ErrPanic = errors.New("sync: a fault of the program")

// recovered makes a panic an error. Nothing that comes over a network ends the process, in which the lanes are: what a broker
// retains would end it again at each start.
func recovered(err *error) {
	if p := recover(); p != nil {
		*err = fmt.Errorf("%w: %v\n%s", ErrPanic, p, debug.Stack())
	}
}

// answered goes on with what came of an offer.
func (s *session) answered(a answer) {
	s.offering = nil
	if a.err != nil {
		s.cfg.Log.Warn("documents not in force", "err", a.err)
	}
	s.tried(time.Now())
	s.rereading.lacking = a.err != nil || len(a.missing.Documents) > 0
	s.fetching.want(a.missing)
	s.report()
}
