package appserver_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"net/http"
	"time"

	"github.com/hubgate/hubgate/appserver"
)

// A background job sends without being an app server.
func ExampleServiceManager() {
	manager, err := appserver.NewServiceManager("Endpoint=http://localhost;Port=8888;AccessKey=KEY;Version=1.0;", appserver.ServiceManagerOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close()
	chat, err := manager.Hub("chat")
	if err != nil {
		log.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := chat.UserGroups().AddFor(ctx, "ann", "lobby", time.Hour); err != nil {
		log.Print(err)
	}
	if err := chat.Clients().Group("lobby").Send(ctx, "said", "the job", "done"); err != nil {
		log.Print(err)
	}
}

// What sends much keeps connections, which are opened in the background.
func ExampleServiceManager_persistent() {
	manager, err := appserver.NewServiceManager("Endpoint=http://localhost;Port=8888;AccessKey=KEY;Version=1.0;", appserver.ServiceManagerOptions{
		Transport: appserver.Persistent,
	})
	if err != nil {
		log.Fatal(err)
	}
	defer manager.Close() // after all that was sent has been written
	ticker, err := manager.Hub("ticker")
	if err != nil {
		log.Fatal(err)
	}
	ctx := context.Background()
	if err := ticker.WaitConnected(ctx); err != nil {
		log.Fatal(err)
	}
	for price := range 1000 {
		if err := ticker.Clients().All().Send(ctx, "price", price); err != nil {
			log.Print(err)
		}
	}
}

// A serverless app has a negotiate endpoint of its own, which lets its users in.
func ExampleServiceHub_Negotiate() {
	var chat *appserver.ServiceHub // what ServiceManager.Hub returned
	http.HandleFunc("POST /chat/negotiate", func(w http.ResponseWriter, r *http.Request) {
		name, _, ok := r.BasicAuth() // A real one checks the password.
		if !ok {
			http.Error(w, "sign in", http.StatusUnauthorized)
			return
		}
		answer, err := chat.Negotiate(appserver.NegotiateOptions{User: &appserver.User{ID: name}})
		if err != nil {
			http.Error(w, "the token could not be made", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Cache-Control", "no-store")
		_ = json.NewEncoder(w).Encode(answer) // A client that went is nobody's error.
	})
}

// Members are listed page by page, for as long as they are asked for.
func ExampleGroups_Members() {
	var chat *appserver.ServiceHub // what ServiceManager.Hub returned
	for member, err := range chat.Groups().Members(context.Background(), "lobby", 0) {
		if err != nil {
			log.Print(err)
			break
		}
		fmt.Println(member.ConnectionID, member.UserID)
	}
}

// The kinds of errors tell what is wrong with the request and what with the service.
func ExampleServiceError() {
	var chat *appserver.ServiceHub // what ServiceManager.Hub returned
	err := chat.Clients().All().Send(context.Background(), "said", "hello")
	var failed *appserver.ServiceError
	if errors.As(err, &failed) && failed.Kind == appserver.UnauthorizedRequest {
		log.Print("the key was rotated; read the connection string again")
	}
}
