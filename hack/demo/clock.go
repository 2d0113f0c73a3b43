package main

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// moment is a reading of the machine's monotonic clock, which all of its processes share: a scanner's reading and the
// demo's can be subtracted, whatever happens to the time of day.
type moment int64

func now() (moment, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("reading the monotonic clock: %w", err)
	}
	return moment(t.Nano()), nil
}

func (m moment) since(earlier moment) time.Duration { return time.Duration(m - earlier) }
