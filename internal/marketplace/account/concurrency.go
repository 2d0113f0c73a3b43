package account

// concurrency keeps an unresponsive marketplace from using all workers. One that responds may use every worker.
type concurrency struct {
	inUse        int
	unresponsive bool // the latest call took its whole timeout
}

func (l *Limiter) acquire(maxUnresponsive int) (release func(), ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	c := &l.concurrency
	if c.unresponsive && maxUnresponsive > 0 && c.inUse >= maxUnresponsive {
		return nil, false
	}
	c.inUse++
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		c.inUse--
	}, true
}

func (l *Limiter) observeResponse(inTime bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.concurrency.unresponsive = !inTime
}
