package io.leapnbd.tools.registry;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.net.http.HttpResponse.BodySubscriber;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.Flow;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/** What is read of answers, with a limit: an answer takes no more memory than that, whoever it comes from. */
final class EtcdBodies {

    private EtcdBodies() {}

    /** A whole answer. Longer ones fail. */
    static BodySubscriber<byte[]> whole(int most) {
        return new Whole(most);
    }

    /**
     * An answer without an end, line by line.
     *
     * @param most bytes of a line; a longer one ends it
     * @param line takes each; false ends it
     * @param end is told why there are no more
     */
    static BodySubscriber<@Nullable Void> lines(int most, Predicate<String> line, Consumer<String> end) {
        return new Lines(most, line, end);
    }

    private abstract static class Bounded<T extends @Nullable Object> implements BodySubscriber<T> {

        final CompletableFuture<T> body = new CompletableFuture<>();
        private Flow.@Nullable Subscription subscription;

        @Override
        public CompletionStage<T> getBody() {
            return body;
        }

        @Override
        public void onSubscribe(Flow.Subscription given) {
            subscription = given;
            given.request(1);
        }

        @Override
        public void onNext(List<ByteBuffer> buffers) {
            for (ByteBuffer buffer : buffers) {
                byte[] bytes = new byte[buffer.remaining()];
                buffer.get(bytes);
                if (!take(bytes)) {
                    cancel();
                    return;
                }
            }
            Flow.Subscription given = subscription;
            if (given != null) {
                given.request(1);
            }
        }

        private void cancel() {
            Flow.Subscription given = subscription;
            if (given != null) {
                given.cancel();
            }
        }

        /** Takes bytes; returns whether there may be more. */
        abstract boolean take(byte[] bytes);
    }

    private static final class Whole extends Bounded<byte[]> {

        private final int most;
        private final ByteArrayOutputStream read = new ByteArrayOutputStream();

        Whole(int most) {
            this.most = most;
        }

        @Override
        boolean take(byte[] bytes) {
            if (read.size() + bytes.length > most) {
                body.completeExceptionally(new IOException("its answer is longer than " + (most >> 10) + " KiB"));
                return false;
            }
            read.writeBytes(bytes);
            return true;
        }

        @Override
        public void onError(Throwable failure) {
            body.completeExceptionally(failure);
        }

        @Override
        public void onComplete() {
            body.complete(read.toByteArray());
        }
    }

    private static final class Lines extends Bounded<@Nullable Void> {

        private final int most;
        private final Predicate<String> line;
        private final Consumer<String> end;
        private final ByteArrayOutputStream open = new ByteArrayOutputStream();

        Lines(int most, Predicate<String> line, Consumer<String> end) {
            this.most = most;
            this.line = line;
            this.end = end;
        }

        @Override
        boolean take(byte[] bytes) {
            int begin = 0;
            for (int i = 0; i < bytes.length; i++) {
                if (bytes[i] == '\n') {
                    open.write(bytes, begin, i - begin);
                    begin = i + 1;
                    String whole = open.toString(StandardCharsets.UTF_8);
                    open.reset();
                    if (!line.test(whole)) {
                        finish("nobody reads it");
                        return false;
                    }
                }
            }
            open.write(bytes, begin, bytes.length - begin);
            if (open.size() > most) {
                finish("it sends a line of more than " + (most >> 10) + " KiB");
                return false;
            }
            return true;
        }

        private void finish(String why) {
            body.complete(null);
            end.accept(why);
        }

        @Override
        public void onError(Throwable failure) {
            body.completeExceptionally(failure);
            end.accept(String.valueOf(failure.getMessage()));
        }

        @Override
        public void onComplete() {
            finish("it has ended the watch");
        }
    }
}
