// A serverless app: it hands out tokens, takes the events of clients as web hooks, and answers with results and over the REST API.

import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { decode, encode } from '@msgpack/msgpack';

const base64url = (value) => Buffer.from(value).toString('base64url');

/** A token that is signed with an access key. */
export function token(key, claims) {
  const now = Math.floor(Date.now() / 1000);
  const signed = `${base64url('{"alg":"HS256","typ":"JWT"}')}.${base64url(JSON.stringify({ iat: now, exp: now + 600, ...claims }))}`;
  return `${signed}.${createHmac('sha256', key).update(signed).digest('base64url')}`;
}

/** The app of one hub. Methods get the sender and the arguments of a call, and return its result. */
export class App {
  #key;
  #service;
  #hub;
  #methods;
  #server;
  /** Events of clients in the order in which they came: [user, event]. */
  events = [];
  /** Requests that a stranger might have made. */
  refused = 0;

  constructor({ key, service, hub, methods }) {
    this.#key = key;
    this.#service = service;
    this.#hub = hub;
    this.#methods = methods;
  }

  listen(url) {
    const { hostname, port } = new URL(url);
    this.#server = createServer((request, response) => this.#serve(request, response).catch((error) => {
      response.statusCode = 500;
      response.end(String(error));
    }));
    return new Promise((resolve) => { this.#server.listen(Number(port), hostname, resolve); });
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise((resolve) => { this.#server.close(resolve); });
  }

  /** Calls the REST API: path is below the hub. Returns the response. */
  rest(method, path, body) {
    const url = `${this.#service}/api/hubs/${this.#hub}${path}`;
    return fetch(`${url}${url.includes('?') ? '&' : '?'}api-version=2024-12-01`, {
      method,
      headers: { authorization: `Bearer ${token(this.#key, { aud: url.split('?')[0] })}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
  }

  /** Sends to the clients that the path names, such as "" for all or "/users/bob". */
  async send(path, target, ...args) {
    const response = await this.rest('POST', `${path}/:send`, { target, arguments: args });
    if (response.status !== 202) throw new Error(`send: ${response.status} ${await response.text()}`);
  }

  async #serve(request, response) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks);
    const url = new URL(request.url, 'http://app');
    if (url.pathname === '/negotiate') {
      const audience = `${this.#service}/client/?hub=${this.#hub}`;
      response.setHeader('content-type', 'application/json');
      response.end(JSON.stringify({ url: audience, accessToken: token(this.#key, { aud: audience, nameid: url.searchParams.get('user') }) }));
      return;
    }
    const connection = request.headers['x-asrs-connection-id'] ?? '';
    const expected = `sha256=${createHmac('sha256', this.#key).update(connection).digest('hex')}`;
    if (!(request.headers['x-asrs-signature'] ?? '').split(',').includes(expected)) {
      this.refused += 1;
      response.statusCode = 401;
      response.end();
      return;
    }
    const header = (name) => text(request.headers[name]);
    const sender = { connection, user: header('x-asrs-user-id'), query: header('x-asrs-client-query') };
    const event = header('x-asrs-event');
    this.events.push([sender.user, event]);
    const binary = request.headers['content-type'] === 'application/x-msgpack';
    const message = binary ? fromMessagePack(decode(body)) : JSON.parse(body);
    const method = this.#methods[event];
    if (!method) {
      response.statusCode = 404;
      response.end();
      return;
    }
    const result = await method.call(this, sender, ...(message.arguments ?? [message]));
    response.end(message.invocationId === undefined ? undefined : completion(binary, message.invocationId, result));
  }
}

/** The service writes UTF-8 into headers, which Node reads byte by byte. */
const text = (header) => header && Buffer.from(header, 'latin1').toString('utf8');

const fromMessagePack = ([type, , id, target, args]) => ({ type, invocationId: id ?? undefined, target, arguments: args });

/** A completion as the hub protocol frames it. */
function completion(binary, id, result) {
  if (!binary) return `${JSON.stringify({ type: 3, invocationId: id, result })}\x1e`;
  const message = result === undefined ? encode([3, {}, id, 2]) : encode([3, {}, id, 3, result]);
  const length = [];
  for (let n = message.length; ; n >>>= 7) {
    length.push(n > 0x7f ? (n & 0x7f) | 0x80 : n);
    if (n <= 0x7f) break;
  }
  return Buffer.concat([Buffer.from(length), message]);
}
