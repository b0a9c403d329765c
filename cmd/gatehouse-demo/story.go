// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"slices"
	"time"

	"gatehouse/entry"
)

// story is the morning. Every code in it is new each time.
func story() []act {
	withdrawn, last := ticket("arena"), ticket("arena")
	return []act{
		doors(), twoPasses(), peak(),
		issuerDown(), persuasion(withdrawn), centreLost(withdrawn),
		nobodyWalks(), wear(withdrawn), tornClock(), fullDisk(), technician(),
		joined(), revokedOnline(last), brokerGone(last), brokerBack(), newRule(), ordered(),
	}
}

func doors() act {
	first, held := ticket("arena"), ticket("arena")
	return act{
		at: "07:00", title: "The doors open",
		tells: "Each guest shows a code. The gate opens, or the guest is told why not; nothing is asked of any server.",
		scenes: []scene{
			show("a day ticket of the arena", entry.ReasonOK, first),
			show("a ticket that the city issued", entry.ReasonOK, ticket("shenzhen")),
			show("an EU certificate of vaccination", entry.ReasonOK, certificate(false)),
			show("a valid EU certificate of a positive test", entry.ReasonNotAccepted, certificate(true)),
			show("yesterday's ticket", entry.ReasonExpired, ticketFor("arena", venue, -time.Minute)),
			show("a ticket signed by a forger with the arena's key id", entry.ReasonBadSignature, forged()),
			show("a ticket of an issuer that nobody knows", entry.ReasonUnknownIssuer, strange()),
			show("a ticket for the pool across the street", entry.ReasonWrongVenue, ticketFor("arena", "pool", time.Hour)),
			show("the first day ticket again", entry.ReasonAlreadyUsed, first),
			show("the menu of the café", entry.ReasonUnrecognised, words("https://example.org/menu")),
			show("half a ticket", entry.ReasonMalformed, half(held)),
			{what: "a ticket held in front, read five times", paper: held, times: 5, want: entry.ReasonOK},
		},
	}
}

func twoPasses() act {
	return act{
		at: "07:15", title: "Two passes for one entry",
		tells: "Who has no ticket shows a health code and a travel code, in any order. Both must be the same person's:\n" +
			"the kiosk compares pseudonyms, in memory, and keeps neither.",
		scenes: slices.Concat(
			pair("Li shows a health code of the province", "and a travel code of telecom", entry.ReasonOK,
				health("guangdong", "Li"), travel("telecom", "Li")),
			pair("Wang shows the travel code first, of mobile", "and then the health code", entry.ReasonOK,
				travel("mobile", "Wang"), health("guangdong", "Wang")),
			pair("Zhao shows a health code", "and the travel code of somebody else", entry.ReasonDifferentHolder,
				health("guangdong", "Zhao"), travel("unicom", "Qian")),
			pair("Sun's province app fails: the city's health code", "and a travel code of unicom", entry.ReasonOK,
				health("shenzhen", "Sun"), travel("unicom", "Sun")),
			pair("Zhou comes from Xi'an: the health code of Shaanxi", "and a travel code of telecom", entry.ReasonOK,
				health("shaanxi", "Zhou"), travel("telecom", "Zhou")),
			[]scene{
				show("Wu's health code is yellow", entry.ReasonNotAccepted, statusCode("health", "guangdong", "yellow", "Wu", time.Hour)),
				show("Zheng's travel code is from yesterday morning", entry.ReasonTooOld, oldTravel("mobile", "Zheng", 25*time.Hour)),
			},
		),
	}
}

func peak() act {
	return act{
		at: "07:25", title: "The peak",
		tells: "The first wave: day tickets, and pairs of codes of three health issuers and three telephone companies.",
		scenes: []scene{
			does("a new bundle of the operator arrives", "documents new", renew),
			{what: "20 guests, two a minute", crowd: wave(20, 30*time.Second, guestOf)},
		},
	}
}

// wave is many guests, one after the other.
func wave(n int, apart time.Duration, guest func(i int) []scene) (all []scene) {
	for i := range n {
		scenes := guest(i)
		scenes[0] = scenes[0].after(apart)
		all = append(all, scenes...)
	}
	return all
}

// guestOf is the i-th guest of a wave: a quarter has tickets, and the others both codes, in both orders.
func guestOf(i int) []scene {
	who := fmt.Sprintf("guest %d", i+1)
	switch i % 4 {
	case 0:
		return []scene{show(who, entry.ReasonOK, ticket("arena"))}
	case 1:
		return pair(who, who, entry.ReasonOK, health("guangdong", who), travel("telecom", who))
	case 2:
		return pair(who, who, entry.ReasonOK, travel("mobile", who), health("shenzhen", who))
	}
	return pair(who, who, entry.ReasonOK, health("shaanxi", who), travel("unicom", who))
}
