// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package virtual

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"regexp"
	"strconv"
	"strings"
	"sync"
)

// ErrMonitor is returned where the emulator does not carry out a command.
var ErrMonitor = errors.New("virtual: the emulator refused")

// monitor speaks to the emulator over QMP (QEMU Machine Protocol), which
// carries the commands of the human monitor without its line editor's echo:
// an answer's end is known, so a round trip costs no waiting.
type monitor struct {
	mu   sync.Mutex
	conn io.ReadWriteCloser
	in   *json.Decoder
}

// qmpAnswer is any message of the emulator: a greeting, an answer or an event.
type qmpAnswer struct {
	QMP    json.RawMessage `json:"QMP"`
	Return json.RawMessage `json:"return"`
	Event  string          `json:"event"`
	Error  *struct {
		Desc string `json:"desc"`
	} `json:"error"`
}

// newMonitor takes the greeting and opens the conversation.
func newMonitor(conn net.Conn) (*monitor, error) {
	m := &monitor{conn: conn, in: json.NewDecoder(bufio.NewReader(conn))}
	var greeting qmpAnswer
	if err := m.in.Decode(&greeting); err != nil {
		return nil, fmt.Errorf("virtual: no greeting from the emulator's monitor: %w", err)
	}
	_, err := m.execute("qmp_capabilities", nil)
	return m, err
}

// command runs a command of the human monitor and gives what it prints.
func (m *monitor) command(line string) (string, error) {
	raw, err := m.execute("human-monitor-command", map[string]string{"command-line": line})
	if err != nil {
		return "", fmt.Errorf("%s: %w", line, err)
	}
	var text string
	if err := json.Unmarshal(raw, &text); err != nil {
		return "", fmt.Errorf("virtual: monitor: %s: %w", line, err)
	}
	return text, nil
}

func (m *monitor) execute(name string, arguments map[string]string) (json.RawMessage, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	request := map[string]any{"execute": name}
	if arguments != nil {
		request["arguments"] = arguments
	}
	if err := json.NewEncoder(m.conn).Encode(request); err != nil {
		return nil, fmt.Errorf("virtual: monitor: %w", err)
	}
	for {
		var answer qmpAnswer
		if err := m.in.Decode(&answer); err != nil {
			return nil, fmt.Errorf("virtual: monitor: %w", err)
		}
		switch {
		case answer.Error != nil:
			return nil, fmt.Errorf("%w: %s", ErrMonitor, answer.Error.Desc)
		case answer.Event == "":
			return answer.Return, nil
		}
	}
}

// readLines asks for the PL061's GPIODATA with all eight lines in the address
// mask, and for GPIODIR, which is the next word (ARM DDI 0190B, 3.2 and 3.3.2).
const readLines = "xp /2wx 0x090303fc"

// Levels are those of the controller's lines at one moment.
type Levels struct {
	High    uint8 // bit n: line n is high
	Outputs uint8 // bit n: line n is driven by the guest
}

// Line tells whether line n is high.
func (l Levels) Line(n int) bool { return l.High>>n&1 == 1 }

// Driven tells whether line n is an output of the guest.
func (l Levels) Driven(n int) bool { return l.Outputs>>n&1 == 1 }

var twoWords = regexp.MustCompile(`^[0-9a-f]{16}: 0x([0-9a-f]{8}) 0x([0-9a-f]{8})$`)

// parseLevels reads the monitor's answer to readLines.
func parseLevels(text string) (Levels, error) {
	words := twoWords.FindStringSubmatch(strings.TrimSpace(text))
	if words == nil {
		return Levels{}, fmt.Errorf("virtual: monitor: %q is not two words of memory", text)
	}
	// Both registers are eight bits wide; more is another device's memory.
	high, err := strconv.ParseUint(words[1], 16, LineCount)
	if err != nil {
		return Levels{}, fmt.Errorf("virtual: monitor: %q: %w", text, err)
	}
	outputs, err := strconv.ParseUint(words[2], 16, LineCount)
	if err != nil {
		return Levels{}, fmt.Errorf("virtual: monitor: %q: %w", text, err)
	}
	return Levels{High: uint8(high), Outputs: uint8(outputs)}, nil
}
