/** Latency histograms, recorded without allocation on the event loops and read from anywhere. */
@NullMarked
package io.leapnbd.bypass.latency;

import org.jspecify.annotations.NullMarked;
