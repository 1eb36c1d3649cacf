package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
)

// report is everything that was measured, of the service's process alone.
type report struct {
	Clients      int               `json:"clients"`
	ClientsAsked int               `json:"clientsAsked"`
	Idle         []idle            `json:"idle"`
	Broadcast    []broadcastResult `json:"broadcast"`
	Echo         echoResult        `json:"echo"`
}

// idle is what one client costs that is connected and silent, in bytes.
type idle struct {
	Transport  string  `json:"transport"`
	Heap       float64 `json:"heapBytesPerClient"`
	Stack      float64 `json:"stackBytesPerClient"`
	Resident   float64 `json:"residentBytesPerClient"`
	Goroutines float64 `json:"goroutinesPerClient"`
}

// broadcastResult is what a message to all clients costs, in microseconds of processor time.
type broadcastResult struct {
	Burst        int     `json:"burst"` // messages sent at once
	Messages     int64   `json:"messagesDelivered"`
	MicrosecCPU  float64 `json:"cpuMicrosecondsPerMessage"`
	MessageBytes int     `json:"messageBytes"`
}

// echoResult is what a message costs that goes from a client to the app server and back.
type echoResult struct {
	Clients     int     `json:"clients"` // that echo at once
	Echoes      int64   `json:"echoes"`
	MicrosecCPU float64 `json:"cpuMicrosecondsPerEcho"`
}

func perClient(transport string, before, after sample, clients int) idle {
	each := func(a, b float64) float64 { return (b - a) / float64(clients) }
	return idle{
		Transport: transport, Heap: each(before.heap, after.heap), Stack: each(before.stack, after.stack),
		Resident: each(before.resident, after.resident), Goroutines: each(before.goroutines, after.goroutines),
	}
}

func (r *report) writeJSON(w io.Writer) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(r)
}

func (r *report) writeText(w io.Writer) error {
	if r.Clients < r.ClientsAsked {
		_, _ = fmt.Fprintf(w, "%d clients were asked for; the limit of open files allows %d.\n\n", r.ClientsAsked, r.Clients)
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "Idle client, %d of them\theap\tstacks\theap + stacks\tresident\tgoroutines\t\n", r.Clients)
	for _, i := range r.Idle {
		_, _ = fmt.Fprintf(t, "%s\t%.1f KB\t%.1f KB\t%.1f KB\t%.1f KB\t%.2f\t\n", i.Transport, i.Heap/1000, i.Stack/1000, (i.Heap+i.Stack)/1000, i.Resident/1000, i.Goroutines)
	}
	_ = t.Flush()
	_, _ = fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintf(t, "Service's processor time\tmessages\ta message\t\n")
	for _, b := range r.Broadcast {
		name := "lone"
		if b.Burst > 1 {
			name = fmt.Sprintf("bursts of %d", b.Burst)
		}
		_, _ = fmt.Fprintf(t, "broadcast to %d, %d bytes, %s\t%d\t%.2f us\t\n", r.Clients, b.MessageBytes, name, b.Messages, b.MicrosecCPU)
	}
	_, _ = fmt.Fprintf(t, "echo through the app server, %d clients\t%d\t%.2f us\t\n", r.Echo.Clients, r.Echo.Echoes, r.Echo.MicrosecCPU)
	return t.Flush()
}
