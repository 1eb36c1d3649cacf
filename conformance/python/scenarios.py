"""What the Python clients and the hubs of the app servers have in common, as scenarios."""

import json
import urllib.parse

from room import control, equal, failure, until

SCENARIOS = {}


def scenario(title, *needs):
    """Makes a function a scenario; needs are abilities that only some clients have."""

    def add(function):
        function.needs = frozenset(needs)
        SCENARIOS[title] = function
        return function

    return add


@scenario("values: there and back")
def values(room):
    a = room.connect()
    for text in ["", "plain", "\"quoted\" \\ / \n\t", "\u001e record separator", "日本語 🎈", "<b>&'", "x" * 70_000]:
        equal(a.invoke("EchoString", text), text)
    for number in [0, 1, -1, 127, 128, 255, 256, -33, -129, 65536, 2**31, -(2**31) - 1, 2**63 - 1, -(2**63)]:
        equal(a.invoke("EchoInt", number), number)
    for number in [0.5, -1.5, 1e300, 1e-300, 3.141592653589793]:
        equal(a.invoke("EchoDouble", number), number)
    equal(a.invoke("EchoBool", True), True)
    equal(a.invoke("EchoNull", None), None)
    equal(a.invoke("Add", 2, 3), 5)
    equal(a.invoke("Nothing"), None)


@scenario("values: bytes, arrays, objects")
def objects(room):
    a = room.connect()
    data = room.bytes(bytes(range(256)))
    equal(a.invoke("EchoBytes", data), data)
    equal(a.invoke("EchoArray", ["a", None, ""]), ["a", None, ""])
    person = room.record({"name": "Ann", "age": 41, "tags": ["x", "y"], "scores": {"z": 1.5}})
    equal(a.invoke("EchoPerson", person), person)


@scenario("values: from the hub")
def from_the_hub(room):
    a = room.create()
    got = []
    a.on("values", got.append)
    a.on("nothing", got.append)
    a.start()
    a.send("SendValues")
    until(lambda: len(got) == 1, "the values")
    a.send("SendNoArguments")
    until(lambda: len(got) == 2, "a message without arguments")
    person = room.record({"name": "Six", "age": 7, "tags": ["eight"], "scores": {"nine": 10.5}})
    equal(got, [[1, 2.5, "three", True, room.bytes(bytes([4, 5])), person], []])


@scenario("values: one megabyte each way")
def large(room):
    a = room.connect()
    text = "y" * 1_000_000
    equal(len(a.invoke("Repeat", "0123456789", 104_858)), 1_048_580)
    equal(a.invoke("EchoString", text), text)
    a.invoke("SendCaller", text)
    until(lambda: a.messages, "the large message")
    equal(a.messages, [text])


@scenario("values: 2000 numbers in order")
def order(room):
    a = room.connect()
    a.invoke("SendMany", 2000)
    until(lambda: len(a.numbers) == 2000, "2000 numbers")
    equal(a.numbers, list(range(2000)))


@scenario("values: 100 calls at once, each with its own answer")
def calls(room):
    a = room.connect()
    equal([call.result(15) for call in [a.start_invoke("Add", i, 1) for i in range(100)]], list(range(1, 101)))


@scenario("failures: texts")
def failures(room):
    a = room.connect()
    equal(failure(lambda: a.invoke("FailHub", "told you")), "An unexpected error occurred invoking 'FailHub' on the server. HubException: told you")
    equal(failure(lambda: a.invoke("FailOther", "secret")), "An unexpected error occurred invoking 'FailOther' on the server.")
    equal(failure(lambda: a.invoke("NoSuchMethod")), "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist.")
    binding = "Failed to invoke 'Add' due to an error on the server."
    equal(failure(lambda: a.invoke("Add", 1)), binding)
    equal(failure(lambda: a.invoke("Add", 1, 2, 3)), binding)
    equal(failure(lambda: a.invoke("Add", "x", 2)), binding)
    equal(failure(lambda: a.invoke("Count", 3, 0)), "The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.")
    equal(a.stream("Add", 1, 2), ([], "The client attempted to invoke the non-streaming 'Add' method with a streaming invocation."))
    equal(a.invoke("Add", 1, 2), 3)


@scenario("connect: the hub learns of the beginning and the end")
def ends(room):
    a = room.connect()
    identity = a.id()
    until(lambda: room.logged(f"connected {identity} user="), "connected")
    a.stop()
    until(lambda: any(line.startswith(f"disconnected {identity} ") for line in json.loads(room.request("GET", "/log"))), "disconnected")
    a.start()
    equal(a.invoke("Add", 1, 2), 3)
    equal(a.id() != identity, True)


@scenario("identity: user, roles, request")
def identity(room):
    equal(room.plain(room.connect().invoke("WhoAmI"))["authenticated"], False)
    a = room.connect(user="Jörg", role="admin", claim="own:value", color="blue")
    me = room.plain(a.invoke("WhoAmI"))
    equal((me["userIdentifier"], me["name"], me["admin"], "own=value" in me["claims"]), ("Jörg", "Jörg", True, True))
    request = room.plain(a.invoke("HttpRequest"))
    equal((request["path"], request["query"]["color"]), ("/conformance", "blue"))


