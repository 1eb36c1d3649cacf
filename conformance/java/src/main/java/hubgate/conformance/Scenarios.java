package hubgate.conformance;

import static hubgate.conformance.Room.equal;
import static hubgate.conformance.Room.failure;
import static hubgate.conformance.Room.object;
import static hubgate.conformance.Room.until;

import com.google.gson.JsonObject;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.TransportEnum;
import hubgate.conformance.Main.Scenario;
import hubgate.conformance.Room.Peer;
import io.reactivex.rxjava3.core.Observable;
import io.reactivex.rxjava3.core.Single;
import io.reactivex.rxjava3.disposables.Disposable;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.stream.Collectors;
import java.util.stream.IntStream;

/** What the Java client and the hubs of the app servers have in common, as scenarios. */
final class Scenarios {
    private Scenarios() {}

    /** A value of the hub EchoPerson. */
    static final class Person {
        String name = "Ann";
        int age = 41;
        String[] tags = {"x", "y"};
        Map<String, Double> scores = Map.of("z", 1.5);
    }

    /** The scenarios that a transport is fit for. */
    static Map<String, Scenario> all(TransportEnum transport) {
        Map<String, Scenario> all = new LinkedHashMap<>();
        all.put("values: there and back", Scenarios::values);
        all.put("values: objects", Scenarios::objects);
        all.put("values: from the hub", Scenarios::valuesFromTheHub);
        all.put("values: one megabyte each way", Scenarios::large);
        all.put("values: 2000 numbers in order", Scenarios::order);
        all.put("values: 100 calls at once, each with its own answer", Scenarios::calls);
        all.put("values: method names in any case", Scenarios::anyCase);
        all.put("failures: texts", Scenarios::failures);
        all.put("failures: message above the limit", Scenarios::tooLarge);
        all.put("failures: unknown hub", Scenarios::unknownHub);
        all.put("connect: welcome, end, and again", Scenarios::connect);
        all.put("identity: user, roles, request", Scenarios::identity);
        all.put("identity: hub and method for signed-in users", Scenarios::secure);
        all.put("sends: all, others, caller, except, clients", Scenarios::sends);
        all.put("sends: users", Scenarios::users);
        all.put("sends: groups", Scenarios::groups);
        all.put("sends: from outside of a hub", Scenarios::outside);
        all.put("sends: hubs are apart", Scenarios::hubsApart);
        all.put("streams: from the hub", Scenarios::streams);
        all.put("streams: that are cancelled", Scenarios::cancelledStream);
        if (transport != TransportEnum.LONG_POLLING) {
            // Over long polling this client has several requests under way at once, so what it uploads arrives in any order; a plain
            // ASP.NET Core server loses the end of it too.
            all.put("streams: to the hub, and both ways", Scenarios::uploads);
        }
        all.put("ask: the caller, another client, from outside", Scenarios::ask);
        all.put("ask: client fails or has no answer", Scenarios::askInVain);
        all.put("end: the hub aborts", Scenarios::abort);
        if (System.getenv("CONTROL_URL") != null) {
            all.put("end: the app server goes and comes back", Scenarios::restart);
        }
        return all;
    }

    private static void values(Room r) {
        Peer a = r.connect();
        for (String s : List.of("", "plain", "\"quoted\" \\ / \n\t", "\u001e record separator", "日本語 🎈", "<b>&'", "x".repeat(70_000))) {
            equal(s, a.invoke(String.class, "EchoString", s));
        }
        for (long n : new long[] {0, 1, -1, 127, 128, 255, 256, -33, -129, 65536, Integer.MAX_VALUE, Integer.MIN_VALUE, Long.MAX_VALUE, Long.MIN_VALUE}) {
            equal(n, a.invoke(Long.class, "EchoInt", n));
        }
        for (double d : new double[] {0.5, -1.5, 1e300, 1e-300, Math.PI}) {
            equal(d, a.invoke(Double.class, "EchoDouble", d));
        }
        equal(true, a.invoke(Boolean.class, "EchoBool", true));
        equal(5, a.invoke(Integer.class, "Add", 2, 3));
        a.call("Nothing");
    }

    private static void objects(Room r) {
        Peer a = r.connect();
        byte[] bytes = new byte[256];
        for (int i = 0; i < bytes.length; i++) {
            bytes[i] = (byte) i;
        }
        String text = Base64.getEncoder().encodeToString(bytes); // The hub protocol JSON has bytes as base64.
        equal(text, a.invoke(String.class, "EchoBytes", text));
        equal(Arrays.asList("a", null, ""), Arrays.asList(a.invoke(String[].class, "EchoArray", (Object) new String[] {"a", null, ""})));
        equal(object(new Person()), object(a.invoke(Person.class, "EchoPerson", new Person())));
    }

