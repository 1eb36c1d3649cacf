// Values there and back, and the failures of calls.

import assert from 'node:assert/strict';
import { HubConnectionState } from '@microsoft/signalr';
import { collect, failure, until, within } from './room.mjs';
import { behindService, clientEndpoint } from './settings.mjs';

const text = async (call) => (await failure(call)).message;

export const values = {
  'values: strings': async (r) => {
    const a = await r.connect();
    for (const s of ['', 'plain', '"quoted" \\ / \n\t', '\u001e record separator', '日本語 🎈', "<b>&'", 'x'.repeat(70_000)]) {
      assert.equal(await a.hub.invoke('EchoString', s), s);
    }
  },
  'values: numbers and truth': async (r) => {
    const a = await r.connect();
    for (const n of [0, 1, -1, 127, 128, 255, 256, -33, -129, 65536, 2 ** 31, -(2 ** 31) - 1, Number.MAX_SAFE_INTEGER]) assert.equal(await a.hub.invoke('EchoInt', n), n);
    for (const d of [0.5, -1.5, 1e300, 1e-300, Math.PI]) assert.equal(await a.hub.invoke('EchoDouble', d), d);
    assert.equal(await a.hub.invoke('EchoBool', true), true);
    assert.equal(await a.hub.invoke('Add', 2, 3), 5);
  },
  'values: bytes, arrays, objects, time, null': async (r) => {
    const a = await r.connect();
    const bytes = Array.from({ length: 256 }, (_, i) => i);
    assert.deepEqual(r.list(await a.hub.invoke('EchoBytes', r.bytes(bytes))), bytes);
    assert.deepEqual(await a.hub.invoke('EchoArray', ['a', null, '']), ['a', null, '']);
    const person = r.record({ name: 'Ann', age: 41, tags: ['x', 'y'], scores: { z: 1.5 } });
    assert.deepEqual(await a.hub.invoke('EchoPerson', person), person);
    const time = new Date(Date.UTC(2026, 10, 23, 1, 2, 3));
    assert.equal(new Date(await a.hub.invoke('EchoTime', time)).getTime(), time.getTime());
    assert.equal(await a.hub.invoke('EchoNull', null), null);
    assert.equal(await a.hub.invoke('Nothing'), null);
  },
  'values: from the hub': async (r) => {
    const a = r.create();
    const got = [];
    a.hub.on('values', (...args) => { got.push(args); });
    a.hub.on('nothing', (...args) => { got.push(args); });
    await a.hub.start();
    await a.hub.send('SendValues');
    await until(() => got.length === 1, 'the values');
    await a.hub.send('SendNoArguments');
    await until(() => got.length === 2, 'a message without arguments');
    const [[int, double, string, bool, bytes, person], none] = got;
    assert.deepEqual([int, double, string, bool, r.list(bytes), person], [1, 2.5, 'three', true, [4, 5], r.record({ name: 'Six', age: 7, tags: ['eight'], scores: { nine: 10.5 } })]);
    assert.deepEqual(none, []);
  },
  'values: one megabyte each way': async (r) => {
    const a = await r.connect();
    const large = 'y'.repeat(1_000_000);
    assert.equal((await a.hub.invoke('Repeat', '0123456789', 104_858)).length, 1_048_580);
    assert.equal(await a.hub.invoke('EchoString', large) === large, true, 'the echo differs');
    await a.hub.invoke('SendCaller', large);
    await until(() => a.messages.length === 1, 'the large message');
    assert.equal(a.messages[0] === large, true, 'the message differs');
  },
  'values: 2000 numbers in order': async (r) => {
    const a = await r.connect();
    await a.hub.invoke('SendMany', 2000);
    await until(() => a.numbers.length === 2000, '2000 numbers');
    assert.deepEqual(a.numbers, Array.from({ length: 2000 }, (_, i) => i));
  },
  'values: 200 calls at once, each with its own answer': async (r) => {
    const a = await r.connect();
    const sums = await Promise.all(Array.from({ length: 200 }, (_, i) => a.hub.invoke('Add', i, 1)));
    assert.deepEqual(sums, Array.from({ length: 200 }, (_, i) => i + 1));
  },
  'values: calls are answered while slow ones run': async (r) => {
    const a = await r.connect();
    const ended = [];
    const slow = Promise.all(Array.from({ length: 6 }, () => a.hub.invoke('Slow', 1500).then(() => ended.push('slow'))));
    await a.hub.invoke('Add', 1, 2);
    ended.push('quick');
    await within(slow, 'six slow calls');
    assert.equal(ended[0], 'quick');
  },
  'values: names in any case': async (r) => {
    const a = r.create();
    const got = [];
    a.hub.on('MESSAGE', (s) => { got.push(s); });
    await a.hub.start();
    assert.equal(await a.hub.invoke('aDD', 1, 2), 3);
    await a.hub.invoke('sendcaller', 'any case');
    await until(() => got.length === 1 && a.messages.length === 1, 'the message at both handlers');
  },

  'failures: hub exception': async (r) => {
    const a = await r.connect();
    assert.equal(await text(() => a.hub.invoke('FailHub', 'told you')), "An unexpected error occurred invoking 'FailHub' on the server. HubException: told you");
  },
  'failures: other exception keeps its secret': async (r) => {
    const a = await r.connect();
    assert.equal(await text(() => a.hub.invoke('FailOther', 'secret')), "An unexpected error occurred invoking 'FailOther' on the server.");
  },
  'failures: unknown method': async (r) => {
    const a = await r.connect();
    assert.equal(await text(() => a.hub.invoke('NoSuchMethod')), "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist.");
    await a.hub.send('NoSuchMethod'); // nobody waits for an answer, and none comes
    assert.equal(await a.hub.invoke('Add', 1, 2), 3);
  },
  'failures: number and kind of arguments': async (r) => {
    const a = await r.connect();
    const want = "Failed to invoke 'Add' due to an error on the server.";
    assert.equal(await text(() => a.hub.invoke('Add', 1)), want);
    assert.equal(await text(() => a.hub.invoke('Add', 1, 2, 3)), want);
    assert.equal(await text(() => a.hub.invoke('Add', 'x', 2)), want);
    assert.equal(await a.hub.invoke('Add', 1, 2), 3);
  },
  'failures: invoke and stream mixed up': async (r) => {
    const a = await r.connect();
    assert.equal(await text(() => a.hub.invoke('Count', 3, 0)), "The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.");
    assert.equal(await text(() => collect(a.hub.stream('Add', 1, 2))), "The client attempted to invoke the non-streaming 'Add' method with a streaming invocation.");
  },
  'failures: call while not connected': async (r) => {
    const a = r.create();
    const want = "Cannot send data if the connection is not in the 'Connected' State.";
    assert.equal(await text(() => a.hub.invoke('Add', 1, 2)), want);
    await a.hub.start();
    await a.hub.stop();
    assert.equal(await text(() => a.hub.send('Nothing')), want);
  },
  'failures: call pending at the end': async (r) => {
    const a = await r.connect();
    const call = failure(() => a.hub.invoke('Slow', 20_000));
    await a.hub.invoke('Add', 1, 2);
    await a.hub.stop();
    assert.equal((await within(call, 'the pending call ends')).message, 'Invocation canceled due to the underlying connection being closed.');
  },
  'failures: unknown hub': async (r) => {
    const message = await text(() => r.connect('', { hub: 'no-such-hub' }));
    assert.match(message, /^Failed to complete negotiation with the server: Error: .*: Status code '404' Either this is not a SignalR endpoint or there is a proxy blocking the connection\.$/s);
  },
  'failures: message above the limit': async (r) => {
    const a = await r.connect();
    const call = failure(() => a.hub.invoke('EchoString', 'z'.repeat(1_100_000)));
    await a.closed();
    await call;
    assert.equal(a.closings[0]?.message, 'Server returned an error on close: Connection closed with an error.');
  },

  'connect: welcome names the connection': async (r) => {
    const a = await r.connect();
    await until(() => a.welcomes.length > 0, 'welcome');
    assert.deepEqual(a.welcomes, [a.id]);
    assert.equal(a.hub.state, HubConnectionState.Connected);
  },
  'connect: the client is where the app server sent it': async (r) => {
    const a = await r.connect();
    if (behindService) assert.equal(a.url.startsWith(`${clientEndpoint}/client/?`), true, a.url);
    else assert.equal(a.url.startsWith(`${r.appUrl}/conformance?id=`), true, a.url);
  },
  'connect: hub learns of the end': async (r) => {
    const a = await r.connect();
    const { id } = a;
    await a.hub.stop();
    assert.deepEqual(a.closings, [undefined]);
    await until(async () => (await r.log()).includes(`disconnected ${id} error=`), 'disconnected without an error');
  },
  'connect: stop and start again': async (r) => {
    const a = await r.connect();
    const before = a.id;
    await a.hub.stop();
    assert.equal(a.id, null);
    await a.hub.start();
    assert.notEqual(a.id, before);
    await until(() => a.welcomes.includes(a.id), 'a second welcome');
    await a.hub.invoke('SendCaller', 'again');
    await until(() => a.messages.includes('again'), 'a message on the second connection');
  },
  'connect: stop during start': async (r) => {
    const a = r.create();
    const start = failure(() => a.hub.start());
    await a.hub.stop();
    assert.match((await start).message, /stopp?ed|stop\(\)|abort/i);
    assert.equal(a.hub.state, HubConnectionState.Disconnected);
  },
  'connect: fifty at once': async (r) => {
    const peers = await Promise.all(Array.from({ length: 50 }, () => r.connect()));
    assert.equal(new Set(peers.map((p) => p.id)).size, 50);
    assert.deepEqual(await Promise.all(peers.map((p, i) => p.hub.invoke('Add', i, i))), peers.map((_, i) => 2 * i));
  },
};
