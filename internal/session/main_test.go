package session

import (
	"os"
	"testing"

	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }
