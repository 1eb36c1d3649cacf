package hubgate.conformance;

import com.microsoft.signalr.TransportEnum;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Runs every scenario over every transport against a running app server, and prints a line for each:
 *
 * <pre>
 * APP_URL=http://127.0.0.1:5080 java -cp 'target/classes:target/libraries/*' hubgate.conformance.Main
 * </pre>
 */
public final class Main {
    private Main() {}

    /** What can go wrong in a scenario is any exception. */
    interface Scenario {
        void run(Room room) throws Exception;
    }

    public static void main(String[] arguments) {
        String url = System.getenv("APP_URL");
        if (url == null) {
            System.err.println("APP_URL should be the URL of the app server, such as http://127.0.0.1:5080");
            System.exit(2);
        }
        String only = System.getenv().getOrDefault("ONLY", "");
        Map<String, TransportEnum> transports = new LinkedHashMap<>();
        transports.put("ws/json", TransportEnum.WEBSOCKETS);
        transports.put("lp/json", TransportEnum.LONG_POLLING);
        transports.put("any/json", TransportEnum.ALL);
        List<String> failed = new ArrayList<>();
        int passed = 0;
        for (Map.Entry<String, TransportEnum> transport : transports.entrySet()) {
            for (Map.Entry<String, Scenario> scenario : Scenarios.all(transport.getValue()).entrySet()) {
                String name = transport.getKey() + " " + scenario.getKey();
                if (!name.contains(only)) {
                    continue;
                }
                long start = System.nanoTime();
                Throwable failure = null;
                try (Room room = new Room(url, transport.getValue())) {
                    scenario.getValue().run(room);
                } catch (Exception | AssertionError e) {
                    failure = e;
                }
                long milliseconds = (System.nanoTime() - start) / 1_000_000;
                if (failure == null) {
                    passed++;
                    System.out.printf("ok   %s (%d ms)%n", name, milliseconds);
                } else {
                    failed.add(name);
                    System.out.printf("FAIL %s (%d ms): %s%n", name, milliseconds, failure);
                }
            }
        }
        System.out.printf("%d passed, %d failed%n", passed, failed.size());
        System.exit(failed.isEmpty() ? 0 : 1); // The client's threads do not end by themselves.
    }
}
