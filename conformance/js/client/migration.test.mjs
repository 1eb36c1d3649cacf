// One of two app servers goes down and asks for its clients to be moved: they notice nothing, and no message is lost, doubled or out of order.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { combinations, Room, sleep, until } from './room.mjs';
import { appUrl, command, control, only } from './settings.mjs';

const size = 200;
const second = process.env.SECOND_URL ?? '';
const skip = (control === '' || second === '') && 'needs a driver with two app servers';
const title = `migration: an app server goes down under ${size} clients`;

if (title.includes(only)) {
  describe(title, { concurrency: false }, () => {
    const clients = [];
    let going = true;
    let talks = [];

    test('all are connected', { skip, timeout: 120_000 }, async () => {
      for (let i = 0; i < size; i += 20) {
        await Promise.all(Array.from({ length: 20 }, async (_, k) => {
          const room = new Room({ appUrl: (i + k) % 2 ? second : appUrl, ...combinations[(i + k) % combinations.length] });
          const peer = await room.connect();
          const client = { room, peer, id: peer.id, sent: 0, answered: 0, wrong: [] };
          clients.push(client);
        }));
      }
    });

    test('each talks both ways while its app server goes', { skip, timeout: 180_000 }, async () => {
      talks = clients.map(async (client) => {
        while (going) {
          const n = client.sent++;
          try {
            await client.peer.hub.send('SendCaller', String(n));
            const answer = await client.peer.hub.invoke('EchoInt', n);
            if (Number(answer) !== n) client.wrong.push(`${n} is answered with ${answer}`);
            client.answered++;
          } catch (error) {
            client.wrong.push(`${n}: ${error.message}`);
            return;
          }
          await sleep(25);
        }
      });
      await sleep(2000);
      const before = clients.map((c) => c.answered);
      await command('appserver/stop', 'TERM'); // returns when the process has ended
      await sleep(3000);
      clients.forEach((c, i) => assert.ok(c.answered > before[i], `client ${i} is not answered any more: ${c.wrong}`));
      going = false;
      await Promise.all(talks);
    });

    test('nobody noticed, and nothing is lost, doubled or out of order', { skip, timeout: 60_000 }, async () => {
      await until(() => clients.every((c) => c.peer.messages.length >= c.sent), 'all numbers at all clients', 30);
      for (const [i, c] of clients.entries()) {
        assert.deepEqual(c.wrong, [], `client ${i}`);
        assert.deepEqual(c.peer.closings, [], `client ${i} was closed`);
        assert.equal(c.peer.id, c.id, `client ${i} has another id`);
        assert.deepEqual(c.peer.messages, Array.from({ length: c.sent }, (_, n) => String(n)), `the numbers of client ${i}`);
      }
    });

    test('all leave', { skip, timeout: 60_000 }, () => Promise.all(clients.map(({ room }) => room.close())));
  });
}
