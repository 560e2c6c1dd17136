package io.leapnbd.tools.serve;

import io.leapnbd.bypass.latency.LoopLatencies;
import io.leapnbd.bypass.latency.Operation;
import io.leapnbd.bypass.latency.Stage;
import io.leapnbd.nbd.spi.Command;
import io.leapnbd.nbd.spi.RequestObserver;

/** Records how long requests took from end to end. One an event loop, called on that loop only. */
final class LatencyObserver implements RequestObserver {

    private static final Operation[] OPERATIONS = operations();

    private final LoopLatencies latencies;

    LatencyObserver(LoopLatencies latencies) {
        this.latencies = latencies;
    }

    @Override
    public void requestEnded(Command command, long offset, long length, int error, long startNanos, long endNanos) {
        // A refused request says nothing about the device; errors are counted elsewhere.
        if (error == 0) {
            latencies.record(OPERATIONS[command.ordinal()], Stage.TOTAL, endNanos - startNanos);
        }
    }

    private static Operation[] operations() {
        Operation[] byCommand = new Operation[Command.values().length];
        for (Command command : Command.values()) {
            byCommand[command.ordinal()] = switch (command) {
                case READ -> Operation.READ;
                case WRITE -> Operation.WRITE;
                case FLUSH -> Operation.FLUSH;
                case TRIM -> Operation.TRIM;
                case CACHE -> Operation.CACHE;
                case WRITE_ZEROES -> Operation.WRITE_ZEROES;
                case BLOCK_STATUS -> Operation.BLOCK_STATUS;
            };
        }
        return byCommand;
    }
}
