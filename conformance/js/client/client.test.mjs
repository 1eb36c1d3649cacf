// Every scenario over every transport and hub protocol.

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { combinations, failure, Room, sleep, transportClasses, within } from './room.mjs';
import { flows, notPolled, webSocketsOnly } from './flows.mjs';
import { people } from './people.mjs';
import { appUrl, behindService, only, reach } from './settings.mjs';
import { tokens } from './tokens.mjs';
import { values } from './values.mjs';

/** A test with a room of its own, unless the filter leaves it out. */
function scenario(prefix, combination, name, run, seconds = 60) {
  if (!`${prefix} ${name}`.includes(only)) return;
  test(name, { timeout: seconds * 1000 }, async () => {
    const room = new Room({ appUrl, ...combination });
    try { await run(room); } finally { await room.close(); }
  });
}

const open = { all: ['ws', 'sse', 'lp'], websockets: ['ws'], http: ['sse', 'lp'] }[reach];

for (const combination of combinations) {
  const { transport, protocol } = combination;
  const prefix = `${transport}/${protocol}`;
  describe(prefix, () => {
    if (!open.includes(transport)) {
      scenario(prefix, combination, 'the way is closed for this transport', async (r) => {
        assert.match((await failure(() => r.connect())).message, { ws: /WebSocket failed to connect/, sse: /EventSource failed to connect/, lp: /404/ }[transport]);
      });
      return;
    }
    for (const [name, run] of Object.entries({ ...values, ...people, ...flows, ...(behindService && tokens) })) {
      if (transport !== 'ws' && webSocketsOnly.includes(name) || transport === 'lp' && notPolled.includes(name)) continue;
      scenario(prefix, combination, name, run);
    }
  });
}

describe('the client chooses', () => {
  const choice = { json: open[0], messagepack: open.find((t) => t !== 'sse') };
  for (const [protocol, transport] of Object.entries(choice)) {
    scenario('the client chooses', { transport: 'any', protocol }, `${transport} for ${protocol}`, async (r) => {
      const a = await r.connect();
      assert.equal(a.transportClass, transportClasses[transport]);
      await a.hub.invoke('SendCaller', 'here');
      await a.expect('here');
    });
  }
});

describe('time', () => {
  // Longer than the timeouts of both ends, so it takes pings (or polls) to stay connected.
  scenario('time', {}, '40 idle seconds', async () => {
    const rooms = combinations.filter(({ transport }) => open.includes(transport)).map((combination) => new Room({ appUrl, ...combination }));
    try {
      const peers = await Promise.all(rooms.map((room) => room.connect()));
      await sleep(40_000);
      for (const [i, peer] of peers.entries()) {
        const { transport, protocol } = rooms[i];
        assert.deepEqual(peer.closings, [], `${transport}/${protocol} closed`);
        assert.equal(await within(peer.hub.invoke('Add', 1, 2), `${transport}/${protocol} is answered`), 3);
      }
    } finally { await Promise.all(rooms.map((room) => room.close())); }
  }, 90);
});