    private static void valuesFromTheHub(Room r) throws Exception {
        Peer a = r.create("conformance", "");
        List<List<Object>> got = new CopyOnWriteArrayList<>();
        a.hub.on(
                "values",
                (number, real, text, truth, bytes, person) -> got.add(List.of(number, real, text, truth, bytes, object(person))),
                Integer.class, Double.class, String.class, Boolean.class, String.class, Person.class);
        a.hub.on("nothing", () -> got.add(List.of()));
        a.start();
        a.hub.send("SendValues");
        until(() -> got.size() == 1, "the values");
        a.hub.send("SendNoArguments");
        until(() -> got.size() == 2, "a message without arguments");
        Person six = new Person();
        six.name = "Six";
        six.age = 7;
        six.tags = new String[] {"eight"};
        six.scores = Map.of("nine", 10.5);
        equal(List.of(List.of(1, 2.5, "three", true, "BAU=", object(six)), List.of()), got);
    }

    private static void large(Room r) throws Exception {
        Peer a = r.connect();
        String large = "y".repeat(1_000_000);
        equal(1_048_580, a.invoke(String.class, "Repeat", "0123456789", 104_858).length());
        equal(large, a.invoke(String.class, "EchoString", large));
        a.call("SendCaller", large);
        until(() -> a.messages.size() == 1, "the large message");
        equal(large, a.messages.get(0));
    }

    private static void order(Room r) throws Exception {
        Peer a = r.connect();
        a.call("SendMany", 2000);
        until(() -> a.numbers.size() == 2000, "2000 numbers");
        equal(numbers(2000), new ArrayList<>(a.numbers));
    }

