package io.leapnbd.tools.http;

import io.prometheus.metrics.expositionformats.PrometheusTextFormatWriter;
import io.prometheus.metrics.model.registry.PrometheusRegistry;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.Map;

/** {@code /metrics}: everything in a registry, in Prometheus' text format. */
public final class MetricsPage implements Page {

    private final PrometheusRegistry registry;
    private final PrometheusTextFormatWriter writer = PrometheusTextFormatWriter.create();

    /** Shows what is registered at each call. */
    public MetricsPage(PrometheusRegistry registry) {
        this.registry = registry;
    }

    @Override
    public Answer answer(Map<String, String> query) {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        try {
            writer.write(out, registry.scrape());
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        return new Answer(200, writer.getContentType(), out.toByteArray());
    }
}
