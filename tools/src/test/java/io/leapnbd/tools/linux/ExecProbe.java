package io.leapnbd.tools.linux;

import java.io.IOException;
import java.nio.file.Path;
import java.util.List;

/** A program for tests: becomes the command that its arguments name. */
final class ExecProbe {
    private ExecProbe() {}

    public static void main(String[] args) throws IOException {
        Path program = Exec.find(args[0], "/bin:/usr/bin").orElseThrow();
        Exec.replace(program, List.of(args));
    }
}
