package cache

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"
)

// redisTimeout bounds one command: a cache that is slower than its backend is of no use.
const redisTimeout = 2 * time.Second

// quiet keeps the client library from writing to standard error; what goes wrong is in the errors that it returns.
var quiet = sync.OnceFunc(func() { redis.SetLogger(discard{}) })

type discard struct{}

func (discard) Printf(context.Context, string, ...any) {}

// Redis is a cache in a Redis-compatible server.
type Redis struct {
	client *redis.Client
	prefix string
}

// NewRedis makes a cache from a connection string, in the form that Azure shows (host:port,password=…,ssl=True) or as a redis or
// rediss URL. All keys get the prefix. It connects when it is first used. Errors do not hold the string, for it has a password.
func NewRedis(connectionString, prefix string) (*Redis, error) {
	quiet()
	o, err := parseConnectionString(connectionString)
	if err != nil {
		return nil, err
	}
	o.DialTimeout, o.ReadTimeout, o.WriteTimeout = redisTimeout, redisTimeout, redisTimeout
	o.DialerRetries, o.MaxRetries, o.ContextTimeoutEnabled = 1, 1, true
	o.Protocol = 2 // Every compatible server speaks it.
	o.DisableIdentity = true
	return &Redis{client: redis.NewClient(o), prefix: prefix}, nil
}

// parseConnectionString reads the configuration strings of StackExchange.Redis as far as they say where and as whom to connect.
func parseConnectionString(text string) (*redis.Options, error) {
	text = strings.TrimSpace(text)
	if strings.HasPrefix(text, "redis://") || strings.HasPrefix(text, "rediss://") {
		o, err := redis.ParseURL(text)
		if err != nil {
			return nil, errors.New("the URL of the Redis server cannot be parsed; it reads redis://user:password@host:port/database")
		}
		return o, nil
	}
	o := &redis.Options{}
	host, secure := "", false
	for part := range strings.SplitSeq(text, ",") {
		part = strings.TrimSpace(part)
		name, value, option := strings.Cut(part, "=")
		switch {
		case part == "":
		case !option:
			if host != "" {
				return nil, errors.New("the connection string names more than one server; clusters are not supported")
			}
			host = part
		default:
			var err error
			switch strings.ToLower(name) {
			case "password":
				o.Password = value
			case "user":
				o.Username = value
			case "name":
				o.ClientName = value
			case "ssl":
				secure, err = strconv.ParseBool(strings.ToLower(value))
			case "defaultdatabase":
				o.DB, err = strconv.Atoi(value)
			}
			// Other options tune that library; abortConnect and its like say nothing about the server.
			if err != nil {
				return nil, fmt.Errorf("the value of %s in the connection string is wrong", name)
			}
		}
	}
	if host == "" {
		return nil, errors.New("the connection string names no server; it reads host:port,password=…,ssl=True")
	}
	name, port, err := net.SplitHostPort(host)
	if err != nil {
		if name, port = host, "6379"; secure {
			port = "6380"
		}
	}
	if number, err := strconv.Atoi(port); err != nil || number < 1 || number > 65535 || name == "" {
		return nil, errors.New("the server in the connection string is not host:port")
	}
	o.Addr = net.JoinHostPort(strings.Trim(name, "[]"), port)
	if secure {
		o.TLSConfig = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: name}
	}
	return o, nil
}

// Get returns the value of a key.
func (r *Redis) Get(ctx context.Context, key string) ([]byte, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	value, err := r.client.Get(ctx, r.prefix+key).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, fmt.Errorf("external cache: %w", err)
	}
	return value, true, nil
}

// Set keeps the value.
func (r *Redis) Set(ctx context.Context, key string, value []byte, keep time.Duration) error {
	if err := checkSize(value); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := r.client.Set(ctx, r.prefix+key, value, max(keep, time.Millisecond)).Err(); err != nil {
		return fmt.Errorf("external cache: %w", err)
	}
	return nil
}

// Delete forgets a key.
func (r *Redis) Delete(ctx context.Context, key string) error {
	ctx, cancel := context.WithTimeout(ctx, redisTimeout)
	defer cancel()
	if err := r.client.Del(ctx, r.prefix+key).Err(); err != nil {
		return fmt.Errorf("external cache: %w", err)
	}
	return nil
}

// Close ends the connections. What is asked afterwards is an error.
func (r *Redis) Close() {
	// It fails only when it was closed before.
	_ = r.client.Close()
}

var _ Cache = (*Redis)(nil)
