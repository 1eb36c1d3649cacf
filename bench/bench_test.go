package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFlags(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{{"-clients", "0"}, {"-clients", "-5"}, {"surplus"}, {"-unknown"}} {
		if err := run(context.Background(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q is taken", args)
		}
	}
	if err := run(context.Background(), []string{"-binary", "no such file"}, io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), "no such file") {
		t.Errorf("a binary that is not there: %v", err)
	}
}

func TestFrames(t *testing.T) {
	t.Parallel()
	for _, size := range []int{0, 1, 125, 126, 65535, 65536} {
		payload := bytes.Repeat([]byte("x"), size)
		frame := appendFrame(nil, opBinary, payload)
		frame[1] &^= 0x80 // the service's frames have no mask
		at := len(frame) - size - 4
		frame = append(frame[:at], frame[at+4:]...)
		got, opcode, err := readFrame(bufio.NewReader(bytes.NewReader(frame)), nil)
		if err != nil || opcode != opBinary || !bytes.Equal(got, payload) {
			t.Errorf("%d bytes: got %d with opcode %d, error %v", size, len(got), opcode, err)
		}
	}
}

func TestHubMessage(t *testing.T) {
	t.Parallel()
	m := hubMessage()
	if len(m) != messageBytes || !json.Valid(bytes.TrimSuffix(m, []byte{0x1e})) {
		t.Errorf("%d bytes: %q", len(m), m)
	}
}

func TestReport(t *testing.T) {
	t.Parallel()
	r := report{
		Clients: 100, ClientsAsked: 200,
		Idle:      []idle{perClient(webSockets, sample{heap: 1000, goroutines: 10}, sample{heap: 301_000, stack: 200_000, resident: 800_000, goroutines: 110}, 100)},
		Broadcast: []broadcastResult{{Burst: 1, Messages: 1000, MicrosecCPU: 8.25, MessageBytes: 128}, {Burst: 16, Messages: 16_000, MicrosecCPU: 0.5, MessageBytes: 128}},
		Echo:      echoResult{Clients: 100, Echoes: 5000, MicrosecCPU: 15},
	}
	var text, document strings.Builder
	if err := r.writeText(&text); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"200 clients were asked for; the limit of open files allows 100.", "3.0 KB  2.0 KB         5.0 KB    8.0 KB        1.00", "8.25 us", "bursts of 16",
		"echo through the app server, 100 clients",
	} {
		if !strings.Contains(text.String(), want) {
			t.Errorf("%q is not in the report:\n%s", want, &text)
		}
	}
	if err := r.writeJSON(&document); err != nil {
		t.Fatal(err)
	}
	var back report
	if err := json.Unmarshal([]byte(document.String()), &back); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(r, back); diff != "" {
		t.Error(diff)
	}
}
