package config

import "time"

// The default addresses. The SignalR port is the one of Azure's own emulator.
const (
	DefaultSignalRAddress    = "127.0.0.1:8888"
	DefaultGatewayAddress    = "127.0.0.1:8080"
	DefaultManagementAddress = "127.0.0.1:9000"
	DefaultMetricsAddress    = "127.0.0.1:9100"
)

// DefaultSecretDirectory is where container engines put secrets.
const DefaultSecretDirectory = "/run/secrets"

// Default is the configuration of an empty file.
func Default() *Config {
	return &Config{
		Listeners: Listeners{
			SignalR:    DefaultSignalRAddress,
			Gateway:    DefaultGatewayAddress,
			Management: DefaultManagementAddress,
			Metrics:    DefaultMetricsAddress,
		},
		Domain:        "localhost",
		DataDirectory: "hubgate-data",
		Gateway:       Gateway{Region: "local", CacheSize: 64 << 20},
		Limits: Limits{
			Connections:          1_000_000,
			ClientQueue:          8 << 20,
			ClientMessage:        16 << 20,
			ClientPost:           16 << 20,
			ServerMessage:        64 << 20,
			ConnectTimeout:       Duration(15 * time.Second),
			HandshakeTimeout:     Duration(15 * time.Second),
			PollTimeout:          Duration(90 * time.Second),
			PollGap:              Duration(15 * time.Second),
			RequestHeader:        64 << 10,
			RequestHeaderTimeout: Duration(10 * time.Second),
		},
		SecretReferences: SecretReferences{
			Directories: []string{DefaultSecretDirectory},
			Environment: []string{"HUBGATE_SECRET_*"},
		},
		ShutdownTimeout: Duration(30 * time.Second),
		Log:             Log{Level: "info", Format: "text"},
		Telemetry:       Telemetry{Tracing: Tracing{Protocol: ProtocolGRPC, SamplingRatio: 1, ServiceName: "hubgate"}},
	}
}
