import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.net.StandardProtocolFamily;
import java.net.UnixDomainSocketAddress;
import java.nio.ByteBuffer;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;

/** A server that listens on the port, or on the path of a Unix socket, that is its argument. */
public class Server {
    public static void main(String[] arguments) throws IOException {
        if (arguments[0].startsWith("/")) {
            serveAtPath(arguments[0]);
        } else {
            serveAtPort(Integer.parseInt(arguments[0]));
        }
    }

    static String answer(String method, String path, long length) {
        return ProcessHandle.current().pid() + " " + method + " " + path + " " + length;
    }

    static void serveAtPort(int port) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress("127.0.0.1", port), 0);
        server.setExecutor(Executors.newCachedThreadPool());
        server.createContext("/", (HttpExchange exchange) -> {
            long length = exchange.getRequestBody().readAllBytes().length;
            byte[] text = answer(exchange.getRequestMethod(), exchange.getRequestURI().getPath(), length).getBytes();
            exchange.sendResponseHeaders(200, text.length);
            exchange.getResponseBody().write(text);
            exchange.close();
        });
        server.start();
    }

    /** The server of the standard library knows no Unix sockets. */
    static void serveAtPath(String path) throws IOException {
        ServerSocketChannel listener = ServerSocketChannel.open(StandardProtocolFamily.UNIX);
        listener.bind(UnixDomainSocketAddress.of(path));
        while (true) {
            try (SocketChannel client = listener.accept()) {
                serve(client);
            } catch (IOException left) {
                continue;
            }
        }
    }

    static void serve(SocketChannel client) throws IOException {
        StringBuilder request = new StringBuilder();
        ByteBuffer piece = ByteBuffer.allocate(65536);
        int head = -1;
        while ((head = request.indexOf("\r\n\r\n")) < 0 || request.length() < head + 4 + length(request, head)) {
            if (client.read(piece.clear()) < 0) {
                return;
            }
            request.append(StandardCharsets.ISO_8859_1.decode(piece.flip()));
        }
        String[] words = request.substring(0, request.indexOf("\r\n")).split(" ");
        String text = answer(words[0], words[1], length(request, head));
        String response = "HTTP/1.1 200 OK\r\nContent-Length: " + text.length() + "\r\n\r\n" + text;
        client.write(ByteBuffer.wrap(response.getBytes(StandardCharsets.ISO_8859_1)));
    }

    static int length(StringBuilder request, int head) {
        for (String line : request.substring(0, head).split("\r\n")) {
            if (line.toLowerCase().startsWith("content-length:")) {
                return Integer.parseInt(line.substring(15).trim());
            }
        }
        return 0;
    }
}
