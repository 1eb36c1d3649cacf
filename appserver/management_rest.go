package appserver

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/hubgate/hubgate/internal/auth"
)

// Versions of the data-plane REST API: the older one for all that it has, so that older services answer too.
const (
	apiVersion       = "2022-06-01"
	apiVersionNewest = "2024-12-01" // client results and members of groups
)

// Limits of what is read of an answer.
const (
	maxProblemBytes = 8 << 10 // of an error that is shown
	maxAnswerBytes  = maxFrameBytes
)

// repetition says when a call may be made again.
type repetition int

const (
	repeatSafe repetition = iota // doing it twice is doing it once
	repeatSend                   // only when it was not done for sure
	repeatNever
)

// restCall is one request of the data-plane REST API.
type restCall struct {
	method  string
	path    string // escaped, without a slash in front
	version string
	more    url.Values // of the query, beyond what all calls have
	body    []byte
	kind    string // of the body
	repeat  repetition
	no      string // the error code that makes of a 404 the answer "no"
	check   bool   // only status 200 is "yes"
	content bool   // the answer's body is wanted
}

// restAnswer is the answer to a call that succeeded.
type restAnswer struct {
	yes  bool
	body []byte
}

// restClient makes requests of the data-plane REST API.
type restClient struct {
	app     *App
	http    *http.Client
	timeout time.Duration
	retry   RetryOptions // no retries when MaxRetries is 0
}

func newRESTClient(app *App, options ServiceManagerOptions) (*restClient, error) {
	c := &restClient{app: app, timeout: options.Timeout}
	client := *app.options.HTTPClient
	client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	c.http = &client
	if options.Retry != nil {
		c.retry = *options.Retry
		if c.retry.MaxRetries < 0 || c.retry.Delay < 0 || c.retry.MaxDelay < 0 {
			return nil, errors.New("options: a number of the retries is negative; leave it 0 for the default")
		}
		setDefault(&c.retry.MaxRetries, 3)
		setDefault(&c.retry.Delay, 800*time.Millisecond)
		setDefault(&c.retry.MaxDelay, time.Minute)
	}
	return c, nil
}

// do makes a call, and makes it again as the options and the kind of call allow.
func (c *restClient) do(ctx context.Context, call restCall) (restAnswer, error) {
	if call.repeat != repeatSafe {
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		ctx = limited
	}
	for retry := 0; ; retry++ {
		answer, err := c.try(ctx, call)
		if err == nil || retry >= c.retry.MaxRetries || !call.mayRepeat(ctx, err) {
			return answer, err
		}
		wait := time.NewTimer(c.retry.delay(retry))
		select {
		case <-wait.C:
		case <-ctx.Done():
			wait.Stop()
			return answer, errors.Join(err, context.Cause(ctx))
		}
	}
}

// delay is how long to wait before retry number n, from 0.
func (o RetryOptions) delay(n int) time.Duration {
	d := o.Delay
	for range n {
		if !o.Exponential || d >= o.MaxDelay {
			break
		}
		d *= 2
	}
	return min(d, o.MaxDelay)
}

// mayRepeat reports whether a call that gave err may be made again. ctx is the caller's.
func (r restCall) mayRepeat(ctx context.Context, err error) bool {
	var e *ServiceError
	if !errors.As(err, &e) || ctx.Err() != nil {
		return false
	}
	switch r.repeat {
	case repeatSafe:
		return e.StatusCode == http.StatusRequestTimeout || e.StatusCode >= 500 || errors.Is(e.Err, context.DeadlineExceeded)
	case repeatSend:
		return e.StatusCode > 500
	}
	return false
}

// try makes a call once.
func (c *restClient) try(ctx context.Context, call restCall) (restAnswer, error) {
	if call.repeat == repeatSafe {
		limited, cancel := context.WithTimeout(ctx, c.timeout)
		defer cancel()
		ctx = limited
	}
	fail := &ServiceError{Operation: call.method + " /" + call.path}
	request, err := c.request(ctx, call)
	if err != nil {
		return restAnswer{}, err
	}
	response, err := c.http.Do(request)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) { // Its text repeats the URL.
			err = wrapped.Err
		}
		if cause := context.Cause(ctx); cause != nil {
			err = cause
		}
		fail.Kind, fail.Err = NoAnswer, err
		return restAnswer{}, fail
	}
	defer response.Body.Close()
	status, code := response.StatusCode, response.Header.Get("X-Ms-Error-Code")
	switch {
	case status/100 == 2:
		answer := restAnswer{yes: !call.check || status == http.StatusOK}
		if call.content {
			answer.body, err = readAtMost(response.Body, maxAnswerBytes)
		} else {
			_, err = io.CopyN(io.Discard, response.Body, maxProblemBytes) // so that the connection can be used again
			if errors.Is(err, io.EOF) {
				err = nil
			}
		}
		if err != nil && call.content {
			fail.Kind, fail.StatusCode, fail.Err = NoAnswer, status, err
			return restAnswer{}, fail
		}
		return answer, nil
	case status == http.StatusNotFound && call.no != "" && strings.EqualFold(code, call.no):
		_, _ = io.CopyN(io.Discard, response.Body, maxProblemBytes)
		return restAnswer{}, nil
	}
	fail.Kind, fail.StatusCode, fail.Code = kindOf(status), status, code
	text, _ := io.ReadAll(io.LimitReader(response.Body, maxProblemBytes)) // What came is shown, however it ended.
	if fail.Kind == InvalidArgument {
		fail.Message = string(bytes.ToValidUTF8(text, []byte("�")))
	}
	return restAnswer{}, fail
}

// request makes the HTTP request of a call. Its token is for the path as it is written and those parts of the query that all calls have.
func (c *restClient) request(ctx context.Context, call restCall) (*http.Request, error) {
	query := "?"
	if name := c.app.options.ApplicationName; name != "" && strings.HasPrefix(call.path, "api/hubs/") {
		query += "application=" + escape(strings.ToLower(name)) + "&"
	}
	query += "api-version=" + call.version
	token, err := c.app.sign(c.app.connection.audience+call.path+query, []auth.Claim{{Type: "nameid", Value: c.app.serverID}})
	if err != nil {
		return nil, err
	}
	if more := call.more.Encode(); more != "" {
		query += "&" + strings.ReplaceAll(more, "+", "%20")
	}
	request, err := http.NewRequestWithContext(ctx, call.method, c.app.connection.ServerEndpoint+call.path+query, bytes.NewReader(call.body))
	if err != nil {
		return nil, fmt.Errorf("the address of the service: %w", err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Asrs-User-Agent", c.app.userAgent)
	if call.kind != "" {
		request.Header.Set("Content-Type", call.kind)
	}
	return request, nil
}

// healthy asks once how the service is.
func (c *restClient) healthy(ctx context.Context) (bool, error) {
	_, err := c.do(ctx, restCall{method: http.MethodHead, path: "api/health", version: apiVersion, repeat: repeatNever})
	var e *ServiceError
	if errors.As(err, &e) && e.StatusCode >= 500 {
		return false, nil
	}
	return err == nil, err
}

// readAtMost reads all, which must not be more than limit bytes.
func readAtMost(r io.Reader, limit int64) ([]byte, error) {
	content, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(content)) > limit {
		err = fmt.Errorf("the answer has more than %d bytes", limit)
	}
	return content, err
}

// escape percent-encodes all but letters, digits and - . _ ~, as the service compares paths.
func escape(text string) string { return strings.ReplaceAll(url.QueryEscape(text), "+", "%20") }
