#!/usr/bin/env node
// Asks a SignalR endpoint 116 raw questions (HTTP statuses, frames, close codes, texts) and writes down the answers.
//
//   node probe.mjs URL                        prints the answers as JSON; URL is the app server, e.g. http://127.0.0.1:5080
//   node probe.mjs URL --compare FILE         compares with recorded answers; 'N passed, N failed' last, exit code 1 when one differs
//   node probe.mjs URL --only TEXT            only probes whose name contains TEXT
//   --except FILE                             a JSON object, probe name -> reason: answers that differ on purpose; reported as skipped
//
// aspnetcore-10.json holds the answers of ASP.NET Core 10.0.12 itself. The hub is the ConformanceHub of ../dotnet (Add, EchoString,
// Count, Slow, Abort, FailOther). A redirect in the negotiate answer is followed, so the probes reach the service behind an app server.
// Node's standard library only.

import http from 'node:http';
import net from 'node:net';
import crypto from 'node:crypto';
import fs from 'node:fs';

const RS = '\x1e';
const [, , appUrl, ...rest] = process.argv;
const option = (name) => (rest.includes(name) ? rest[rest.indexOf(name) + 1] : undefined);
const sleep = (ms) => new Promise((r) => setTimeout(r, ms));

// ---- requests -------------------------------------------------------------------------------------------------------------------

/** One HTTP request; resolves with status, headers and body once the answer is complete, or after `ms` with what has come. */
function request(method, url, { headers = {}, body, ms = 3000, until } = {}) {
  return new Promise((resolve, reject) => {
    const req = http.request(url, { method, headers, agent: false }, (res) => {
      const chunks = [];
      const done = (ended) => resolve({ status: res.statusCode, headers: res.headers, body: Buffer.concat(chunks), ended });
      const timer = setTimeout(() => { done(false); req.destroy(); }, ms);
      res.on('data', (c) => { chunks.push(c); if (until && Buffer.concat(chunks).includes(until)) { clearTimeout(timer); done(false); req.destroy(); } });
      res.on('end', () => { clearTimeout(timer); done(true); });
      res.on('error', () => {});
    });
    const start = setTimeout(() => { resolve({ status: 'no answer' }); req.destroy(); }, ms);
    req.on('response', () => clearTimeout(start));
    req.on('error', (e) => { clearTimeout(start); e.code === 'ECONNRESET' ? resolve({ status: 'reset' }) : reject(e); });
    req.end(body);
  });
}

/** The endpoint under test: the hub's base URL and token, after a possible redirect. */
class Target {
  static async find(url) {
    const r = await request('POST', `${url}/conformance/negotiate?negotiateVersion=1`);
    const answer = JSON.parse(r.body);
    const t = new Target();
    t.base = new URL(answer.url ?? `${url}/conformance`);
    t.base.searchParams.delete('negotiateVersion'); // each probe states its own
    t.headers = answer.accessToken ? { Authorization: `Bearer ${answer.accessToken}` } : {};
    return t;
  }
  url(query = '', path = '') {
    const u = new URL(this.base);
    if (path) u.pathname = u.pathname.replace(/\/?$/, '/' + path);
    u.search = [u.search.replace(/^\?/, ''), query].filter(Boolean).join('&');
    return u;
  }
  send(method, query, options = {}) { return request(method, this.url(query), { ...options, headers: { ...this.headers, ...options.headers } }); }
  negotiate(query = 'negotiateVersion=1', method = 'POST') { return request(method, this.url(query, 'negotiate'), { headers: this.headers }); }
  async id() { return JSON.parse((await this.negotiate()).body).connectionToken; }
  poll(id, ms) { return this.send('GET', 'id=' + id, { ms }); }
  post(id, text) { return this.send('POST', 'id=' + id, { body: text, headers: { 'Content-Type': 'text/plain;charset=UTF-8' } }); }

  /** A WebSocket on a bare TCP connection, so that every frame is seen as it came. */
  async socket(query) {
    const u = this.url(query ?? 'id=' + (await this.id()));
    const s = new Socket();
    await s.open(u, this.headers);
    return s;
  }
  async ready(protocol = 'json') {
    const s = await this.socket();
    s.text(`{"protocol":"${protocol}","version":1}${RS}`);
    await s.frame();
    return s;
  }
}

