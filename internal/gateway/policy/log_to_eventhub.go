package policy

import (
	"strings"
	"unicode/utf8"
)

// EventLogger takes the events of log-to-eventhub to where they are kept.
type EventLogger interface {
	// Log takes an event over. It never blocks and never fails: what cannot be delivered is counted and logged there.
	Log(e Event)
}

// Event is a message of log-to-eventhub.
type Event struct {
	Body         []byte
	PartitionID  string // "" when the key or the receiver chooses
	PartitionKey string
}

// MaxEvent is the most bytes of an event: 200 KiB. What is longer is cut off (log-to-eventhub-policy, "Usage notes").
const MaxEvent = 200 << 10

// logToEventHub is the log-to-eventhub policy (log-to-eventhub-policy).
type logToEventHub struct {
	logger       EventLogger
	partitionID  Value[string]
	partitionKey Value[string]
	text         Value[string]
}

func newLogToEventHub(b *Builder) Policy {
	id := b.Literal("logger-id", "", Required)
	l := &logToEventHub{partitionID: b.String("partition-id", 0), partitionKey: b.String("partition-key", 0), text: b.Text(Required)}
	if l.partitionID.IsSet() && l.partitionKey.IsSet() {
		b.Errorf("The attributes 'partition-id' and 'partition-key' exclude each other")
	}
	l.logger = b.c.environment.Loggers[strings.ToLower(id)]
	if l.logger == nil && id != "" && !b.c.environment.Offline {
		b.Errorf("Logger with id '%s' could not be found, or it is not one of an event hub", id)
	}
	return l
}

// Run hands the event to the logger.
func (l *logToEventHub) Run(x *Exchange) (Outcome, error) {
	var e Event
	var err error
	if e.PartitionID, err = l.partitionID.Get(x); err != nil {
		return End, err
	}
	if e.PartitionKey, err = l.partitionKey.Get(x); err != nil {
		return End, err
	}
	text, err := l.text.Get(x)
	if err != nil {
		return End, err
	}
	if len(text) > MaxEvent {
		text = text[:MaxEvent]
		for len(text) > 0 && !utf8.ValidString(text[max(len(text)-utf8.UTFMax, 0):]) {
			text = text[:len(text)-1]
		}
	}
	e.Body = []byte(text)
	if l.logger != nil {
		l.logger.Log(e)
	}
	return Continue, nil
}
