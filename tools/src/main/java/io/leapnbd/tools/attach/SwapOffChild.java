package io.leapnbd.tools.attach;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.Writer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;

/**
 * A small shell, started before this process locks its memory, that ends swapping when it is told to.
 *
 * <p>The resident process must not do that itself: the kernel makes whoever calls swapoff the first victim of the OOM
 * killer, whatever its oom_score_adj says, and then nobody would be left to keep the connection. It must not fork for it
 * later either. The child ends by itself when the resident process does.
 */
final class SwapOffChild implements AutoCloseable {
    // chrt: the scheduling class is inherited, and moving pages back for minutes is not realtime work.
    // trap: a terminal that ends, Ctrl-C there, or a service that is stopped signals everybody, and this one is needed
    // then.
    private static final String SCRIPT =
            "trap '' HUP INT QUIT TERM USR1; while read -r device; do message=$(LC_ALL=C swapoff \"$device\" 2>&1) && echo ok || echo \"failed $message\"; done";

    private final Process process;
    private final BufferedReader answers;
    private final Writer requests;

    private SwapOffChild(Process process) {
        this.process = process;
        answers = process.inputReader(StandardCharsets.UTF_8);
        requests = process.outputWriter(StandardCharsets.UTF_8);
    }

    static SwapOffChild start() throws IOException {
        ProcessBuilder builder = new ProcessBuilder(
                List.of("/bin/sh", "-c", "command -v chrt >/dev/null && chrt -o -p 0 $$ >/dev/null 2>&1; " + SCRIPT));
        builder.redirectError(ProcessBuilder.Redirect.DISCARD);
        builder.environment().merge("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", (before, more) -> before + ":" + more);
        return new SwapOffChild(builder.start());
    }

    /**
     * Ends swapping on the device; waits as long as it takes.
     *
     * @throws IOException with the words of swapoff(8)
     */
    void swapOff(Path device) throws IOException {
        requests.write(device + "\n");
        requests.flush();
        String answer = answers.readLine();
        if (answer == null) {
            throw new IOException("the process that ends swapping was killed");
        }
        if (!answer.equals("ok")) {
            throw new IOException(answer.replaceFirst("^failed ", ""));
        }
    }

    @Override
    public void close() {
        try {
            requests.close();
        } catch (IOException e) {
            process.destroy(); // its end of the pipe is gone, so it is as well
        }
    }
}