class Socket {
  buffer = Buffer.alloc(0); frames = []; waiters = []; ended = false;
  open(u, headers) {
    return new Promise((resolve, reject) => {
      this.tcp = net.connect(u.port || 80, u.hostname);
      this.tcp.on('error', () => this.finish());
      this.tcp.on('close', () => this.finish());
      this.tcp.write(`GET ${u.pathname}${u.search} HTTP/1.1\r\nHost: ${u.host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n` +
        `Sec-WebSocket-Key: ${crypto.randomBytes(16).toString('base64')}\r\n${Object.entries(headers).map(([k, v]) => `${k}: ${v}\r\n`).join('')}\r\n`);
      const timer = setTimeout(() => { this.status = 'no answer'; resolve(); }, 3000);
      this.tcp.on('data', (d) => {
        this.buffer = Buffer.concat([this.buffer, d]);
        if (this.status === undefined) {
          const end = this.buffer.indexOf('\r\n\r\n');
          if (end < 0) return;
          const head = this.buffer.subarray(0, end).toString().split('\r\n');
          this.status = Number(head[0].split(' ')[1]);
          this.headers = Object.fromEntries(head.slice(1).map((l) => [l.slice(0, l.indexOf(':')).toLowerCase(), l.slice(l.indexOf(':') + 2)]));
          this.buffer = this.buffer.subarray(end + 4);
          clearTimeout(timer);
          resolve();
        }
        if (this.status === 101) this.parse();
      });
    });
  }
  parse() {
    for (;;) {
      const b = this.buffer;
      if (b.length < 2) return;
      let length = b[1] & 127, at = 2;
      if (length === 126) { if (b.length < 4) return; length = b.readUInt16BE(2); at = 4; }
      else if (length === 127) { if (b.length < 10) return; length = Number(b.readBigUInt64BE(2)); at = 10; }
      if (b.length < at + length) return;
      const frame = { opcode: b[0] & 15, fin: b[0] >> 7, payload: b.subarray(at, at + length) };
      this.buffer = b.subarray(at + length);
      this.push(frame);
    }
  }
  push(frame) { const w = this.waiters.shift(); if (w) w(frame); else this.frames.push(frame); }
  finish() { if (!this.ended) { this.ended = true; this.push({ end: true }); while (this.waiters.length) this.push({ end: true }); } }
  /** The next frame as a word: text {…}, binary hex, close CODE reason, end (TCP closed) or nothing (none within `ms`). */
  async frame(ms = 2500) {
    const f = this.frames.shift() ?? (this.ended ? { end: true } : await Promise.race([new Promise((r) => this.waiters.push(r)), sleep(ms).then(() => null)]));
    if (!f) { this.waiters.length = 0; return 'nothing'; }
    if (f.end) return 'end';
    if (f.opcode === 8) return f.payload.length ? `close ${f.payload.readUInt16BE(0)} ${f.payload.subarray(2)}`.trim() : 'close';
    if (f.opcode === 1) return 'text ' + f.payload.toString();
    return ({ 0: 'continuation ', 2: 'binary ', 9: 'ping ', 10: 'pong ' }[f.opcode] ?? `opcode ${f.opcode} `) + f.payload.toString('hex');
  }
  /** All hub messages and ends until TCP closes, or until nothing comes for `ms`; hub pings are left out. */
  async all(ms = 1500) {
    const out = [];
    for (;;) {
      const f = await this.frame(ms);
      if (f === 'nothing') return out;
      out.push(...messages(f));
      if (f === 'end') return out;
      if (f.startsWith('close')) this.raw(8, Buffer.from([3, 232]));
    }
  }
  raw(opcode, payload, fin = true) {
    const mask = crypto.randomBytes(4), n = payload.length;
    const head = n < 126 ? Buffer.from([(fin ? 128 : 0) | opcode, 128 | n]) : n < 65536 ? Buffer.from([(fin ? 128 : 0) | opcode, 254, n >> 8, n & 255]) : Buffer.concat([Buffer.from([(fin ? 128 : 0) | opcode, 255]), (() => { const b = Buffer.alloc(8); b.writeBigUInt64BE(BigInt(n)); return b; })()]);
    this.tcp.write(Buffer.concat([head, mask, Buffer.from(payload.map((x, i) => x ^ mask[i & 3]))]));
  }
  text(s) { this.raw(1, Buffer.from(s)); }
  binary(b) { this.raw(2, Buffer.from(b)); }
  close(code) { this.raw(8, code ? Buffer.from([code >> 8, code & 255]) : Buffer.alloc(0)); }
}

