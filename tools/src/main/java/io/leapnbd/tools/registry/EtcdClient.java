package io.leapnbd.tools.registry;

import io.leapnbd.donor.protocol.PrintableText;
import io.leapnbd.tools.cli.HostPort;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.JsonValue;
import io.leapnbd.tools.cli.OneLineErrors;
import java.io.IOException;
import java.net.ConnectException;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.net.http.HttpTimeoutException;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.jspecify.annotations.Nullable;

/**
 * An etcd, over its HTTP/JSON gateway (etcd 3.4 and later; the paths begin with {@code /v3/}). Each call ends within 5 s for each member, and takes no more memory than it was
 * told. A member that does not answer is passed over until the next one does not. For one thread, but for {@link #close}.
 */
public final class EtcdClient implements AutoCloseable {

    private static final Duration CONNECTING = Duration.ofSeconds(3);
    private static final Duration CALL = Duration.ofSeconds(5);

    /** Bytes of an answer for a process that stays: its heap is small, and swapping may depend on it. That is some 700 donors. */
    public static final int SMALL = 1 << 20;

    /** Bytes of an answer for a command. */
    public static final int LARGE = 16 << 20;

    /** Bytes of a watch that nobody has looked at yet, which are those of its longest line too. */
    private static final int MOST_UNREAD = 512 << 10;

    private static final long MOST_KEYS = 4096;

    private static final Base64.Encoder ENCODER = Base64.getEncoder();
    private static final Base64.Decoder DECODER = Base64.getDecoder();

    /** The error codes of gRPC that say that one has to make oneself known, again perhaps. */
    private static final long INVALID_ARGUMENT = 3;

    private static final long UNAUTHENTICATED = 16;

    /**
     * What keys held at a moment.
     *
     * @param revision of the registry then
     * @param values by key
     */
    public record Range(long revision, Map<String, String> values) {}

    private final List<HostPort> members;
    private final RegistryAccess access;
    private final int longest;
    private final ExecutorService threads;
    private final HttpClient http;
    private int member;
    private @Nullable String token;

    /**
     * Of a registry; nothing is asked yet.
     *
     * @param longest bytes of an answer
     */
    public EtcdClient(DonorSource.Etcd etcd, RegistryAccess access, int longest) {
        this.longest = longest;
        members = etcd.members();
        this.access = access;
        threads = Executors.newCachedThreadPool(
                Thread.ofPlatform().name("registry-http-", 0).daemon().factory());
        HttpClient.Builder builder = HttpClient.newBuilder()
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(CONNECTING)
                .followRedirects(HttpClient.Redirect.NEVER)
                .proxy(HttpClient.Builder.NO_PROXY)
                .executor(threads);
        if (access.tls() != null) {
            builder.sslContext(access.tls());
        }
        http = builder.build();
    }

    /**
     * All keys that begin so, and what they hold. A majority of the members has confirmed it.
     *
     * @throws RegistryException if nobody answers, or it is refused
     */
    public Range range(String prefix) throws RegistryException, InterruptedException {
        JsonValue answer = call(
                "/v3/kv/range",
                new Json()
                        .object()
                        .put("key", encoded(prefix))
                        .put("range_end", encoded(after(prefix)))
                        .put("limit", MOST_KEYS)
                        .endObject());
        Map<String, String> values = new LinkedHashMap<>();
        for (JsonValue one : answer.get("kvs").items()) {
            values.put(decoded(one.get("key")), decoded(one.get("value")));
        }
        return new Range(revision(answer), values);
    }

    /** What a key holds; null if it is not there. As {@link #range}. */
    public @Nullable String get(String key) throws RegistryException, InterruptedException {
        JsonValue answer = call(
                "/v3/kv/range", new Json().object().put("key", encoded(key)).endObject());
        List<JsonValue> found = answer.get("kvs").items();
        long _ = revision(answer);
        return found.isEmpty() ? null : decoded(found.getFirst().get("value"));
    }

    /** Writes a key, which goes when the lease ends. */
    public void put(String key, String value, long lease) throws RegistryException, InterruptedException {
        long _ = revision(call(
                "/v3/kv/put",
                new Json()
                        .object()
                        .put("key", encoded(key))
                        .put("value", encoded(value))
                        .put("lease", Long.toString(lease))
                        .endObject()));
    }

    /** A lease that ends if it is not kept alive. */
    public long grant(Duration time) throws RegistryException, InterruptedException {
        JsonValue answer = call(
                "/v3/lease/grant",
                new Json().object().put("TTL", Long.toString(time.toSeconds())).endObject());
        long lease = answer.get("ID").number(0);
        if (lease == 0) {
            throw rubbish("it grants no lease", null);
        }
        return lease;
    }

