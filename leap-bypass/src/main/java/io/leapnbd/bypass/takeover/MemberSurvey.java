package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Recorded.DonorRow;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * What became of each member of the contents: of every donor process that may hold slabs of them, and of every address at which one did.
 * {@code docs/ownership.md}, "Nobody goes on without the others", rules 1, 2 and 6. Filled by {@link TakeoverCheck}, in one thread.
 */
final class MemberSurvey {

    private final @Nullable Recorded file;
    private final List<Greeting> greetings;
    private final TakeoverOptions options;
    private final Note note;
    private final Set<UUID> gone = new LinkedHashSet<>();
    private final Map<UUID, Integer> waiting = new LinkedHashMap<>();
    private final Map<UUID, String> unnamed = new LinkedHashMap<>();
    private final Set<String> unclaimed = new LinkedHashSet<>();
    private final Set<UUID> givenUp = new LinkedHashSet<>();
    private boolean givesUpAddress;

    /**
     * Nobody is looked for yet.
     *
     * @param note the newest that was found of these contents
     */
    MemberSurvey(@Nullable Recorded file, List<Greeting> greetings, TakeoverOptions options, Note note) {
        this.file = file;
        this.greetings = greetings;
        this.options = options;
        this.note = note;
    }

    Note note() {
        return note;
    }

    /** Processes whose slabs are lost. */
    Set<UUID> gone() {
        return gone;
    }

    /** By identity, those that do not answer and that the server can do without for now: their place in its list. */
    Map<UUID, Integer> waiting() {
        return waiting;
    }

    /** By identity, addresses of those that hold nothing and are not among the server's donors. */
    Map<UUID, String> unnamed() {
        return unnamed;
    }

    /** Addresses at which a process has ended: an earlier server may have claimed another one there. */
    Set<String> unclaimed() {
        return unclaimed;
    }

    /** Processes that the operator gives up. */
    Set<UUID> givenUp() {
        return givenUp;
    }

    /** Whether the operator gives up neither a process nor an address. */
    boolean givesNothingUp() {
        return givenUp.isEmpty() && !givesUpAddress;
    }

    /** Looks for all that the note names; the other parameters are those of {@link #find}. */
    void findAll(UUID content, boolean holds, boolean mayWait) throws Refusal {
        for (Note.Member member : note.members()) {
            if (member.incarnation().equals(Note.Member.ENDED)) {
                findAddress(member.address(), mayWait);
            } else {
                find(member.incarnation(), member.address(), content, holds, mayWait);
            }
        }
    }

    /**
     * Finds out what became of a donor process that may hold slabs of these contents.
     *
     * @param holds whether it is known or feared to hold some
     * @param mayWait whether the server can do without its answer
     */
    void find(UUID incarnation, String address, UUID content, boolean holds, boolean mayWait) throws Refusal {
        Found found = answerOf(incarnation);
        if (found != null) {
            // Epoch 0: it never had the export, whatever was planned for it.
            if (!found.content().equals(content) && found.epoch() != 0) {
                lose(incarnation, holds);
            }
            return;
        }
        Greeting there = null;
        for (Greeting greeting : greetings) {
            if (greeting.address().equals(address)) {
                there = greeting;
            }
        }
        Found other = there == null ? null : there.found();
        if (other != null && !hasMovedTo(address, other.incarnation())) {
            // Another process is where it was: it has ended.
            lose(incarnation, holds);
        } else if (there != null && other == null && mayWait) {
            waiting.put(incarnation, there.donor());
        } else if (options.loseMissing()) {
            lose(incarnation, holds);
            givenUp.add(incarnation);
        } else if (!holds) {
            unnamed.put(incarnation, address);
        } else {
            throw missing(address);
        }
    }

    /** Somebody may have claimed a donor process at an address whose process before had ended. */
    private void findAddress(String address, boolean mayWait) throws Refusal {
        if (!isHeard(address)) {
            boolean givenUpHere = options.loseMissing() && !(mayWait && isNamed(address));
            if (givenUpHere) {
                givesUpAddress = true;
                return;
            }
            if (!mayWait) {
                throw missing(address);
            }
        }
        unclaimed.add(address);
    }

    /**
     * Two processes cannot both be waited for at one silent address. That happens after donors' addresses were changed: at most one of them is there.
     */
    void refuseTwoAtOneAddress() throws Refusal {
        Set<Integer> places = new LinkedHashSet<>();
        for (int place : waiting.values()) {
            if (!places.add(place)) {
                String address = greetings.get(place).address();
                throw new Refusal(new Refused(
                        "donor " + address + " does not answer, and two donor processes of export "
                                + Words.printable(options.export())
                                + " were last seen there; start it, name the other one's new address, or give both up"
                                + " with --lose-missing and without " + address,
                        List.of(address)));
            }
        }
    }

    /** Donors of the contents that are not among the server's, and would not learn of others. */
    List<String> leftOut() {
        List<String> left = new ArrayList<>(unnamed.values());
        unclaimed.stream().filter(address -> !isNamed(address)).forEach(left::add);
        return left;
    }

    /** Whether every member was heard, so that nobody is left who does not learn of others. */
    boolean allHeard() {
        return unnamed.isEmpty() && waiting.isEmpty() && unclaimed.stream().allMatch(this::isHeard);
    }

    private @Nullable Found answerOf(UUID incarnation) {
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null && found.incarnation().equals(incarnation)) {
                return found;
            }
        }
        return null;
    }

    /** Whether a donor process was known at another address before. Then addresses have moved, and whoever was at this one may be elsewhere. */
    private boolean hasMovedTo(String address, UUID incarnation) {
        Recorded known = file;
        DonorRow row = known == null ? null : known.donor(incarnation);
        return (row != null && !row.address().equals(address))
                || note.members().stream()
                        .anyMatch(member -> member.incarnation().equals(incarnation)
                                && !member.address().equals(address));
    }

    private boolean isNamed(String address) {
        return greetings.stream().anyMatch(greeting -> greeting.address().equals(address));
    }

    private boolean isHeard(String address) {
        return greetings.stream()
                .anyMatch(greeting -> greeting.address().equals(address)
                        && greeting.found() != null
                        && !hasMovedTo(address, greeting.found().incarnation()));
    }

    private Refusal missing(String address) {
        String export = "export " + Words.printable(options.export());
        return isNamed(address)
                ? new Refusal(new Refused(
                        "donor " + address + " may hold pages of " + export
                                + " and does not answer; start it, or give its pages up with --lose-missing",
                        List.of(address)))
                : new Refusal(new Refused(
                        "donor " + address + " may hold pages of " + export
                                + " and is not named; "
                                + (SpillSettings.isName(address) ? "name its file with --spill" : "add it to --donors")
                                + ", or give its pages up with --lose-missing",
                        List.of(),
                        SpillSettings.isName(address) ? null : address));
    }

    private void lose(UUID incarnation, boolean holds) {
        if (holds) {
            gone.add(incarnation);
        }
    }
}
