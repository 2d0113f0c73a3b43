package ownership

import "time"

// Margin is how long before a claim's validity ends no call starts any more. Who waits for others' calls without a Lease
// that tells when they were fenced off adds it to the settle wait, which counts on it.
func (c *Client) Margin() time.Duration { return c.timing.Margin }
