// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

package scanner

import "go.bug.st/serial"

// Inspect opens the port as Run does, reads nothing and closes it. The error is ErrConfig, or one of those that State
// hears; ErrBusy while a Scanner runs on the port.
func Inspect(cfg Config) error {
	s, err := Open(cfg)
	if err != nil {
		return err
	}
	port, err := serial.Open(s.cfg.Port, &serial.Mode{BaudRate: s.cfg.Baud})
	if err == nil {
		err = port.Close()
	}
	if err != nil {
		return &portError{openFault(err), s.cfg.Port, err}
	}
	return nil
}
