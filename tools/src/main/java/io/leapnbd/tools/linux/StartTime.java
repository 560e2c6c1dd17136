package io.leapnbd.tools.linux;

import java.nio.file.Path;
import java.util.Optional;

/** When a process started, by which it is told from a later one with its number. */
public final class StartTime {

    /** Of the stat file, counted after the command's name. */
    private static final int START = 19;

    private StartTime() {}

    /** In clock ticks since boot; nothing if there is no such process. */
    public static Optional<Long> of(long pid) {
        return KernelFile.read(Path.of("/proc/" + pid + "/stat")).flatMap(StartTime::in);
    }

    /** The same, of a stat file's text. The command's name, in parentheses, may hold spaces and parentheses itself. */
    static Optional<Long> in(String stat) {
        String[] fields = stat.substring(stat.lastIndexOf(')') + 1).strip().split(" ", -1);
        return fields.length > START ? Optional.of(Long.parseLong(fields[START])) : Optional.empty();
    }
}