    /** Keeps a lease; returns whether it is still there. */
    public boolean keepAlive(long lease) throws RegistryException, InterruptedException {
        JsonValue answer = call(
                "/v3/lease/keepalive",
                new Json().object().put("ID", Long.toString(lease)).endObject());
        JsonValue result = answer.get("result");
        if (!result.isThere()) {
            throw rubbish("it answers nothing about a lease", null);
        }
        return result.get("TTL").number(0) > 0;
    }

    /** Ends a lease, with all keys that have it. */
    public void revoke(long lease) throws RegistryException, InterruptedException {
        JsonValue _ = call(
                "/v3/lease/revoke",
                new Json().object().put("ID", Long.toString(lease)).endObject());
    }

    /** What changes under a prefix. Ends by itself when it cannot go on, with a last event. */
    public final class Watch implements AutoCloseable {

        private final BlockingQueue<String> lines = new LinkedBlockingQueue<>();
        private final AtomicInteger unread = new AtomicInteger();
        private final AtomicBoolean ended = new AtomicBoolean();
        private volatile @Nullable String why;
        private final CompletableFuture<HttpResponse<@Nullable Void>> answer;

        private Watch(HttpRequest request) {
            answer = http.sendAsync(request, info -> EtcdBodies.lines(MOST_UNREAD, this::take, this::end));
            var _ = answer.whenComplete((done, failure) -> {
                if (failure != null) {
                    end(describe(failure));
                } else if (done.statusCode() != 200) {
                    end("it answers a watch with status " + done.statusCode());
                }
            });
        }

        private boolean take(String line) {
            if (line.isBlank()) {
                return true;
            }
            return unread.addAndGet(line.length()) <= MOST_UNREAD && lines.offer(line);
        }

        private void end(String reason) {
            if (ended.compareAndSet(false, true)) {
                why = reason;
                // Somebody waits for it.
                boolean _ = lines.offer("");
            }
        }

        /** Why it has ended; null if it has not. */
        @Nullable
        String ended() {
            return why;
        }

        /** The next answer; null if there is none for so long. What is not there says that it has ended. */
        @Nullable
        JsonValue next(long millis) throws InterruptedException {
            String line = lines.poll(millis, TimeUnit.MILLISECONDS);
            if (line == null || line.isEmpty()) {
                return line == null ? null : JsonValue.NOTHING;
            }
            int _ = unread.addAndGet(-line.length());
            try {
                return JsonValue.parse(line);
            } catch (IllegalArgumentException e) {
                end("its answer is " + e.getMessage());
                return JsonValue.NOTHING;
            }
        }

        @Override
        public void close() {
            boolean _ = answer.cancel(true);
        }
    }

    /**
     * Watches all keys that begin so.
     *
     * @param revision the first that counts
     */
    public Watch watch(String prefix, long revision) throws RegistryException, InterruptedException {
        authenticate();
        Json body = new Json()
                .object()
                .object("create_request")
                .put("key", encoded(prefix))
                .put("range_end", encoded(after(prefix)))
                .put("start_revision", Long.toString(revision))
                .endObject()
                .endObject();
        return new Watch(request("/v3/watch", body).build());
    }

    /** The member that is asked, for people. */
    public String asked() {
        return (access.tls() == null ? "http://" : "https://") + members.get(member);
    }

    /** Asks another one from now on. */
    void pass() {
        member = (member + 1) % members.size();
    }

    private JsonValue call(String path, Json body) throws RegistryException, InterruptedException {
        RegistryException last = null;
        for (int i = 0; i < members.size(); i++) {
            try {
                return ask(path, body);
            } catch (RegistryException e) {
                if (e.refused()) {
                    throw e;
                }
                last = last == null ? e : last;
                pass();
            }
        }
        throw last == null ? new RegistryException("it has no members") : last;
    }

    /** Asks one member. */
    private JsonValue ask(String path, Json body) throws RegistryException, InterruptedException {
        authenticate();
        JsonValue answer = exchange(path, body);
        long code = answer.get("code").number(0);
        String complaint = complaint(answer);
        if (access.login() != null
                && (code == UNAUTHENTICATED || (code == INVALID_ARGUMENT && complaint.contains("auth")))) {
            // Tokens end, and etcd forgets them when it is started anew.
            token = null;
            authenticate();
            answer = exchange(path, body);
            complaint = complaint(answer);
        }
        if (!complaint.isEmpty()) {
            throw refusal(answer, complaint);
        }
        return answer;
    }

    private void authenticate() throws RegistryException, InterruptedException {
        RegistryAccess.Login login = access.login();
        if (login == null || token != null) {
            return;
        }
        JsonValue answer = exchange(
                "/v3/auth/authenticate",
                new Json()
                        .object()
                        .put("name", login.user())
                        .put("password", login.password())
                        .endObject());
        String complaint = complaint(answer);
        if (complaint.contains("not enabled")) {
            throw new RegistryException(
                    "it has no users; leave --registry-user out, or enable them with 'etcdctl auth enable'");
        }
        if (!complaint.isEmpty()) {
            throw refusal(answer, "user '" + login.user() + "': " + complaint);
        }
        token = answer.get("token").text("");
    }

