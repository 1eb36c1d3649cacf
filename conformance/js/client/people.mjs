// Who the clients are, and who hears what is sent.

import assert from 'node:assert/strict';
import { failure, until } from './room.mjs';

const role = 'http://schemas.microsoft.com/ws/2008/06/identity/claims/role';
const nameIdentifier = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/nameidentifier';
const name = 'http://schemas.xmlsoap.org/ws/2005/05/identity/claims/name';

export const people = {
  'identity: anonymous': async (r) => {
    const a = await r.connect();
    assert.deepEqual(r.plain(await a.hub.invoke('WhoAmI')), { connectionId: a.id, userIdentifier: null, authenticated: false, name: null, admin: false, claims: [] });
  },
  'identity: user, roles and claims': async (r) => {
    const a = await r.connect('?user=alice&role=admin&role=dev&claim=department:R%26D&claim=sub:s-1&claim=level:3');
    const me = r.plain(await a.hub.invoke('WhoAmI'));
    const claims = ['department=R&D', `${role}=admin`, `${role}=dev`, `${nameIdentifier}=alice`, `${name}=alice`, 'level=3', 'sub=s-1'];
    assert.deepEqual({ ...me, claims: me.claims.toSorted() }, { connectionId: a.id, userIdentifier: 'alice', authenticated: true, name: 'alice', admin: true, claims: claims.toSorted() });
  },
  'identity: user name outside of ASCII': async (r) => {
    const a = await r.connect('?user=%C3%A5sa%20%E6%97%A5');
    assert.equal(r.plain(await a.hub.invoke('WhoAmI')).userIdentifier, 'åsa 日');
  },
  'identity: request of the client': async (r) => {
    const a = await r.connect('?colour=blue%20green&n=1');
    const request = r.plain(await a.hub.invoke('HttpRequest'));
    assert.equal(request.query.colour, 'blue green');
    assert.equal(request.query.n, '1');
    assert.equal(request.testHeader, 'header value');
    assert.match(request.userAgent, /^Microsoft SignalR\/10\.0 \(10\.0\.11; Linux; NodeJS; /);
    assert.match(request.path, /\/conformance$/);
  },
  'identity: user agent of the application': async (r) => {
    const a = await r.connect('', { options: { headers: { 'User-Agent': 'my own agent/1.0', 'X-Test': 'another value' } } });
    const request = r.plain(await a.hub.invoke('HttpRequest'));
    assert.deepEqual([request.userAgent, request.testHeader], ['my own agent/1.0', 'another value']);
  },
  'identity: hub and method for signed-in users': async (r) => {
    assert.match((await failure(() => r.connect('', { hub: 'secure' }))).message, /^Failed to complete negotiation with the server: Error: .*: Status code '401'$/s);
    const user = await r.connect('?user=bob', { hub: 'secure' });
    assert.equal(await user.hub.invoke('Me'), 'bob');
    assert.equal((await failure(() => user.hub.invoke('AdminOnly'))).message, "Failed to invoke 'AdminOnly' because user is unauthorized");
    const admin = await r.connect('?user=eve&role=admin', { hub: 'secure' });
    assert.equal(await admin.hub.invoke('AdminOnly'), 'admin');
  },

  'sends: broadcast and echo of the chat room': async (r) => {
    const got = [];
    const [a, b] = [r.create('', { hub: 'chat' }), r.create('', { hub: 'chat' })];
    for (const p of [a, b]) {
      p.hub.on('broadcastMessage', (who, what) => { got.push(`broadcast ${who} ${what}`); });
      p.hub.on('echo', (who, what) => { got.push(`echo ${who} ${what}`); });
      await p.hub.start();
    }
    const text = r.unique('hello');
    await a.hub.invoke('BroadcastMessage', 'ann', text);
    await a.hub.invoke('Echo', 'ann', text);
    await until(() => got.length >= 3, 'three messages');
    assert.deepEqual(got.toSorted(), [`broadcast ann ${text}`, `broadcast ann ${text}`, `echo ann ${text} (echo from server)`]);
  },
  'sends: all, others, caller, except': async (r) => {
    const [a, b, c] = [await r.connect(), await r.connect(), await r.connect()];
    await a.hub.invoke('SendAll', 'all');
    await a.hub.invoke('SendOthers', 'others');
    await a.hub.invoke('SendCaller', 'caller');
    await a.hub.invoke('SendAllExcept', [a.id, c.id], 'except');
    await a.expect('all', 'caller');
    await b.expect('all', 'others', 'except');
    await c.expect('all', 'others');
  },
  'sends: clients': async (r) => {
    const [a, b, c] = [await r.connect(), await r.connect(), await r.connect()];
    await a.hub.invoke('SendClient', b.id, 'to b');
    await a.hub.invoke('SendClient', 'no-such-id', 'to nobody');
    await a.hub.invoke('SendClients', [a.id, c.id, 'no-such-id'], 'to a and c');
    await a.expect('to a and c');
    await b.expect('to b');
    await c.expect('to a and c');
  },
  'sends: users': async (r) => {
    const [u, v] = [r.unique('u'), r.unique('v/ü+ ')];
    const [u1, u2, v1, x] = [await r.connect(`?user=${u}`), await r.connect(`?user=${u}`), await r.connect(`?user=${encodeURIComponent(v)}`), await r.connect()];
    await x.hub.invoke('SendUser', u, 'to u');
    await x.hub.invoke('SendUser', 'nobody', 'to nobody');
    await x.hub.invoke('SendUsers', [u, v], 'to both');
    await u1.expect('to u', 'to both');
    await u2.expect('to u', 'to both');
    await v1.expect('to both');
    await x.expect();
    await u2.hub.stop();
    await x.hub.invoke('SendUser', u, 'again');
    await u1.expect('again');
  },
  'sends: groups': async (r) => {
    const [g, h] = [r.unique('g'), r.unique('h /ü')];
    const [a, b, c, d] = [await r.connect(), await r.connect(), await r.connect(), await r.connect()];
    await a.hub.invoke('JoinGroup', g);
    await b.hub.invoke('JoinGroup', g);
    await b.hub.invoke('JoinGroup', g);
    await b.hub.invoke('JoinGroup', h);
    await a.hub.invoke('AddToGroup', c.id, h);
    await d.hub.invoke('SendGroup', g, 'g');
    await d.hub.invoke('SendGroup', h, 'h');
    await a.hub.invoke('SendOthersInGroup', g, 'others in g');
    await d.hub.invoke('SendGroupExcept', h, [c.id], 'h except c');
    await a.expect('g');
    await b.expect('g', 'h', 'others in g', 'h except c');
    await c.expect('h');
    await d.expect();
    await b.hub.invoke('LeaveGroup', g);
    await b.hub.invoke('LeaveGroup', 'never-joined');
    await d.hub.invoke('SendGroup', g, 'g again');
    await a.expect('g again');
    await b.expect();
  },
  'sends: several groups at once': async (r) => {
    const [g, h] = [r.unique('g'), r.unique('h')];
    const [a, b] = [await r.connect(), await r.connect()];
    await a.hub.invoke('JoinGroup', g);
    await b.hub.invoke('JoinGroup', h);
    await a.hub.invoke('SendGroups', [g, h], 'both');
    await a.expect('both');
    await b.expect('both');
    await a.hub.invoke('JoinGroup', h);
    await b.hub.invoke('SendGroups', [g, h, g], 'a copy for each group');
    await a.expect(...Array(3).fill('a copy for each group'));
    await b.expect('a copy for each group');
    await a.hub.invoke('SendClients', [a.id, a.id], 'twice named');
    await a.expect('twice named');
  },
  'sends: a member who went hears nothing any more': async (r) => {
    const g = r.unique('g');
    const [a, b] = [await r.connect(), await r.connect()];
    await a.hub.invoke('JoinGroup', g);
    await a.hub.stop();
    await a.hub.start();
    await b.hub.invoke('SendGroup', g, 'nobody hears this');
    await a.expect();
  },
  'sends: hubs are apart': async (r) => {
    const [g, u] = [r.unique('g'), r.unique('u')];
    const a = await r.connect(`?user=${u}`);
    const o = await r.connect(`?user=${u}`, { hub: 'other' });
    await a.hub.invoke('JoinGroup', g);
    await o.hub.invoke('JoinGroup', g);
    await o.hub.invoke('SendAll', 'other');
    await o.hub.invoke('SendGroup', g, 'other');
    await o.hub.invoke('SendUser', u, 'other');
    await until(() => o.messages.length === 3, 'three messages in the other hub');
    await a.expect();
  },
  'sends: from outside of a hub': async (r) => {
    const [g, u] = [r.unique('g'), r.unique('u')];
    const [a, b] = [await r.connect(`?user=${u}`), await r.connect()];
    await r.put(`/groups/${g}/${a.id}`);
    await r.post('/send/all?text=all');
    await r.post(`/send/all-except?text=except&id=${a.id}`);
    await r.post(`/send/client/${b.id}?text=client`);
    await r.post(`/send/group/${g}?text=group`);
    await r.post(`/send/user/${u}?text=user`);
    await a.expect('all', 'group', 'user');
    await b.expect('all', 'except', 'client');
    await r.delete(`/groups/${g}/${a.id}`);
    await r.post(`/send/group/${g}?text=group`);
    await a.expect();
  },
};
