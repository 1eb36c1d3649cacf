// Package conformance runs real clients and real app servers against the real program: npm's JavaScript client, Chromium,
// .NET's client and app server, the clients of Java and Python, and an app server on the Go SDK.
//
//	go test -tags conformance -timeout 60m -v ./conformance
//
// The tests build hubgate, start it on free ports, start the app servers, run the suites, and end what they started. What a
// machine lacks (Node, Chromium, .NET, Java, Python) is said and skipped. README.md tells how to run a suite by hand.
package conformance