/** Cuts a frame into hub messages, so that it does not matter how many share a frame. */
function messages(frame) {
  const [kind, data] = [frame.split(' ', 1)[0], frame.slice(frame.indexOf(' ') + 1)];
  if (kind === 'text') return data.split(RS).slice(0, -1).filter((m) => m !== '{"type":6}').map((m) => 'text ' + m).concat(data.endsWith(RS) ? [] : ['text cut: ' + data]);
  if (kind !== 'binary') return [frame];
  const out = [];
  for (let b = Buffer.from(data, 'hex'); b.length > 0;) {
    if (b.subarray(0, 3).toString() === `{}${RS}`) { out.push('text {}'); b = b.subarray(3); continue; }
    let length = 0, at = 0;
    do length |= (b[at] & 127) << (7 * at); while (b[at++] & 128);
    out.push('binary ' + b.subarray(at, at + length).toString('hex'));
    b = b.subarray(at + length);
  }
  return out.filter((m) => m !== 'binary 9106');
}

// ---- answers --------------------------------------------------------------------------------------------------------------------

const brief = (r) => ({ status: r.status, type: r.headers?.['content-type'], body: r.body?.toString() });
const some = (r, ...names) => Object.fromEntries(names.map((n) => [n, r.headers?.[n]]));
const shape = (text) => { const o = JSON.parse(text); for (const k of ['connectionId', 'connectionToken']) if (o[k]) o[k] = `${o[k].length > 16 ? 'long' : 'short'} url-safe=${/^[\w-]+$/.test(o[k])}`; return o; };
const handshake = (o) => JSON.stringify({ protocol: 'json', version: 1, ...o }) + RS;
const message = (o) => (typeof o === 'string' ? o : JSON.stringify(o)) + RS;
/** Sends messages on a JSON WebSocket that has shaken hands; answers all frames that follow. */
const talk = (...list) => async (t) => { const s = await t.ready(); for (const m of list) { s.text(message(m)); await sleep(40); } return s.all(); };
/** The same with raw MessagePack bytes. */
const pack = (...hex) => async (t) => { const s = await t.ready('messagepack'); for (const h of hex) s.binary(Buffer.from(h, 'hex')); return s.all(); };
const first = (...texts) => async (t) => { const s = await t.socket(); for (const x of texts) s.text(x); return s.all(); };

