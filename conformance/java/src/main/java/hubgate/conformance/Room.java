package hubgate.conformance;

import com.google.gson.Gson;
import com.google.gson.JsonObject;
import com.microsoft.signalr.HttpHubConnectionBuilder;
import com.microsoft.signalr.HubConnection;
import com.microsoft.signalr.HubConnectionBuilder;
import com.microsoft.signalr.HubConnectionState;
import com.microsoft.signalr.TransportEnum;
import java.io.IOException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;

/** What a scenario needs: clients over one transport, the app server's HTTP endpoints, and assertions. */
final class Room implements AutoCloseable {
    private static final HttpClient HTTP = HttpClient.newHttpClient();
    private static final AtomicInteger NAMES = new AtomicInteger();
    private static final long PATIENCE_SECONDS = 15;

    final String url;
    final TransportEnum transport;
    private final List<Peer> peers = new ArrayList<>();

    Room(String url, TransportEnum transport) {
        this.url = url;
        this.transport = transport;
    }

    /** One client and what it received. */
    static final class Peer {
        final HubConnection hub;
        final List<String> messages = new CopyOnWriteArrayList<>();
        final List<Integer> numbers = new CopyOnWriteArrayList<>();
        final List<String> welcomes = new CopyOnWriteArrayList<>();
        /** The error of each end, as a text; "" for none. */
        final List<String> closings = new CopyOnWriteArrayList<>();

        private Peer(HubConnection hub) {
            this.hub = hub;
            hub.on("message", messages::add, String.class);
            hub.on("number", numbers::add, Integer.class);
            hub.on("welcome", welcomes::add, String.class);
            hub.onClosed(error -> closings.add(error == null ? "" : String.valueOf(error.getMessage())));
        }

        /** The connection's id as the hub knows it. */
        String id() throws Exception {
            until(() -> !welcomes.isEmpty(), "welcome");
            return welcomes.get(welcomes.size() - 1);
        }

        void start() {
            if (!hub.start().blockingAwait(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the client did not start in time");
            }
        }

        void stop() {
            if (!hub.stop().blockingAwait(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError("the client did not stop in time");
            }
        }

        <T> T invoke(Class<T> type, String method, Object... arguments) {
            return hub.invoke(type, method, arguments).timeout(PATIENCE_SECONDS, TimeUnit.SECONDS).blockingGet();
        }

        /** Calls a method that has no result. */
        void call(String method, Object... arguments) {
            if (!hub.invoke(method, arguments).blockingAwait(PATIENCE_SECONDS, TimeUnit.SECONDS)) {
                throw new AssertionError(method + " did not end in time");
            }
        }

        <T> List<T> stream(Class<T> type, String method, Object... arguments) {
            return hub.stream(type, method, arguments).timeout(PATIENCE_SECONDS, TimeUnit.SECONDS).toList().blockingGet();
        }

        /**
         * Checks that exactly these messages have come, in any order between senders. A marker that the hub sends last shows that
         * nothing else is on its way.
         */
        void expect(String... want) throws Exception {
            until(() -> messages.size() >= want.length, want.length + " messages; there are " + messages);
            call("SendCaller", "marker");
            until(() -> messages.contains("marker"), "the marker");
            List<String> got = new ArrayList<>(messages);
            got.remove("marker");
            List<String> wanted = new ArrayList<>(Arrays.asList(want));
            got.sort(null);
            wanted.sort(null);
            equal(wanted, got);
            messages.clear();
        }
    }

    /** A name that no other scenario or run uses. */
    String unique(String prefix) {
        return prefix + "-" + ProcessHandle.current().pid() + "-" + NAMES.incrementAndGet();
    }

    /** A client that is not started yet. */
    Peer create(String hub, String query) {
        HttpHubConnectionBuilder builder = HubConnectionBuilder.create(url + "/" + hub + query).withHeader("X-Test", "header value");
        Peer peer = new Peer(builder.withTransport(transport).build());
        peers.add(peer);
        return peer;
    }

    Peer connect(String query) {
        Peer peer = create("conformance", query);
        peer.start();
        return peer;
    }

    Peer connect() {
        return connect("");
    }

    /** Makes a request of the app server and returns what it answers. */
    String request(String method, String path) throws IOException, InterruptedException {
        return fetch(method, url + path);
    }

    /** Stops or starts a program by way of the test that runs this one. */
    static void control(String path) throws IOException, InterruptedException {
        fetch("POST", System.getenv("CONTROL_URL") + path);
    }

    private static String fetch(String method, String url) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(URI.create(url)).method(method, HttpRequest.BodyPublishers.noBody()).build();
        HttpResponse<String> response = HTTP.send(request, HttpResponse.BodyHandlers.ofString());
        if (response.statusCode() / 100 != 2) {
            throw new IOException(method + " " + url + ": " + response.statusCode() + " " + response.body());
        }
        return response.body();
    }

    /** Whether the hubs have logged a line. */
    boolean logged(String line) throws Exception {
        return Arrays.asList(new Gson().fromJson(request("GET", "/log"), String[].class)).contains(line);
    }

    static JsonObject object(Object value) {
        return new Gson().toJsonTree(value).getAsJsonObject();
    }

    /** Waits until the condition holds; polls, because what it asks about lies in another process. */
    static void until(Callable<Boolean> condition, String what) throws Exception {
        until(condition, what, PATIENCE_SECONDS);
    }

    static void until(Callable<Boolean> condition, String what, long seconds) throws Exception {
        for (long end = System.nanoTime() + TimeUnit.SECONDS.toNanos(seconds); System.nanoTime() < end; Thread.sleep(20)) {
            if (condition.call()) {
                return;
            }
        }
        throw new AssertionError("did not happen within " + seconds + " s: " + what);
    }

    static void equal(Object want, Object got) {
        if (!Objects.equals(want, got)) {
            throw new AssertionError("want " + shown(want) + ", got " + shown(got));
        }
    }

    private static String shown(Object value) {
        String text = String.valueOf(value);
        return text.length() <= 200 ? text : text.substring(0, 200) + "… (" + text.length() + " characters)";
    }

    /** The text of the error in which the call ends; fails when the call succeeds. */
    static String failure(Callable<?> call) {
        Object value;
        try {
            value = call.call();
        } catch (Exception e) {
            return String.valueOf(e.getMessage());
        }
        throw new AssertionError("the call succeeded with " + shown(value));
    }

    @Override
    public void close() {
        for (Peer peer : peers) {
            if (peer.hub.getConnectionState() == HubConnectionState.DISCONNECTED) {
                continue;
            }
            try {
                peer.stop();
            } catch (RuntimeException | AssertionError e) {
                System.out.println("a client did not stop: " + e);
            }
        }
    }
}
