// Two app servers of the same hubs: calls go across them, and when one of them goes, its clients are told and come back at the other.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { combinations, Room, until } from './room.mjs';
import { appUrl, command, control, only } from './settings.mjs';

const second = process.env.SECOND_URL ?? '';
const skip = (control === '' || second === '') && 'needs a driver with two app servers';
const size = 40;

describe('two app servers', { concurrency: false }, () => {
  test('a call from either server to a client of either is answered', { skip: skip || !'two app servers'.includes(only), timeout: 60_000 }, async () => {
    const rooms = [];
    for (let i = 0; i < 12; i++) {
      const room = new Room({ appUrl: i % 2 ? second : appUrl, ...combinations[i % combinations.length] });
      rooms.push(room);
      const peer = room.create();
      peer.hub.on('ask', (question) => `${i} says ${question}`);
      await peer.hub.start();
      for (const server of [appUrl, second]) {
        const response = await fetch(`${server}/ask/${peer.id}?question=hello`, { method: 'POST' });
        assert.equal(await response.json(), `${i} says hello`, `asked by ${server}`);
      }
    }
    await Promise.all(rooms.map((room) => room.close()));
  });

  for (const signal of ['TERM', 'KILL']) {
    const title = `two app servers: the first one ends by SIG${signal}`;
    if (!title.includes(only)) continue;
    test(title, { skip, timeout: 150_000 }, async () => {
      const clients = [];
      for (let i = 0; i < size; i++) {
        const room = new Room({ appUrl: second, ...combinations[i % combinations.length] }); // the one that stays
        clients.push({ room, peer: await room.connect('', { retry: 200 }) });
      }
      await command('appserver/stop', signal);
      // Some were with the server that went. They are told at once and served by the other one.
      await until(() => clients.some(({ peer }) => peer.reconnectings.length > 0), 'a client that is told', 5);
      const told = clients.filter(({ peer }) => peer.reconnectings.length > 0);
      assert.ok(told.length < size, 'clients of the other server are told, too');
      await until(() => told.every(({ peer }) => peer.reconnecteds.length > 0), 'all that were told are back', 20);
      for (const { peer } of clients) {
        assert.equal(await peer.hub.invoke('Add', 1, 2), 3);
        assert.deepEqual(peer.closings, []);
      }
      await command('appserver/start');
      await Promise.all(clients.map(({ room }) => room.close()));
    });
  }
});
