package io.leapnbd.tools.linux;

import static java.lang.foreign.ValueLayout.JAVA_LONG;

import java.io.IOException;
import java.lang.foreign.Arena;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;

/** Replaces this process by a command: same process id, same terminal, same files, no JVM left behind. */
public final class Exec {
    private static final int SIG_SETMASK = 2;
    /** Size of the kernel's signal set. */
    private static final long SIGNAL_SET = 8;

    private static final int FIRST_AFTER_STDERR = 3;
    private static final long LAST_DESCRIPTOR = 0xffff_ffffL;
    private static final int CLOSE_RANGE_CLOEXEC = 4;

    private Exec() {}

    /** Where a command is, by the rules of execvp: a name with a slash as it is, else the first in the search path. */
    public static Optional<Path> find(String command, String searchPath) {
        if (command.contains("/")) {
            return Optional.of(Path.of(command)).filter(Files::exists);
        }
        for (String directory : searchPath.split(":", -1)) {
            Path candidate = Path.of(directory.isEmpty() ? "." : directory, command);
            if (Files.isRegularFile(candidate) && Files.isExecutable(candidate)) {
                return Optional.of(candidate);
            }
        }
        return Optional.empty();
    }

    /**
     * Executes the program with these arguments, of which the first is its name, and with the environment of this
     * process. Returns only by an exception.
     *
     * @throws LinuxException why it cannot be executed
     */
    public static void replace(Path program, List<String> arguments) throws IOException {
        System.out.flush();
        System.err.flush();
        try (Arena arena = Arena.ofConfined()) {
            SystemCalls calls = new SystemCalls(arena);
            MemorySegment path = arena.allocateFrom(program.toString());
            MemorySegment argv = SystemCalls.strings(arena, arguments);
            long environment = environment();
            // What the JVM changed and execve keeps: it blocks SIGQUIT, and its files may lack the close-on-exec flag.
            MemorySegment none = arena.allocate(SIGNAL_SET, 8);
            calls.call(Call.RT_SIGPROCMASK, SIG_SETMASK, none.address(), 0, SIGNAL_SET);
            calls.call(Call.CLOSE_RANGE, FIRST_AFTER_STDERR, LAST_DESCRIPTOR, CLOSE_RANGE_CLOEXEC);
            calls.require(Call.EXECVE, path.address(), argv.address(), environment);
        }
    }

    /** The C library's own table, so that bytes which are no text in this locale stay what they are. */
    @SuppressWarnings("restricted") // a variable of the C library
    private static long environment() {
        MemorySegment variable = Linker.nativeLinker().defaultLookup().findOrThrow("environ");
        return variable.reinterpret(JAVA_LONG.byteSize()).get(JAVA_LONG, 0);
    }
}
