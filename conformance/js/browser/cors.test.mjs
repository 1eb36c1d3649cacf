// The cors policy against a real browser: what a page of another origin may ask, and what it gets to see.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { launch, skip } from './page.mjs';

const { APP_URL: pageUrl, BACKEND: backend } = process.env;
const gateway = (process.env.GATEWAY ?? '').replace(/\/$/, '');
const credentials = { credentials: 'include' };

// Each row: the API, the request, and what the page sees: a body, or a failed fetch. `reaches` tells whether the backend is called.
const rows = [
  { api: 'anyone', name: 'a simple GET', sees: 'GET', reaches: true },
  { api: 'anyone', name: 'a simple POST', options: { method: 'POST', body: 'x' }, sees: 'POST', reaches: true },
  { api: 'anyone', name: 'a method that is not allowed', options: { method: 'DELETE' }, fails: true, reaches: false },
  { api: 'anyone', name: 'a header, all being allowed', options: { headers: { 'X-One': '1' } }, sees: 'GET 1', reaches: true },
  { api: 'anyone', name: 'credentials, which the policy does not allow', options: credentials, fails: true, reaches: true },
  { api: 'exact', name: 'an origin written with a slash at its end', sees: 'GET', reaches: true },
  { api: 'exact', name: 'POST, allowed when no methods are named', options: { method: 'POST', headers: { 'X-One': '2' } }, sees: 'POST 2', reaches: true },
  { api: 'exact', name: 'PUT, not allowed when no methods are named', options: { method: 'PUT' }, fails: true, reaches: false },
  { api: 'exact', name: 'a page of another origin', foreign: true, fails: true, reaches: false },
  { api: 'credentials', name: 'credentials', options: credentials, sees: 'GET', reaches: true },
  { api: 'credentials', name: 'credentials behind a preflight', options: { ...credentials, method: 'PUT', headers: { 'X-One': '3' } }, sees: 'PUT 3', reaches: true },
  { api: 'methods', name: 'the method that is allowed', options: { method: 'PUT' }, sees: 'PUT', reaches: true },
  { api: 'methods', name: 'one that is not', options: { method: 'DELETE' }, fails: true, reaches: false },
  { api: 'headers', name: 'a header that is allowed', options: { headers: { 'X-One': '4' } }, sees: 'GET 4', reaches: true, shown: 'shown', hidden: null },
  { api: 'headers', name: 'the same, its case another', options: { headers: { 'x-ONE': '5' } }, sees: 'GET 5', reaches: true },
  { api: 'headers', name: 'a header that is not allowed', options: { headers: { 'X-Two': '1' } }, fails: true, reaches: false },
  { api: 'elsewhere', name: 'an origin that is not allowed', fails: true, reaches: false },
  { api: 'elsewhere', name: 'the same behind a preflight', options: { method: 'PUT' }, fails: true, reaches: false },
  { api: 'lenient', name: 'an origin that is not allowed but let through', fails: true, reaches: true },
  { api: 'lenient', name: 'the same behind a preflight', options: { method: 'PUT' }, fails: true, reaches: false },
  { api: 'none', name: 'an API without the policy', fails: true, reaches: true },
  { api: 'none', name: 'the same behind a preflight', options: { method: 'PUT' }, fails: true, reaches: false },
];

describe('cors in a browser', { concurrency: false, skip }, () => {
  let browser;
  let own;
  let foreign;
  before(async () => {
    browser = await launch();
    const context = await browser.newContext();
    own = await context.newPage();
    await own.goto(pageUrl);
    foreign = await context.newPage();
    await foreign.goto(pageUrl.replace('127.0.0.1', 'localhost'));
  });
  after(() => browser?.close());

  const calls = async () => Number(await (await fetch(`${backend}/calls`)).text());

  for (const { api, name, options = {}, foreign: other, sees, fails, reaches, shown, hidden } of rows) {
    test(`${api}: ${name}`, { timeout: 30_000 }, async () => {
      const before = await calls();
      const seen = await (other ? foreign : own).evaluate(async ([url, options]) => {
        try {
          const response = await fetch(url, { cache: 'no-store', ...options });
          return { body: (await response.text()).trim(), shown: response.headers.get('X-Shown'), hidden: response.headers.get('X-Hidden') };
        } catch (error) {
          return { error: error.message };
        }
      }, [`${gateway}/${api}`, options]);
      if (fails) assert.equal(seen.error, 'Failed to fetch', JSON.stringify(seen));
      else assert.equal(seen.body, sees, JSON.stringify(seen));
      if (shown !== undefined) assert.equal(seen.shown, shown);
      if (hidden !== undefined) assert.equal(seen.hidden, hidden);
      assert.equal((await calls()) > before, reaches, reaches ? 'the backend is not called' : 'the backend is called');
    });
  }
});
