// The chat room's page. ?transport=ws|sse|lp fixes the transport, ?name=NAME joins at once.
'use strict';

const query = new URLSearchParams(location.search);
const byId = (id) => document.getElementById(id);
const system = '_SYSTEM_'; // the sender of notices
const names = { ws: 'WebSockets', sse: 'Server-sent events', lp: 'Long polling' };
const kinds = { ws: signalR.HttpTransportType.WebSockets, sse: signalR.HttpTransportType.ServerSentEvents, lp: signalR.HttpTransportType.LongPolling };
const wanted = Object.hasOwn(kinds, query.get('transport') ?? '') ? query.get('transport') : '';

let me = '';
let inUse = { transport: '', endpoint: '' }; // the transport that opened last

/** Notes what the client connects with. The query is left out: it may hold the access token. */
const note = (transport, url) => { inUse = { transport, endpoint: String(url).split('?')[0] }; };

// The client does not tell which transport it chose, nor where the server redirected it, so what it opens is watched.
class WatchedWebSocket extends WebSocket {
  constructor(url, ...rest) { super(url, ...rest); this.addEventListener('open', () => note('ws', url)); }
}
class WatchedEventSource extends EventSource {
  constructor(url, ...rest) { super(url, ...rest); this.addEventListener('open', () => note('sse', url)); }
}
class WatchedHttpClient extends signalR.HttpClient {
  constructor() { super(); this.inner = new signalR.DefaultHttpClient(signalR.NullLogger.instance); }
  send(request) {
    if (request.method === 'GET' && request.url.includes('id=')) note('lp', request.url);
    return this.inner.send(request);
  }
  getCookieString(url) { return this.inner.getCookieString(url); }
}

const options = { WebSocket: WatchedWebSocket, EventSource: WatchedEventSource, httpClient: new WatchedHttpClient() };
if (wanted) options.transport = kinds[wanted];
const connection = new signalR.HubConnectionBuilder()
  .withUrl('chat', options)
  .withAutomaticReconnect([0, 1000, 2000, 4000])
  .configureLogging(signalR.LogLevel.Warning)
  .build();

function show(state, text) {
  byId('state').dataset.state = state;
  byId('state').textContent = text;
  const connected = state === 'connected';
  byId('transport').textContent = connected ? names[inUse.transport] : '–';
  byId('endpoint').textContent = connected ? inUse.endpoint : '–';
  for (const id of ['send', 'echo']) byId(id).disabled = !connected;
}

function add(kind, who, text) {
  const list = byId('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const item = document.createElement('li');
  item.className = kind;
  if (who) {
    const name = document.createElement('span');
    name.className = 'who';
    name.textContent = who;
    item.append(name);
  }
  item.append(text);
  list.append(item);
  if (atEnd || kind.includes('mine')) list.scrollTop = list.scrollHeight;
}

function problem(error) {
  byId('problem').hidden = !error;
  byId('problem').textContent = error ? String(error.message ?? error) : '';
}

async function call(method, ...args) {
  try {
    await connection.invoke(method, ...args);
    problem();
    return true;
  } catch (error) {
    problem(error);
    return false;
  }
}

function lost(error) {
  show('closed', 'Disconnected');
  byId('lost-reason').textContent = error?.message ?? 'The server ended the connection.';
  if (!byId('lost').open) byId('lost').showModal();
}

async function start() {
  show('connecting', 'Connecting');
  try {
    await connection.start();
    show('connected', 'Connected');
    await announce();
  } catch (error) {
    lost(error);
  }
}

/** Tells the others who came, once the name and the connection are there. */
async function announce() {
  if (me && connection.state === signalR.HubConnectionState.Connected) await call('BroadcastMessage', system, `${me} joined`);
}

function join(name) {
  me = name.trim();
  if (!me) return;
  if (me === system) { me = ''; return; }
  sessionStorage.setItem('name', me);
  byId('entrance').hidden = true;
  byId('conversation').hidden = false;
  byId('text').focus();
  announce();
}

connection.on('broadcastMessage', (who, text) => {
  if (who === system) add('notice', '', text);
  else add(who === me ? 'broadcast mine' : 'broadcast', who, text);
});
connection.on('echo', (who, text) => add('echo', who, text));
connection.onreconnecting(() => show('reconnecting', 'Reconnecting'));
connection.onreconnected(() => { show('connected', 'Connected'); announce(); });
connection.onclose(lost);

byId('join-form').addEventListener('submit', (event) => { event.preventDefault(); join(byId('name').value); });
byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const text = byId('text').value;
  if (text.trim() && await call('BroadcastMessage', me, text) && byId('text').value === text) byId('text').value = '';
});
byId('echo').addEventListener('click', async () => {
  const text = byId('text').value;
  if (text.trim() && await call('Echo', me, text) && byId('text').value === text) byId('text').value = '';
});
byId('reconnect').addEventListener('click', () => { byId('lost').close(); start(); });
byId('lost').addEventListener('cancel', (event) => event.preventDefault());
for (const link of document.querySelectorAll('nav a')) if (link.dataset.transport === wanted) link.setAttribute('aria-current', 'true');

byId('name').value = query.get('name') ?? sessionStorage.getItem('name') ?? `Guest ${1 + Math.floor(Math.random() * 99)}`;
if (query.has('name')) join(query.get('name'));
start();
