package redis

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// commandTimeout bounds one command unless the URL says otherwise. It is short because there is a fallback.
const commandTimeout = time.Second

// Schemes that Open knows, for messages.
const schemes = "redis, rediss (TLS), unix, redis+sentinel, rediss+sentinel, redis+cluster or rediss+cluster"

// Open returns a client for a URL, without connecting. It does not verify that the server is there: a scanner must be
// able to start while Redis is down. Errors never repeat the URL, which may hold a password.
//
//	redis://user:password@host:6379/0                                                 one server; rediss:// with TLS
//	unix:///run/redis.sock?db=0                                                       one server on this host
//	redis+sentinel://user:password@s1:26379/0?master_name=m&addr=s2:26379             the current master; user and
//	                                                                                  password are for the sentinels,
//	                                                                                  ?username= and &password= for the
//	                                                                                  servers
//	redis+cluster://user:password@n1:6379?addr=n2:6379&addr=n3:6379                   a cluster
//
// Other options follow as parameters, such as dial_timeout=3s, read_timeout=3s, max_retries=2, pool_size=20 or
// skip_verify=true; a name that is not known is refused.
func Open(address string) (redis.UniversalClient, error) {
	scheme, rest, found := strings.Cut(address, "://")
	if !found {
		return nil, errors.New("must begin with a scheme: " + schemes)
	}
	base, kind, _ := strings.Cut(scheme, "+")
	plain := base + "://" + rest
	known := base == "redis" || base == "rediss"
	switch {
	case known && kind == "", scheme == "unix":
		return openServer(plain)
	case known && kind == "sentinel":
		return openSentinel(plain)
	case known && kind == "cluster":
		return openCluster(plain)
	}
	return nil, fmt.Errorf("scheme %q is not known: must be %s", scheme, schemes)
}

func openServer(address string) (redis.UniversalClient, error) {
	o, err := redis.ParseURL(address)
	if err != nil {
		return nil, redact(err)
	}
	setTimeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = one(o.MaxRetries), one(o.DialerRetries), true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(o), nil
}

func openSentinel(address string) (redis.UniversalClient, error) {
	o, err := redis.ParseFailoverURL(address)
	if err != nil {
		return nil, redact(err)
	}
	if o.MasterName == "" {
		return nil, errors.New("must say which master the sentinels watch, as in ?master_name=mymaster")
	}
	setTimeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = one(o.MaxRetries), one(o.DialerRetries), true
	return redis.NewFailoverClient(o), nil
}

func openCluster(address string) (redis.UniversalClient, error) {
	o, err := redis.ParseClusterURL(address)
	if err != nil {
		return nil, redact(err)
	}
	setTimeouts(&o.DialTimeout, &o.ReadTimeout, &o.WriteTimeout)
	o.MaxRetries, o.DialerRetries, o.ContextTimeoutEnabled = one(o.MaxRetries), one(o.DialerRetries), true
	o.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClusterClient(o), nil
}

func setTimeouts(timeouts ...*time.Duration) {
	for _, timeout := range timeouts {
		if *timeout == 0 {
			*timeout = commandTimeout
		}
	}
}

func one(retries int) int {
	if retries == 0 {
		return 1
	}
	return retries
}

// redact replaces errors that quote the URL, or a part of a password that was parsed as something else.
func redact(err error) error {
	if _, ok := errors.AsType[*url.Error](err); ok {
		return errors.New("must be a URL, with special characters in the password percent-encoded")
	}
	return err
}
