package hubproto

import (
	"strconv"
)

// Pings are constants: they are the most frequent messages of all.
const (
	pingJSON        = "{\"type\":6}\x1e"
	pingMessagePack = "\x02\x91\x06"
)

// AppendPing appends a Ping frame.
func (p Protocol) AppendPing(dst []byte) []byte {
	if p == JSON {
		return append(dst, pingJSON...)
	}
	return append(dst, pingMessagePack...)
}

// AppendClose appends a Close frame in the form of ASP.NET Core. An empty errorText is none.
func (p Protocol) AppendClose(dst []byte, errorText string, allowReconnect bool) []byte {
	if p == JSON {
		dst = append(dst, `{"type":7`...)
		return append(appendCloseFields(dst, errorText, errorText != "", allowReconnect), '}', recordSeparator)
	}
	start := len(dst)
	dst = appendCloseItems(dst, errorText, errorText != "", allowReconnect)
	return mustPrefix(dst, start)
}

// AppendAck appends an Ack frame: messages up to sequenceID have been received.
func (p Protocol) AppendAck(dst []byte, sequenceID int64) []byte {
	return p.appendNumbered(dst, Ack, sequenceID)
}

// AppendSequence appends a Sequence frame: the next counted message has the number sequenceID.
func (p Protocol) AppendSequence(dst []byte, sequenceID int64) []byte {
	return p.appendNumbered(dst, Sequence, sequenceID)
}

func (p Protocol) appendNumbered(dst []byte, t MessageType, sequenceID int64) []byte {
	if p == JSON {
		dst = append(dst, `{"type":`...)
		dst = strconv.AppendInt(dst, int64(t), 10)
		dst = append(dst, `,"sequenceId":`...)
		dst = strconv.AppendInt(dst, sequenceID, 10)
		return append(dst, '}', recordSeparator)
	}
	start := len(dst)
	dst = append(dst, 0x92, byte(t))
	dst = appendInt(dst, sequenceID)
	return mustPrefix(dst, start)
}

// AppendCompletionError appends a Completion frame that ends the invocation with an error.
func (p Protocol) AppendCompletionError(dst []byte, invocationID, errorText string) []byte {
	if p == JSON {
		dst = append(dst, `{"type":3,"invocationId":`...)
		dst = appendString(dst, invocationID)
		dst = append(dst, `,"error":`...)
		dst = appendString(dst, errorText)
		return append(dst, '}', recordSeparator)
	}
	start := len(dst)
	dst = append(dst, 0x95, byte(Completion), 0x80)
	dst = appendText(dst, invocationID)
	dst = append(dst, resultError)
	dst = appendText(dst, errorText)
	return mustPrefix(dst, start)
}

// mustPrefix frames a message that is known to be short of 2 GB, since its texts are the service's own.
func mustPrefix(dst []byte, start int) []byte {
	dst, err := insertPrefix(dst, start)
	if err != nil {
		panic(err) // A text of 2 GB in the service's own hand is a programming error.
	}
	return dst
}