@scenario("identity: hub and method for signed-in users")
def secure(room):
    stranger = room.create("secure")
    failure(stranger.start)
    ann = room.connect("secure", user="ann")
    equal(ann.invoke("Me"), "ann")
    equal(failure(lambda: ann.invoke("AdminOnly")), "Failed to invoke 'AdminOnly' because user is unauthorized")
    equal(room.connect("secure", user="bob", role="admin").invoke("AdminOnly"), "admin")


@scenario("sends: all, others, caller, except, clients")
def sends(room):
    a, b, c = room.connect(), room.connect(), room.connect()
    ids = [peer.id() for peer in (a, b, c)]
    text = room.unique("all")
    a.invoke("SendAll", text)
    for peer in (a, b, c):
        peer.expect(text)
    a.invoke("SendOthers", "others")
    a.invoke("SendCaller", "caller")
    a.invoke("SendAllExcept", ids[:2], "except")
    a.invoke("SendClient", ids[1], "client")
    a.invoke("SendClients", [ids[0], ids[2], "nobody"], "clients")
    a.expect("caller", "clients")
    b.expect("others", "client")
    c.expect("others", "except", "clients")


@scenario("sends: users")
def users(room):
    ann, bob = room.unique("ann"), room.unique("bob")
    first, second, other = room.connect(user=ann), room.connect(user=ann), room.connect(user=bob)
    other.invoke("SendUser", ann, "to ann")
    other.invoke("SendUsers", [ann, bob, "nobody"], "to both")
    first.expect("to ann", "to both")
    second.expect("to ann", "to both")
    other.expect("to both")


@scenario("sends: groups")
def groups(room):
    a, b, c = room.connect(), room.connect(), room.connect()
    group = room.unique("group")
    a.invoke("JoinGroup", group)
    b.invoke("JoinGroup", group)
    c.invoke("SendGroup", group, "one")
    a.invoke("SendOthersInGroup", group, "two")
    c.invoke("SendGroupExcept", group, [b.id()], "three")
    a.expect("one", "three")
    b.expect("one", "two")
    b.invoke("LeaveGroup", group)
    c.invoke("SendGroup", group, "four")
    a.expect("four")
    b.expect()
    c.expect()


@scenario("sends: from outside of a hub")
def outside(room):
    user, group = room.unique("ann"), room.unique("group")
    a, b = room.connect(user=user), room.connect()
    room.request("PUT", f"/groups/{group}/{b.id()}")
    room.request("POST", "/send/all?text=all")
    room.request("POST", f"/send/all-except?id={a.id()}&text=except")
    room.request("POST", f"/send/client/{a.id()}?text=client")
    room.request("POST", f"/send/group/{group}?text=group")
    room.request("POST", f"/send/user/{user}?text=user")
    until(lambda: len(a.messages) == 3 and len(b.messages) == 3, "messages from outside")
    a.expect("all", "client", "user")
    b.expect("all", "except", "group")


@scenario("streams: from the hub")
def streams(room):
    a = room.connect()
    equal(a.stream("Count", 300, 0), (list(range(300)), None))
    items, error = a.stream("Letters", 5)
    equal(("".join(items), error), ("abcde", None))
    equal(a.stream("Count", 0, 0), ([], None))
    equal(a.stream("FailingCount", 3), ([0, 1, 2], "An error occurred on the server while streaming results. HubException: the stream broke"))
    equal(a.invoke("Add", 1, 2), 3)


@scenario("ask: the caller, another client, from outside", "client results")
def ask(room):
    a, b = room.create(), room.create()
    a.on("ask", lambda arguments: f"a says {arguments[0]}")
    b.on("ask", lambda arguments: f"b says {arguments[0]}")
    a.start()
    b.start()
    equal(a.invoke("AskCaller", "hi"), "a says hi")
    equal(a.invoke("Ask", b.id(), "ho", 5000), "b says ho")
    equal(room.request("POST", f"/ask/{urllib.parse.quote(b.id())}?question=hey"), '"b says hey"')


@scenario("ask: client fails or has no answer", "client results")
def ask_in_vain(room):
    def refuse(_):
        raise ValueError("not today")

    failing = room.create()
    failing.on("ask", refuse)
    failing.start()
    equal(failing.invoke("AskCaller", "hi"), "HubException: not today")
    equal(room.connect().invoke("AskCaller", "hi"), "HubException: Client didn't provide a result.")


@scenario("end: the hub aborts")
def abort(room):
    a = room.connect()
    line = f"disconnected {a.id()} error="
    a.send("Abort")
    until(lambda: a.closings, "the client is told")
    until(lambda: room.logged(line), "the hub learns of the end")
    a.stop()
    a.start()
    equal(a.invoke("Add", 1, 2), 3)


@scenario("end: the app server goes and comes back", "control")
def restart(room):
    a = room.connect()
    a.id()
    control("/appserver/stop?signal=KILL")
    try:
        until(lambda: a.closings or getattr(a, "error", None), "the client is told")
    finally:
        control("/appserver/start")
    a.stop()
    a.start()
    equal(a.invoke("Add", 1, 2), 3)
