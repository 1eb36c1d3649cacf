"""The clients, each behind the same small interface."""

import asyncio
import threading
import uuid
from concurrent.futures import Future

from pysignalr.client import SignalRClient
from pysignalr.protocol.json import JSONProtocol
from pysignalr.protocol.messagepack import MessagepackProtocol
from signalrcore.hub.errors import HubConnectionError
from signalrcore.hub_connection_builder import HubConnectionBuilder
from signalrcore.types import HttpTransportType, HubProtocolEncoding

from room import PATIENCE, until

HEADERS = {"X-Test": "header value"}


class HubFailure(Exception):
    """An invocation that the hub answered with an error."""


class Peer:
    """One client and what it received."""

    def __init__(self):
        self.messages = []
        self.numbers = []
        self.welcomes = []
        self.closings = 0
        self.on("message", lambda arguments: self.messages.extend(arguments))
        self.on("number", lambda arguments: self.numbers.extend(arguments))
        self.on("welcome", lambda arguments: self.welcomes.extend(arguments))

    def id(self):
        """The connection's id as the hub knows it."""
        until(lambda: self.welcomes, "welcome")
        return self.welcomes[-1]

    def expect(self, *want):
        """Checks that exactly these messages have come, in any order between senders. A marker that the hub sends last shows that
        nothing else is on its way."""
        until(lambda: len(self.messages) >= len(want), lambda: f"{len(want)} messages; there are {self.messages}")
        self.invoke("SendCaller", "marker")
        until(lambda: "marker" in self.messages, "the marker")
        got = sorted(self.messages)
        self.messages.clear()
        if got != sorted([*want, "marker"]):
            raise AssertionError(f"want {sorted(want)} and the marker, got {got}")

    def start_invoke(self, method, *arguments):
        """Calls a method and returns the future of its result."""
        raise NotImplementedError

    def invoke(self, method, *arguments):
        return self.start_invoke(method, *arguments).result(PATIENCE)


class _Loop:
    """An event loop in a thread of its own, for the clients that want one."""

    def __init__(self):
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()

    def run(self, coroutine):
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)


class PySignalR(Peer):
    """pysignalr: asynchronous, WebSockets."""

    name = "pysignalr"
    abilities = frozenset({"client results", "control"})
    _events = _Loop()

    def __init__(self, url, protocol):
        self._protocol = MessagepackProtocol() if protocol == "messagepack" else JSONProtocol()
        self._url = url
        self._handlers = []
        self._task = None
        super().__init__()

    def on(self, name, handler):
        async def call(arguments):
            return handler(arguments)

        self._handlers.append((name, call))

    def start(self):
        self.error = None
        opened = Future()

        async def ready():
            if not opened.done():
                opened.set_result(None)

        async def closed():
            self.closings += 1

        async def ignore(_):
            pass  # Each invocation has a callback of its own.

        async def serve():
            # It connects by itself when it is lost; here a lost connection is an end.
            self._client = SignalRClient(self._url, protocol=self._protocol, headers=dict(HEADERS), max_size=None, retry_count=1)
            for name, handler in self._handlers:
                self._client.on(name, handler)
            self._client.on_open(ready)
            self._client.on_close(closed)
            self._client.on_error(ignore)
            try:
                await self._client.run()
            except Exception as error:
                self.error = error
                if not opened.done():
                    opened.set_exception(error)

        self._task = self._events.run(serve())
        opened.result(PATIENCE)

    def stop(self):
        if self._task is not None:
            self._task.cancel()
            self._task = None

    def start_invoke(self, method, *arguments):
        result = Future()

        async def completed(message):
            if message.error:
                result.set_exception(HubFailure(message.error))
            else:
                result.set_result(message.result)

        self._events.run(self._client.send(method, list(arguments), on_invocation=completed)).result(PATIENCE)
        return result

    def send(self, method, *arguments):
        self._events.run(self._client.send(method, list(arguments))).result(PATIENCE)

    def stream(self, method, *arguments):
        """The items of a stream, and the text of the error in which it ended."""
        items, end = [], Future()

        async def take(item):
            items.append(item)

        async def complete(_):
            end.set_result(None)

        async def fail(message):
            end.set_result(message.error)

        self._events.run(self._client.stream(method, list(arguments), take, complete, fail)).result(PATIENCE)
        return items, end.result(PATIENCE)

    def upload(self, method, items):
        async def run():
            async with self._client.client_stream(method) as stream:
                for item in items:
                    await stream.send(item)

        self._events.run(run()).result(PATIENCE)


class SignalRCore(Peer):
    """signalrcore: threads, WebSockets. Behind a redirect its other transports do not ask the service for a connection."""

    name = "signalrcore"
    abilities = frozenset({"control"})

    def __init__(self, url, protocol):
        builder = HubConnectionBuilder().with_url(url, options={"headers": dict(HEADERS), "transport": HttpTransportType.web_sockets})
        # Left to itself it takes MessagePack behind a redirect.
        builder = builder.with_hub_protocol(HubProtocolEncoding.binary if protocol == "messagepack" else HubProtocolEncoding.text)
        self._builder = builder
        self._handlers = []
        self._hub = None
        super().__init__()

    def on(self, name, handler):
        self._handlers.append((name, handler))

    def start(self):
        # A hub connection keeps the address that it was redirected to, so a new start needs a new one.
        self._hub = self._builder.build()
        self._pending = {}
        # A stream is sent before one can subscribe to it, so nothing may be handled in between.
        self._handling = threading.RLock()
        handle = self._hub.on_message

        def on_message(messages):
            with self._handling:
                handle(messages)

        self._hub.on_message = on_message
        for name, handler in self._handlers:
            self._hub.on(name, handler)
        opened = threading.Event()
        self._hub.on_open(opened.set)
        self._hub.on_close(self._closed)
        self._hub.on_error(self._failed)
        self._hub.start()
        if not opened.wait(PATIENCE):
            raise TimeoutError("the client did not open")

    def _closed(self):
        self.closings += 1

    def _failed(self, message):
        pending = self._pending.pop(message.invocation_id, None)
        if pending is not None:
            pending.set_exception(HubFailure(message.error))

    def stop(self):
        if self._hub is None:
            return
        try:
            self._hub.invoke("Slow", [100])  # It closes the socket that it reads from, and notices when the next bytes come.
        except HubConnectionError:
            pass  # The connection has ended.
        self._hub.stop()
        self._hub = None

    def start_invoke(self, method, *arguments):
        number, result = str(uuid.uuid4()), Future()
        self._pending[number] = result

        def completed(message):
            self._pending.pop(number, None)
            result.set_result(message.result)

        self._hub.invoke(method, list(arguments), completed, number)
        return result

    def send(self, method, *arguments):
        self._hub.invoke(method, list(arguments))

    def stream(self, method, *arguments):
        """The items of a stream, and the text of the error in which it ended."""
        items, end = [], Future()
        with self._handling:
            handler = self._hub.stream(method, list(arguments))
            handler.subscribe({"next": items.append, "complete": lambda _: end.set_result(None), "error": lambda _: None})
            self._pending[handler.invocation_id] = end
        try:
            return items, end.result(PATIENCE)
        except HubFailure as error:
            return items, str(error)


CLIENTS = (PySignalR, SignalRCore)
