// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"gatehouse/entry"
)

// Ages of travel codes: older than a day, and older than any outage excuses.
const (
	old    = 30 * time.Hour
	tooOld = 80 * time.Hour
)

func issuerDown() act {
	return act{
		at: "07:45", title: "One issuer goes down",
		tells: "The servers of telecom fail, so its customers cannot get a new travel code. The rule was signed beforehand:\n" +
			"while an issuer is known to be down, its codes count up to 72 hours, and those of no other issuer.",
		scenes: slices.Concat(
			[]scene{
				show("a travel code of telecom, 30 hours old", entry.ReasonTooOld, oldTravel("telecom", "Feng", old)),
				does("the operator says so: gatehouse-fleet issuer down", "documents new", telecomFails),
			},
			[]scene{does("the kiosk says of its emergency measures", "travel codes of telecom up to 3d", measures)},
			oldPair("a health code", "and a travel code of telecom, 30 hours old", "telecom", "Chen"),
			[]scene{
				show("a travel code of mobile, 30 hours old", entry.ReasonTooOld, oldTravel("mobile", "Chu", old)),
				show("a travel code of unicom, 30 hours old", entry.ReasonTooOld, oldTravel("unicom", "Wei", old)),
				show("a travel code of telecom, 80 hours old", entry.ReasonTooOld, oldTravel("telecom", "Jiang", tooOld)),
			},
			pair("a health code", "and a new travel code of mobile", entry.ReasonOK, health("guangdong", "Shen"), travel("mobile", "Shen")),
		),
	}
}

// oldPair is somebody with a new health code and an old travel code, who is admitted because of an outage.
func oldPair(first, second, company, person string) []scene {
	p := pair(first, second, entry.ReasonOK, health("guangdong", person), oldTravel(company, person, old))
	p[1] = p[1].byOutage()
	return p
}

// guestInOutage is one of a wave whose customers of telecom have old codes.
func guestInOutage(i int) []scene {
	if i%4 == 1 {
		who := fmt.Sprintf("guest %d of the second wave", i+1)
		return oldPair(who, who, "telecom", who)
	}
	return guestOf(i)
}

func telecomFails(ctx context.Context, s *stage) (string, error) {
	now := s.hands.now()
	if err := s.fleet.SetDown("telecom", now, now); err != nil {
		return "", err
	}
	return renew(ctx, s)
}

func telecomIsBack(ctx context.Context, s *stage) (string, error) {
	if err := s.fleet.SetUp("telecom"); err != nil {
		return "", err
	}
	return renew(ctx, s)
}

func centreLost(withdrawn *paper) act {
	stale := oldPair("a health code", "and a travel code of mobile, 30 hours old", "mobile", "Han")
	for i := range stale {
		stale[i] = stale[i].onStale()
	}
	return act{
		at: centreGone, title: "The whole centre is gone",
		tells: "No issuer, no operator, no network. What the kiosk knows grows old in three bands, each with its promise.\n" +
			"FRESH, here half an hour: as on any day. STALE, here up to 3 hours: the gate works on and says so, and takes\n" +
			"codes up to 72 hours, for nobody can tell who is down. HARD: too old to decide, guests are sent to the staff.",
		scenes: slices.Concat(
			[]scene{
				does("the last bundle before the silence", "documents new", renew),
				{what: "24 guests, one a minute; telecom's have old codes", crowd: wave(24, time.Minute, guestInOutage)},
				does("the kiosk says of its data", "fresh until 08:40", freshness),
				does("the kiosk says of its data", "stale since 08:40", freshness).after(11 * time.Minute),
				show("a day ticket", entry.ReasonOK, ticket("arena")).onStale(),
				does("and of its emergency measures", "travel codes of telecom, mobile, unicom up to 3d", measures),
			},
			stale,
			[]scene{
				show("a travel code of mobile, 80 hours old", entry.ReasonTooOld, oldTravel("mobile", "Yang", tooOld)).onStale(),
				show("the ticket that was revoked", entry.ReasonRevoked, withdrawn),
				show("a forged ticket", entry.ReasonBadSignature, forged()),
				does("the kiosk says of its data", "hard since 11:10", freshness).after(150 * time.Minute),
				show("a day ticket", entry.ReasonStaleData, ticket("arena")),
				show("a forged ticket", entry.ReasonBadSignature, forged()),
				does("the centre is back, and telecom: a new bundle", "documents new", telecomIsBack).after(15 * time.Minute),
				show("a day ticket", entry.ReasonOK, ticket("arena")),
				show("a travel code of telecom, 30 hours old", entry.ReasonTooOld, oldTravel("telecom", "Zhu", old)),
			},
		),
	}
}

// freshness asks the kiosk for the band of its data.
func freshness(ctx context.Context, s *stage) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	switch d := st.Data; d.Freshness {
	case "fresh":
		return "fresh until " + clock(d.FreshUntil), nil
	case "stale":
		if st.Clock.State != "synced" {
			return "stale at best: its clock is " + st.Clock.State, nil
		}
		return "stale since " + clock(d.FreshUntil) + ", hard from " + clock(d.HardAfter), nil
	case "hard":
		return "hard since " + clock(d.HardAfter), nil
	default:
		return d.Freshness, nil
	}
}

// measures asks the kiosk what it takes now and would not take else.
func measures(ctx context.Context, s *stage) (string, error) {
	st, err := s.client.Status(ctx)
	if err != nil {
		return "", err
	}
	var all []string
	for _, m := range st.Data.Emergency {
		all = append(all, fmt.Sprintf("%s codes of %s up to %s", m.Kind, strings.Join(m.Issuers, ", "), m.OutageMaxAge))
	}
	return strings.Join(all, "; "), nil
}
