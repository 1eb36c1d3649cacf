package memstore_test

import (
	"os"
	"testing"

	"github.com/hubgate/hubgate/internal/store"
	"github.com/hubgate/hubgate/internal/store/memstore"
	"github.com/hubgate/hubgate/internal/store/storetest"
	"github.com/hubgate/hubgate/internal/testkit"
)

func TestMain(m *testing.M) { os.Exit(testkit.LeakCheck(m)) }

func TestContract(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) store.Store { return memstore.New() })
}
