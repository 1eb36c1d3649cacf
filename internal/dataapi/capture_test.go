package dataapi_test

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/hubgate/hubgate/internal/hubproto"
)

// captured is a request that the .NET Management SDK made, with what its call needs as an answer.
type captured struct {
	Call        string
	Method      string
	URL         string
	Audience    string
	ContentType string
	Body        string
	Status      int
	Result      *bool // what a check returned, if it returned false
}

// The ids of the clients in the recordings, and answers that are not those which the endpoint of the recordings gave.
const (
	capturedFirst  = "8IEVcmvrRVvtMAYOUFycvA"
	capturedSecond = "cXznqJj9MlKkJO-fXXLSaQ"
)

var capturedAnswers = map[string]struct {
	status int
	code   string
	why    string
}{
	`Groups.AddToGroupAsync("nobody", "g1")`:                                   {404, "Error.Connection.NotExisted", "completes in silence"},
	`AddHubProtocol(MessagePack): Groups.AddToGroupAsync("nobody", "g1")`:      {404, "Error.Connection.NotExisted", "completes in silence"},
	`ClientManager.CloseConnectionAsync("nobody")`:                             {404, "Warning.Connection.NotExisted", "completes in silence"},
	`ClientManager.ConnectionExistsAsync("nobody")`:                            {404, "Warning.Connection.NotExisted", "false"},
	`ClientManager.UserExistsAsync("ghost")`:                                   {404, "Warning.User.NotExisted", "false"},
	`ClientManager.GroupExistsAsync("empty") without members`:                  {404, "Warning.Group.NotExisted", "false"},
	`UserGroups.IsUserInGroup("u1", "other") not a member`:                     {404, "Info.User.NotInGroup", "false"},
	`Clients.Group(".").SendAsync("m", 1)`:                                     {401, "", "the URL lost the group, the audience has it"},
	`Clients.Group("..").SendAsync("m", 1)`:                                    {401, "", "the URL lost the group, the audience has it"},
	`Clients.Group(" ").SendAsync("m", 1)`:                                     {400, "Error.Request.Invalid", "a group must not be blank"},
	`failure: body over 1 MB: Clients.All.SendAsync("m", 1.2 MB)`:              {413, "Error.Request.Invalid", "throws"},
	`ApplicationName = "App_2": hub "My Hub/ä": Clients.All.SendAsync("m", 1)`: {400, "Error.Request.Invalid", "not a hub's name"},
}

func TestManagementSDK(t *testing.T) {
	t.Parallel()
	r := newRig(t)
	first := r.connect("chat", hubproto.JSON, user("u1"))
	second := r.connect("chat", hubproto.MessagePack)
	replace := strings.NewReplacer(capturedFirst, first.id, capturedSecond, second.id)
	file, err := os.Open("testdata/management-sdk.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	lines.Buffer(nil, 1<<20)
	n := 0
	for lines.Scan() {
		var c captured
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(c.Call, "body over 1 MB") {
			c.ContentType, c.Body = "application/json; charset=utf-8", `{"Target":"m","Arguments":["`+strings.Repeat("x", 1_200_000)+`"]}`
		}
		if c.Audience == "" {
			c.Audience = "http://localhost" + c.URL
		}
		if binary, ok := strings.CutPrefix(c.Body, "base64:"); ok {
			decoded, err := base64.StdEncoding.DecodeString(binary)
			if err != nil {
				t.Fatal(err)
			}
			c.Body = string(decoded)
		}
		want, special := capturedAnswers[c.Call]
		if !special {
			want.status = c.Status
		}
		if c.Method == "PUT" && want.status == 202 {
			want.status = 200 // the recording has the need of the call's first request
		}
		// The recordings have the same clients to the end, and all members in their groups where a check was true.
		switch {
		case strings.Contains(c.Call, "GroupExistsAsync(odd)"):
			r.rest("PUT", strings.TrimSuffix(c.URL, "?api-version=2022-06-01")+"/connections/"+first.id, "", 200)
		case strings.HasPrefix(c.Call, "ClientManager.CloseConnectionAsync(c"):
			first = r.connect("chat", hubproto.JSON, user("u1"))
			second = r.connect("chat", hubproto.MessagePack)
			replace = strings.NewReplacer(capturedFirst, first.id, capturedSecond, second.id)
		}
		a := r.doAs(sign(t, replace.Replace(c.Audience)), c.Method, replace.Replace(c.URL), c.ContentType, c.Body)
		if a.Status != want.status || a.Header.Get("X-Ms-Error-Code") != want.code {
			t.Errorf("%s: %d %q, want %d %q; %s", c.Call, a.Status, a.Header.Get("X-Ms-Error-Code"), want.status, want.code, a.Body)
		}
		if strings.HasPrefix(c.Call, `Clients.All.SendAsync("k", `) {
			asWritten := strings.Replace(strings.Replace(c.Body, `{"Target"`, `{"type":1,"target"`, 1), `"Arguments"`, `"arguments"`, 1)
			if m := until(first, `"target":"k"`); string(m) != asWritten {
				t.Errorf("%s: %s arrived, want %s", c.Call, m, asWritten)
			}
			until(second, "\xa1k\x91")
		}
		n++
	}
	if err := lines.Err(); err != nil || n < 90 {
		t.Errorf("%d requests, %v", n, err)
	}
}

// until skips messages up to one that has mark in it.
func until(c *client, mark string) []byte {
	c.t.Helper()
	for {
		if m := c.raw(); bytes.Contains(m, []byte(mark)) {
			return m
		}
	}
}
