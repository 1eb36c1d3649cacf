// One app server with two endpoints, each a service of its own: clients are spread, reach each other, and move over when an endpoint is lost.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { combinations, Room, until } from './room.mjs';
import { appUrl, command, control, only } from './settings.mjs';

const second = process.env.SECOND_ENDPOINT ?? '';
const skip = (control === '' || second === '') && 'needs a driver with two services';
const size = 20;

describe('two endpoints', { concurrency: false }, () => {
  if (!'two endpoints'.includes(only)) return;
  const clients = [];
  const origins = () => clients.map(({ peer }) => new URL(peer.url).origin);
  const everyone = async (what, send) => {
    const text = clients[0].room.unique(what);
    await send(clients[0], text);
    for (const { peer, transport } of clients) await until(() => peer.messages.includes(text), `${transport} at ${peer.url} hears ${what}`);
  };

  test('clients are spread over both', { skip, timeout: 60_000 }, async () => {
    for (let i = 0; i < size; i++) {
      const combination = combinations[i % combinations.length];
      const room = new Room({ appUrl, ...combination });
      const peer = room.create('', { retry: 250 });
      peer.hub.on('ask', (question) => `${i} says ${question}`);
      await peer.hub.start();
      clients.push({ ...combination, room, peer });
    }
    assert.equal(new Set(origins()).size, 2, `all are at ${origins()[0]}`);
    assert.ok(origins().includes(new URL(second).origin));
  });

  test('a broadcast and a group reach those of both', { skip, timeout: 60_000 }, async () => {
    await everyone('broadcast', ({ peer }, text) => peer.hub.invoke('SendAll', text));
    const group = clients[0].room.unique('group');
    for (const { peer } of clients) await clients[0].room.put(`/groups/${group}/${peer.id}`);
    await everyone('group', ({ room }, text) => room.post(`/send/group/${group}?text=${text}`));
    await everyone('each alone', ({ room }, text) => Promise.all(clients.map(({ peer }) => room.post(`/send/client/${peer.id}?text=${text}`))));
  });

  test('a question reaches a client at either', { skip, timeout: 60_000 }, async () => {
    for (const [i, { peer }] of clients.entries()) {
      const response = await fetch(`${appUrl}/ask/${peer.id}?question=hello`, { method: 'POST' });
      assert.equal(await response.json(), `${i} says hello`, `at ${peer.url}`);
    }
  });

  test('the clients of an endpoint that is lost come back at the other', { skip, timeout: 90_000 }, async () => {
    const before = origins();
    await command('second/stop', 'KILL');
    for (const [i, { peer }] of clients.entries()) {
      if (before[i] === new URL(second).origin) await peer.reconnected(1, 60);
      else assert.deepEqual(peer.reconnectings, [], 'a client of the other endpoint is told, too');
    }
    assert.deepEqual([...new Set(origins())], [before.find((origin) => origin !== new URL(second).origin)]);
    await everyone('broadcast', ({ peer }, text) => peer.hub.invoke('SendAll', text));
  });

  test('the endpoint is used again when it is back', { skip, timeout: 120_000 }, async () => {
    await command('second/start');
    const room = new Room({ appUrl, transport: 'ws', protocol: 'json' });
    await until(async () => new URL((await room.connect()).url).origin === new URL(second).origin, 'a client at the endpoint', 90);
    await room.close();
  });

  test('all leave', { skip, timeout: 30_000 }, () => Promise.all(clients.map(({ room }) => room.close())));
});
