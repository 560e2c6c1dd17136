package io.leapnbd.tools.http;

import java.util.function.Consumer;
import java.util.function.ToDoubleFunction;

/** Registers numbers of things of one kind; {@link Metrics#of} and {@link Metrics#ofEach} say of which. */
public final class MetricsOf<T> {

    private final Metrics metrics;
    private final Consumer<Visitor<T>> things;
    private final String[] labels;

    MetricsOf(Metrics metrics, Consumer<Visitor<T>> things, String... labels) {
        this.metrics = metrics;
        this.things = things;
        this.labels = labels;
    }

    /** A number that only grows; its name ends in {@code _total}. */
    public void counter(String name, String help, ToDoubleFunction<T> number) {
        add(metrics.counter(name, help, labels), number);
    }

    /** A number that goes up and down. */
    public void gauge(String name, String help, ToDoubleFunction<T> number) {
        add(metrics.gauge(name, help, labels), number);
    }

    private void add(Metrics.Source source, ToDoubleFunction<T> number) {
        source.from(
                sink -> things.accept((thing, labelValues) -> sink.accept(number.applyAsDouble(thing), labelValues)));
    }

    /** Takes a thing. */
    @FunctionalInterface
    interface Visitor<T> {

        /** One thing, with the values of its labels. */
        void accept(T thing, String... labelValues);
    }
}
