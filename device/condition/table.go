// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package condition

import "time"

// The codes. Those from GH-701 on are found by gatehouse doctor alone.
const (
	Scanner Code = "GH-101"

	Gate   Code = "GH-201"
	Lamp   Code = "GH-202"
	Sensor Code = "GH-203"

	ExitInput Code = "GH-204"
	FireInput Code = "GH-205"
	Fire      Code = "GH-206"

	Closed Code = "GH-207"

	Record        Code = "GH-301"
	Ledger        Code = "GH-302"
	LedgerLost    Code = "GH-303"
	RecordStalled Code = "GH-304"
	LedgerGone    Code = "GH-305"
	Pruning       Code = "GH-306"
	Stores        Code = "GH-307"

	NoBelief      Code = "GH-401"
	TrustSetAside Code = "GH-402"
	Trust         Code = "GH-403"
	Bundle        Code = "GH-404"
	DataStale     Code = "GH-405"
	DataHard      Code = "GH-406"
	Incomplete    Code = "GH-407"

	Clock       Code = "GH-501"
	ClockBehind Code = "GH-502"

	DiskSpace  Code = "GH-601"
	Floor      Code = "GH-602"
	FloorWrite Code = "GH-603"
	LocalAPI   Code = "GH-604"
	Metrics    Code = "GH-605"

	Broker  Code = "GH-651"
	Receipt Code = "GH-652"
	Outbox  Code = "GH-653"

	Config   Code = "GH-701"
	VenueKey Code = "GH-702"
	State    Code = "GH-703"
	Daemon   Code = "GH-704"
	Stopped  Code = "GH-705"
	TimeZone Code = "GH-706"
)

// A kiosk that has just started needs a while for its time server.
const untilSynced = 2 * time.Minute

