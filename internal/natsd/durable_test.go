package natsd

import (
	"testing"
)

// TestSyncAlways looks at the setting on which the promise rests that no acknowledged write is lost: a test cannot cut the power.
func TestSyncAlways(t *testing.T) {
	t.Parallel()
	s, err := Start(t.Context(), Options{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if config := s.server.JetStreamConfig(); config == nil || !config.SyncAlways {
		t.Errorf("JetStream runs with %+v, want it to sync always", config)
	}
}
