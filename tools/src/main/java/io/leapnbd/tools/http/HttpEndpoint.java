package io.leapnbd.tools.http;

import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.leapnbd.tools.cli.CommandFailure;
import io.leapnbd.tools.cli.ExitCode;
import io.leapnbd.tools.cli.HostPort;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetSocketAddress;
import java.net.URLDecoder;
import java.nio.charset.StandardCharsets;
import java.util.HashMap;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import java.util.regex.Pattern;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves pages that are only looked at, by GET and HEAD, and actions that change something, by PUT. It keeps no state, and runs
 * on threads of its own, off the data path.
 *
 * <p>There is no authentication; it is meant for loopback. Actions are open to this machine only, whatever address it
 * listens on, and not to web pages that are open in a browser here: those may not send PUT to another origin, and one whose
 * name was made to resolve to this machine is recognised by that name.
 */
public final class HttpEndpoint implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(HttpEndpoint.class);

    private static final int THREADS = 2;

    /** What a Host header of this machine's own may be. */
    private static final Pattern LOCAL = Pattern.compile("(localhost|127(\\.\\d{1,3}){3}|\\[::1])(:\\d{1,5})?");

    private final HttpServer server;
    private final ExecutorService threads;
    private final SortedMap<String, Page> pages;
    private final Map<String, Page> actions;

    private HttpEndpoint(HttpServer server, SortedMap<String, Page> pages, Map<String, Page> actions) {
        this.server = server;
        this.pages = pages;
        this.actions = actions;
        ThreadFactory factory = Thread.ofPlatform().name("http-", 0).daemon().factory();
        this.threads = Executors.newFixedThreadPool(THREADS, factory);
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    /** Starts answering, with pages and without actions; see {@link #open(HostPort, Map, Map)}. */
    public static HttpEndpoint open(HostPort listen, Map<String, Page> pages) {
        return open(listen, pages, Map.of());
    }

    /**
     * Starts answering at the address, or, if that is taken and nobody demanded it, at another free port of the same host, and says so.
     *
     * @throws CommandFailure as {@link #open(HostPort, Map, Map)}
     */
    public static HttpEndpoint open(EndpointAddress listen, Map<String, Page> pages, Map<String, Page> actions) {
        if (listen.demanded()) {
            return open(listen.address(), pages, actions);
        }
        try {
            return open(listen.address(), pages, actions);
        } catch (CommandFailure e) {
            HttpEndpoint other = open(listen.anyPort(), pages, actions);
            log.info("{} is taken, so status and metrics are at {}", listen.address(), other.address());
            return other;
        }
    }

    /**
     * Starts answering.
     *
     * @param pages by path, like {@code /status}
     * @param actions by path too; none of the pages' paths
     * @throws CommandFailure if the address cannot be listened on, with what to do about it
     */
    public static HttpEndpoint open(HostPort listen, Map<String, Page> pages, Map<String, Page> actions) {
        InetSocketAddress address = listen.resolve();
        if (address.isUnresolved()) {
            throw new CommandFailure(
                    ExitCode.FAILED, "--http " + listen + ": no such host; give 127.0.0.1:9480 or none");
        }
        try {
            return new HttpEndpoint(HttpServer.create(address, 0), new TreeMap<>(pages), Map.copyOf(actions));
        } catch (IOException e) {
            throw new CommandFailure(
                    ExitCode.FAILED,
                    "--http " + listen + " cannot be listened on (" + e.getMessage()
                            + "); give another address, or --http none",
                    e);
        }
    }

    /** Where it listens, with the port that it really has. */
    public HostPort address() {
        InetSocketAddress address = server.getAddress();
        return new HostPort(address.getAddress().getHostAddress(), address.getPort());
    }

    /** Says in the log if other machines may reach it. */
    public void warnIfExposed() {
        if (!server.getAddress().getAddress().isLoopbackAddress()) {
            log.warn("http://{} can be reached from other machines, and asks nobody for a password", address());
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Answer answer = answer(exchange);
            boolean head = exchange.getRequestMethod().equals("HEAD");
            exchange.getResponseHeaders().set("Content-Type", answer.contentType());
            exchange.getResponseHeaders().set("Cache-Control", "no-store");
            exchange.sendResponseHeaders(answer.status(), head ? -1 : answer.body().length);
            if (!head) {
                try (OutputStream out = exchange.getResponseBody()) {
                    out.write(answer.body());
                }
            }
        }
    }

    private Answer answer(HttpExchange exchange) {
        String method = exchange.getRequestMethod();
        Page action = actions.get(exchange.getRequestURI().getPath());
        if (action != null) {
            return method.equals("PUT") ? act(exchange, action) : Answer.line(405, "only PUT is answered here");
        }
        if (!method.equals("GET") && !method.equals("HEAD")) {
            return Answer.line(405, "only GET and HEAD are answered here");
        }
        Page page = pages.get(exchange.getRequestURI().getPath());
        if (page == null) {
            return Answer.line(404, "nothing here; there are: " + String.join(" ", pages.keySet()));
        }
        return answer(exchange, page);
    }

    private static Answer act(HttpExchange exchange, Page action) {
        String host = exchange.getRequestHeaders().getFirst("Host");
        if (!exchange.getRemoteAddress().getAddress().isLoopbackAddress()
                || exchange.getRequestHeaders().containsKey("Origin")
                || host == null
                || !LOCAL.matcher(host).matches()) {
            return Answer.line(403, "things are changed from this machine only, by 'leap-nbd set' or 'leap-nbd drain'");
        }
        return answer(exchange, action);
    }

    private static Answer answer(HttpExchange exchange, Page page) {
        try {
            return page.answer(query(exchange.getRequestURI().getRawQuery()));
        } catch (IllegalArgumentException e) {
            return Answer.line(400, String.valueOf(e.getMessage()));
        } catch (RuntimeException e) {
            log.warn("no answer to {}", exchange.getRequestURI(), e);
            return Answer.line(500, e.toString());
        }
    }

    private static Map<String, String> query(@org.jspecify.annotations.Nullable String raw) {
        Map<String, String> query = new HashMap<>();
        if (raw != null) {
            for (String pair : raw.split("&", -1)) {
                int equals = pair.indexOf('=');
                String name = equals < 0 ? pair : pair.substring(0, equals);
                String value = equals < 0 ? "" : pair.substring(equals + 1);
                query.put(
                        URLDecoder.decode(name, StandardCharsets.UTF_8),
                        URLDecoder.decode(value, StandardCharsets.UTF_8));
            }
        }
        return query;
    }

    /** Stops at once; answers under way are cut off. */
    @Override
    public void close() {
        server.stop(0);
        threads.shutdownNow();
    }
}