var table = []Row{
	{
		Code: Scanner, Name: "scanner", PerLane: true, Severity: Error, Delay: 5 * time.Second,
		Meaning: "Codes that are shown at this lane are not read.",
		Cause:   "The scanner is unplugged, without power, or under another name than the config says.",
		Do:      "Plug the scanner in again. Compare scanner.port of the config with: ls -l /dev/serial/by-id. See what the kernel says: dmesg.",
	},
	{
		Code: Gate, Name: "gate", PerLane: true, Severity: Error, Delay: 2 * time.Second,
		Meaning: "The relay of this lane cannot be relied on. Nobody is admitted here and no pass is used up.",
		Cause:   "The GPIO chip or a line of it is missing or held by another program, or the relay board does not answer.",
		Do:      "Send guests to another lane. Check the board, its power and its wiring; compare the line names of the config with: gpioinfo. The lane comes back by itself.",
	},
	{
		Code: Lamp, Name: "lamp", PerLane: true, Severity: Warning, Delay: 5 * time.Second,
		Meaning: "A lamp of this lane does not do what it is told. The lane works on without it.",
		Cause:   "The lamp's line is missing or its driver fails.",
		Do:      "Check the lamp's wiring and its line's name in the config.",
	},
	{
		Code: Sensor, Name: "sensor", PerLane: true, Severity: Warning, Delay: 5 * time.Second,
		Meaning: "The passage sensor of this lane cannot be relied on. The lane works on, and a pass is used up even when nobody walks through.",
		Cause:   "The contact's wire is cut, its polarity is wrong in the config, something stands in the passage, or several guests turned away.",
		Do:      "Walk through once after an admission: a sensor that was only silent is believed again. Check the contact's wiring, gpio.passage of the config and the line's name.",
	},
	{
		Code: ExitInput, Name: "exit contact", PerLane: true, Severity: Error, Delay: 5 * time.Second,
		Meaning: "The contact by which people ask to leave cannot be relied on. If it cannot be read, nobody is let out by it; if it is stuck, the lane opens again and again, to everybody.",
		Cause:   "The contact's wire is cut, its polarity is wrong in the config, something presses the button, or its line is missing.",
		Do:      "Post somebody at the lane. Check the button, its wiring, gpio.exit of the config and the line's name: gpioinfo.",
	},
	{
		Code: FireInput, Name: "fire contact", PerLane: true, Severity: Error, Delay: 5 * time.Second,
		Meaning: "The fire alarm's contact cannot be read: this kiosk would not notice a fire. The lane works on. What the alarm releases by wire is not touched by this.",
		Cause:   "The contact's line is missing or held by another program, or the GPIO chip fails.",
		Do:      "Check the wiring, gpio.fire of the config and the line's name: gpioinfo. Test it with the fire alarm's people.",
	},
	{
		Code: Fire, Name: "fire alarm", PerLane: true, Severity: Error,
		Meaning: "The fire contact is active. The lane is at its level for a fire and admits nobody, until the alarm ends.",
		Cause:   "A fire alarm, a test of it, or a cut wire of its contact.",
		Do:      "Follow the venue's fire plan. If there is no alarm: check the contact's wiring and its polarity in the config (gpio.fire).",
	},
	{
		Code: Closed, Name: "closed by hand", PerLane: true, Severity: Warning,
		Meaning: "Staff closed this lane. It admits nobody until it is released, also after a restart.",
		Cause:   "Somebody gave the order: gatehouse gate close. The text says who, when and why.",
		Do:      "If the reason is over: gatehouse gate release LANE --reason TEXT. Look before each event whether a lane is still closed.",
	},
	{
		Code: Record, Name: "record", Severity: Error, DependsOn: []Code{RecordStalled, DiskSpace},
		Meaning: "The last admission or event could not be written down. Nobody is admitted who is not recorded.",
		Cause:   "The disk is full, read-only or failing.",
		Do:      "Look at the disk: df -h, findmnt, dmesg. Replace a card that fails. Then: systemctl restart gatehoused.",
	},
	{
		Code: Ledger, Name: "ledger", Severity: Error, DependsOn: []Code{Record},
		Meaning: "The record of admissions cannot be read, so passes of limited use are not admitted.",
		Cause:   "ledger.db is damaged or the card fails.",
		Do:      "Look at the card: dmesg. Restart with: systemctl restart gatehoused. A damaged file is then set aside; keep it for the operator.",
	},
	{
		Code: LedgerLost, Name: "ledger lost", Severity: Error,
		Meaning: "The former record of admissions is gone, so nobody knows which passes of limited use were used: they are answered out of order. All others are admitted.",
		Cause:   "ledger.db was damaged, removed, or belongs to another card.",
		Do:      "Look for the former ledger.db: on another card, in a backup, or beside the new one as ledger.db.corrupt-1. If it is lost for good: gatehouse ledger accept-loss.",
	},
	{
		Code: RecordStalled, Name: "record stalled", Severity: Error,
		Meaning: "The disk takes longer to write an event than the venue allows (record.deadline). Guests are asked to wait, or admitted and recorded late where the venue says so. What waits is held in memory and lost in a power cut.",
		Cause:   "The card is failing, or something else keeps the disk busy.",
		Do:      "See what is busy: iotop, dmesg. Do not pull the plug. Replace a card that stalls again and again.",
	},
	{
		Code: LedgerGone, Name: "ledger gone", Severity: Error,
		Meaning: "The file of the record was moved, deleted or replaced while the kiosk runs. What is recorded now is lost at the next start, so passes of limited use are answered out of order. All others are admitted.",
		Cause:   "Somebody cleaned up or restored the state folder beside a running kiosk, or its disk was unmounted.",
		Do:      "If the folder was moved, move its files back into the new one, which the kiosk made in its place (mv FOLDER/* STATE/): the kiosk goes on within a minute. Else put a backup in place or not, and: systemctl restart gatehoused. The start tells the loss (GH-303); import a bundle if the documents are gone as well: gatehouse import FILE.",
	},
	{
		Code: Pruning, Name: "pruning", Severity: Warning, DependsOn: []Code{Ledger, RecordStalled, DiskSpace},
		Meaning: "Old events and uses of expired passes are not removed, so the record grows. The lanes work on.",
		Cause:   "The record's file is damaged in a part that was not read otherwise, somebody changed an event, or the disk takes no writes.",
		Do:      "Run: gatehouse ledger check. If it names an event that was changed, keep the file for the operator. Look at the card: dmesg.",
	},
	{
		Code: Stores, Name: "stores", Severity: Error, DependsOn: []Code{DiskSpace},
		Meaning: "The kiosk cannot open what it remembers and believes, so it admits nobody. People are let out by exit and fire contacts as ever.",
		Cause:   "The disk is missing, full, read-only or failing, the state folder belongs to another user, a newer version wrote it, somebody reads it at the start (a doctor, for a minute at most), or the venue's secret (GH-702) is missing.",
		Do:      "The text names the file. Look at the disk: findmnt, df -h, dmesg, and see gatehouse doctor. The kiosk tries again every minute; or: systemctl restart gatehoused.",
	},
	{
		Code: NoBelief, Name: "no documents", Severity: Error, DependsOn: []Code{TrustSetAside, Trust},
		Meaning: "This kiosk has no signed documents, so it trusts no issuer and admits nobody.",
		Cause:   "It is new, or lost its trust store.",
		Do:      "Give it a bundle: gatehouse import FILE.",
	},
	{
		Code: TrustSetAside, Name: "trust store", Severity: Warning,
		Meaning: "The former trust store was not what had been written. It was set aside and a clean one begun.",
		Cause:   "The card damaged trust.db, or somebody changed it or the root in the config.",
		Do:      "Give the kiosk a bundle: gatehouse import FILE. If it happens again, replace the card. It shows until the next restart.",
	},
	{
		Code: Trust, Name: "trust store unreadable", Severity: Error,
		Meaning: "The signed documents cannot be read, so nobody is admitted.",
		Cause:   "trust.db is damaged or the card fails.",
		Do:      "Look at the card: dmesg. Then: systemctl restart gatehoused, and give it a bundle: gatehouse import FILE.",
	},
	{
		Code: Bundle, Name: "bundle", Severity: Warning,
		Meaning: "The bundle that the config names was not taken at the start. What was in force before is in force still.",
		Cause:   "The file is missing, damaged, or of another venue or fleet.",
		Do:      "Copy the bundle again, or take bundle out of the config. Then: systemctl restart gatehoused.",
	},
	{
		Code: DataStale, Name: "data stale", Severity: Warning, DependsOn: []Code{Clock, ClockBehind}, Delay: untilSynced,
		Meaning: "The signed data is older than it should be. The kiosk works on; what was revoked since is not known.",
		Cause:   "No newer bundle came, or the clock cannot be trusted.",
		Do:      "Bring a new bundle: gatehouse import FILE. Without it this becomes GH-406.",
	},
	{
		Code: DataHard, Name: "data too old", Severity: Error,
		Meaning: "The signed data is so old that nobody is admitted on it.",
		Cause:   "No newer bundle came for long, or the clock is far ahead.",
		Do:      "Compare the kiosk's time with yours: timedatectl. Bring a new bundle: gatehouse import FILE.",
	},
	{
		Code: Incomplete, Name: "documents incomplete", Severity: Error,
		Meaning: "Documents are missing that the operator has signed: revocations among them, so passes of their issuers may be refused.",
		Cause:   "The bundle was made without them, or they could not be read.",
		Do:      "gatehouse status names what is missing. Have the operator make a whole bundle and bring it: gatehouse import FILE.",
	},
	{
		Code: Clock, Name: "clock", Severity: Warning, Delay: untilSynced,
		Meaning: "Nothing keeps the clock right, so data is stale at best.",
		Cause:   "The kiosk has no time server, or cannot reach it.",
		Do:      "See how it is: timedatectl. Give the kiosk a time server (timesyncd or chrony).",
	},
	{
		Code: ClockBehind, Name: "clock behind", Severity: Error,
		Meaning: "The clock says a time that is past for sure. Decisions go by the latest time that is known, which may be early.",
		Cause:   "The kiosk has no battery behind its clock and no time server, or somebody set the clock back. Or a bundle was signed on a machine whose clock is ahead.",
		Do:      "Compare the kiosk's clock with yours: timedatectl. If it is wrong, set it: timedatectl set-time; give the kiosk a time server; replace the battery of the clock, if it has one. If it is right, have the operator set his clock, replace the head's key (gatehouse-fleet root rotate --replace head) and make a bundle: with it the kiosk lets go of the wrong time.",
	},
	{
		Code: DiskSpace, Name: "disk space", Severity: Warning,
		Meaning: "The disk of the state folder is nearly full. When it is full nobody is admitted, since nobody can be recorded.",
		Cause:   "Something else fills the partition, or it is too small.",
		Do:      "See what fills it: df -h, du -xh. Files ledger.db.corrupt-* and trust.db.corrupt-* may be moved to another disk.",
	},
	{
		Code: Floor, Name: "floor", Severity: Warning,
		Meaning: "A copy of the floor file (the latest time, versions and ledger that this kiosk knows) was damaged, or both are gone. The other copy was used, if it was whole, and what is missing is written again.",
		Cause:   "A power cut while it was written, a card that fails, or somebody removed the files. After an upgrade from a version that kept no floor it shows once.",
		Do:      "If it comes again at the next restart, replace the card: dmesg. It shows until the next restart.",
	},
	{
		Code: FloorWrite, Name: "floor write", Severity: Error, DependsOn: []Code{DiskSpace},
		Meaning: "The floor file cannot be written: after a power cut the kiosk may take an earlier time or older documents for right.",
		Cause:   "The disk is full, read-only or failing.",
		Do:      "Look at the disk: df -h, findmnt, dmesg. Replace a card that fails.",
	},
	{
		Code: LocalAPI, Name: "local API", Severity: Warning, Delay: 5 * time.Second,
		Meaning: "A socket of the local API was removed and cannot be made again. The lanes work on.",
		Cause:   "The run folder was removed or belongs to another user.",
		Do:      "Look at it: ls -ld /run/gatehouse. The socket comes back by itself, or with: systemctl restart gatehoused.",
	},
	{
		Code: Metrics, Name: "metrics", Severity: Warning, Delay: time.Minute,
		Meaning: "The address for metrics cannot be served, so nobody counts from afar. The lanes work on.",
		Cause:   "Another program has the port of metrics in the config.",
		Do:      "See who has it: ss -ltnp. Give metrics another port, and restart: systemctl restart gatehoused.",
	},
	{
		Code: Broker, Name: "fleet connection", Severity: Warning, Delay: 2 * time.Minute,
		Meaning: "The kiosk is not joined to its fleet. It decides all the same, by what it has; its events wait.",
		Cause:   "The network, the broker or the way to it is gone, or the broker refuses this kiosk's certificate or passes nothing on.",
		Do:      "Nothing at the gate. If it lasts: look at sync.brokers of the config and at the network, and import a bundle before the data is too old.",
	},
	{
		Code: Receipt, Name: "collector contradicts", Severity: Error,
		Meaning: "The collector acknowledged events that this kiosk did not write. None of them is taken for delivered.",
		Cause:   "The kiosk's ledger was put back to an earlier state, or somebody else writes in its name or in the collector's.",
		Do:      "Tell the operator, who has an alarm too. Find out whether a former card was put into this kiosk.",
	},
	{
		Code: Outbox, Name: "events waiting", Severity: Warning,
		Meaning: "Events that the collector does not have yet take more than 70 % of the room that they may take.",
		Cause:   "The kiosk was cut off for weeks, or the collector does not answer.",
		Do:      "Bring the network back, or raise ledger.size_mib if the disk has room. Admissions are never dropped.",
	},
	{
		Code: Config, Name: "local config", Severity: Error,
		Meaning: "The daemon cannot start with this config.",
		Cause:   "The file is missing, or a line of it is not valid.",
		Do:      "Correct the line that is named; gatehoused -check tries it. gatehouse-fleet kiosk add makes a new one.",
	},
	{
		Code: VenueKey, Name: "venue key", Severity: Error,
		Meaning: "The venue's secret is missing or open to others. Without it no use of a pass can be found again.",
		Cause:   "It was not copied with the config, or its mode was changed.",
		Do:      "Copy venue.key of the kiosk's folder from the operator, and run: chmod 0600 on it.",
	},
	{
		Code: State, Name: "state folder", Severity: Error,
		Meaning: "What the kiosk must remember has no safe place.",
		Cause:   "The state folder is missing, in memory, read-only, or open to other users.",
		Do:      "Put it on a disk that can be written: findmnt -T FOLDER. Make it with: install -d -m 0700 -o gatehouse FOLDER.",
	},
	{
		Code: Daemon, Name: "daemon", Severity: Error,
		Meaning: "The daemon runs and does not answer, so nobody knows how it is.",
		Cause:   "It hangs, a socket of it is gone, or it is another kiosk's.",
		Do:      "See its log: journalctl -u gatehoused. Restart it: systemctl restart gatehoused.",
	},
	{
		Code: Stopped, Name: "daemon stopped", Severity: Warning,
		Meaning: "The daemon does not run, so nobody is admitted.",
		Cause:   "It was not started, or it ended.",
		Do:      "See why: systemctl status gatehoused, journalctl -u gatehoused. Start it: systemctl start gatehoused.",
	},
	{
		Code: TimeZone, Name: "time zone", Severity: Warning,
		Meaning: "The machine has no time zone, so its log and its tools speak UTC. Decisions do not depend on it.",
		Cause:   "/etc/localtime is missing.",
		Do:      "Set it: timedatectl set-timezone Asia/Shanghai, or where the venue is.",
	},
}
