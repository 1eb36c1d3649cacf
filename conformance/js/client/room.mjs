// What a scenario needs: clients over one transport and hub protocol, the app server's HTTP controls, and assertions.

import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import * as signalR from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';

// The client takes its WebSocket class from its own dependency; the same class is taken here, so that a socket can be cut.
const WebSocket = createRequire(import.meta.resolve('@microsoft/signalr'))('ws');

const transportTypes = {
  ws: signalR.HttpTransportType.WebSockets,
  sse: signalR.HttpTransportType.ServerSentEvents,
  lp: signalR.HttpTransportType.LongPolling,
  any: undefined, // the client chooses among what the server offers
};

/** The class inside the client that carries each transport. */
export const transportClasses = { ws: 'WebSocketTransport', sse: 'ServerSentEventsTransport', lp: 'LongPollingTransport' };

/** Every transport with every hub protocol that it can carry: server-sent events are text only. */
export const combinations = [
  { transport: 'ws', protocol: 'json' },
  { transport: 'ws', protocol: 'messagepack' },
  { transport: 'sse', protocol: 'json' },
  { transport: 'lp', protocol: 'json' },
  { transport: 'lp', protocol: 'messagepack' },
];

export const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/** Waits until the condition holds; polls, because what it asks about lies in another process. */
export async function until(condition, what, seconds = 10) {
  for (const end = Date.now() + seconds * 1000; Date.now() < end; await sleep(20)) if (await condition()) return;
  assert.fail(`did not happen within ${seconds} s: ${what}`);
}

/** The promise, or an error that says what was awaited once the seconds are over. */
export async function within(promise, what, seconds = 10) {
  let timer;
  const late = new Promise((_, reject) => { timer = setTimeout(() => reject(new assert.AssertionError({ message: `did not happen within ${seconds} s: ${what}` })), seconds * 1000); });
  try { return await Promise.race([promise, late]); } finally { clearTimeout(timer); }
}

/** The error in which the call ends; fails when the call succeeds. */
export async function failure(call) {
  let value;
  try { value = await call(); } catch (error) { return error; }
  return assert.fail(`the call succeeded with ${JSON.stringify(value)}`);
}

/** Everything that a stream of the hub yields. */
export function collect(stream) {
  return new Promise((resolve, reject) => {
    const items = [];
    stream.subscribe({ next: (item) => items.push(item), complete: () => resolve(items), error: (error) => { error.items = items; reject(error); } });
  });
}

let names = 0;

export class Room {
  #peers = [];

  constructor({ appUrl, transport, protocol }) {
    Object.assign(this, { appUrl, transport, protocol });
  }

  /** A name that no other scenario or run uses. */
  unique(prefix) { return `${prefix}-${process.pid}-${++names}`; }

  /** Field names of an object travel in camel case in JSON and as the app server's language spells them in MessagePack. */
  record(object) { return this.protocol === 'json' ? object : Object.fromEntries(Object.entries(object).map(([k, v]) => [k[0].toUpperCase() + k.slice(1), v])); }
  plain(object) { return Object.fromEntries(Object.entries(object).map(([k, v]) => [k[0].toLowerCase() + k.slice(1), v])); }

  /** Bytes as the application gives and gets them: base64 text in JSON, a byte array in MessagePack. */
  bytes(list) { return this.protocol === 'json' ? Buffer.from(list).toString('base64') : Uint8Array.from(list); }
  list(value) { return [...(typeof value === 'string' ? Buffer.from(value, 'base64') : value)]; }

  /** A client that is not started yet. `retry` (milliseconds between attempts) switches automatic reconnect on. */
  create(query = '', { hub = 'conformance', url = `${this.appUrl}/${hub}${query}`, retry, stateful = false, options = {}, transport = this.transport, protocol = this.protocol } = {}) {
    const peer = new Peer();
    class Socket extends WebSocket {
      constructor(...args) { super(...args); peer.sockets.push(this); }
    }
    const builder = new signalR.HubConnectionBuilder()
      .withUrl(url, { transport: transportTypes[transport], headers: { 'X-Test': 'header value' }, WebSocket: Socket, ...options })
      .configureLogging({ log: (level, message) => { if (level >= signalR.LogLevel.Information) peer.log.push(message); } });
    if (protocol === 'messagepack') builder.withHubProtocol(new MessagePackHubProtocol());
    if (retry !== undefined) builder.withAutomaticReconnect({ nextRetryDelayInMilliseconds: ({ previousRetryCount, elapsedMilliseconds }) => (elapsedMilliseconds > 90_000 ? null : previousRetryCount === 0 ? 0 : retry) });
    if (stateful) builder.withStatefulReconnect();
    peer.attach(builder.build());
    this.#peers.push(peer);
    return peer;
  }

  async connect(query = '', settings = {}) {
    const peer = this.create(query, settings);
    await peer.hub.start();
    return peer;
  }

  async #send(method, path) {
    const response = await fetch(this.appUrl + path, { method });
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${await response.text()}`);
    return response;
  }
  post(path) { return this.#send('POST', path); }
  put(path) { return this.#send('PUT', path); }
  delete(path) { return this.#send('DELETE', path); }
  async log() { return (await this.#send('GET', '/log')).json(); }

  async close() { await Promise.all(this.#peers.map((peer) => Promise.race([peer.hub.stop().catch(() => {}), sleep(5000)]))); }
}

/** One client and what it received. */
export class Peer {
  sockets = [];
  log = [];
  messages = [];
  numbers = [];
  welcomes = [];
  closings = []; // the error of each onclose, or undefined
  reconnectings = [];
  reconnecteds = []; // the new connection id of each onreconnected

  attach(hub) {
    this.hub = hub;
    hub.serverTimeoutInMilliseconds = 30_000;
    hub.on('message', (text) => { this.messages.push(text); });
    hub.on('number', (number) => { this.numbers.push(number); });
    hub.on('welcome', (id) => { this.welcomes.push(id); });
    hub.onclose((error) => { this.closings.push(error); });
    hub.onreconnecting((error) => { this.reconnectings.push(error); });
    hub.onreconnected((id) => { this.reconnecteds.push(id); });
  }

  get id() { return this.hub.connectionId; }

  /** The name of the class that carries the connection. */
  get transportClass() { return this.hub.connection.transport?.constructor.name; }

  /** The HTTP URL at which the connection is carried; the client's own baseUrl stays the one that the application gave it. */
  get url() {
    const { transport } = this.hub.connection;
    return (transport._url ?? transport._webSocket.url).replace(/^ws/, 'http');
  }

  /** Breaks the client's WebSocket as a lost network does. */
  cut() { this.sockets.at(-1).terminate(); }

  closed(seconds = 10) { return until(() => this.closings.length > 0, 'onclose', seconds); }
  reconnected(times = 1, seconds = 60) { return until(() => this.reconnecteds.length >= times, 'onreconnected', seconds); }

  /**
   * Checks that exactly these messages have come, in any order between senders. A marker that the hub sends last shows that
   * nothing else is on its way.
   */
  async expect(...want) {
    await until(() => this.messages.length >= want.length, `${want.length} messages (${JSON.stringify(want)}); there are ${JSON.stringify(this.messages)}`);
    await this.hub.invoke('SendCaller', 'marker');
    await until(() => this.messages.includes('marker'), 'the marker');
    assert.deepEqual(this.messages.toSorted(), [...want, 'marker'].toSorted());
    this.messages.length = 0;
  }
}
