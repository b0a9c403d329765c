// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package folder

// note is what an editor tells of a key, and what its type does not say.
type note struct {
	text     string
	required bool
	more     object
}

const (
	kindPattern = "^[a-z0-9_-]+$"
	most        = 1<<31 - 1 // uses of a pass
)

var kindNames = object{"type": "string", "pattern": kindPattern}

// notes are by file and key.
var notes = map[string]note{
	"fleet.format":        {text: "The format of this file: 1.", required: true, more: object{"const": 1}},
	"fleet.bundle":        {text: "How long the data of a bundle counts after it was made. A venue's rule caps it (max_fresh, max_hard).", required: true},
	"fleet.bundle.fresh":  {text: "Until then data is fresh; after it kiosks work on and say that it is stale.", required: true},
	"fleet.bundle.hard":   {text: "After this nobody is admitted until a newer bundle is imported. At least as long as fresh.", required: true},
	"fleet.online":        {text: "The same for kiosks that are joined to the fleet, which hear of a new head every ten minutes. Absent: fresh for 30m, hard as in bundle."},
	"fleet.online.fresh":  {text: "Until then data is fresh. Longer than some heads that are missed, or every hiccup of a network is told.", required: true},
	"fleet.online.hard":   {text: "After this nobody is admitted until the kiosk has heard of a newer head. At least as long as fresh.", required: true},
	"fleet.online.spread": {text: "Kiosks begin to fetch a new revocation base at a moment of their own within this time, so that not all ask at once. Shorter than fresh; absent: at once."},
	"fleet.broker":        {text: "Where kiosks and centre meet, host:port, for example broker.example:8883. Without it kiosks get bundles only.", more: object{"pattern": "^.+:[0-9]+$"}},

	"issuer.keys":            {text: "The issuer's keys, and what each may sign.", required: true, more: object{"minItems": 1}},
	"issuer.keys.file":       {text: "The name of the key's file in issuers/NAME/.", required: true, more: object{"pattern": "^[^/]+$"}},
	"issuer.keys.type":       {text: "What the file holds: certificates (x509), a public key (spki) or a JSON Web Key (jwk).", required: true, more: object{"enum": []string{"x509", "spki", "jwk"}}},
	"issuer.keys.formats":    {text: "The formats that it may sign: Gatehouse passes (gh1), EU certificates (hc1). Absent: what suits the key."},
	"issuer.keys.kinds":      {text: "The kinds of pass that it may sign. Absent: every kind."},
	"issuer.keys.scopes":     {text: "The venues, or venue/zone, for which it may sign. Absent: everywhere."},
	"issuer.keys.not_before": {text: "From when its passes count: 2026-05-01, or RFC 3339."},
	"issuer.keys.not_after":  {text: "Until when its passes count: 2026-05-01, or RFC 3339."},

	"policy.accept":                    {text: "The rules, asked in order: the first that holds admits. No rule admits nobody.", more: object{"maxItems": 64}},
	"policy.accept.name":               {text: "What events and staff are told of the rule. Each rule has its own.", required: true, more: object{"minLength": 1}},
	"policy.accept.all":                {text: "The passes that it takes: one, or two for one entry.", required: true, more: object{"minItems": 1, "maxItems": 2}},
	"policy.accept.all.kind":           {text: "The kind of pass: ticket, health, travel, staff, …", required: true, more: object{"pattern": kindPattern}},
	"policy.accept.all.issuers":        {text: "The issuers whose passes it accepts.", required: true, more: object{"minItems": 1, "maxItems": 512, "items": object{"type": "string", "minLength": 1}}},
	"policy.accept.all.level":          {text: "The levels that are good enough. Health and travel need it: a valid certificate is not a healthy person.", more: object{"items": object{"type": "string", "minLength": 1}}},
	"policy.accept.all.uses":           {text: "How often one pass admits at a kiosk. Absent: once for a ticket, else without limit.", more: object{"minimum": 1, "maximum": most}},
	"policy.accept.all.max_age":        {text: "How old the pass may be, from its issue, or from the sample or vaccination. Absent: every age."},
	"policy.accept.all.outage_max_age": {text: "Takes the place of max_age while the issuer is down or data is stale. At least as long as max_age."},
	"policy.accept.hours":              {text: "When the rule counts, by the clocks of time_zone. Absent: always.", more: object{"maxItems": 64}},
	"policy.accept.same_holder":        {text: "Two passes must be one person's. Absent: they must."},
	"policy.accept.pair_within":        {text: "How long the first of two passes waits for the second: 1s to 2m. Absent: 20s."},
	"policy.time_zone":                 {text: "The venue's time zone, by its IANA name: Asia/Shanghai, Europe/Berlin. Hours need one."},
	"policy.private":                   {text: "Kinds of pass whose events carry no hash of the pass. Health and travel never do.", more: object{"items": kindNames}},
	"policy.refer_untrusted_clock":     {text: "Send guests to a person while the clock is behind what the kiosk knows that it is."},
	"policy.max_fresh":                 {text: "How long data is fresh at most, whatever a head says. Absent: 12h."},
	"policy.max_hard":                  {text: "How long data counts at most, whatever a head says. Absent: 7d."},
	"policy.record":                    {text: "What happens while the disk does not take what must be recorded."},
	"policy.record.deadline":           {text: "How long a decision waits to be on the disk: 100ms to 10s. Absent: 2s."},
	"policy.record.late":               {text: "What then: nobody is let in (hold), or who has a pass without a limit of uses (open). Absent: hold."},
	"policy.lanes":                     {text: "Signed settings of a lane, by the name that it has in the kiosk's own config."},
	"policy.lanes.zone":                {text: "Where the lane leads to: a pass for venue/zone admits here alone.", more: object{"pattern": "^[^/]*$"}},
	"policy.lanes.pulse":               {text: "How long the relay opens."},
	"policy.lanes.wide_pulse":          {text: "How long it opens for a wide pass: wheelchairs, pushchairs. Absent: 3s."},
	"policy.lanes.direction":           {text: "A lane out opens for every code, whenever, and gives the use of a pass back. Absent: in."},
	"policy.lanes.closed":              {text: "When the lane admits nobody, by the clocks of time_zone.", more: object{"maxItems": 64}},
	"policy.lanes.free":                {text: "When the lane is open to everybody, by the clocks of time_zone.", more: object{"maxItems": 64}},
}