const probes = {
  // negotiate
  'negotiate: version 1': async (t) => { const r = await t.negotiate(); return { status: r.status, ...some(r, 'content-type'), length: 'content-length' in r.headers, body: shape(r.body) }; },
  'negotiate: version 0': async (t) => shape((await t.negotiate('')).body),
  'negotiate: version 0 stated': async (t) => shape((await t.negotiate('negotiateVersion=0')).body),
  'negotiate: version 99': async (t) => shape((await t.negotiate('negotiateVersion=99')).body),
  'negotiate: version abc': async (t) => brief(await t.negotiate('negotiateVersion=abc')),
  'negotiate: version -1': async (t) => brief(await t.negotiate('negotiateVersion=-1')),
  'negotiate: stateful asked': async (t) => shape((await t.negotiate('negotiateVersion=1&useStatefulReconnect=true')).body),
  'negotiate: GET': async (t) => brief(await t.negotiate('negotiateVersion=1', 'GET')),
  'negotiate: PUT': async (t) => brief(await t.negotiate('negotiateVersion=1', 'PUT')),

  // requests that name no connection, or one that is not there
  'http: poll without id': async (t) => brief(await t.send('GET', '')),
  'http: sse without id': async (t) => brief(await t.send('GET', '', { headers: { Accept: 'text/event-stream' } })),
  'http: post without id': async (t) => brief(await t.send('POST', '', { body: 'x' })),
  'http: delete without id': async (t) => brief(await t.send('DELETE', '')),
  'http: poll unknown id': async (t) => brief(await t.poll('unknown')),
  'http: sse unknown id': async (t) => brief(await t.send('GET', 'id=unknown', { headers: { Accept: 'text/event-stream' } })),
  'http: post unknown id': async (t) => brief(await t.post('unknown', 'x')),
  'http: delete unknown id': async (t) => brief(await t.send('DELETE', 'id=unknown')),
  'http: websocket unknown id': async (t) => (await t.socket('id=unknown')).status,
  'http: websocket empty id': async (t) => { const s = await t.socket('id='); const status = s.status; s.text(handshake()); return [status, messages(await s.frame())[0]]; },
  'http: PUT': async (t) => brief(await t.send('PUT', 'id=' + (await t.id()))),

  // long polling
  'poll: first answers at once': async (t) => { const id = await t.id(), start = Date.now(), r = await t.poll(id); return { ...brief(r), length: r.headers['content-length'], quick: Date.now() - start < 500, ...some(r, 'cache-control', 'pragma', 'expires') }; },
  'poll: handshake and data': async (t) => { const id = await t.id(); await t.poll(id); const p = brief(await t.post(id, handshake())); return { post: p, poll: brief(await t.poll(id)) }; },
  'poll: post before the first poll': async (t) => { const id = await t.id(); const p = (await t.post(id, handshake())).status; const one = brief(await t.poll(id)); return { p, one, two: brief(await t.poll(id, 1000)) }; },
  'poll: a newer one ends the older': async (t) => { const id = await t.id(); await t.poll(id); const old = t.poll(id, 4000); await sleep(300); const young = t.poll(id, 2500); await sleep(300); await t.post(id, handshake()); return { old: brief(await old), young: brief(await young) }; },
  'poll: delete': async (t) => { const id = await t.id(); await t.poll(id); await t.post(id, handshake()); await t.poll(id); const pending = t.poll(id, 4000); await sleep(300); const d = brief(await t.send('DELETE', 'id=' + id)); const p = (await pending).status; await sleep(500); return { delete: d, pendingEnded: p === 200 || p === 204, poll: brief(await t.poll(id)), post: brief(await t.post(id, 'x')), again: brief(await t.send('DELETE', 'id=' + id)) }; },
  'poll: call and answer': async (t) => { const id = await t.id(); await t.poll(id); await t.post(id, handshake()); await t.poll(id); await t.poll(id, 300); await t.post(id, message({ type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] })); return brief(await t.poll(id)); },
  'poll: several messages in one body': async (t) => { const id = await t.id(); await t.poll(id); await t.post(id, handshake() + message({ type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] }) + message({ type: 1, invocationId: '2', target: 'Add', arguments: [3, 4] })); await sleep(700); let all = ''; for (let i = 0; i < 4 && !all.includes('"2"'); i++) all += (await t.poll(id, 700)).body; return all.split(RS).filter((m) => m.includes('"result"')); },
  'poll: bad handshake': async (t) => { const id = await t.id(); await t.poll(id); await t.post(id, 'rubbish' + RS); const a = brief(await t.poll(id)); await sleep(300); return [a, brief(await t.poll(id))]; },
  'poll: abort by the hub': async (t) => { const id = await t.id(); await t.poll(id); await t.post(id, handshake()); await t.poll(id); await t.poll(id, 300); await t.post(id, message({ type: 1, target: 'Abort', arguments: [] })); await sleep(300); const a = brief(await t.poll(id)); await sleep(500); return [a, brief(await t.poll(id))].map((x) => ({ ...x, body: x.body?.replace(/\{"type":6\}\x1e/g, '') })); },

  // server-sent events
  'sse: head and first bytes': async (t) => { const r = await t.send('GET', 'id=' + (await t.id()), { headers: { Accept: 'text/event-stream' }, ms: 700 }); return { status: r.status, ...some(r, 'content-type', 'cache-control', 'pragma', 'content-encoding'), body: r.body?.toString('hex') }; },
  'sse: handshake': async (t) => { const id = await t.id(); const s = t.send('GET', 'id=' + id, { headers: { Accept: 'text/event-stream' }, ms: 2500, until: '{}\x1e\r\n\r\n' }); await sleep(300); const p = brief(await t.post(id, handshake())); return { post: p, stream: (await s).body.toString() }; },
  'sse: second one': async (t) => { const id = await t.id(); const a = t.send('GET', 'id=' + id, { headers: { Accept: 'text/event-stream' }, ms: 1500 }); await sleep(300); const b = brief(await t.send('GET', 'id=' + id, { headers: { Accept: 'text/event-stream' } })); await a; return b; },
  'sse: delete': async (t) => { const id = await t.id(); const a = t.send('GET', 'id=' + id, { headers: { Accept: 'text/event-stream' }, ms: 1500 }); await sleep(300); const d = brief(await t.send('DELETE', 'id=' + id)); await a; return d; },
  'sse: messagepack refused': async (t) => { const id = await t.id(); const a = t.send('GET', 'id=' + id, { headers: { Accept: 'text/event-stream' }, ms: 2500 }); await sleep(300); await t.post(id, handshake({ protocol: 'messagepack' })); const r = await a; return { body: r.body.toString(), ended: r.ended }; },

  // transports do not mix
  'mix: poll after websocket': async (t) => { const id = await t.id(); const s = await t.socket('id=' + id); s.text(handshake()); await s.frame(); return brief(await t.poll(id)); },
  'mix: post on websocket': async (t) => { const id = await t.id(); const s = await t.socket('id=' + id); s.text(handshake()); await s.frame(); return brief(await t.post(id, 'x')); },
  'mix: delete on websocket': async (t) => { const id = await t.id(); const s = await t.socket('id=' + id); s.text(handshake()); await s.frame(); return brief(await t.send('DELETE', 'id=' + id)); },
  'mix: second websocket': async (t) => { const id = await t.id(); const s = await t.socket('id=' + id); s.text(handshake()); await s.frame(); return (await t.socket('id=' + id)).status; },
  'mix: websocket after poll': async (t) => { const id = await t.id(); await t.poll(id); return (await t.socket('id=' + id)).status; },
  'mix: id after the websocket closed': async (t) => { const id = await t.id(); const s = await t.socket('id=' + id); s.text(handshake()); await s.frame(); s.close(1000); await s.all(500); await sleep(300); return brief(await t.poll(id)); },

  // the handshake
  'handshake: json': async (t) => { const s = await t.socket(); s.text(handshake()); return [s.status, s.headers['sec-websocket-protocol'], s.headers['sec-websocket-extensions'], messages(await s.frame())[0]].map((x) => x ?? null); },
  'handshake: messagepack': async (t) => { const s = await t.socket(); s.text(handshake({ protocol: 'messagepack' })); const f = await s.frame(); return [f.split(' ')[0], messages(f)[0]]; },
  'handshake: in a binary frame': async (t) => { const s = await t.socket(); s.binary(handshake()); return messages(await s.frame())[0]; },
  'handshake: in two messages': async (t) => { const s = await t.socket(); s.text('{"protocol":"json",'); await sleep(100); s.text('"version":1}' + RS); return messages(await s.frame())[0]; },
  'handshake: in fragments': async (t) => { const s = await t.socket(); s.raw(1, Buffer.from('{"protocol":"json",'), false); s.raw(0, Buffer.from('"version":1}' + RS)); return messages(await s.frame())[0]; },
  'handshake: with a call behind it': async (t) => { const s = await t.socket(); s.text(handshake() + message({ type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] })); return s.all(); },
  'handshake: extra fields': first('{"protocol":"json","version":1,"extra":{"a":[1]}}' + RS),
  'handshake: field order': first('{"version":1,"protocol":"json"}' + RS),
  'handshake: rubbish': first('rubbish' + RS),
  'handshake: empty record': first(RS),
  'handshake: empty object': first('{}' + RS),
  'handshake: array': first('[]' + RS),
  'handshake: no version': first('{"protocol":"json"}' + RS),
  'handshake: no protocol': first('{"version":1}' + RS),
  'handshake: version as text': first('{"protocol":"json","version":"1"}' + RS),
  'handshake: version 0': first(handshake({ version: 0 })),
  'handshake: version 2': first(handshake({ version: 2 })),
  'handshake: version 99': first(handshake({ version: 99 })),
  'handshake: unknown protocol': first(handshake({ protocol: 'xml' })),
  'handshake: protocol in capitals': first(handshake({ protocol: 'JSON' })),
  'handshake: a call in its place': first(message({ type: 1, target: 'Add', arguments: [1, 2] })),
  'handshake: 40 KB without an end': async (t) => { const s = await t.socket(); s.text('x'.repeat(40_000)); return s.all(); },
  'handshake: socket closed before it': async (t) => { const s = await t.socket(); s.close(1000); return s.all(); },

  // hub messages, JSON
  'json: call': talk({ type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] }),
  'json: call, method in lower case': talk({ type: 1, invocationId: '1', target: 'add', arguments: [1, 2] }),
  'json: call, fields in another order': talk('{"arguments":[1,2],"target":"Add","invocationId":"7","type":1}'),
  'json: call without result': talk({ type: 1, invocationId: '1', target: 'Nothing', arguments: [] }),
  'json: send without an answer': talk({ type: 1, target: 'Nothing', arguments: [] }),
  'json: null result': talk({ type: 1, invocationId: '1', target: 'EchoNull', arguments: [null] }),
  'json: characters in a result': talk({ type: 1, invocationId: '1', target: 'EchoString', arguments: ['<é🎈"\\/\u001e\n>'] }),
  'json: unknown method': talk({ type: 1, invocationId: '1', target: 'NoSuchMethod', arguments: [] }),
  'json: unknown method, no id': talk({ type: 1, target: 'NoSuchMethod', arguments: [] }),
  'json: too few arguments': talk({ type: 1, invocationId: '1', target: 'Add', arguments: [1] }),
  'json: too many arguments': talk({ type: 1, invocationId: '1', target: 'Add', arguments: [1, 2, 3] }),
  'json: argument of the wrong kind': talk({ type: 1, invocationId: '1', target: 'Add', arguments: ['x', 2] }),
  'json: no arguments field': talk({ type: 1, invocationId: '1', target: 'Add' }),
  'json: no target': talk({ type: 1, invocationId: '1', arguments: [] }),
  'json: hub throws': talk({ type: 1, invocationId: '1', target: 'FailOther', arguments: ['secret'] }),
  'json: stream': talk({ type: 4, invocationId: 's', target: 'Count', arguments: [3, 0] }),
  'json: stream of a plain method': talk({ type: 4, invocationId: 's', target: 'Add', arguments: [1, 2] }),
  'json: call of a stream method': talk({ type: 1, invocationId: 's', target: 'Count', arguments: [3, 0] }),
  'json: stream without an id': talk({ type: 4, target: 'Count', arguments: [3, 0] }),
  'json: cancel of an unknown stream': talk({ type: 5, invocationId: 'nothing' }, { type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] }),
  'json: upload stream': talk({ type: 1, invocationId: '1', target: 'Sum', arguments: [], streamIds: ['u'] }, { type: 2, invocationId: 'u', item: 4 }, { type: 2, invocationId: 'u', item: 5 }, { type: 3, invocationId: 'u' }),
  'json: item of an unknown stream': talk({ type: 2, invocationId: 'nothing', item: 1 }, { type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] }),
  'json: completion of an unknown call': talk({ type: 3, invocationId: 'nothing', result: 1 }, { type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] }),
  'json: ping is not answered': talk({ type: 6 }),
  'json: close by the client': talk({ type: 7 }),
  'json: close with an error by the client': talk({ type: 7, error: 'my error' }),
  'json: unknown type': talk({ type: 99 }),
  'json: no type': talk({ target: 'Add' }),
  'json: type as text': talk({ type: '1', target: 'Add', arguments: [] }),
  'json: not an object': talk('[1]'),
  'json: broken text': talk('{"type":1,'),
  'json: empty record': talk(''),
  'json: ack and sequence unasked': talk({ type: 8, sequenceId: 1 }, { type: 9, sequenceId: 1 }, { type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] }),
  'json: message in two frames': async (t) => { const s = await t.ready(); s.text('{"type":1,"invocationId":"1","target":"Add",'); await sleep(100); s.text('"arguments":[1,2]}' + RS); return s.all(); },
  'json: message in a binary frame': async (t) => { const s = await t.ready(); s.binary(message({ type: 1, invocationId: '1', target: 'Add', arguments: [1, 2] })); return s.all(); },
  'json: abort by the hub': talk({ type: 1, target: 'Abort', arguments: [] }),
  'json: answers keep the order of ids': talk(...[1, 2, 3, 4, 5].map((i) => ({ type: 1, invocationId: String(i), target: 'Add', arguments: [i, i] }))),

  // hub messages, MessagePack
  'messagepack: call': pack('0c' + '9501' + '80' + 'a131' + 'a3416464' + '920102'),
  'messagepack: call with stream ids': pack('0d' + '9601' + '80' + 'a131' + 'a3416464' + '920102' + '90'),
  'messagepack: unknown method': pack('0f' + '9501' + '80' + 'a131' + 'a84e6f4d6574686f64' + '90'),
  'messagepack: broken arguments': pack('0a' + '9501' + '80' + 'a131' + 'a3416464' + '92'),
  'messagepack: ping': pack('029106'),
  'messagepack: close': pack('039207c0'),
  'messagepack: unknown type': pack('029163'),
  'messagepack: rubbish': pack('03ffffff'),
  'messagepack: length above 2 GB': pack('ffffffff0f'),
  'messagepack: length of six bytes': pack('ffffffffff01'),

  // WebSocket ends
  'end: client closes with 1000': async (t) => { const s = await t.ready(); s.close(1000); return s.all(); },
  'end: client closes without a code': async (t) => { const s = await t.ready(); s.close(); return s.all(); },
  'end: client closes with 3000': async (t) => { const s = await t.ready(); s.close(3000); return s.all(); },
  'end: websocket ping': async (t) => { const s = await t.ready(); s.raw(9, Buffer.from('hi')); return s.all(); },
  'end: reserved opcode': async (t) => { const s = await t.ready(); s.raw(3, Buffer.from('x')); return s.all(); },
  'end: text that is not UTF-8': async (t) => { const s = await t.ready(); s.raw(1, Buffer.from([0xff, 0xfe, 0x1e])); return s.all(); },
};

