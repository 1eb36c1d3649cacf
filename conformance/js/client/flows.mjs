// Streams both ways, questions of the hub to a client, and how connections end and come back.

import assert from 'node:assert/strict';
import { HubConnectionState, Subject } from '@microsoft/signalr';
import { collect, failure, sleep, transportClasses, until, within } from './room.mjs';
import { behindService } from './settings.mjs';

/** A stream of the client that yields the items and then completes, or fails with the error. */
function upload(items, error) {
  const subject = new Subject();
  (async () => {
    await sleep(0); // the client subscribes after this function has returned
    for (const item of items) { await sleep(0); subject.next(item); }
    if (error) subject.error(error); else subject.complete();
  })();
  return subject;
}

const numbers = (count) => Array.from({ length: count }, (_, i) => i);

export const flows = {
  'streams: from the hub': async (r) => {
    const a = await r.connect();
    assert.deepEqual(await collect(a.hub.stream('Count', 300, 0)), numbers(300));
    assert.equal((await collect(a.hub.stream('Letters', 5))).join(''), 'abcde');
    assert.deepEqual(await collect(a.hub.stream('Count', 0, 0)), []);
  },
  'streams: several at once, and a call between': async (r) => {
    const a = await r.connect();
    const streams = [50, 100, 150].map((count) => collect(a.hub.stream('Count', count, 1)));
    assert.equal(await a.hub.invoke('Add', 1, 2), 3);
    assert.deepEqual(await within(Promise.all(streams), 'three streams'), [numbers(50), numbers(100), numbers(150)]);
  },
  'streams: that fail': async (r) => {
    const a = await r.connect();
    const error = await failure(() => collect(a.hub.stream('FailingCount', 3)));
    assert.deepEqual(error.items, [0, 1, 2]);
    assert.equal(error.message, 'An error occurred on the server while streaming results. HubException: the stream broke');
  },
  'streams: that are cancelled': async (r) => {
    const a = await r.connect();
    let got = 0;
    const subscription = a.hub.stream('Count', 100_000, 5).subscribe({ next: () => { if (++got === 5) subscription.dispose(); }, complete: () => {}, error: () => {} });
    await until(async () => (await r.log()).includes(`stream cancelled ${a.id}`), 'the hub learns of the cancellation');
    assert.equal(got, 5);
    assert.equal(await a.hub.invoke('Add', 1, 2), 3);
  },
  'streams: to the hub': async (r) => {
    const a = await r.connect();
    assert.equal(await a.hub.invoke('Sum', upload(numbers(100))), 4950);
    assert.equal(await a.hub.invoke('Sum', upload([])), 0);
    assert.equal(await a.hub.invoke('Upload', 'file', upload([1, 1000, 30_000].map((size) => r.bytes(new Uint8Array(size))))), 'file: 31001 bytes');
  },
  'streams: to the hub, that fail': async (r) => {
    const a = await r.connect();
    assert.equal(await a.hub.invoke('UploadFails', upload(numbers(3), new Error('Something bad'))), 'Something bad');
    assert.equal((await failure(() => a.hub.invoke('Sum', upload(numbers(3), new Error('Something bad'))))).message, "An unexpected error occurred invoking 'Sum' on the server. HubException: Something bad");
  },
  'streams: both ways': async (r) => {
    const a = await r.connect();
    assert.deepEqual(await collect(a.hub.stream('Double', upload(numbers(50)))), numbers(50).map((n) => 2 * n));
  },

  'ask: the caller, another client, from outside': async (r) => {
    const [a, b] = [r.create(), r.create()];
    a.hub.on('ask', (question) => `a says ${question}`);
    b.hub.on('ask', async (question) => { await sleep(5); return `b says ${question}`; });
    await a.hub.start();
    await b.hub.start();
    assert.equal(await a.hub.invoke('AskCaller', 'hi'), 'a says hi');
    assert.equal(await a.hub.invoke('Ask', b.id, 'ho', 5000), 'b says ho');
    assert.equal(await (await r.post(`/ask/${b.id}?question=hey`)).json(), 'b says hey');
  },
  'ask: large answers, many at once': async (r) => {
    const a = r.create();
    a.hub.on('ask', (question) => question + 'z'.repeat(50_000));
    await a.hub.start();
    const answers = await Promise.all(numbers(6).map((i) => a.hub.invoke('AskCaller', String(i))));
    assert.equal(answers.map((x) => x[0]).join(''), '012345');
    assert.deepEqual(answers.map((x) => x.length), Array(6).fill(50_001));
  },
  'ask: client fails or has no answer': async (r) => {
    const [a, b, c, d] = [await r.connect(), r.create(), r.create(), r.create()];
    b.hub.on('ask', () => { throw new Error('from callback'); });
    d.hub.on('ask', () => null);
    for (const p of [b, c, d]) await p.hub.start();
    assert.equal(await a.hub.invoke('Ask', b.id, '?', 5000), 'HubException: Error: from callback');
    assert.equal(await a.hub.invoke('Ask', c.id, '?', 5000), "HubException: Client didn't provide a result.");
    assert.equal(await a.hub.invoke('Ask', d.id, '?', 5000), null);
  },
  'ask: client is too slow': async (r) => {
    const [a, b] = [await r.connect(), r.create()];
    b.hub.on('ask', async () => { await sleep(1500); return 'late'; });
    await b.hub.start();
    assert.match(await a.hub.invoke('Ask', b.id, '?', 300), /cancel/i); // the text depends on who gives up
    assert.equal(await b.hub.invoke('Add', 1, 2), 3);
    await sleep(1400); // until the late answer has come, which nobody waits for
    assert.equal(await b.hub.invoke('Add', 3, 4), 7);
  },
  'ask: client goes away meanwhile': async (r) => {
    const [a, b] = [await r.connect(), r.create()];
    let asked;
    const question = new Promise((resolve) => { asked = resolve; });
    b.hub.on('ask', () => { asked(); return new Promise(() => {}); });
    await b.hub.start();
    const answer = a.hub.invoke('Ask', b.id, '?', 20_000);
    await within(question, 'the question');
    await b.hub.stop();
    assert.match(await within(answer, 'the question ends with its client'), /^(IOException|HubException): /);
  },
  'ask: nobody there': async (r) => {
    const a = await r.connect();
    assert.match(await within(a.hub.invoke('Ask', 'no-such-id', '?', 3000), 'an answer'), /^(IOException|HubException): |^cancelled$/);
  },

  'end: the hub aborts': async (r) => {
    const a = await r.connect('', { retry: 200 });
    const { id } = a;
    await a.hub.send('Abort');
    await until(async () => (await r.log()).some((line) => line.startsWith(`disconnected ${id}`)), 'the hub learns of the end');
    await until(() => a.closings.length > 0 || a.reconnecteds.length > 0, 'the client learns of the end');
    assert.deepEqual([a.closings, a.reconnectings], [[undefined], []], 'a connection that the hub ends does not come back');
    assert.equal(a.hub.state, HubConnectionState.Disconnected);
  },
  'end: a lost network': async (r) => {
    const a = await r.connect();
    const { id } = a;
    a.cut();
    await a.closed();
    assert.match(a.closings[0].message, /^WebSocket closed with status code: 1006 /);
    await until(async () => (await r.log()).some((line) => line.startsWith(`disconnected ${id}`)), 'the hub learns of the end');
  },
  'end: the server is silent': async (r) => {
    const a = r.create();
    a.hub.serverTimeoutInMilliseconds = 700;
    await a.hub.start();
    const { id } = a;
    await a.closed();
    assert.equal(a.closings[0].message, 'Server timeout elapsed without receiving a message from the server.');
    await until(async () => (await r.log()).some((line) => line.startsWith(`disconnected ${id}`)), 'the hub learns of the end');
  },
  'reconnect: after a lost network': async (r) => {
    const a = await r.connect('', { retry: 200 });
    const before = a.id;
    const call = failure(() => a.hub.invoke('Slow', 20_000));
    await a.hub.invoke('Add', 1, 2);
    a.cut();
    await a.reconnected();
    assert.match((await within(call, 'the pending call ends')).message, /^WebSocket closed with status code: 1006 /);
    assert.notEqual(a.id, before);
    assert.deepEqual(a.reconnecteds, [a.id]);
    await until(() => a.welcomes.includes(a.id), 'a second welcome');
    await until(async () => (await r.log()).some((line) => line.startsWith(`disconnected ${before}`)), 'the hub learns of the break');
    assert.equal(await a.hub.invoke('Add', 1, 2), 3);
  },
  'connect: without asking first': async (r) => {
    // What the app server would tell the client is found by hand; the client then goes there with a WebSocket and no id.
    const options = { skipNegotiation: true };
    let url = `${r.appUrl}/conformance`;
    if (behindService) {
      const answer = await (await fetch(`${url}/negotiate?negotiateVersion=1`, { method: 'POST' })).json();
      url = answer.url;
      options.accessTokenFactory = () => answer.accessToken;
    }
    const a = await r.connect('', { url, options });
    assert.equal(a.id, null);
    await until(() => a.welcomes.length === 1, 'welcome');
    await a.expect();
    await a.hub.invoke('SendClient', a.welcomes[0], 'by the id of the welcome');
    await a.expect('by the id of the welcome');
  },
  'connect: the transport that was asked for': async (r) => {
    const a = await r.connect();
    assert.equal(a.transportClass, transportClasses[r.transport]);
  },
};

/** Scenarios for WebSockets alone: they cut a socket, or do without negotiate. */
export const webSocketsOnly = ['end: a lost network', 'reconnect: after a lost network', 'connect: without asking first'];

/** Scenarios that make no sense over long polling: its client has no server timeout. */
export const notPolled = ['end: the server is silent'];
