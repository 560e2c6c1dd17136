package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.cipher.CipherKind;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import java.util.Collection;
import java.util.List;
import java.util.UUID;

/** Whether the pages that donors hold can be read: docs/encryption.md, "What is lost with what". A part of {@link TakeoverCheck}, and as pure. */
final class CipherCheck {

    private final Collection<Found> answered;
    private final TakeoverOptions options;

    /**
     * Of a start.
     *
     * @param answered what each donor says that answers; looked at when it is needed
     */
    CipherCheck(Collection<Found> answered, TakeoverOptions options) {
        this.answered = answered;
        this.options = options;
    }

    /** Pages are read as they were written. */
    void check(Note note) throws Refusal {
        if (note.version() != 0) {
            check(note.cipher());
        }
    }

    /** Likewise, by what a state file says. */
    void check(CipherKind begunWith) throws Refusal {
        if (begunWith != options.cipher()) {
            throw refuse(export() + " was begun with --encrypt " + begunWith + ", and now it is --encrypt "
                    + options.cipher() + "; give the same, or --fresh to start blank");
        }
    }

    /**
     * Whether nobody can ever read the pages again: what that takes was in the memory of this machine, which has booted since.
     *
     * @param newest the newest note of these contents
     */
    boolean isUnreadable(UUID content, Note newest) {
        return newest.cipher().encrypts()
                && !newest.boot().equals(Note.LASTING)
                && !newest.boot().equals(options.boot())
                && answered.stream()
                        .filter(found -> found.content().equals(content))
                        .allMatch(found -> found.owner().host().equals(options.host()));
    }

    /**
     * Of encrypted pages only a state file that is the truth knows what they are.
     *
     * @param fileHolds whether a file that is none says that there are some
     */
    void refuseUnreadable(UUID content, boolean fileHolds) throws Refusal {
        boolean held = answered.stream().anyMatch(found -> found.content().equals(content) && found.heldSlabs() > 0);
        if (options.cipher().encrypts() && (held || fileHolds)) {
            throw refuse("the pages of " + export()
                    + " are encrypted, and what it takes to read them was in the state file of the server that wrote them,"
                    + " which is not here or not the newest; name its --state-dir, or start blank with --fresh");
        }
    }

    private String export() {
        return "export " + Words.printable(options.export());
    }

    private static Refusal refuse(String sentence) {
        return new Refusal(new Refused(sentence, List.of()));
    }
}
