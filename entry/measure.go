// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package entry

// Measure is an emergency measure in force: a clause takes passes up to its outage_max_age.
type Measure struct {
	Rule    *Rule   // it is shared and never changes
	Clause  *Clause // of the rule
	Issuers []string
}

// Measures are the emergency measures in force at a moment, in the order of the rules: for issuers that are down, and for
// those of which what is known is stale. Data that is too old ends them.
func (t *Terms) Measures(now Moment) (list []Measure) {
	if t.Policy == nil {
		return nil
	}
	for i := range t.Policy.Accept {
		rule := &t.Policy.Accept[i]
		for j := range rule.All {
			clause := &rule.All[j]
			if clause.OutageMaxAge <= clause.MaxAge {
				continue
			}
			m := Measure{Rule: rule, Clause: clause}
			for _, issuer := range clause.Issuers {
				fresh := t.Bands(issuer).Freshness(now)
				if fresh != Hard && t.outage(issuer, fresh == Stale) != "" {
					m.Issuers = append(m.Issuers, issuer)
				}
			}
			if len(m.Issuers) > 0 {
				list = append(list, m)
			}
		}
	}
	return list
}
