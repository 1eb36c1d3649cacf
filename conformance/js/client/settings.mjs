// How the suites find what they run against. The driver (../../*_test.go) sets these; by hand, APP_URL alone is enough.

const env = process.env;

/** The app server, whose hubs the clients ask for. */
export const appUrl = (env.APP_URL ?? 'http://127.0.0.1:5080').replace(/\/$/, '');

/** Where the app server must send its clients ("" when it is plain ASP.NET Core and serves them itself). */
export const clientEndpoint = (env.CLIENT_ENDPOINT ?? '').replace(/\/$/, '');
export const behindService = clientEndpoint !== '';

/**
 * What lies between: 'all' lets every transport through, 'websockets' only WebSockets (two suffixes at the gateway), and
 * 'http' only HTTP (the gateway has no WebSocket API on the suffix).
 */
export const reach = env.REACH ?? 'all';

/** Restarts the app server and the service: POST {control}/{appserver|service}/{stop|start}?signal=TERM|KILL. "" when nobody can. */
export const control = (env.CONTROL_URL ?? '').replace(/\/$/, '');

/** Prometheus metrics of the service, or "". */
export const metricsUrl = env.METRICS_URL ?? '';

/** Runs only scenarios whose full name contains this text. */
export const only = env.ONLY ?? '';

/** Asks the driver to stop or start a program. */
export async function command(what, signal = 'TERM') {
  const response = await fetch(`${control}/${what}?signal=${signal}`, { method: 'POST' });
  if (!response.ok) throw new Error(`${what}: ${await response.text()}`);
}
