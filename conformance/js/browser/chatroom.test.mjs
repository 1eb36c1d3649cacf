// The chat room of hubgate demo: two people chat, and all that their browsers do goes to the chat room's page and the gateway.

import assert from 'node:assert/strict';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { appUrl, clientEndpoint, command, control } from '../client/settings.mjs';
import { launch, open, skip } from './page.mjs';

const socketEndpoint = clientEndpoint.replace(/^http/, 'ws');
const transportNames = { '': 'WebSockets', ws: 'WebSockets', sse: 'Server-sent events', lp: 'Long polling' };

/** A person in the room, connected. */
async function enter(context, name, transport = '') {
  const person = await open(context, `${appUrl}/?name=${name}${transport && `&transport=${transport}`}`);
  await person.page.waitForSelector('#state[data-state="connected"]', { timeout: 20_000 });
  return person;
}

const says = (page, kind, text) => page.waitForSelector(`li.${kind} >> text=${JSON.stringify(text)}`, { timeout: 10_000 });

describe('chat room', { concurrency: false }, () => {
  let browser;
  before(async () => { if (!skip) browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const transport of Object.keys(transportNames)) {
    test(`two people chat, transport ${transport || 'automatic'}`, { skip, timeout: 60_000 }, async () => {
      const [one, two] = [await browser.newContext(), await browser.newContext()];
      try {
        const ann = await enter(one, 'ann', transport);
        const bob = await enter(two, 'bob', transport);
        await says(ann.page, 'notice', 'bob joined');
        await ann.page.fill('#text', 'hello <i>bob</i>');
        await ann.page.click('#send');
        for (const { page } of [ann, bob]) await says(page, 'broadcast', 'hello <i>bob</i>');
        await bob.page.fill('#text', 'am I heard');
        await bob.page.click('#echo');
        await says(bob.page, 'echo', 'am I heard (echo from server)');
        assert.equal(await ann.page.locator('li.echo').count(), 0);

        for (const { page, seen } of [ann, bob]) {
          assert.equal(await page.textContent('#transport'), transportNames[transport]);
          assert.equal(new URL(await page.textContent('#endpoint')).host, new URL(clientEndpoint).host, 'the page shows where it is connected');
          // First the app is asked, which sends the browser to the gateway; all that follows goes there.
          const posts = seen.requests.filter(({ method }) => method === 'POST').map(({ url }) => url.split('?')[0]);
          assert.deepEqual(posts.slice(0, 2), [`${appUrl}/chat/negotiate`, `${clientEndpoint}/client/negotiate`]);
          const hosts = new Set([...seen.requests.map(({ url }) => url), ...seen.sockets].map((url) => new URL(url).host));
          assert.deepEqual([...hosts].toSorted(), [new URL(appUrl).host, new URL(clientEndpoint).host].toSorted());
          const sockets = seen.sockets.filter((url) => url.startsWith(`${socketEndpoint}/client/?`));
          assert.equal(sockets.length, transport === '' || transport === 'ws' ? 1 : 0);
          assert.deepEqual(seen.errors, []);
        }
      } finally { await one.close(); await two.close(); }
    });
  }

  for (const colorScheme of ['light', 'dark']) {
    for (const [width, viewport] of Object.entries({ wide: { width: 1280, height: 800 }, narrow: { width: 360, height: 640 } })) {
      test(`picture: ${colorScheme}, ${width}`, { skip: skip || (!process.env.SCREENSHOTS && 'SCREENSHOTS names no directory'), timeout: 60_000 }, async () => {
        const context = await browser.newContext({ colorScheme, viewport });
        try {
          const ann = await enter(context, 'Ann');
          const bob = await enter(context, 'Bob');
          await ann.page.fill('#text', 'Good morning, everyone. The gateway carries every word of this.');
          await ann.page.click('#send');
          await bob.page.fill('#text', 'Hello Ann!');
          await bob.page.click('#send');
          await says(ann.page, 'broadcast', 'Hello Ann!');
          await ann.page.fill('#text', 'Only for me');
          await ann.page.click('#echo');
          await says(ann.page, 'echo', 'Only for me (echo from server)');
          await ann.page.screenshot({ path: path.join(process.env.SCREENSHOTS, `chat-${colorScheme}-${width}.png`) });
          const overflow = await ann.page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
          assert.equal(overflow <= 0, true, `the page is ${overflow} pixels wider than the window`);
        } finally { await context.close(); }
      });
    }
  }

  test('the connection is lost', { skip: skip || (control === '' && 'nobody can end the demo: CONTROL_URL is not set'), timeout: 90_000 }, async () => {
    const context = await browser.newContext();
    try {
      const { page } = await enter(context, 'ann');
      await command('service/stop');
      await page.waitForSelector('dialog#lost[open]', { timeout: 60_000 });
      assert.equal(await page.isVisible('#reconnect'), true);
      assert.equal(await page.textContent('#state'), 'Disconnected');
      if (process.env.SCREENSHOTS) await page.screenshot({ path: path.join(process.env.SCREENSHOTS, 'chat-lost.png') });
    } finally { await context.close(); }
  });
});
