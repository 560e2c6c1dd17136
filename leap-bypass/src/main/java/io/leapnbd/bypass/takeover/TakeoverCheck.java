package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.Recorded.DonorRow;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
import java.io.Serial;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.UUID;
import org.jspecify.annotations.Nullable;

/**
 * Whether an export may be taken, decided from what was observed before anything is claimed. Everything that can be refused is
 * refused here, so that a start that is refused has disturbed nobody. A pure function; {@code docs/ownership.md}, "A server's
 * start", has its table.
 */
final class TakeoverCheck {

    private final @Nullable Recorded file;
    private final List<Greeting> greetings;
    private final TakeoverOptions options;
    private final Map<UUID, Found> answered = new LinkedHashMap<>();
    private final Map<UUID, Integer> place = new HashMap<>();
    private final Set<UUID> gone = new LinkedHashSet<>();
    private final Map<UUID, Integer> waiting = new LinkedHashMap<>();
    private final Set<Integer> abandoned = new LinkedHashSet<>();
    private final List<String> warnings = new ArrayList<>();
    private boolean unheldLost;
    private boolean complete;
    private Note note = Note.NONE;

    private TakeoverCheck(@Nullable Recorded file, List<Greeting> greetings, TakeoverOptions options) {
        this.file = file;
        this.greetings = greetings;
        this.options = options;
    }

    /**
     * Decides.
     *
     * @param file what the state file says; null if there is none that can be read
     * @param greetings of every donor, in the order of the server's list
     */
    static Verdict check(@Nullable Recorded file, List<Greeting> greetings, TakeoverOptions options) {
        try {
            return new TakeoverCheck(file, greetings, options).decide();
        } catch (Refusal refusal) {
            return refusal.refused;
        }
    }

    private Verdict decide() throws Refusal {
        indexDonors();
        checkSlabSizes();
        checkLinks();
        checkOwners();
        if (options.fresh()) {
            requireAll("--fresh has to reach every donor");
            return blank();
        }
        Set<UUID> contents = new LinkedHashSet<>();
        answered.values().stream().filter(Found::hasContent).forEach(found -> contents.add(found.content()));
        if (contents.size() > 1) {
            throw refuse("donors hold different contents of " + export() + ": " + describeContents()
                    + "; name only the donors of one, or give up all with --fresh");
        }
        Recorded known = file;
        if (contents.isEmpty()) {
            if (known == null) {
                requireAll("it is not known whether they hold pages of " + export());
                return blank();
            }
            if (claimedSince(known)) {
                throw new Refusal(new Refused(
                        export() + " was served by another server after this machine's state file was written, and no"
                                + " donor that answers holds its contents any more; name the donors that do, or start"
                                + " blank with --fresh",
                        silent()));
            }
            return fromFile(known);
        }
        UUID content = contents.iterator().next();
        if (known == null) {
            return fromLists(content);
        }
        if (!content.equals(known.content())) {
            if (!options.takeOver()) {
                throw refuse("donors hold other contents of " + export() + " than this machine's state file: "
                        + describeContents() + "; --take-over goes on with them, --fresh gives them up");
            }
            return fromLists(content);
        }
        return claimedSince(known) ? fromLists(content) : fromFile(known);
    }