const answers = {};
const target = await Target.find(appUrl);
const recorded = option('--compare') ? JSON.parse(fs.readFileSync(option('--compare'), 'utf8')) : undefined;
const excepted = option('--except') ? JSON.parse(fs.readFileSync(option('--except'), 'utf8')) : {};
let passed = 0, failed = 0, skipped = 0;
/** Leaves out the hub's greeting, which every connection gets at its own moment. */
const greeting = (x) => typeof x === 'string' && (/^text \{.*"target":"welcome"/.test(x) || (x.startsWith('binary') && x.includes(Buffer.from('welcome').toString('hex'))));
const tidy = (a) => JSON.parse(JSON.stringify(a, (k, v) => (Array.isArray(v) ? v.filter((x) => !greeting(x)) : typeof v === 'string' ? v.split(RS).filter((p) => !p.includes('"target":"welcome"')).join(RS) : v)));
for (const [name, probe] of Object.entries(probes)) {
  if (option('--only') && !name.includes(option('--only'))) continue;
  let answer;
  try { answer = await probe(target); } catch (e) { answer = { threw: e.message }; }
  answers[name] = tidy(answer ?? null);
  if (!recorded) continue;
  const want = JSON.stringify(recorded[name]), got = JSON.stringify(answers[name]);
  if (want === got) passed++; else if (name in excepted) { skipped++; console.log(`skip ${name}: ${excepted[name]}`); } else { failed++; console.log(`FAIL ${name}\n  want ${want}\n  got  ${got}`); }
}
if (recorded) console.log(`${passed} passed, ${failed} failed, ${skipped} skipped`); else console.log(JSON.stringify(answers, null, 1));
process.exit(failed ? 1 : 0);
