// The app server or the service ends while clients are connected: each is told, and comes back by itself.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { HubConnectionState } from '@microsoft/signalr';
import { combinations, failure, Room, until, within } from './room.mjs';
import { appUrl, behindService, command, control, only, reach } from './settings.mjs';

const open = { all: ['ws', 'sse', 'lp'], websockets: ['ws'], http: ['sse', 'lp'] }[reach];
const carried = combinations.filter(({ transport }) => open.includes(transport));

/** Why these tests cannot run, or false. */
const skip = control === '' && 'nobody can restart the programs: CONTROL_URL is not set';

for (const [program, signal] of [['appserver', 'TERM'], ['appserver', 'KILL'], ['service', 'TERM'], ['service', 'KILL']]) {
  if (program === 'service' && !behindService) continue;
  const title = `reconnect: ${program} ended by SIG${signal} and started again`;
  if (!title.includes(only)) continue;
  describe(title, { concurrency: false }, () => {
    const clients = [];

    test('each client is told', { skip, timeout: 60_000 }, async (t) => {
      for (const combination of carried) {
        const room = new Room({ appUrl, ...combination });
        const peer = await room.connect('', { retry: 250 });
        const pending = failure(() => peer.hub.invoke('Slow', 120_000));
        assert.equal(await peer.hub.invoke('Add', 1, 2), 3);
        clients.push({ ...combination, room, peer, pending, before: peer.id });
      }
      await command(`${program}/stop`, signal);
      for (const { transport, protocol, peer, pending } of clients) {
        await t.test(`${transport}/${protocol}`, { timeout: 30_000 }, async () => {
          await until(() => peer.reconnectings.length === 1, 'onreconnecting', 20);
          assert.equal(peer.hub.state, HubConnectionState.Reconnecting);
          await within(pending, 'the pending call ends');
          await failure(() => peer.hub.invoke('Add', 1, 2)); // its text depends on how far the client's next attempt is
        });
      }
    });

    test('each client is served again', { skip, timeout: 150_000 }, async (t) => {
      await command(`${program}/start`);
      for (const { transport, protocol, peer, before } of clients) {
        await t.test(`${transport}/${protocol}`, { timeout: 120_000 }, async () => {
          await peer.reconnected(1, 100);
          assert.notEqual(peer.id, before);
          assert.equal(await peer.hub.invoke('Add', 1, 2), 3);
          await until(() => peer.welcomes.includes(peer.id), 'a second welcome');
          assert.deepEqual(peer.closings, []);
        });
      }
      await t.test('and all hear each other', { timeout: 30_000 }, async () => {
        const text = clients[0].room.unique('after the restart');
        await clients[0].peer.hub.invoke('SendAll', text);
        for (const { transport, protocol, peer } of clients) await until(() => peer.messages.includes(text), `${transport}/${protocol} hears the message`);
      });
    });

    test('all leave', { skip, timeout: 30_000 }, () => Promise.all(clients.map(({ room }) => room.close())));
  });
}
