"""What a scenario needs: clients over one hub protocol, the app server's HTTP endpoints, and assertions."""

import base64
import itertools
import json
import os
import time
import urllib.parse
import urllib.request

PATIENCE = 15  # seconds

_names = itertools.count(1)


def until(condition, what, seconds=PATIENCE):
    """Waits until the condition holds; polls, because what it asks about lies in another process."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if condition():
            return
        time.sleep(0.02)
    raise AssertionError(f"did not happen within {seconds} s: {what() if callable(what) else what}")


def equal(got, want):
    if got != want:
        raise AssertionError(f"want {_shown(want)}, got {_shown(got)}")


def _shown(value):
    text = repr(value)
    return text if len(text) <= 200 else f"{text[:200]}… ({len(text)} characters)"


def failure(call):
    """The text of the error in which the call ends; fails when the call succeeds."""
    try:
        value = call()
    except AssertionError:
        raise
    except Exception as error:
        return str(error)
    raise AssertionError(f"the call succeeded with {_shown(value)}")


def fetch(method, url):
    request = urllib.request.Request(url, method=method)
    with urllib.request.urlopen(request, timeout=60) as response:
        return response.read().decode()


def control(path):
    """Stops or starts a program by way of the test that runs this one."""
    fetch("POST", os.environ["CONTROL_URL"] + path)


class Room:
    def __init__(self, url, client, protocol):
        self.url = url
        self.client = client
        self.protocol = protocol
        self._peers = []

    def unique(self, prefix):
        """A name that no other scenario or run uses."""
        return f"{prefix}-{os.getpid()}-{next(_names)}"

    def record(self, fields):
        """Field names travel in camel case in JSON, and as the app server's language spells them in MessagePack."""
        if self.protocol == "json":
            return fields
        return {name[0].upper() + name[1:]: value for name, value in fields.items()}

    def plain(self, fields):
        return {name[0].lower() + name[1:]: value for name, value in fields.items()}

    def bytes(self, data):
        """Bytes as the application gives and gets them: base64 text in JSON, a byte string in MessagePack."""
        return base64.b64encode(data).decode() if self.protocol == "json" else data

    def create(self, hub="conformance", **query):
        """A client that is not started yet."""
        text = urllib.parse.urlencode(query)
        peer = self.client(f"{self.url}/{hub}" + (f"?{text}" if text else ""), self.protocol)
        self._peers.append(peer)
        return peer

    def connect(self, hub="conformance", **query):
        peer = self.create(hub, **query)
        peer.start()
        return peer

    def request(self, method, path):
        return fetch(method, self.url + path)

    def logged(self, line):
        return line in json.loads(self.request("GET", "/log"))

    def close(self):
        for peer in self._peers:
            try:
                peer.stop()
            except Exception as error:  # The scenario has its result already.
                print(f"a client did not stop: {error}", flush=True)
