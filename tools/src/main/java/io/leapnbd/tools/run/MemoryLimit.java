package io.leapnbd.tools.run;

import io.leapnbd.tools.linux.Cgroup;
import java.io.IOException;
import java.util.Optional;

/**
 * A cgroup with a memory limit and unlimited swap.
 *
 * @param max bytes that may be in memory
 * @param high bytes from which on it is slowed down, if at all
 * @param oomGroup whether all of its processes go when one has to
 */
record MemoryLimit(long max, Optional<Long> high, boolean oomGroup) {
    private static final String NAME = "run-";

    /** Makes the cgroup and moves the process into it. */
    Cgroup enter(long pid) throws IOException {
        Cgroup.sweep(NAME);
        Cgroup group = Cgroup.create(NAME + pid);
        try {
            group.set("memory.max", Long.toString(max));
            if (group.get("memory.swap.max").isPresent()) { // absent in a kernel without swap accounting
                group.set("memory.swap.max", "max");
            }
            if (high.isPresent()) {
                group.set("memory.high", Long.toString(high.get()));
            }
            if (oomGroup) {
                group.set("memory.oom.group", "1");
            }
            group.add(pid);
        } catch (IOException e) {
            group.remove();
            throw e;
        }
        return group;
    }
}
