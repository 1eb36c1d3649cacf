package app

import (
	"context"
	"sync"

	"github.com/hubgate/hubgate/appserver"
	"github.com/hubgate/hubgate/examples/chatroom/room"
)

// chatRoom is the demo's app server. It reaches the service over the network, with a connection string, as every app does.
type chatRoom struct {
	cancel context.CancelFunc
	done   sync.WaitGroup
}

// startChatRoom starts the app server and its page, and returns once clients can be served.
func (n *node) startChatRoom(ctx context.Context) error {
	if n.listeners[listenChatRoom] == nil || n.listeners[listenSignalR] == nil {
		return nil
	}
	connectionString, err := n.connectionString(ctx)
	if err != nil {
		return err
	}
	app, err := appserver.New(connectionString, appserver.Options{Logger: n.log.With("app", "chat room")})
	if err != nil {
		return err
	}
	page, err := room.New(app)
	if err != nil {
		return err
	}
	running, cancel := context.WithCancel(context.WithoutCancel(ctx))
	r := &chatRoom{cancel: cancel}
	n.room = r
	r.done.Go(func() {
		if err := app.Run(running); err != nil {
			n.log.Error("the chat room's app server ended", "reason", err)
		}
	})
	n.serve(listenChatRoom, page)
	return app.WaitConnected(ctx)
}

func (r *chatRoom) stop() {
	r.cancel()
	r.done.Wait()
}
