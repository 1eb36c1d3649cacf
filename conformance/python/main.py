"""Runs every scenario with every client over every hub protocol against a running app server, and prints a line for each:

    APP_URL=http://127.0.0.1:5080 python main.py
"""

import logging
import os
import sys
import time

from peers import CLIENTS
from room import Room
from scenarios import SCENARIOS


def main():
    url = os.environ.get("APP_URL")
    if not url:
        sys.exit("APP_URL should be the URL of the app server, such as http://127.0.0.1:5080")
    logging.disable(logging.CRITICAL)  # What the clients log of failures that scenarios ask for would hide the others.
    only = os.environ.get("ONLY", "")
    passed = failed = 0
    for client in CLIENTS:
        for protocol in ("json", "messagepack"):
            for title, scenario in SCENARIOS.items():
                needs = getattr(scenario, "needs", frozenset())
                name = f"{client.name}/{protocol} {title}"
                if only not in name or not needs <= client.abilities or ("control" in needs and "CONTROL_URL" not in os.environ):
                    continue
                room = Room(url, client, protocol)
                start = time.monotonic()
                try:
                    scenario(room)
                    failure = None
                except Exception as error:  # Whatever it is, it is the scenario's result.
                    failure = error
                finally:
                    room.close()
                milliseconds = round((time.monotonic() - start) * 1000)
                if failure is None:
                    passed += 1
                    print(f"ok   {name} ({milliseconds} ms)", flush=True)
                else:
                    failed += 1
                    text = " ".join(f"{type(failure).__name__}: {failure}".split())
                    print(f"FAIL {name} ({milliseconds} ms): {text[:600]}", flush=True)
    print(f"{passed} passed, {failed} failed", flush=True)
    os._exit(1 if failed else 0)  # Threads of the clients that do not end must not keep the program.


main()
