// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package centre

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"time"

	"gatehouse/fleet"
	syncer "gatehouse/sync"
)

// Why a command was not carried out, beside what the kiosk says.
var (
	// ErrOffline: the kiosk is not joined to the fleet now, so nobody can order it. Commands are never kept for later.
	ErrOffline = errors.New("centre: the kiosk is not joined to its fleet now")
	// ErrNoAnswer: the command was sent and no answer came. Whether it was carried out is in the kiosk's events.
	ErrNoAnswer = errors.New("centre: no answer; whether it was carried out is in the kiosk's events")
)

// Order is what a kiosk is told to do.
type Order struct {
	To     fleet.Place
	Action fleet.Action
	Lane   string // where the action is about one
	Reason string
}

// Command orders one kiosk to do something, on the connection that it has now, and returns what became of it. ctx bounds the
// waiting.
func Command(ctx context.Context, b Broker, o Order, at time.Time, keys ...fleet.SigningKey) (r syncer.Result, err error) {
	l, err := dial(ctx, b, "office-"+clientSuffix(), ears{
		filters: []string{syncer.UpTopic(o.To, syncer.LeafStatus), syncer.UpTopic(o.To, syncer.LeafResult+"/#")}, qos: 1, room: 64,
	})
	if err != nil {
		return r, err
	}
	defer l.close()
	s, err := statusOf(ctx, l)
	if err != nil {
		return r, fmt.Errorf("%w: %s", err, o.To)
	}
	c := fleet.Command{Boot: s.Boot, Action: o.Action, Lane: o.Lane, Reason: o.Reason}
	_, _ = rand.Read(c.ID[:]) // never fails
	if err := c.Nonce.UnmarshalText([]byte(s.Nonce)); err != nil {
		return r, fmt.Errorf("%w: its status is not one", ErrOffline)
	}
	raw, err := fleet.SignCommand(o.To, at, c, keys...)
	if err != nil {
		return r, err
	}
	if err := l.publish(ctx, syncer.DownTopic(o.To, syncer.LeafCommand), false, raw); err != nil {
		return r, err
	}
	for {
		select {
		case m := <-l.heard:
			if strings.HasSuffix(m.topic, "/"+syncer.LeafResult+"/"+c.ID.String()) {
				err := syncer.ReadNote(m.payload, &r)
				return r, err
			}
		case err := <-l.lost:
			return r, errors.Join(ErrNoAnswer, err)
		case <-ctx.Done():
			return r, ErrNoAnswer
		}
	}
}

// statusMost is how long a retained status takes to come.
const statusMost = 5 * time.Second

// statusOf waits for the retained status of the kiosk that was subscribed to.
func statusOf(ctx context.Context, l *link) (s syncer.Status, err error) {
	timer := time.NewTimer(statusMost)
	defer timer.Stop()
	for {
		select {
		case m := <-l.heard:
			if !strings.HasSuffix(m.topic, "/"+syncer.LeafStatus) {
				continue
			}
			if err := syncer.ReadNote(m.payload, &s); err != nil || !s.Online {
				return s, ErrOffline
			}
			return s, nil
		case err := <-l.lost:
			return s, err
		case <-timer.C:
			return s, ErrOffline
		case <-ctx.Done():
			return s, ctx.Err()
		}
	}
}

// clientSuffix keeps two commands at once from throwing each other out of the broker.
func clientSuffix() string {
	var n fleet.Nonce
	_, _ = rand.Read(n[:]) // never fails
	return n.String()[:12]
}
