package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.PrefetchPolicy;
import io.leapnbd.prefetch.replay.SimulationResult;

/**
 * One policy's way through one trace.
 *
 * @param trace the trace's file name, without folders
 */
record Replay(String trace, PrefetchPolicy policy, SimulationResult result) {}
