package io.leapnbd.bypass.takeover;

import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;

/** Does the same for every donor at once, each on a thread of its own. */
final class Parallel {

    private Parallel() {}

    /**
     * Runs {@code task} for 0 to {@code count} - 1, and waits for all of them.
     *
     * @throws IOException the first that any of them threw
     */
    static void run(int count, Task task) throws IOException {
        try (ExecutorService threads = Executors.newVirtualThreadPerTaskExecutor()) {
            List<Future<?>> all = new ArrayList<>();
            for (int i = 0; i < count; i++) {
                int one = i;
                all.add(threads.submit(() -> {
                    task.run(one);
                    return one;
                }));
            }
            IOException problem = null;
            for (Future<?> future : all) {
                try {
                    Object _ = future.get();
                } catch (ExecutionException e) {
                    if (problem == null) {
                        problem = e.getCause() instanceof IOException io
                                ? io
                                : new IOException(String.valueOf(e.getCause()), e.getCause());
                    }
                }
            }
            if (problem != null) {
                throw problem;
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new IOException("interrupted", e);
        }
    }

    /** What is done for one donor. */
    @FunctionalInterface
    interface Task {
        void run(int donor) throws IOException;
    }
}
