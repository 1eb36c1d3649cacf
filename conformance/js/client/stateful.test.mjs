// Stateful reconnect under a crowd: the network is cut again and again while everybody talks both ways, and nothing is lost or doubled.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { HubConnectionState } from '@microsoft/signalr';
import { Room, sleep, until } from './room.mjs';
import { appUrl, only } from './settings.mjs';

const size = 200;
const cuts = 3;
const title = `stateful reconnect: ${size} clients whose network is cut ${cuts} times`;

if (title.includes(only)) {
  test(title, { timeout: 180_000 }, async () => {
    const clients = [];
    for (let i = 0; i < size; i += 20) {
      await Promise.all(Array.from({ length: 20 }, async (_, k) => {
        const room = new Room({ appUrl, transport: 'ws', protocol: k % 2 ? 'messagepack' : 'json' });
        const peer = await room.connect('', { stateful: true });
        clients.push({ room, peer, id: peer.id, sent: 0, wrong: [] });
      }));
    }
    let going = true;
    const talks = clients.map(async (client, i) => {
      while (going) {
        const n = client.sent++;
        try {
          await client.peer.hub.send('SendCaller', String(n));
          const answer = await client.peer.hub.invoke('EchoInt', n);
          if (Number(answer) !== n) client.wrong.push(`${n} is answered with ${answer}`);
        } catch (error) {
          client.wrong.push(`${n}: ${error.message}`);
          return;
        }
        await sleep(20 + (i % 7));
      }
    });
    for (let cut = 0; cut < cuts; cut++) {
      await sleep(1200);
      for (const [i, { peer }] of clients.entries()) {
        if (i % 10 === 0) await sleep(10); // not all in one moment
        peer.cut();
      }
    }
    await sleep(1500);
    going = false;
    await Promise.all(talks);
    await until(() => clients.every((c) => c.peer.messages.length >= c.sent), 'all messages at all clients', 30);
    for (const [i, c] of clients.entries()) {
      assert.deepEqual(c.wrong, [], `client ${i}`);
      assert.equal(c.peer.hub.state, HubConnectionState.Connected);
      assert.equal(c.peer.id, c.id, `client ${i} has another id`);
      assert.deepEqual(c.peer.welcomes, [c.id], `client ${i} was greeted again`);
      assert.ok(c.peer.sockets.length > cuts, `client ${i} has had ${c.peer.sockets.length} sockets`);
      assert.deepEqual(c.peer.messages, Array.from({ length: c.sent }, (_, n) => String(n)), `the messages of client ${i}`);
    }
    await Promise.all(clients.map(({ room }) => room.close()));
  });
}
