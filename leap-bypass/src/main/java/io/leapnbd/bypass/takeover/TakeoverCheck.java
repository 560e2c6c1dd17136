package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.map.SlabRow;
import io.leapnbd.bypass.spill.SpillSettings;
import io.leapnbd.bypass.takeover.Greeting.Found;
import io.leapnbd.bypass.takeover.Greeting.Owner;
import io.leapnbd.bypass.takeover.Recorded.DonorRow;
import io.leapnbd.bypass.takeover.Verdict.ClaimOrder;
import io.leapnbd.bypass.takeover.Verdict.Granted;
import io.leapnbd.bypass.takeover.Verdict.Refused;
import io.leapnbd.bypass.takeover.Verdict.Source;
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

    /** How far a start goes ahead of the terms that it has seen, if it gives up donors that may have seen later ones. */
    static final long UNSEEN_TERMS = 1024;

    private final @Nullable Recorded file;
    private final List<Greeting> greetings;
    private final TakeoverOptions options;
    private final Map<UUID, Found> answered = new LinkedHashMap<>();
    private final Map<UUID, Integer> place = new HashMap<>();
    private final CipherCheck ciphers;
    private final Set<Integer> abandoned = new LinkedHashSet<>();
    private final Set<Integer> unused = new LinkedHashSet<>();
    private final List<String> warnings = new ArrayList<>();
    private boolean unheldLost;
    private boolean complete;
    private MemberSurvey members;

    private TakeoverCheck(@Nullable Recorded file, List<Greeting> greetings, TakeoverOptions options) {
        this.file = file;
        this.greetings = greetings;
        this.options = options;
        members = new MemberSurvey(file, greetings, options, Note.NONE);
        ciphers = new CipherCheck(answered.values(), options);
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
            return refusal.refused();
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
        if (file == null && contents.size() > 1) {
            // A start after a boot may have been cut short, when it had begun blank at some donors.
            contents.removeIf(found -> ciphers.isUnreadable(found, newestNote(found)));
        }
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
        ciphers.check(newestNote(content));
        if (known == null && ciphers.isUnreadable(content, newestNote(content))) {
            warnings.add("the pages of " + export() + " were encrypted, and the key went when this machine ended; "
                    + export() + " begins blank");
            requireAll("it is not known whether they hold pages of " + export());
            return blank();
        }
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
                warnings.add("donor " + greeting.address()
                        + (greeting.refused() ? " cannot be used: it " : " does not answer: ") + greeting.problem());
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
        unused.clear();
        members = new MemberSurvey(file, greetings, options, Note.NONE);
        return granted(null, Source.BLANK);
    }

    /** Whether a server that this file does not know has claimed these contents after the one that wrote it. */
    private boolean claimedSince(Recorded known) {
        Note newest = newestNote(known.content());
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
            } else if (found.content().equals(known.content()) && !isGivenUp(newest, found)) {
                return true;
            }
        }
        return false;
    }

    private Verdict fromFile(Recorded known) throws Refusal {
        checkSize(known.size(), known.slabShift());
        ciphers.check(known.cipher());
        Note note = newestNote(known.content());
        members = new MemberSurvey(file, greetings, options, note);
        // A file of another boot may be a copy that somebody brought back. If a server came after it, a donor shows
        // that.
        boolean newest = known.complete() && (known.thisBoot() || asWritten(known));
        complete = newest && confirmed(known);
        Set<UUID> holding = holders(known);
        if (!complete && !(newest && !confirmed(known))) {
            ciphers.refuseUnreadable(known.content(), !holding.isEmpty());
        }
        for (DonorRow row : known.donors()) {
            boolean holds = !complete || holding.contains(row.incarnation());
            if (!holds && note.givenUp().contains(row.incarnation())) {
                // It was drained, and everybody knows.
                continue;
            }
            members.find(row.incarnation(), row.address(), known.content(), holds, newest);
        }
        if (newest && !complete && !members.waiting().isEmpty()) {
            throw new Refusal(new Refused(
                    "no donor that answers can tell whether another server has taken " + export()
                            + " since this machine's state file was written; start donor "
                            + String.join(", ", silent()),
                    silent()));
        }
        if (!confirmed(known)) {
            if (newest && holding.isEmpty() && !anyLost(known)) {
                requireAll("it is not known whether they hold pages of " + export());
                return blank();
            }
            throw new Refusal(new Refused(
                    "no donor that answers holds the pages of " + export()
                            + " any more: they have restarted, or the lease has ended; start blank with --fresh",
                    silent()));
        }
        if (complete) {
            // The file knows what is held: this is about who has to be heard before others are added.
            members.findAll(known.content(), false, true);
            members.refuseTwoAtOneAddress();
            if (!members.givenUp().isEmpty() && !members.waiting().isEmpty()) {
                throw new Refusal(new Refused(
                        "donor " + String.join(", ", silent())
                                + " does not answer, and would not learn that others are given"
                                + " up; start it, or leave it out of --donors as well",
                        silent()));
            }
            holdBack(known);
        } else {
            members.findAll(known.content(), true, false);
            unheldLost = !members.gone().isEmpty() || note.allLost();
        }
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null
                    && found.content().equals(known.content())
                    && known.donor(found.incarnation()) == null
                    && !holding.contains(found.incarnation())
                    && (complete || !note.names(found.incarnation()))) {
                if (isGivenUp(note, found)) {
                    leaveOut(greeting);
                } else {
                    abandoned.add(greeting.donor());
                }
            }
        }
        return granted(known.content(), Source.FILE);
    }

    /** Whether every donor of the file answers, and each with the very claim that the file expects. Nobody has come after it then. */
    private boolean asWritten(Recorded known) {
        for (DonorRow row : known.donors()) {
            Found found = answered.get(row.incarnation());
            if (found == null
                    || !found.content().equals(known.content())
                    || found.epoch() != row.epoch()
                    || !found.owner().instance().equals(row.instance())) {
                return false;
            }
        }
        return true;
    }

    /**
     * While a donor is not heard nobody may join who it does not know of: a later server that hears only that donor would not look for them.
     */
    private void holdBack(Recorded known) throws Refusal {
        List<String> left = members.leftOut();
        if (left.isEmpty() && members.allHeard()) {
            return;
        }
        for (Greeting greeting : greetings) {
            String address = greeting.address();
            if (members.note().namesAddress(address)
                    || known.donors().stream().anyMatch(row -> row.address().equals(address))) {
                continue;
            }
            if (!left.isEmpty()) {
                throw refuse("donor " + String.join(", ", left) + " belongs to " + export()
                        + " and would not learn of donor " + address
                        + ", which is new; name it as well, or give it up with --lose-missing");
            }
            Found found = greeting.found();
            if (found != null && known.donor(found.incarnation()) != null) {
                throw new Refusal(new Refused(
                        "donor " + address + " has another address than before, and donor "
                                + String.join(", ", silent())
                                + " does not answer and would not learn of it; start that one",
                        silent()));
            }
            unused.add(greeting.donor());
            warnings.add("donor " + address + " is new, and is not used until donor " + String.join(", ", silent())
                    + " answers and knows of it");
        }
    }

    /**
     * Whether any donor says that the file's server was the last to claim. A server that comes after it has to claim every donor of these
     * contents that has not ended, so one is enough; without any the file may be old, whatever its checksums say. Of a lease that has ended the
     * epoch is left, and says as much. Whoever claimed since was found before: {@link #claimedSince}.
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
        Note note = newestNote(content);
        members = new MemberSurvey(file, greetings, options, note);
        if (note.version() != 0) {
            checkSize(note.size(), note.slabShift());
        }
        ciphers.refuseUnreadable(content, false);
        members.findAll(content, true, false);
        unheldLost = !members.gone().isEmpty() || note.allLost() || note.version() == 0;
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found != null
                    && note.version() != 0
                    && found.content().equals(content)
                    && !note.names(found.incarnation())) {
                if (!isGivenUp(note, found) && !options.loseMissing()) {
                    throw refuse("donor " + greeting.address() + " holds " + held(found) + " of " + export()
                            + " that no other donor knows of; leave it out of --donors, or give its pages up with"
                            + " --lose-missing");
                }
                members.givenUp().add(found.incarnation());
                leaveOut(greeting);
            }
        }
        return granted(content, Source.LISTS);
    }

    /** A donor that was given up is not used again before its lease has ended: until then it is not known who believes it. */
    private void leaveOut(Greeting greeting) {
        unused.add(greeting.donor());
        warnings.add("donor " + greeting.address()
                + " was given up with --lose-missing, or removed, or drained, and is not used before its lease has ended; "
                + (SpillSettings.isName(greeting.address()) ? "remove its file" : "restart it") + ", and it is");
    }

    /** Whether a donor was given up: by its identity, or as what a server before had claimed at an address that was given up. */
    private boolean isGivenUp(Note newest, Found found) {
        Integer donor = place.get(found.incarnation());
        return newest.givenUp().contains(found.incarnation())
                || (donor != null
                        && newest.givenUpAddresses()
                                .contains(greetings.get(donor).address())
                        && !newest.names(found.incarnation())
                        && found.owner().term() < newest.term());
    }

    private Note newestNote(UUID content) {
        return answered.values().stream()
                .filter(found -> found.content().equals(content))
                .map(Found::note)
                .max(Comparator.comparingLong(Note::version))
                .orElse(Note.NONE);
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
            SlabRow row = known.slabs().row(slab);
            if (row != null) {
                row.copies().forEach(copy -> holding.add(copy.incarnation()));
            }
        }
        return holding;
    }

    /** Blank pages in the place of lost ones are for an operator to ask for. */
    private static boolean anyLost(Recorded known) {
        for (int slab = 0; slab < known.slabs().count(); slab++) {
            if (known.slabs().anyLost(slab)) {
                return true;
            }
        }
        return false;
    }

    private Granted granted(@Nullable UUID content, Source source) {
        List<ClaimOrder> ofContents = new ArrayList<>();
        List<ClaimOrder> others = new ArrayList<>();
        long term = file == null ? 0 : file.term();
        for (Greeting greeting : greetings) {
            Found found = greeting.found();
            if (found == null) {
                continue;
            }
            int donor = greeting.donor();
            term = Math.max(term, found.owner().term());
            if (unused.contains(donor)) {
                continue;
            }
            boolean blank = !found.content().equals(content) || abandoned.contains(donor);
            (blank ? others : ofContents)
                    .add(new ClaimOrder(donor, found.incarnation(), found.epoch(), found.content(), blank));
        }
        ofContents.sort(Comparator.comparing(ClaimOrder::incarnation));
        others.sort(Comparator.comparing(ClaimOrder::incarnation));
        return new Granted(
                content,
                source,
                complete,
                term + (members.givesNothingUp() ? 1 : UNSEEN_TERMS),
                List.copyOf(ofContents),
                List.copyOf(others),
                Set.copyOf(members.gone()),
                Map.copyOf(members.waiting()),
                Map.copyOf(members.unnamed()),
                Set.copyOf(members.unclaimed()),
                Set.copyOf(members.givenUp()),
                Set.copyOf(abandoned),
                unheldLost,
                members.note(),
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
}
