package io.leapnbd.tools.serve;

import io.leapnbd.tools.linux.LinuxException;
import io.leapnbd.tools.linux.Scheduling;
import io.netty.util.concurrent.DefaultThreadFactory;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Threads of event loops, in the realtime class if wanted. */
final class LoopThreads extends DefaultThreadFactory {

    private static final Logger log = LoggerFactory.getLogger(LoopThreads.class);

    private final boolean realtime;

    LoopThreads(boolean realtime) {
        super("loop", true);
        this.realtime = realtime;
    }

    @Override
    protected Thread newThread(Runnable loop, String name) {
        return super.newThread(realtime ? () -> runInRealtime(loop) : loop, name);
    }

    private static void runInRealtime(Runnable loop) {
        try {
            Scheduling.set(0, Scheduling.RR, Scheduling.LOWEST);
        } catch (LinuxException e) {
            log.warn("an event loop is not in the realtime class: {}", e.getMessage());
        }
        loop.run();
    }
}
