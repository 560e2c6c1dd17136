package io.leapnbd.tools.linux;

import java.io.IOException;

/** A program for tests: ignores SIGHUP, and so does a child of its; ends when it is told to. */
final class HangupProbe {
    private HangupProbe() {}

    public static void main(String[] args) throws IOException {
        Hangup.ignore();
        Process child = new ProcessBuilder("/bin/sh", "-c", "grep SigIgn /proc/self/status; read -r line")
                .redirectErrorStream(true)
                .start();
        System.out.println(child.inputReader().readLine());
        System.in.read();
        System.out.println("alive");
        child.destroy();
    }
}
