package io.leapnbd.tools.host;

import java.io.IOException;
import java.nio.file.Path;

/** A program for tests: holds a lock until it is killed. */
final class LockProbe {
    private LockProbe() {}

    public static void main(String[] args) throws IOException {
        System.out.println(HostLock.tryTake(Path.of(args[0])).isPresent() ? "held" : "refused");
        System.in.read();
    }
}
