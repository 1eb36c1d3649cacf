//go:build unix && !solaris && !aix

package natsd

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock keeps a second process from using the same data directory, which would destroy it. The lock ends with the
// process, however that ends, so that nothing is to be cleaned up after a crash.
type dirLock struct{ file *os.File }

func lockDir(dir string) (*dirLock, error) {
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("data directory: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		file.Close()
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return nil, fmt.Errorf("data directory %s is in use by another process; stop that one or use another directory", dir)
		}
		return nil, fmt.Errorf("locking data directory %s: %w", dir, err)
	}
	return &dirLock{file}, nil
}

func (l *dirLock) release() { l.file.Close() }
