package io.leapnbd.tools.http;

import io.leapnbd.tools.config.NothingToReadException;
import io.leapnbd.tools.config.Reload;
import org.jspecify.annotations.Nullable;

/** What the action {@code /reload} answers. */
public final class ReloadAnswer {

    /** Status of a process that has no file to read again, which is no error of the file's (RFC 9110, section 15.5.10: Conflict). */
    public static final int NOTHING = 409;

    private ReloadAnswer() {}

    /**
     * Reads the files again.
     *
     * @param files null if the process was begun without
     * @throws IllegalArgumentException in a sentence, if something in them is wrong; its message is the answer, with status 400
     */
    public static Answer of(@Nullable Reload files) {
        try {
            return Answer.line(200, files == null ? "there is no file of settings" : files.run());
        } catch (NothingToReadException e) {
            return Answer.line(NOTHING, String.valueOf(e.getMessage()));
        }
    }
}
