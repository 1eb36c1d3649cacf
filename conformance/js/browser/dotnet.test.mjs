// The pages of the .NET app server in Chromium: a chat over each transport, and Blazor Server.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { appUrl, behindService, clientEndpoint, reach } from '../client/settings.mjs';
import { launch, open, skip } from './page.mjs';

const carried = { all: ['ws', 'sse', 'lp'], websockets: ['ws'], http: ['sse', 'lp'] }[reach];

/** Where the hubs are: behind the service's endpoint, or at the app server itself. */
const hubs = behindService ? `${clientEndpoint}/client/` : appUrl;
const asSocket = (url) => url.replace(/^http/, 'ws');

describe('pages of the app server', { concurrency: false }, () => {
  let browser;
  before(async () => { if (!skip) browser = await launch(); });
  after(async () => { await browser?.close(); });

  for (const transport of carried) {
    test(`chat over ${transport}`, { skip, timeout: 60_000 }, async () => {
      const context = await browser.newContext();
      try {
        const [ann, bob] = [await open(context, `${appUrl}/?transport=${transport}`), await open(context, `${appUrl}/?transport=${transport}`)];
        for (const { page } of [ann, bob]) await page.waitForFunction(() => document.getElementById('state').textContent.startsWith('connected '), null, { timeout: 20_000 });
        await ann.page.fill('#name', 'ann');
        await ann.page.fill('#text', 'hello <b>all</b>');
        await ann.page.click('#send');
        for (const { page } of [ann, bob]) await page.waitForSelector('li.broadcast >> text="ann: hello <b>all</b>"', { timeout: 10_000 });
        await bob.page.fill('#name', 'bob');
        await bob.page.fill('#text', 'only me');
        await bob.page.click('#echo');
        await bob.page.waitForSelector('li.echo >> text="bob: only me (echo from server)"', { timeout: 10_000 });
        assert.equal(await ann.page.locator('li.echo').count(), 0);

        const { seen } = ann;
        assert.equal(seen.sockets.filter((url) => url.startsWith(asSocket(hubs))).length, transport === 'ws' ? 1 : 0);
        assert.equal(seen.requests.some(({ method, url }) => method === 'POST' && url.startsWith(hubs) && url.includes('/negotiate?')), true);
        if (transport !== 'ws') assert.equal(seen.requests.some(({ method, url }) => method === 'GET' && url.startsWith(hubs) && /[?&]id=/.test(url)), true);
        assert.deepEqual(seen.errors, []);
      } finally { await context.close(); }
    });
  }

  test('the chat page chooses a transport by itself', { skip, timeout: 60_000 }, async () => {
    const context = await browser.newContext();
    try {
      const { page, seen } = await open(context, `${appUrl}/`);
      await page.waitForFunction(() => document.getElementById('state').textContent.startsWith('connected '), null, { timeout: 20_000 });
      await page.fill('#text', 'by itself');
      await page.click('#send');
      await page.waitForSelector('li.broadcast >> text="anonymous: by itself"', { timeout: 10_000 });
      if (carried.includes('ws')) assert.equal(seen.sockets.length, 1);
      else assert.equal(seen.requests.some(({ method, url }) => method === 'GET' && url.startsWith(hubs) && /[?&]id=/.test(url)), true);
    } finally { await context.close(); }
  });

  test('Blazor Server', { skip, timeout: 60_000 }, async () => {
    const context = await browser.newContext();
    try {
      const { page, seen } = await open(context, `${appUrl}/blazor`);
      await page.waitForSelector('#state >> text="interactive"', { timeout: 20_000 });
      for (let i = 0; i < 3; i++) await page.click('#add');
      await page.waitForSelector('#count >> text="3"', { timeout: 10_000 });
      await page.locator('#text').pressSequentially('smörgås 日本');
      await page.waitForFunction(() => document.getElementById('upper').textContent === document.getElementById('text').value.toUpperCase(), null, { timeout: 10_000 });
      const clock = Number(await page.textContent('#clock'));
      await page.waitForFunction((then) => Number(document.getElementById('clock').textContent) >= then + 3, clock, { timeout: 10_000 });
      if (carried.includes('ws')) {
        assert.deepEqual(seen.errors, []);
        assert.equal(seen.sockets.filter((url) => url.startsWith(asSocket(hubs))).length, 1);
      }
    } finally { await context.close(); }
  });
});
