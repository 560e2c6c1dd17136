package io.leapnbd.tools.http;

import com.sun.net.httpserver.Headers;
import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import io.leapnbd.nbd.tls.ServerIdentity;
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
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.ThreadFactory;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import org.jspecify.annotations.Nullable;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Serves pages that are only looked at, by GET and HEAD, and actions that change something, by PUT. It keeps no state, and runs
 * on threads of its own, off the data path. {@link AccessRules} says who may ask for what.
 *
 * <p>A request that does not arrive whole within {@value LimitedHttpServers#REQUEST_SECONDS} s ends its connection, and so does an answer that is not taken within
 * {@value LimitedHttpServers#ANSWER_SECONDS} s. There are {@value LimitedHttpServers#CONNECTIONS} connections at most, each with a thread of its own while it asks for something, and
 * {@value LimitedHttpServers#HEADERS} bytes of headers.
 */
public final class HttpEndpoint implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(HttpEndpoint.class);

    /** Of a thread, in bytes: there may be as many as connections, and this process's memory is locked. */
    private static final long STACK = 512 << 10;

    private static final long IDLE_SECONDS = 10;

    /** Of the page for browsers: it runs, shows and asks for what comes from here, and nothing else. */
    private static final String POLICY =
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self';"
                    + " base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    private final HttpServer server;
    private final HostPort listen;
    private final EndpointAccess access;
    private final AccessRules rules;
    private final ExecutorService threads;
    private final SortedMap<String, Page> pages;
    private final Map<String, Page> actions;
    private final WebPage web;

    private HttpEndpoint(HttpServer server, HostPort listen, EndpointAccess access, Paths paths) {
        this.server = server;
        this.listen = listen;
        this.access = access;
        rules = new AccessRules(access);
        pages = new TreeMap<>(paths.pages);
        actions = paths.actions;
        web = paths.web;
        ThreadFactory factory =
                Thread.ofPlatform().name("http-", 0).daemon().stackSize(STACK).factory();
        // One for each connection that has begun a request: half a request keeps its thread, and nobody else waits for
        // it.
        this.threads = new ThreadPoolExecutor(
                0, Integer.MAX_VALUE, IDLE_SECONDS, TimeUnit.SECONDS, new SynchronousQueue<>(), factory);
        server.setExecutor(threads);
        server.createContext("/", this::handle);
        server.start();
    }

    /**
     * Starts answering at the address, or, if that is taken and nobody demanded it, at another free port of the same host, and says so.
     *
     * @param pages by path, like {@code /status}
     * @param actions by path too; none of the pages' paths
     * @throws CommandFailure if the address cannot be listened on, or is open to other machines and asks nobody anything; with what to do
     *     about it
     */
    public static HttpEndpoint open(EndpointAddress listen, Map<String, Page> pages, Map<String, Page> actions) {
        return open(listen, pages, actions, WebPage.NONE);
    }

    /** As {@link #open(EndpointAddress, Map, Map)}, with files for browsers, which show no token. */
    public static HttpEndpoint open(
            EndpointAddress listen, Map<String, Page> pages, Map<String, Page> actions, WebPage web) {
        Paths paths = new Paths(pages, Map.copyOf(actions), web);
        if (listen.demanded()) {
            return openAt(listen, paths);
        }
        try {
            return openAt(listen, paths);
        } catch (CommandFailure e) {
            HttpEndpoint other = openAt(listen.anyPort(), paths);
            log.info("{} is taken, so status and metrics are at {}", listen.address(), other.address());
            return other;
        }
    }

    /** What is answered at which path. */
    private record Paths(Map<String, Page> pages, Map<String, Page> actions, WebPage web) {}

    private static HttpEndpoint openAt(EndpointAddress at, Paths paths) {
        HostPort listen = at.address();
        InetSocketAddress address = listen.resolve();
        if (address.isUnresolved()) {
            throw new CommandFailure(
                    ExitCode.FAILED, "--http " + listen + ": no such host; give 127.0.0.1:9480 or none");
        }
        String objection = at.access().objection(listen, address.getAddress());
        if (objection != null) {
            throw new CommandFailure(ExitCode.USAGE, objection);
        }
        try {
            return new HttpEndpoint(LimitedHttpServers.open(address, at.access()), listen, at.access(), paths);
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
        return listen.bound(server.getAddress());
    }

    /** The same as a URI. */
    public String uri() {
        return (access.speaksTls() ? "https://" : "http://") + address();
    }

    /** What it asks of who comes. */
    public EndpointAccess access() {
        return access;
    }

    /** What holds of it, for {@code status}. */
    public SecurityLine security() {
        boolean loopback = server.getAddress().getAddress().isLoopbackAddress();
        return new SecurityLine("HTTP " + address(), loopback || access.speaksTls(), access.description(loopback));
    }

    /** Says in the log if what it answers can be read on the way to other machines, its token too, or if its certificate does not name it. */
    public void warnIfExposed() {
        if (!access.speaksTls() && !server.getAddress().getAddress().isLoopbackAddress()) {
            log.warn("{} speaks no TLS: whoever sees the network's packets sees its token; --http-tls hides it", uri());
        }
        ServerIdentity identity = access.identity();
        String unnamed = identity == null ? null : identity.names().objection(listen.host());
        if (unnamed != null) {
            log.warn("--http {}: {}", listen, unnamed);
        }
    }

    private void handle(HttpExchange exchange) throws IOException {
        try (exchange) {
            Answer answer = answer(exchange);
            boolean head = exchange.getRequestMethod().equals("HEAD");
            Headers headers = exchange.getResponseHeaders();
            headers.set("Content-Type", answer.contentType());
            headers.set("Cache-Control", "no-store");
            // No other page frames what is here, embeds it or takes it for something else.
            headers.set("X-Content-Type-Options", "nosniff");
            headers.set("X-Frame-Options", "DENY");
            headers.set("Cross-Origin-Resource-Policy", "same-origin");
            headers.set("Referrer-Policy", "no-referrer");
            if (web.files().containsKey(exchange.getRequestURI().getPath())) {
                headers.set("Content-Security-Policy", POLICY);
            }
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
        Answer file = web.files().get(exchange.getRequestURI().getPath());
        Answer stranger = rules.refusalOfCertificate(exchange);
        if (stranger != null) {
            return stranger;
        }
        Answer refusal = file != null
                ? rules.refusalOfFile(exchange)
                : rules.refusal(exchange, action != null && method.equals("PUT"));
        if (refusal != null) {
            return refusal;
        }
        if (action != null) {
            return method.equals("PUT") ? answer(exchange, action) : Answer.line(405, "only PUT is answered here");
        }
        if (!method.equals("GET") && !method.equals("HEAD")) {
            return Answer.line(405, "only GET and HEAD are answered here");
        }
        if (file != null) {
            return file;
        }
        Page page = pages.get(exchange.getRequestURI().getPath());
        if (page == null) {
            String first = web.files().containsKey("/") ? "/ " : "";
            return Answer.line(404, "nothing here; there are: " + first + String.join(" ", pages.keySet()));
        }
        return answer(exchange, page);
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

    private static Map<String, String> query(@Nullable String raw) {
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
