//go:build unix

package main

import "syscall"

// openFiles raises the number of files that this process may open as far as it may, and returns it; the Go run time of the service does the same.
func openFiles() int {
	var limit syscall.Rlimit
	if syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit) != nil {
		return 0
	}
	if limit.Cur < limit.Max {
		limit.Cur = limit.Max
		_ = syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit)
		_ = syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit)
	}
	return int(min(uint64(limit.Cur), 1<<30)) //nolint:unconvert // it is signed on some systems
}
