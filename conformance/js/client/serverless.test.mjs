// A chat without an app server: what clients say reaches the app as web hooks, and the app answers over the REST API.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import * as signalR from '@microsoft/signalr';
import { MessagePackHubProtocol } from '@microsoft/signalr-protocol-msgpack';
import { combinations, failure, sleep, until, within } from './room.mjs';
import { App } from './serverless.mjs';
import { appUrl, clientEndpoint, only } from './settings.mjs';

const skip = process.env.ACCESS_KEY === undefined && 'there is no serverless instance: ACCESS_KEY is not set';

const transportTypes = { ws: signalR.HttpTransportType.WebSockets, sse: signalR.HttpTransportType.ServerSentEvents, lp: signalR.HttpTransportType.LongPolling };

/** The chat's methods. */
const methods = {
  connected(sender) { return this.send('', 'joined', sender.user); },
  disconnected(sender) { return this.send('', 'left', sender.user); },
  async say(sender, text) {
    await this.send('', 'said', sender.user, text);
    return `said by ${sender.user}`;
  },
  async join(sender, group) {
    const response = await this.rest('PUT', `/groups/${encodeURIComponent(group)}/connections/${sender.connection}`);
    if (response.status !== 200) throw new Error(`join: ${response.status}`);
  },
  sayToGroup(sender, group, text) { return this.send(`/groups/${encodeURIComponent(group)}`, 'said', sender.user, text); },
  tell(sender, user, text) { return this.send(`/users/${encodeURIComponent(user)}`, 'told', sender.user, text); },
  echo(_, value) { return value; },
  query(sender) { return sender.query; },
  broken() { throw new Error('the app is broken'); },
};

describe('serverless', { skip, concurrency: false }, () => {
  const app = new App({ key: process.env.ACCESS_KEY, service: clientEndpoint, hub: 'chat', methods });
  const hubs = [];
  before(() => app.listen(appUrl));
  after(async () => {
    await Promise.all(hubs.map((hub) => hub.stop()));
    await app.close();
  });

  async function connect(user, { transport, protocol }) {
    let builder = new signalR.HubConnectionBuilder().configureLogging(signalR.LogLevel.None)
      .withUrl(`${appUrl}/?user=${encodeURIComponent(user)}`.replace('/?', '?'), { transport: transportTypes[transport] });
    if (protocol === 'messagepack') builder = builder.withHubProtocol(new MessagePackHubProtocol());
    const hub = builder.build();
    hubs.push(hub);
    const peer = { hub, joined: [], left: [], said: [], told: [] };
    for (const name of ['joined', 'left', 'said', 'told']) hub.on(name, (...args) => peer[name].push(args.join(': ')));
    await hub.start();
    return peer;
  }

  for (const combination of combinations) {
    const title = `${combination.transport}/${combination.protocol}`;
    if (!title.includes(only)) continue;
    test(title, { timeout: 60_000 }, async () => {
      const [a, b] = [`alice ${title} ä`, `bob ${title}`];
      const alice = await connect(a, combination);
      await until(() => alice.joined.includes(a), 'alice is told that she is there');
      const bob = await connect(b, combination);
      await until(() => alice.joined.includes(b) && bob.joined.includes(b), 'both are told of bob');

      assert.equal(await alice.hub.invoke('say', 'hello'), `said by ${a}`);
      await until(() => bob.said.includes(`${a}: hello`) && alice.said.includes(`${a}: hello`), 'both hear alice');
      await bob.hub.send('say', 'sent');
      await until(() => alice.said.includes(`${b}: sent`), 'alice hears what bob sent without waiting');

      assert.equal(await bob.hub.invoke('join', 'a group/ü'), undefined);
      await alice.hub.invoke('sayToGroup', 'a group/ü', 'to the group');
      await until(() => bob.said.includes(`${a}: to the group`), 'bob hears his group');
      await alice.hub.invoke('tell', b, 'a secret');
      await until(() => bob.told.includes(`${a}: a secret`), 'bob hears what is for him');
      assert.deepEqual(alice.told, []);
      assert.ok(!alice.said.includes(`${a}: to the group`), 'alice is not in the group');

      const value = { text: 'ü😀', list: [1, -2, 3.5, null, true], nested: { a: 'b' } };
      assert.deepEqual(await alice.hub.invoke('echo', value), value);
      assert.equal((await alice.hub.invoke('echo', 'x'.repeat(200_000))).length, 200_000);
      assert.match(await alice.hub.invoke('query'), /^\?hub=chat/);
      assert.match((await failure(() => alice.hub.invoke('broken'))).message, /Invocation failed, status code 500/);
      assert.match((await failure(() => alice.hub.invoke('unknown'))).message, /Invocation failed, status code 404/);
      const streamed = new Promise((_, reject) => { alice.hub.stream('echo', 1).subscribe({ next() {}, complete() {}, error: reject }); });
      assert.match((await failure(() => within(streamed, 'the stream is refused'))).message, /Streams are not supported/);

      bob.hub.on('ask', (question) => `${question}? yes`);
      const response = await app.rest('POST', `/connections/${bob.hub.connectionId}/:invoke`, { target: 'ask', arguments: ['well'] });
      assert.deepEqual([response.status, await response.json()], [200, { result: 'well? yes' }]);

      await bob.hub.stop();
      await until(() => alice.left.includes(b), 'alice is told that bob left');
      const closed = new Promise((resolve) => { alice.hub.onclose(resolve); });
      await app.rest('DELETE', `/connections/${alice.hub.connectionId}?reason=enough`);
      assert.match(String(await within(closed, 'alice is sent away')), /enough/);
      await until(() => app.events.some(([user, event]) => user === a && event === 'disconnected'), 'the app is told that alice is gone');
      const hers = app.events.filter(([user]) => user === a).map(([, event]) => event);
      assert.deepEqual(hers, ['connected', 'say', 'sayToGroup', 'tell', 'echo', 'echo', 'query', 'broken', 'unknown', 'disconnected']);
      assert.equal(app.refused, 0);
    });
  }

  test('clients stay while they say nothing', { timeout: 60_000, skip: only !== '' }, async () => {
    const quiet = await Promise.all([connect('quiet 1', combinations[0]), connect('quiet 2', combinations[1])]);
    await sleep(20_000); // longer than the interval of pings
    await app.send('', 'said', 'app', 'still there');
    for (const peer of quiet) {
      await until(() => peer.said.includes('app: still there'), 'the client hears');
      await peer.hub.stop();
    }
  });
});
