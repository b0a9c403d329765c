// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package syncer

import (
	"strings"

	"gatehouse/fleet"
)

// topicRoot begins every topic. Below it are the fleet's, the venue's and the kiosk's branch, and in each what goes down to
// kiosks and up from them, so that an access list or a bridge is two lines.
const topicRoot = "gatehouse/v1/"

// Names of the leaves, to a kiosk and from one.
const (
	leafRoot     = "root"   // the chain of roots, as a bundle; retained
	leafDoc      = "doc"    // doc/{kind}: a document of the whole fleet; retained
	leafHead     = "head"   // retained
	leafConfig   = "config" // retained
	LeafCommand  = "cmd"
	LeafReceipt  = "ack"
	LeafBlock    = "blk"
	LeafStatus   = "status"   // retained, and the will
	LeafReported = "reported" // retained
	LeafRecords  = "ev"
	LeafWant     = "get"
	LeafResult   = "res" // res/{id}
	LeafBeat     = "hb"
)

// RootTopic carries the chain of roots.
func RootTopic() string { return topicRoot + "all/down/" + leafRoot }

// DocumentTopic carries a document. Only the root has a topic of another form.
func DocumentTopic(kind fleet.Kind, scope fleet.Scope) string {
	switch {
	case scope == fleet.ScopeAll:
		return topicRoot + "all/down/" + leafDoc + "/" + string(kind)
	case scope.Kiosk() == "":
		return topicRoot + scope.Venue() + "/all/down/" + string(kind)
	}
	return topicRoot + scope.Venue() + "/" + scope.Kiosk() + "/down/" + string(kind)
}

// DownTopic is a topic of messages to one kiosk.
func DownTopic(p fleet.Place, leaf string) string { return down(p, leaf) }

// UpTopic is a topic of messages from one kiosk.
func UpTopic(p fleet.Place, leaf string) string { return up(p, leaf) }

// UpFilter matches a leaf of every kiosk.
func UpFilter(leaf string) string { return topicRoot + "+/+/up/" + leaf }

// ParseUp tells from which kiosk a message came up, and what it is.
func ParseUp(topic string) (from fleet.Place, leaf string, ok bool) {
	rest, ok := strings.CutPrefix(topic, topicRoot)
	parts := strings.SplitN(rest, "/", 4)
	if !ok || len(parts) != 4 || parts[2] != "up" {
		return from, "", false
	}
	from = fleet.Place{Venue: parts[0], Kiosk: parts[1]}
	return from, parts[3], from.Validate() == nil
}

func down(p fleet.Place, leaf string) string {
	return topicRoot + p.Venue + "/" + p.Kiosk + "/down/" + leaf
}

// up is a topic of messages from one kiosk.
func up(p fleet.Place, leaf string) string {
	return topicRoot + p.Venue + "/" + p.Kiosk + "/up/" + leaf
}

// filters are what a kiosk subscribes to.
func filters(p fleet.Place) []string {
	return []string{topicRoot + "all/down/#", topicRoot + p.Venue + "/all/down/#", down(p, "#"), up(p, LeafStatus)}
}

// carriesDocuments tells whether a topic that a kiosk may have subscribed to is one of documents. What it carries says for
// itself what it is.
func carriesDocuments(p fleet.Place, topic string) bool {
	for _, branch := range []string{topicRoot + "all/down/", topicRoot + p.Venue + "/all/down/", down(p, "")} {
		leaf, ok := strings.CutPrefix(topic, branch)
		if !ok {
			continue
		}
		kind, isDoc := strings.CutPrefix(leaf, leafDoc+"/")
		switch {
		case branch == topicRoot+"all/down/":
			return leaf == leafRoot || isDoc && (kind == string(fleet.KindIssuers) || kind == string(fleet.KindConfig) || fleet.ValidName(fleet.Kind(kind).Issuer()))
		case branch == down(p, ""):
			return leaf == leafConfig
		}
		return leaf == leafHead || leaf == leafConfig
	}
	return false
}