    private void indexDonors() throws Refusal {
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found == null) {
                warnings.add("donor " + greeting.address() + " does not answer: " + greeting.problem());
                continue;
            }
            Integer before = place.put(found.incarnation(), greeting.donor());
            if (before != null) {
                throw refuse(greetings.get(before).address() + " and " + greeting.address()
                        + " are one donor under two addresses; name it once");
            }
            answered.put(found.incarnation(), found);
        }
        if (answered.isEmpty()) {
            throw new Refusal(new Refused("no donor answers; " + String.join("; ", warnings), silent()));
        }
    }

    private void checkSlabSizes() throws Refusal {
        int slabSize = 0;
        String first = "";
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found == null) {
                continue;
            }
            if (slabSize == 0) {
                slabSize = found.slabSize();
                first = greeting.address();
            } else if (slabSize != found.slabSize()) {
                throw refuse("donor " + greeting.address() + " lends in slabs of " + Words.size(found.slabSize())
                        + ", donor " + first + " in slabs of " + Words.size(slabSize)
                        + "; start all donors with the same --slab-size");
            }
        }
    }

    private void checkLinks() throws Refusal {
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null && found.freeLinks() < options.loops()) {
                throw refuse("donor " + greeting.address() + " accepts " + found.freeLinks()
                        + " more links, and this server needs " + options.loops()
                        + "; use fewer --threads, or another donor");
            }
        }
    }

    /** Nobody who answers is pushed aside, and no machine takes another's pages, without a word. */
    private void checkOwners() throws Refusal {
        if (options.takeOver()) {
            return;
        }
        Recorded known = file;
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found == null || !found.hasContent()) {
                continue;
            }
            Owner owner = found.owner();
            if (found.ownerAnswers()) {
                throw refuse(export() + " is being served by " + owner.text() + " since "
                        + Words.ago(owner.claimedMillisAgo()) + ", with " + held(found) + " at donor "
                        + greeting.address() + "; stop that server, choose another --export, or push it aside with"
                        + " --take-over");
            }
            boolean ours = known != null && known.isOwner(owner.instance());
            if (!ours && !owner.host().equals(options.host())) {
                throw refuse(export() + " belongs to another machine: " + owner.text() + " claimed it "
                        + Words.ago(owner.claimedMillisAgo()) + " ago and has " + held(found) + " at donor "
                        + greeting.address() + "; choose another --export, or take its pages with --take-over");
            }
        }
    }

    private Verdict blank() throws Refusal {
        long room = 0;
        for (Found found : answered.values()) {
            room += (long) (found.freeSlabs() + found.heldSlabs()) * found.slabSize();
        }
        if (room < options.size()) {
            throw refuse("--size " + Words.size(options.size()) + " is more than the donors can hold now, "
                    + Words.size(room) + "; ask for less or add donors");
        }
        gone.clear();
        waiting.clear();
        note = Note.NONE;
        return granted(null, Source.BLANK);
    }

    /** Whether a server that this file does not know has claimed these contents after the one that wrote it. */
    private boolean claimedSince(Recorded known) {
        for (Found found : answered.values()) {
            if (known.isOwner(found.owner().instance())) {
                continue;
            }
            DonorRow row = known.donor(found.incarnation());
            if (row != null) {
                // Of a lease that has ended the epoch is left.
                boolean asExpected = row.epoch() == found.epoch()
                        && (!found.hasContent()
                                || row.instance().equals(found.owner().instance()));
                if (!asExpected) {
                    return true;
                }
            } else if (found.content().equals(known.content()) && found.owner().term() >= known.term()) {
                return true;
            }
        }
        return false;
    }

    private Verdict fromFile(Recorded known) throws Refusal {
        checkSize(known.size(), known.slabShift());
        note = newestNote(known.content());
        complete = known.complete() && confirmed(known);
        Set<UUID> holding = holders(known);
        for (DonorRow row : known.donors()) {
            // Where nothing is held, every donor has to take part: a start with others only would be unknown to these.
            boolean holds = !complete || holding.isEmpty() || holding.contains(row.incarnation());
            place(row.incarnation(), row.address(), known.content(), holds, known.complete());
        }
        if (known.complete() && !complete && !waiting.isEmpty()) {
            throw new Refusal(new Refused(
                    "no donor that answers can tell whether another server has taken " + export()
                            + " since this machine's state file was written; start donor "
                            + String.join(", ", silent()),
                    silent()));
        }
        if (!confirmed(known)) {
            if (holding.isEmpty()) {
                requireAll("it is not known whether they hold pages of " + export());
                return blank();
            }
            throw new Refusal(new Refused(
                    "no donor that answers holds the pages of " + export()
                            + " any more: they have restarted, or the lease has ended; start blank with --fresh",
                    silent()));
        }
        if (!complete) {
            for (Note.Member member : note.members()) {
                place(member.incarnation(), member.address(), known.content(), true, false);
            }
            unheldLost = !gone.isEmpty() || note.allLost();
        }
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null
                    && found.content().equals(known.content())
                    && known.donor(found.incarnation()) == null
                    && !holding.contains(found.incarnation())
                    && (complete || !note.names(found.incarnation()))) {
                abandoned.add(greeting.donor());
            }
        }
        return granted(known.content(), Source.FILE);
    }

    /**
     * Whether any donor says that the file's server was the last to claim. A server that takes over has to claim at every donor that holds
     * pages, so one is enough; without any the file may be old, whatever its checksums say. Of a lease that has ended the epoch is left, and
     * says as much. Whoever claimed since was found before: {@link #claimedSince}.
     */
    private boolean confirmed(Recorded known) {
        for (Found found : answered.values()) {
            DonorRow row = known.donor(found.incarnation());
            boolean ours = found.content().equals(known.content())
                    && (known.isOwner(found.owner().instance()) || row != null);
            boolean ended = !found.hasContent() && row != null && row.epoch() == found.epoch();
            if (ours || ended) {
                return true;
            }
        }
        return false;
    }

    private Verdict fromLists(UUID content) throws Refusal {
        note = newestNote(content);
        if (note.version() != 0) {
            checkSize(note.size(), note.slabShift());
        }
        for (Note.Member member : note.members()) {
            place(member.incarnation(), member.address(), content, true, false);
        }
        unheldLost = !gone.isEmpty() || note.allLost() || note.version() == 0;
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null
                    && note.version() != 0
                    && found.content().equals(content)
                    && !note.names(found.incarnation())) {
                abandoned.add(greeting.donor());
            }
        }
        return granted(content, Source.LISTS);
    }

    /**
     * Finds out what became of a donor process that may hold slabs of these contents.
     *
     * @param holds whether it is known or feared to hold some
     * @param mayWait whether the server can do without its answer
     */
    private void place(UUID incarnation, String address, UUID content, boolean holds, boolean mayWait) throws Refusal {
        Found found = answered.get(incarnation);
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
        if (there != null && there.found() != null) {
            // Another process is where it was: it has ended.
            lose(incarnation, holds);
        } else if (there != null && mayWait) {
            waiting.put(incarnation, there.donor());
        } else if (holds && !options.loseMissing()) {
            throw there == null
                    ? refuse("donor " + address + " may hold pages of " + export()
                            + " and is not named; add it to --donors, or give its pages up with --lose-missing")
                    : new Refusal(new Refused(
                            "donor " + address + " may hold pages of " + export()
                                    + " and does not answer; start it, or give its pages up with --lose-missing",
                            List.of(address)));
        } else if (holds) {
            lose(incarnation, true);
        }
    }

    private void lose(UUID incarnation, boolean holds) {
        if (holds) {
            gone.add(incarnation);
        }
    }

    private Note newestNote(UUID content) {
        Note newest = Note.NONE;
        for (Found found : answered.values()) {
            if (found.content().equals(content) && found.note().version() > newest.version()) {
                newest = found.note();
            }
        }
        return newest;
    }

    private void checkSize(long size, int slabShift) throws Refusal {
        int slabSize = answered.values().iterator().next().slabSize();
        if (size != options.size() || 1 << slabShift != slabSize) {
            throw refuse(export() + " was begun with --size " + Words.size(size) + " in slabs of "
                    + Words.size(1L << slabShift) + ", and now it is --size " + Words.size(options.size())
                    + " in slabs of " + Words.size(slabSize) + "; give the same, or --fresh to start blank");
        }
    }

    private static Set<UUID> holders(Recorded known) {
        Set<UUID> holding = new HashSet<>();
        for (int slab = 0; slab < known.slabs().count(); slab++) {
            UUID at = known.slabs().incarnation(slab);
            if (at != null) {
                holding.add(at);
            }
        }
        return holding;
    }

    private Granted granted(@Nullable UUID content, Source source) {
        List<ClaimOrder> claims = new ArrayList<>();
        long term = file == null ? 0 : file.term();
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found == null) {
                continue;
            }
            int donor = greeting.donor();
            term = Math.max(term, found.owner().term());
            boolean blank = !found.content().equals(content) || abandoned.contains(donor);
            claims.add(new ClaimOrder(donor, found.incarnation(), found.epoch(), found.content(), blank));
        }
        claims.sort(Comparator.comparing(ClaimOrder::incarnation));
        return new Granted(
                content,
                source,
                complete,
                term + 1,
                List.copyOf(claims),
                Set.copyOf(gone),
                Map.copyOf(waiting),
                Set.copyOf(abandoned),
                unheldLost,
                note,
                List.copyOf(warnings));
    }

    /** Refuses a start for which every donor has to be heard. */
    private void requireAll(String why) throws Refusal {
        List<String> silent = silent();
        if (!silent.isEmpty()) {
            throw new Refusal(new Refused(
                    "donor " + String.join(", ", silent) + " does not answer, and " + why
                            + "; start it, or leave it out of --donors",
                    silent));
        }
    }

    private List<String> silent() {
        return greetings.stream()
                .filter(greeting -> greeting.found() == null)
                .map(Greeting::address)
                .toList();
    }

    private String describeContents() {
        List<String> all = new ArrayList<>();
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null && found.hasContent()) {
                all.add(held(found) + " at " + greeting.address() + " of "
                        + found.owner().text() + ", claimed "
                        + Words.ago(found.owner().claimedMillisAgo()) + " ago");
            }
        }
        return String.join("; ", all);
    }

    private static String held(Found found) {
        int slabs = found.heldSlabs();
        if (slabs == 0) {
            return "no slabs";
        }
        return slabs + (slabs == 1 ? " slab (" : " slabs (") + Words.size((long) slabs * found.slabSize()) + ")";
    }

    private String export() {
        return "export " + Words.printable(options.export());
    }

    private static Refusal refuse(String sentence) {
        return new Refusal(new Refused(sentence, List.of()));
    }

    /** Carries a refusal out of the middle of the check. */
    private static final class Refusal extends Exception {

        @Serial
        private static final long serialVersionUID = 1L;

        private final transient Refused refused;

        Refusal(Refused refused) {
            super(refused.sentence(), null, false, false);
            this.refused = refused;
        }
    }
}
