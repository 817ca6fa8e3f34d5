# what: HttpServer and HttpClient: 100 requests, 4 MiB echoed, a refused port
# version: java --version | head -n 1
# needs: openjdk-17-jdk-headless
cat >Main.java <<'JAVA'
import com.sun.net.httpserver.HttpServer;
import java.net.*;
import java.net.http.*;
import java.util.*;
import java.util.concurrent.*;

public class Main {
    public static void main(String[] words) throws Exception {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", 0), 50);
        ExecutorService pool = Executors.newFixedThreadPool(8);
        server.setExecutor(pool);
        server.createContext("/", exchange -> {
            byte[] body = exchange.getRequestBody().readAllBytes();
            exchange.sendResponseHeaders(200, body.length);
            exchange.getResponseBody().write(body);
            exchange.close();
        });
        server.start();
        URI uri = URI.create("http://127.0.0.1:" + server.getAddress().getPort() + "/");
        HttpClient client = HttpClient.newBuilder().version(HttpClient.Version.HTTP_1_1).build();
        List<CompletableFuture<?>> all = new ArrayList<>();
        for (int i = 0; i < 100; i++) all.add(echo(client, uri, 10000));
        all.add(echo(client, uri, 4 << 20));
        for (CompletableFuture<?> each : all) each.get(30, TimeUnit.SECONDS);
        server.stop(0);
        pool.shutdown();
        try {
            new Socket("127.0.0.1", 9).close();
            System.exit(1);
        } catch (ConnectException expected) {
            System.exit(0);
        }
    }

    static CompletableFuture<?> echo(HttpClient client, URI uri, int size) {
        byte[] data = new byte[size];
        new Random(size).nextBytes(data);
        HttpRequest request = HttpRequest.newBuilder(uri).POST(HttpRequest.BodyPublishers.ofByteArray(data)).build();
        return client.sendAsync(request, HttpResponse.BodyHandlers.ofByteArray()).thenAccept(answer -> {
            if (!Arrays.equals(answer.body(), data)) throw new IllegalStateException("the echo differs");
        });
    }
}
JAVA
java Main.java