    private static String complaint(JsonValue answer) {
        JsonValue error = answer.get("error");
        // The end of a stream has an object there.
        String text = error.get("message").text(error.text(""));
        return PrintableText.of(text.isEmpty() ? answer.get("message").text("") : text);
    }

    private RegistryException refusal(JsonValue answer, String complaint) {
        if (complaint.contains("user name is empty")) {
            return new RegistryException("it knows users only; name a file with one by --registry-user");
        }
        // Without a leader, or a majority, another member may do better.
        boolean passing = complaint.contains("leader")
                || complaint.contains("timed out")
                || complaint.contains("timeout")
                || complaint.contains("unavailable");
        long code = answer.get("code").number(0);
        String sentence = "it says: " + complaint.substring(0, Math.min(200, complaint.length()));
        return passing || code == 14
                ? new RegistryException(sentence, new IOException(complaint))
                : new RegistryException(sentence);
    }

    private JsonValue exchange(String path, Json body) throws RegistryException, InterruptedException {
        CompletableFuture<HttpResponse<byte[]>> sent =
                http.sendAsync(request(path, body).timeout(CALL).build(), info -> EtcdBodies.whole(longest));
        try {
            HttpResponse<byte[]> answer = sent.get(CALL.toNanos(), TimeUnit.NANOSECONDS);
            String text = new String(answer.body(), StandardCharsets.UTF_8);
            try {
                JsonValue read = JsonValue.parse(text);
                if (answer.statusCode() == 200 || !complaint(read).isEmpty()) {
                    return read;
                }
            } catch (IllegalArgumentException e) {
                if (answer.statusCode() == 200) {
                    throw rubbish("its answer is " + e.getMessage(), e);
                }
            }
            throw rubbish("it answers with status " + answer.statusCode(), null);
        } catch (ExecutionException e) {
            throw new RegistryException(asked() + ": " + describe(e), e);
        } catch (TimeoutException e) {
            boolean _ = sent.cancel(true);
            throw new RegistryException(asked() + ": it does not answer within " + CALL.toSeconds() + " s", e);
        }
    }

    private HttpRequest.Builder request(String path, Json body) {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(asked() + path))
                .header("Content-Type", "application/json")
                .POST(HttpRequest.BodyPublishers.ofString(body.toString()));
        String shown = token;
        if (shown != null && !shown.isEmpty()) {
            request.header("Authorization", shown);
        }
        return request;
    }

    private RegistryException rubbish(String what, @Nullable Exception cause) {
        return new RegistryException(
                asked() + ": " + what + ", so it is no etcd that is known here",
                cause == null ? new IOException(what) : cause);
    }

    private long revision(JsonValue answer) throws RegistryException {
        long revision = answer.get("header").get("revision").number(0);
        if (revision <= 0) {
            throw rubbish("its answer has no revision", null);
        }
        return revision;
    }

    private static String describe(Throwable failure) {
        Throwable at = failure;
        while (at instanceof ExecutionException || at instanceof java.util.concurrent.CompletionException) {
            Throwable cause = at.getCause();
            if (cause == null) {
                break;
            }
            at = cause;
        }
        return switch (at) {
            case HttpTimeoutException _ -> "it does not answer within " + CALL.toSeconds() + " s";
            case ConnectException e when e.getMessage() == null -> "nobody listens there";
            case Exception e -> OneLineErrors.describe(e);
            default -> String.valueOf(at.getMessage());
        };
    }

    private static String encoded(String text) {
        return ENCODER.encodeToString(text.getBytes(StandardCharsets.UTF_8));
    }

    private String decoded(JsonValue text) throws RegistryException {
        return decode(text, this);
    }

    /** A key or a value of an event; empty if it is none. */
    static String decodedOrEmpty(JsonValue text) {
        try {
            return new String(DECODER.decode(text.text("")), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException _) {
            return "";
        }
    }

    private static String decode(JsonValue text, EtcdClient client) throws RegistryException {
        try {
            return new String(DECODER.decode(text.text("")), StandardCharsets.UTF_8);
        } catch (IllegalArgumentException e) {
            throw client.rubbish("its answer has something else than base64", e);
        }
    }

    /** The first key behind all that begin so. */
    private static String after(String prefix) {
        // Prefixes end with a slash.
        return prefix.substring(0, prefix.length() - 1) + (char) (prefix.charAt(prefix.length() - 1) + 1);
    }

    @Override
    public void close() {
        http.shutdownNow();
        threads.shutdownNow();
    }
}
