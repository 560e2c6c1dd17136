package io.leapnbd.tools.push;

import io.leapnbd.prefetch.push.DeviceLimits;
import io.leapnbd.prefetch.push.PushSettings;
import java.util.List;
import java.util.concurrent.CopyOnWriteArrayList;
import org.jspecify.annotations.Nullable;

/**
 * The processes that are pushed for: those that have waited for the device at least once, up to {@link #MOST}. The agent's thread adds and
 * removes; any thread may look.
 */
final class PushTargets {

    /** Each takes about 300 KB. */
    static final int MOST = 24;

    /** Of those that have ended, how many are still shown. */
    private static final int SHOWN = 16;

    private final DeviceLimits device;
    private final AnnouncedReads announced;
    private volatile PushSettings settings;
    private final @Nullable PushTarget[] targets = new PushTarget[MOST];
    private final List<PushTarget> live = new CopyOnWriteArrayList<>();
    private final List<PushTarget> ended = new CopyOnWriteArrayList<>();
    private @Nullable PushTarget last;
    private volatile long turnedAway;

    PushTargets(DeviceLimits device, PushSettings settings, AnnouncedReads announced) {
        this.device = device;
        this.announced = announced;
        this.settings = settings;
    }

    /** The process, if it is pushed for. */
    @Nullable
    PushTarget find(int pid) {
        PushTarget recent = last;
        if (recent != null && recent.pid() == pid) {
            return recent;
        }
        for (PushTarget target : targets) {
            if (target != null && target.pid() == pid) {
                last = target;
                return target;
            }
        }
        return null;
    }

    /** Begins to push for a process; null if that cannot be done. */
    @SuppressWarnings("NonAtomicVolatileUpdate") // one writer
    @Nullable
    PushTarget begin(int pid) {
        for (int i = 0; i < MOST; i++) {
            if (targets[i] == null) {
                PushTarget target = new PushTarget(pid, device, settings, announced);
                if (!target.open()) {
                    target.close();
                    turnedAway++;
                    return null;
                }
                targets[i] = target;
                live.add(target);
                return target;
            }
        }
        turnedAway++;
        return null;
    }

    /** The process in this place, if there is one. */
    @Nullable
    PushTarget at(int place) {
        return targets[place];
    }

    /** The process in this place has ended. */
    void end(int place) {
        PushTarget target = targets[place];
        if (target != null) {
            targets[place] = null;
            last = null;
            target.pusher().tidy(0);
            target.close();
            live.remove(target);
            if (ended.size() == SHOWN) {
                ended.remove(0);
            }
            ended.add(target);
        }
    }

    /** Settings for all, those to come included. Any thread. */
    void reconfigure(PushSettings settings) {
        this.settings = settings;
        live.forEach(target -> target.pusher().reconfigure(settings));
    }

    /** What processes begin with. Any thread. */
    PushSettings settings() {
        return settings;
    }

    /** Those that are pushed for now. Any thread. */
    List<PushTarget> live() {
        return live;
    }

    /** Some that have ended, newest last. Any thread. */
    List<PushTarget> ended() {
        return ended;
    }

    /** Processes that could not be pushed for. Any thread. */
    long turnedAway() {
        return turnedAway;
    }

    void close() {
        for (int i = 0; i < MOST; i++) {
            end(i);
        }
    }
}
