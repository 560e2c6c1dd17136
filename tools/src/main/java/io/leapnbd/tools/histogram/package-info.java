/** Latency histograms for people and for HdrHistogram's own tools: percentiles, interval logs, JSON and a page of curves. */
@NullMarked
package io.leapnbd.tools.histogram;

import org.jspecify.annotations.NullMarked;
