// SPDX-FileCopyrightText: The Gatehouse authors
// SPDX-License-Identifier: Apache-2.0

// Package gpio drives the outputs and reads the inputs of a lane through lines of a GPIO chip of the Linux kernel (the
// character device /dev/gpiochipN, uAPI v2 of Linux 5.10), by periph's gpioioctl and nothing else of
// periph: its other drivers write registers behind the kernel's back.
//
// Lines are named, as `gpioinfo` shows them, and each output is a line set of its own: a second
// program that wants the line gets EBUSY, and one output that hangs holds no other up. periph finds
// lines by name only, and takes the first that fits, so a name that is empty, missing or twice on
// the chip is refused. Polarity is done here: an active-low line is low while its output is active.
//
// # Level at the start
//
// periph requests an output as 0; it has no way to say otherwise. On an active-low board that is
// "active", and the relay would click at each start until the first level is written. So a line is
// requested as it is at first: where it is an output already (set by the firmware, or left so by a
// kernel that keeps the lines of a process that is gone, as a Raspberry Pi's does), the first level
// is written without any other before it. Only a line that is found as an input is requested as an
// output, and is low for some microseconds. To be free of that, let the firmware set the line: on a
// Raspberry Pi `gpio=17=op,dh` in config.txt for an active-low relay on GPIO17.
//
// # What it does not do
//
// Open moves nothing, and neither does Close: a line that is released keeps its level or becomes an
// input, as the kernel's driver likes it. The inert level is the gate's business. There are no
// chips whose lines have no names here.
package gpio
