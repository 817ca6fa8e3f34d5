// Echoes with java.net's blocking sockets, a thread each, and with java.nio's selector where SELECTOR is given.
//
//     java Echo.java serve ADDRESS PORT [SELECTOR]
//     java Echo.java call ADDRESS PORT COUNT      COUNT connections at once, each sends bytes of its own and reads them back
//
// A caller prints how many of its connections got their own bytes back, and exits with 1 if one did not.

import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

final class Echo {
    static final int PATIENCE_MS = 60_000;

    public static void main(String[] words) throws Exception {
        var address = new InetSocketAddress(InetAddress.getByName(words[1]), Integer.parseInt(words[2]));
        if (words[0].equals("call")) {
            callAll(address, Integer.parseInt(words[3]));
        } else if (words.length > 3) {
            serveWithSelector(address);
        } else {
            serve(address);
        }
    }

    static void serve(InetSocketAddress address) throws IOException {
        try (var service = new ServerSocket()) {
            service.bind(address, 1024);
            System.out.println("ready");
            while (true) {
                Socket connection = service.accept();
                new Thread(() -> echo(connection)).start();
            }
        }
    }

    static void echo(Socket connection) {
        try (connection) {
            connection.getInputStream().transferTo(connection.getOutputStream());
        } catch (IOException error) {
            System.err.println("echo: " + error);
        }
    }

    static void serveWithSelector(InetSocketAddress address) throws IOException {
        var service = ServerSocketChannel.open();
        service.bind(address, 1024);
        service.configureBlocking(false);
        var selector = Selector.open();
        service.register(selector, SelectionKey.OP_ACCEPT);
        System.out.println("ready");
        while (true) {
            selector.select(key -> {
                try {
                    turn(selector, key);
                } catch (IOException error) {
                    System.err.println("echo: " + error);
                    key.cancel();
                }
            });
        }
    }

    static void turn(Selector selector, SelectionKey key) throws IOException {
        if (key.channel() instanceof ServerSocketChannel service) {
            SocketChannel taken = service.accept();
            if (taken != null) {
                taken.configureBlocking(false);
                taken.register(selector, SelectionKey.OP_READ, ByteBuffer.allocate(16384));
            }
            return;
        }
        var connection = (SocketChannel) key.channel();
        var buffer = (ByteBuffer) key.attachment();
        if (key.isReadable() && connection.read(buffer) < 0) {
            connection.close();
            return;
        }
        buffer.flip();
        connection.write(buffer);
        boolean left = buffer.hasRemaining();
        buffer.compact();
        key.interestOps(left ? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
    }

    static byte[] own(int number) {
        return ("connection " + number + ";").repeat(1 + number * 37 % 2000).getBytes();
    }

    static void callAll(InetSocketAddress address, int count) throws InterruptedException {
        var good = new AtomicInteger();
        var callers = new Thread[count];
        for (int number = 0; number < count; number++) {
            byte[] sent = own(number);
            callers[number] = new Thread(() -> {
                try {
                    if (Arrays.equals(call(address, sent), sent)) {
                        good.incrementAndGet();
                    } else {
                        System.err.println("call: other bytes came back");
                    }
                } catch (IOException | InterruptedException error) {
                    System.err.println("call: " + error);
                }
            });
            callers[number].start();
        }
        for (Thread caller : callers) {
            caller.join();
        }
        System.out.println(good + " of " + count + " connections got their own bytes");
        System.exit(good.get() == count ? 0 : 1);
    }

    static byte[] call(InetSocketAddress address, byte[] sent) throws IOException, InterruptedException {
        try (var connection = new Socket()) {
            connection.connect(address, PATIENCE_MS);
            connection.setSoTimeout(PATIENCE_MS);
            var writer = new Thread(() -> {
                try {
                    connection.getOutputStream().write(sent);
                    connection.shutdownOutput();
                } catch (IOException error) {
                    System.err.println("call: " + error);
                }
            });
            writer.start();
            byte[] received = connection.getInputStream().readAllBytes();
            writer.join();
            return received;
        }
    }
}
