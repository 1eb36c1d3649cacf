//go:build conformance

package conformance

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// A program is a server that prints one line of JSON with "ready":true when it serves, and that can be stopped and started again.
type program struct {
	name    string
	command func() *exec.Cmd // makes a new command each time; a restarted program listens where it did

	mu     sync.Mutex
	cmd    *exec.Cmd
	exited chan struct{} // closed once the process of cmd is gone
	output *tail
}

// readyLine is what a program says when it serves. A program fills the fields that it has.
type readyLine struct {
	Ready            bool   `json:"ready"`
	URL              string `json:"url"`
	ChatRoom         string `json:"chatroom"`
	Gateway          string `json:"gateway"`
	SignalR          string `json:"signalr"`
	Metrics          string `json:"metrics"`
	ConnectionString string `json:"connectionString"`
}

// start runs the program and waits until it is ready.
func (p *program) start() (readyLine, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd != nil {
		return readyLine{}, fmt.Errorf("%s runs already", p.name)
	}
	cmd := p.command()
	p.output = &tail{limit: 8 << 10}
	cmd.Stderr = p.output
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return readyLine{}, err
	}
	if err := cmd.Start(); err != nil {
		return readyLine{}, fmt.Errorf("%s: %w", p.name, err)
	}
	ready := make(chan readyLine, 1)
	exited := make(chan struct{})
	output := p.output
	go func() {
		defer close(exited)
		lines := bufio.NewReader(stdout)
		for {
			line, err := lines.ReadBytes('\n')
			var r readyLine
			if bytes.HasPrefix(line, []byte("{")) && json.Unmarshal(line, &r) == nil && r.Ready {
				select {
				case ready <- r:
				default: // It says so once; a second line like it changes nothing.
				}
			} else {
				output.Write(line) // the line of JSON holds an access key, which is not for showing
			}
			if err != nil {
				break
			}
		}
		cmd.Wait()
	}()
	select {
	case r := <-ready:
		p.cmd, p.exited = cmd, exited
		return r, nil
	case <-exited:
		return readyLine{}, fmt.Errorf("%s ended before it was ready:\n%s", p.name, output)
	case <-time.After(2 * time.Minute):
		cmd.Process.Kill()
		<-exited
		return readyLine{}, fmt.Errorf("%s was not ready within two minutes:\n%s", p.name, output)
	}
}

// stop sends the signal and waits for the end of the process. It kills a process that does not obey, which is an error.
func (p *program) stop(signal syscall.Signal) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return nil
	}
	cmd, exited := p.cmd, p.exited
	p.cmd = nil
	select {
	case <-exited:
		return fmt.Errorf("%s had ended by itself (%v):\n%s", p.name, cmd.ProcessState, p.output)
	default:
	}
	if err := cmd.Process.Signal(signal); err != nil {
		return fmt.Errorf("%s: %w", p.name, err)
	}
	select {
	case <-exited:
	case <-time.After(45 * time.Second):
		cmd.Process.Kill()
		<-exited
		return fmt.Errorf("%s did not end within 45 s of %v:\n%s", p.name, signal, p.output)
	}
	if code := cmd.ProcessState.ExitCode(); signal == syscall.SIGTERM && code != 0 {
		return fmt.Errorf("%s ended with code %d after SIGTERM:\n%s", p.name, code, p.output)
	}
	return nil
}

// run starts the program for one test, which fails when the program does not serve or does not end as it should.
func (p *program) run(t *testing.T) readyLine {
	t.Helper()
	ready, err := p.start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.stop(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		if t.Failed() {
			t.Logf("the last lines of %s:\n%s", p.name, p.output)
		}
	})
	return ready
}

// A tail keeps the last bytes that were written to it.
type tail struct {
	limit int

	mu   sync.Mutex
	data []byte
}

func (l *tail) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.data = append(l.data, b...)
	if over := len(l.data) - l.limit; over > 0 {
		l.data = append(l.data[:0], l.data[over:]...)
	}
	return len(b), nil
}

func (l *tail) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return string(l.data)
}

// freeAddress is a loopback address where nobody listens. A program that is restarted has to come back to its port, so
// it cannot be left to choose one.
func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// runTool runs a command that prepares something; its output is shown when it fails.
func runTool(dir string, name string, arg ...string) error {
	cmd := exec.Command(name, arg...)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s %s: %w\n%s", name, strings.Join(arg, " "), err, out)
	}
	return nil
}

// runSuite runs a suite's program in a process group of its own, shows what it prints, hands each line to seen, and ends the
// whole group when it takes longer than limit.
func runSuite(cmd *exec.Cmd, limit time.Duration, seen func(line string)) error {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	reader, writer, err := os.Pipe()
	if err != nil {
		return err
	}
	defer reader.Close()
	cmd.Stdout, cmd.Stderr = writer, writer
	err = cmd.Start()
	writer.Close()
	if err != nil {
		return err
	}
	timer := time.AfterFunc(limit, func() { syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) })
	lines := bufio.NewReader(reader)
	for {
		line, err := lines.ReadString('\n')
		if line != "" {
			fmt.Print("    ", strings.TrimRight(line, "\n"), "\n")
			seen(strings.TrimSpace(line))
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	err = cmd.Wait()
	if !timer.Stop() {
		return fmt.Errorf("the suite was ended after %v", limit)
	}
	return err
}
