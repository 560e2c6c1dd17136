package io.leapnbd.tools.cli;

import java.util.ArrayDeque;
import java.util.Deque;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What a process has opened, to be closed in the opposite order, each once, whatever the others do. Any thread. */
public final class Closings implements AutoCloseable {

    private static final Logger log = LoggerFactory.getLogger(Closings.class);

    private final Deque<Closing> open = new ArrayDeque<>();

    /** Starts empty. */
    public Closings() {}

    /**
     * Takes note of what was opened.
     *
     * @param name for the message if closing it fails
     */
    public synchronized void add(String name, AutoCloseable resource) {
        open.push(new Closing(name, resource));
    }

    /** Closes everything, the last opened first. May be called again. */
    @Override
    public synchronized void close() {
        while (!open.isEmpty()) {
            Closing last = open.pop();
            try {
                last.resource.close();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            } catch (Exception e) {
                log.warn("closing the {} failed", last.name, e);
            }
        }
    }

    private record Closing(String name, AutoCloseable resource) {}
}
