package io.leapnbd.tools.replay;

import io.leapnbd.prefetch.replay.SimulationResult;
import io.leapnbd.prefetch.replay.SimulationSettings;

/**
 * One policy's way through one trace on one machine.
 *
 * @param trace the trace's file name, without folders
 * @param policy its name
 */
record Replay(String trace, String policy, SimulationSettings settings, SimulationResult result) {}
