package scanner

import (
	"fmt"
	"strconv"
	"time"

	"github.com/onebid-dev/onebid/pkg/scanner/lock"
)

// Variables of the environment that LocksFromEnvironment reads.
const (
	// EnvLockType is lease (or database, another word for it), redis or memory; lease when it is not set.
	EnvLockType = "BID_LOCK_MANAGER_TYPE"
	// EnvRedisURL is where Redis is; package lock/redis says what may stand there.
	EnvRedisURL = "REDIS_URL"
	// EnvRedisTTL is the TTL of a lock in Redis in seconds, 300 when it is not set.
	EnvRedisTTL = "REDIS_LOCK_TTL"
	// EnvLockTimeout is how many seconds to wait for a lock, 10 when it is not set.
	EnvLockTimeout = "BID_LOCK_TIMEOUT"
	// EnvLockRetries is how often to try again when a backend fails, 3 when it is not set.
	EnvLockRetries = "BID_LOCK_RETRY_COUNT"
)

// Defaults of Locks.
const (
	DefaultTTL     = 300 * time.Second
	DefaultTimeout = 10 * time.Second
	DefaultRetries = 3
)

const (
	leastTTL    = 5 * time.Second
	mostTTL     = 24 * time.Hour
	mostTimeout = 10 * time.Minute
	mostRetries = 100
)

// Locks choose what keeps two scanners from evaluating one posting, and how. Scanners that use different locks may both
// evaluate a posting; they still never both bid.
type Locks struct {
	// Type is lock.Lease, also spelled "database", lock.Redis or lock.Memory. Defaults to lock.Lease.
	Type string
	// RedisURL is where Redis is, for that type. While Redis cannot be reached, Leases are used.
	RedisURL string
	// Backend, when set, is used instead of Type.
	Backend lock.Backend
	// TTL is how long the lock of a scanner that died lasts, in whole seconds. Defaults to the Marketplace's
	// lock.ttlSeconds, which is 300 unless it says otherwise.
	TTL time.Duration
	// Timeout is how long to wait for a lock; negative does not wait. Defaults to the Marketplace's
	// lock.acquireTimeoutSeconds, which is 10 unless it says otherwise.
	Timeout time.Duration
	// Retries is how often to try again when the backend fails; a lock that is held is no failure. Defaults to 3; negative
	// means none.
	Retries int
}

// LocksFromEnvironment reads the variables named by the Env constants with lookup, which is os.LookupEnv in a program.
// What is not set keeps its default. The error is a *ConfigError that names the variable, its value and what would be
// right.
func LocksFromEnvironment(lookup func(name string) (string, bool)) (Locks, error) {
	env := environment{lookup: lookup}
	locks := Locks{
		Type:     env.text(EnvLockType),
		RedisURL: env.text(EnvRedisURL),
		Timeout:  time.Duration(env.number(EnvLockTimeout, 0, int(mostTimeout/time.Second))) * time.Second,
		Retries:  env.number(EnvLockRetries, 0, mostRetries),
	}
	ttl := time.Duration(env.number(EnvRedisTTL, int(leastTTL/time.Second), int(mostTTL/time.Second))) * time.Second
	if env.err != nil {
		return Locks{}, env.err
	}
	kind, err := lockType(EnvLockType, locks.Type)
	if err != nil {
		return Locks{}, err
	}
	locks.Type = kind
	if kind == lock.Redis {
		locks.TTL = ttl
		if locks.RedisURL == "" {
			return Locks{}, &ConfigError{Field: EnvRedisURL, Reason: fmt.Sprintf("must be set when %s is %q", EnvLockType, lock.Redis)}
		}
	}
	return locks, nil
}

// lockType is the canonical spelling of a type.
func lockType(field, value string) (string, error) {
	switch value {
	case "", lock.Lease, "database":
		return lock.Lease, nil
	case lock.Redis, lock.Memory:
		return value, nil
	}
	return "", &ConfigError{Field: field, Value: value, Reason: "must be lease (or database), redis or memory"}
}

// environment keeps the first error.
type environment struct {
	lookup func(string) (string, bool)
	err    error
}

func (e *environment) text(name string) string {
	value, _ := e.lookup(name)
	return value
}

// none stands for a zero that was set: in Locks, zero is what was not set.
const none = -1

// number is 0 for what is not set or empty.
func (e *environment) number(name string, least, most int) int {
	text := e.text(name)
	if text == "" {
		return 0
	}
	value, err := strconv.Atoi(text)
	switch {
	case err == nil && value == 0 && least == 0:
		return none
	case err == nil && value >= least && value <= most:
		return value
	}
	if e.err == nil {
		e.err = &ConfigError{Field: name, Value: text, Reason: fmt.Sprintf("must be a whole number from %d to %d", least, most)}
	}
	return 0
}
