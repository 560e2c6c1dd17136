package io.leapnbd.tools.http;

import io.prometheus.metrics.core.metrics.CounterWithCallback;
import io.prometheus.metrics.core.metrics.GaugeWithCallback;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import io.prometheus.metrics.model.snapshots.Labels;
import java.util.function.Consumer;
import java.util.function.DoubleSupplier;
import java.util.function.Function;
import java.util.function.Supplier;

/** Registers numbers that others count, to be read at each scrape. */
public final class Metrics {

    private final PrometheusRegistry registry;
    private final Labels fixed;

    /** Starts empty. */
    public Metrics() {
        this(new PrometheusRegistry(), Labels.EMPTY);
    }

    private Metrics(PrometheusRegistry registry, Labels fixed) {
        this.registry = registry;
        this.fixed = fixed;
    }

    /** Registers at the same place what has one label more, whose value is always this. */
    public Metrics with(String label, String value) {
        return new Metrics(registry, fixed.add(label, value));
    }

    /** The labels that all that is registered here has. */
    public Labels fixed() {
        return fixed;
    }

    /** What is registered so far. */
    public PrometheusRegistry registry() {
        return registry;
    }

    /** A number that only grows; its name ends in {@code _total}. */
    public Source counter(String name, String help, String... labels) {
        return values -> CounterWithCallback.builder()
                .name(name)
                .help(help)
                .constLabels(fixed)
                .labelNames(labels)
                .callback(callback ->
                        values.accept((value, labelValues) -> callback.call(value.doubleValue(), labelValues)))
                .register(registry);
    }

    /** A number that goes up and down. */
    public Source gauge(String name, String help, String... labels) {
        return values -> GaugeWithCallback.builder()
                .name(name)
                .help(help)
                .constLabels(fixed)
                .labelNames(labels)
                .callback(callback ->
                        values.accept((value, labelValues) -> callback.call(value.doubleValue(), labelValues)))
                .register(registry);
    }

    /** A share, from 0 to 1. */
    public void ratio(String name, String help, DoubleSupplier value) {
        GaugeWithCallback.builder()
                .name(name)
                .help(help)
                .constLabels(fixed)
                .callback(callback -> callback.call(value.getAsDouble()))
                .register(registry);
    }

    /**
     * Numbers of one thing.
     *
     * @param thing asked for it at each scrape of each number, on any thread
     */
    public <T> MetricsOf<T> of(Supplier<T> thing) {
        return new MetricsOf<>(this, sink -> sink.accept(thing.get()));
    }

    /**
     * Numbers of several things, told apart by a label.
     *
     * @param label its name
     * @param things asked for them at each scrape of each number, on any thread
     * @param value the label's value of a thing
     */
    public <T> MetricsOf<T> ofEach(String label, Supplier<? extends Iterable<T>> things, Function<T, String> value) {
        return new MetricsOf<>(
                this, sink -> things.get().forEach(thing -> sink.accept(thing, value.apply(thing))), label);
    }

    /** A metric that still wants to know where its values come from. */
    @FunctionalInterface
    public interface Source {

        /**
         * Registers it.
         *
         * @param values called at each scrape, on any thread; passes on each value with its labels
         */
        void from(Consumer<Sink> values);
    }

    /** Takes a value. */
    @FunctionalInterface
    public interface Sink {

        /** One value, with as many label values as the metric has labels. */
        void accept(Number value, String... labelValues);
    }
}
