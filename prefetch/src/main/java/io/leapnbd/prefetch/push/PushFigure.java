package io.leapnbd.prefetch.push;

import java.util.Locale;

/** What is counted for each process. */
public enum PushFigure {
    /** Page faults that were seen, of whatever kind. */
    FAULTS("Page faults seen, of whatever kind."),
    /** Those that waited for the swap device. */
    MAJOR("Page faults that waited for a device."),
    /** Pages pushed. */
    PUSHED("Pages that the kernel was asked for ahead of a fault."),
    /** Pushed pages that the process then touched without a major fault. */
    HITS("Pushed pages that were touched, without a major fault."),
    /** Pushed pages that were wanted and not there any more. */
    EVICTED("Pushed pages that were evicted before they were touched."),
    /** Pushed pages that were not touched in time. */
    UNUSED("Pushed pages that were not touched in time."),
    /** Calls for pages. */
    CALLS("Calls of process_madvise."),
    /** Calls that brought nothing. */
    REFUSED("Calls of process_madvise that brought nothing."),
    /** Calls that took longer than they should. */
    SLOW("Calls of process_madvise that took over 5 ms."),
    /** Times that nothing was pushed because enough was on its way, or unused. */
    HELD_BACK("Times that pushing waited because enough was on its way, or not used yet."),
    /** Times that the process executed another program. */
    EXECS("Times that the process executed another program.");

    private final String help;

    PushFigure(String help) {
        this.help = help;
    }

    /** As in JSON and, with a prefix, in metrics. */
    public String label() {
        return name().toLowerCase(Locale.ROOT);
    }

    /** One sentence. */
    public String help() {
        return help;
    }
}