    private static void calls(Room r) {
        Peer a = r.connect();
        List<Single<Integer>> calls = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            calls.add(a.hub.invoke(Integer.class, "Add", i, 1));
        }
        for (int i = 0; i < 100; i++) {
            equal(i + 1, calls.get(i).blockingGet());
        }
    }

    private static void anyCase(Room r) throws Exception {
        Peer a = r.connect();
        equal(3, a.invoke(Integer.class, "aDD", 1, 2));
        a.call("sendcaller", "any case");
        a.expect("any case");
    }

    private static void failures(Room r) {
        Peer a = r.connect();
        equal("An unexpected error occurred invoking 'FailHub' on the server. HubException: told you", failure(() -> a.invoke(String.class, "FailHub", "told you")));
        equal("An unexpected error occurred invoking 'FailOther' on the server.", failure(() -> a.invoke(String.class, "FailOther", "secret")));
        equal(
                "Failed to invoke 'NoSuchMethod' due to an error on the server. HubException: Method does not exist.",
                failure(() -> a.invoke(String.class, "NoSuchMethod")));
        String binding = "Failed to invoke 'Add' due to an error on the server.";
        equal(binding, failure(() -> a.invoke(Integer.class, "Add", 1)));
        equal(binding, failure(() -> a.invoke(Integer.class, "Add", 1, 2, 3)));
        equal(binding, failure(() -> a.invoke(Integer.class, "Add", "x", 2)));
        equal(
                "The client attempted to invoke the streaming 'Count' method with a non-streaming invocation.",
                failure(() -> a.invoke(Integer.class, "Count", 3, 0)));
        equal(
                "The client attempted to invoke the non-streaming 'Add' method with a streaming invocation.",
                failure(() -> a.stream(Integer.class, "Add", 1, 2)));
        a.hub.send("NoSuchMethod"); // Nobody waits for an answer, and none comes.
        equal(3, a.invoke(Integer.class, "Add", 1, 2));
    }

    private static void tooLarge(Room r) throws Exception {
        Peer a = r.connect();
        failure(() -> a.invoke(String.class, "EchoString", "z".repeat(1_100_000)));
        until(() -> !a.closings.isEmpty(), "the end");
        until(() -> a.hub.getConnectionState() == HubConnectionState.DISCONNECTED, "the end of the connection");
    }

    private static void unknownHub(Room r) {
        Peer a = r.create("no-such-hub", "");
        String text = failure(() -> {
            a.start();
            return null;
        });
        equal(true, text.contains("404"));
    }

    private static void connect(Room r) throws Exception {
        Peer a = r.connect();
        String before = a.id();
        equal(HubConnectionState.CONNECTED, a.hub.getConnectionState());
        equal(before, a.hub.getConnectionId());
        a.stop();
        equal(List.of(""), a.closings);
        until(() -> r.logged("disconnected " + before + " error="), "the hub learns of the end");
        a.welcomes.clear();
        a.start();
        equal(false, before.equals(a.id()));
        equal(3, a.invoke(Integer.class, "Add", 1, 2));
    }

    private static void identity(Room r) {
        JsonObject nobody = object(r.connect().invoke(Object.class, "WhoAmI"));
        equal(false, nobody.get("authenticated").getAsBoolean());
        Peer a = r.connect("?user=J%C3%B6rg&role=admin&claim=own:value&color=blue");
        JsonObject me = object(a.invoke(Object.class, "WhoAmI"));
        equal("Jörg", me.get("userIdentifier").getAsString());
        equal("Jörg", me.get("name").getAsString());
        equal(true, me.get("admin").getAsBoolean());
        equal(true, me.get("claims").toString().contains("own=value"));
        JsonObject request = object(a.invoke(Object.class, "HttpRequest"));
        equal("/conformance", request.get("path").getAsString());
        equal("header value", request.get("testHeader").getAsString());
        equal("blue", request.getAsJsonObject("query").get("color").getAsString());
        equal(true, request.get("userAgent").getAsString().startsWith("Microsoft SignalR/9.0 "));
    }

    private static void secure(Room r) {
        Peer stranger = r.create("secure", "");
        String text = failure(() -> {
            stranger.start();
            return null;
        });
        equal(true, text.contains("401"));
        Peer ann = r.create("secure", "?user=ann");
        ann.start();
        equal("ann", ann.invoke(String.class, "Me"));
        equal("Failed to invoke 'AdminOnly' because user is unauthorized", failure(() -> ann.invoke(String.class, "AdminOnly")));
        Peer admin = r.create("secure", "?user=bob&role=admin");
        admin.start();
        equal("admin", admin.invoke(String.class, "AdminOnly"));
    }

    private static void sends(Room r) throws Exception {
        Peer a = r.connect();
        Peer b = r.connect();
        Peer c = r.connect();
        String all = r.unique("all");
        a.call("SendAll", all);
        a.expect(all);
        b.expect(all);
        c.expect(all);
        a.call("SendOthers", "others");
        a.call("SendCaller", "caller");
        a.call("SendAllExcept", List.of(a.id(), b.id()), "except");
        a.call("SendClient", b.id(), "client");
        a.call("SendClients", List.of(a.id(), c.id(), "nobody"), "clients");
        a.expect("caller", "clients");
        b.expect("others", "client");
        c.expect("others", "except", "clients");
    }

    private static void users(Room r) throws Exception {
        String ann = r.unique("ann");
        String bob = r.unique("bob");
        Peer first = r.connect("?user=" + ann);
        Peer second = r.connect("?user=" + ann);
        Peer other = r.connect("?user=" + bob);
        other.call("SendUser", ann, "to ann");
        other.call("SendUsers", List.of(ann, bob, "nobody"), "to both");
        first.expect("to ann", "to both");
        second.expect("to ann", "to both");
        other.expect("to both");
    }

    private static void groups(Room r) throws Exception {
        Peer a = r.connect();
        Peer b = r.connect();
        Peer c = r.connect();
        String group = r.unique("group");
        a.call("JoinGroup", group);
        b.call("JoinGroup", group);
        c.call("SendGroup", group, "one");
        a.call("SendOthersInGroup", group, "two");
        c.call("SendGroupExcept", group, List.of(b.id()), "three");
        a.expect("one", "three");
        b.expect("one", "two");
        b.call("LeaveGroup", group);
        c.call("SendGroup", group, "four");
        a.expect("four");
        b.expect();
        c.expect();
    }

    private static void outside(Room r) throws Exception {
        String user = r.unique("ann");
        String group = r.unique("group");
        Peer a = r.connect("?user=" + user);
        Peer b = r.connect();
        r.request("PUT", "/groups/" + group + "/" + b.id());
        r.request("POST", "/send/all?text=all");
        r.request("POST", "/send/all-except?id=" + a.id() + "&text=except");
        r.request("POST", "/send/client/" + a.id() + "?text=client");
        r.request("POST", "/send/group/" + group + "?text=group");
        r.request("POST", "/send/user/" + user + "?text=user");
        until(() -> a.messages.size() == 3 && b.messages.size() == 3, "messages from outside");
        a.expect("all", "client", "user");
        b.expect("all", "except", "group");
    }

    private static void hubsApart(Room r) throws Exception {
        Peer a = r.connect();
        Peer other = r.create("other", "");
        other.start();
        other.call("SendAll", "other");
        until(() -> other.messages.contains("other"), "the message of the other hub");
        a.expect();
    }

    private static void streams(Room r) {
        Peer a = r.connect();
        equal(numbers(300), a.stream(Integer.class, "Count", 300, 0));
        equal("abcde", String.join("", a.stream(String.class, "Letters", 5)));
        equal(List.of(), a.stream(Integer.class, "Count", 0, 0));
        List<Integer> items = new CopyOnWriteArrayList<>();
        equal(
                "An error occurred on the server while streaming results. HubException: the stream broke",
                failure(() -> {
                    a.hub.stream(Integer.class, "FailingCount", 3).doOnNext(items::add).blockingSubscribe();
                    return a.hub.stream(Integer.class, "FailingCount", 3).toList().blockingGet();
                }));
        equal(numbers(3), items.stream().limit(3).collect(Collectors.toList()));
        equal(3, a.invoke(Integer.class, "Add", 1, 2));
    }

    private static void cancelledStream(Room r) throws Exception {
        Peer a = r.connect();
        List<Integer> got = new CopyOnWriteArrayList<>();
        Disposable subscription = a.hub.stream(Integer.class, "Count", 100_000, 5).subscribe(got::add, error -> {});
        until(() -> got.size() >= 5, "five items");
        subscription.dispose();
        String line = "stream cancelled " + a.id();
        until(() -> r.logged(line), "the hub learns of the cancellation");
        equal(3, a.invoke(Integer.class, "Add", 1, 2));
    }

    private static void uploads(Room r) {
        Peer a = r.connect();
        equal(4950L, a.invoke(Long.class, "Sum", Observable.fromIterable(numbers(100))));
        equal(0L, a.invoke(Long.class, "Sum", Observable.empty()));
        List<String> chunks = IntStream.of(1, 1000, 30_000).mapToObj(size -> Base64.getEncoder().encodeToString(new byte[size])).collect(Collectors.toList());
        equal("file: 31001 bytes", a.invoke(String.class, "Upload", "file", Observable.fromIterable(chunks)));
        Observable<Integer> broken = Observable.fromIterable(numbers(3)).concatWith(Observable.error(new RuntimeException("Something bad")));
        String said = a.invoke(String.class, "UploadFails", broken);
        equal(true, said.endsWith("Something bad"));
        List<Integer> doubled = a.stream(Integer.class, "Double", Observable.fromIterable(numbers(50)));
        equal(numbers(50).stream().map(n -> 2 * n).collect(Collectors.toList()), doubled);
    }

    private static void ask(Room r) throws Exception {
        Peer a = r.create("conformance", "");
        Peer b = r.create("conformance", "");
        a.hub.onWithResult("ask", question -> Single.just("a says " + question), String.class);
        b.hub.onWithResult("ask", question -> Single.just("b says " + question), String.class);
        a.start();
        b.start();
        equal("a says hi", a.invoke(String.class, "AskCaller", "hi"));
        equal("b says ho", a.invoke(String.class, "Ask", b.id(), "ho", 5000));
        equal("\"b says hey\"", r.request("POST", "/ask/" + b.id() + "?question=hey"));
    }

    private static void askInVain(Room r) throws Exception {
        Peer failing = r.create("conformance", "");
        failing.hub.onWithResult("ask", question -> Single.error(new RuntimeException("not today")), String.class);
        failing.start();
        equal(true, failing.invoke(String.class, "AskCaller", "hi").contains("not today"));
        Peer silent = r.create("conformance", "");
        silent.hub.on("ask", question -> {}, String.class);
        silent.start();
        equal("HubException: Client did not provide a result.", silent.invoke(String.class, "AskCaller", "hi"));
        Peer deaf = r.connect(); // Without a handler the client does not know what the arguments are.
        equal("HubException: Client failed to parse argument(s).", deaf.invoke(String.class, "AskCaller", "hi"));
    }

    private static void abort(Room r) throws Exception {
        Peer a = r.connect();
        String id = a.id();
        a.hub.send("Abort");
        until(() -> !a.closings.isEmpty(), "the end");
        until(() -> r.logged("disconnected " + id + " error="), "the hub learns of the end");
        a.welcomes.clear();
        a.start();
        equal(3, a.invoke(Integer.class, "Add", 1, 2));
    }

    private static void restart(Room r) throws Exception {
        Peer a = r.connect();
        Room.control("/appserver/stop?signal=KILL");
        try {
            until(() -> !a.closings.isEmpty(), "the client is told");
        } finally {
            Room.control("/appserver/start");
        }
        a.welcomes.clear();
        a.start();
        equal(3, a.invoke(Integer.class, "Add", 1, 2));
        equal(Collections.singletonList(a.id()), new ArrayList<>(a.welcomes));
    }

    private static List<Integer> numbers(int count) {
        return IntStream.range(0, count).boxed().collect(Collectors.toList());
    }
}
