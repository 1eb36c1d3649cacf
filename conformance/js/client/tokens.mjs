// What the service's own endpoint makes of access tokens. The app server issues them; here the client brings them by hand.

import assert from 'node:assert/strict';
import { failure, until } from './room.mjs';

/** What the app server tells a client of the hub: where to go and with which token. */
async function ask(r, hub, query = '') {
  const response = await fetch(`${r.appUrl}/${hub}/negotiate?negotiateVersion=1${query}`, { method: 'POST' });
  const { url, accessToken } = await response.json();
  return { url, accessToken };
}

const with401 = /^Failed to complete negotiation with the server: Error: .*: Status code '401'/s;

export const tokens = {
  'token: as issued': async (r) => {
    const { url, accessToken } = await ask(r, 'conformance', '&user=carol');
    const a = await r.connect('', { url, options: { accessTokenFactory: async () => accessToken } });
    await until(() => a.welcomes.length === 1, 'welcome');
    assert.equal(r.plain(await a.hub.invoke('WhoAmI')).userIdentifier, 'carol');
  },
  'token: none': async (r) => {
    const { url } = await ask(r, 'conformance');
    assert.match((await failure(() => r.connect('', { url }))).message, with401);
  },
  'token: rubbish': async (r) => {
    const { url } = await ask(r, 'conformance');
    assert.match((await failure(() => r.connect('', { url, options: { accessTokenFactory: () => 'rubbish' } }))).message, with401);
  },
  'token: forged': async (r) => {
    const { url, accessToken } = await ask(r, 'conformance');
    const [head, claims, signature] = accessToken.split('.');
    const forged = { ...JSON.parse(Buffer.from(claims, 'base64url')), 'asrs.s.uid': 'admin' };
    const token = [head, Buffer.from(JSON.stringify(forged)).toString('base64url'), signature].join('.');
    assert.match((await failure(() => r.connect('', { url, options: { accessTokenFactory: () => token } }))).message, with401);
  },
  'token: unsigned': async (r) => {
    const { url, accessToken } = await ask(r, 'conformance');
    const token = [Buffer.from('{"alg":"none","typ":"JWT"}').toString('base64url'), accessToken.split('.')[1], ''].join('.');
    assert.match((await failure(() => r.connect('', { url, options: { accessTokenFactory: () => token } }))).message, with401);
  },
  'token: for another hub': async (r) => {
    const { url } = await ask(r, 'conformance');
    const { accessToken } = await ask(r, 'other');
    assert.match((await failure(() => r.connect('', { url, options: { accessTokenFactory: () => accessToken } }))).message, with401);
  },
};
