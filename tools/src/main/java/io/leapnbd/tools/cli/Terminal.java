package io.leapnbd.tools.cli;

import java.io.Console;

/** Whether somebody looks at what is printed. Any thread. */
public final class Terminal {

    private Terminal() {}

    /** Whether standard input and output are a terminal. */
    @SuppressWarnings("SystemConsoleNull") // it is null again by default since JDK 25 when there is no terminal
    public static boolean isHere() {
        Console console = System.console();
        return console != null && console.isTerminal();
    }
}
