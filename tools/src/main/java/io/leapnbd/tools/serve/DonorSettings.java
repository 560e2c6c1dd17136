package io.leapnbd.tools.serve;

import io.leapnbd.bypass.DeviceDonors;
import io.leapnbd.bypass.DonorChange;
import io.leapnbd.bypass.RemoteDevice;
import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorAddress;
import io.leapnbd.tools.cli.Json;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.pool.LinkSecurity;
import io.leapnbd.tools.registry.DonorSource;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Collectors;
import picocli.CommandLine.TypeConversionException;

/**
 * The donors of a running server as a setting: {@code donors=LIST} names all that there are to be, {@code donors+=LIST} and {@code donors-=LIST} those that come or go.
 * One thread at a time.
 */
final class DonorSettings {

    /** All donors. */
    static final String ALL = "donors";

    /** Donors that are added. */
    static final String MORE = "donors+";

    /** Donors that are removed. */
    static final String LESS = "donors-";

    /** Whether donors that are removed and do not answer are given up. */
    static final String LOSE_MISSING = "lose-missing";

    /** For a message. */
    static final String NAMES = String.join(", ", ALL, MORE, LESS, LOSE_MISSING);

    /** A donor that is added is claimed in less, unless another one is slow to learn of it. */
    private static final long JOIN_NANOS = TimeUnit.SECONDS.toNanos(3);

    private final RemoteDevice device;
    private final boolean onlyThisMachine;
    private final DeviceDonors donors;
    private final LinkSecurity security;

    /**
     * Of a device.
     *
     * @param security whom it talks to
     * @param onlyThisMachine whether donors on other machines are refused, since pages would go there as they are
     */
    DonorSettings(RemoteDevice device, LinkSecurity security, boolean onlyThisMachine) {
        this.device = device;
        this.security = security;
        this.onlyThisMachine = onlyThisMachine;
        donors = device.donorSet();
    }

    /** Takes what is about donors out of some changes. */
    static Map<String, String> takeFrom(Map<String, String> changes) {
        Map<String, String> taken = new LinkedHashMap<>();
        for (String name : List.of(ALL, MORE, LESS, LOSE_MISSING)) {
            String value = changes.remove(name);
            if (value != null) {
                taken.put(name, value);
            }
        }
        return taken;
    }

    /**
     * Changes the donors, and waits a little for those that are added.
     *
     * @param changes by name, as {@link #takeFrom} has them
     * @throws IllegalArgumentException if anything is wrong; then nothing is changed
     */
    void set(Map<String, String> changes) {
        if (changes.isEmpty()) {
            return;
        }
        boolean loseMissing = loseMissing(changes);
        String all = changes.get(ALL);
        String more = changes.get(MORE);
        String less = changes.get(LESS);
        if (all == null && more == null && less == null) {
            throw new IllegalArgumentException(
                    LOSE_MISSING + " says what becomes of donors that are removed; name them with donors-= or donors=");
        }
        if (all != null && (more != null || less != null)) {
            throw new IllegalArgumentException(
                    "donors= names all donors, and donors+= or donors-= some; give the one or the other");
        }
        List<DonorAddress> wanted = all != null ? parse(ALL, all) : some(more, less);
        for (DonorAddress one : wanted) {
            if (onlyThisMachine && !one.onThisMachine()) {
                throw new IllegalArgumentException(
                        "donor " + one + " is on another machine, and pages are not encrypted,"
                                + " as all donors were on this one; start the export anew with --encrypt on and --fresh, or with --encrypt"
                                + " off if its pages may be read there");
            }
        }
        DonorChange change = donors.check(wanted, loseMissing);
        donors.make(change);
        awaitJoined(change);
    }

    private static boolean loseMissing(Map<String, String> changes) {
        return switch (changes.getOrDefault(LOSE_MISSING, "no")) {
            case "yes" -> true;
            case "no" -> false;
            default -> throw new IllegalArgumentException(LOSE_MISSING + " is yes or no");
        };
    }

    private List<DonorAddress> some(
            @org.jspecify.annotations.Nullable String more, @org.jspecify.annotations.Nullable String less) {
        List<DonorAddress> wanted = new ArrayList<>();
        for (Donor donor : donors.present()) {
            DonorAddress address = donors.addressOf(donor);
            if (address != null && (donor.use() == Donor.Use.USED || donor.use() == Donor.Use.JOINING)) {
                wanted.add(address);
            }
        }
        if (less != null) {
            for (DonorAddress one : parse(LESS, less)) {
                boolean leaves = donors.present().stream()
                        .map(donors::addressOf)
                        .anyMatch(known -> known != null && isSamePlace(known, one));
                if (!leaves) {
                    throw new IllegalArgumentException("no donor is called '" + one + "'; there are: "
                            + donors.present().stream().map(Donor::name).collect(Collectors.joining(", ")));
                }
                wanted.removeIf(known -> isSamePlace(known, one));
            }
        }
        if (more != null) {
            for (DonorAddress one : parse(MORE, more)) {
                if (wanted.stream().anyMatch(known -> isSamePlace(known, one))) {
                    throw new IllegalArgumentException("donor " + one + " is one of this server's already");
                }
                wanted.add(one);
            }
        }
        return wanted;
    }

    private static boolean isSamePlace(DonorAddress one, DonorAddress other) {
        return one.port() == other.port() && one.host().equals(other.host());
    }

    private List<DonorAddress> parse(String name, String list) {
        if (DonorSource.isRegistry(list)) {
            throw new IllegalArgumentException(
                    name + "= names donors while a server runs; a registry is named when it is started, with --donors");
        }
        try {
            List<io.leapnbd.tools.cli.DonorAddress> all = io.leapnbd.tools.cli.DonorAddress.parseList(list);
            io.leapnbd.tools.cli.DonorAddress.requireTransports(all);
            String objection = name.equals(LESS) ? null : security.objection(all);
            if (objection != null) {
                throw new IllegalArgumentException(name + "= " + objection + " when the server is started");
            }
            return all.stream().map(DonorSettings::address).toList();
        } catch (TypeConversionException e) {
            throw new IllegalArgumentException(name + "= " + e.getMessage(), e);
        }
    }

    /** Of a donor as the command line has it. */
    static DonorAddress address(io.leapnbd.tools.cli.DonorAddress donor) {
        return new DonorAddress(
                donor.transport(), donor.address().host(), donor.address().port(), donor.zone());
    }

    private static void awaitJoined(DonorChange change) {
        long begin = System.nanoTime();
        while (change.added().stream().anyMatch(one -> one.connector().donor().use() == Donor.Use.JOINING)
                && System.nanoTime() - begin < JOIN_NANOS) {
            try {
                Thread.sleep(10);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                return;
            }
        }
    }

    /** As a file of settings names them: also those that leave, as a server that starts has to ask whoever may hold pages. */
    String names() {
        return names(Set.of(Donor.Use.USED, Donor.Use.JOINING, Donor.Use.LEAVING, Donor.Use.DISOWNED));
    }

    /** Those of them that leave. */
    String leaving() {
        return names(Set.of(Donor.Use.LEAVING, Donor.Use.DISOWNED));
    }

    private String names(Set<Donor.Use> uses) {
        List<String> names = new ArrayList<>();
        for (Donor donor : donors.present()) {
            DonorAddress address = donors.addressOf(donor);
            if (address != null && uses.contains(donor.use())) {
                names.add(name(donor, address));
            }
        }
        return String.join(",", names);
    }

    private static String name(Donor donor, DonorAddress address) {
        return address.zone().isEmpty() ? donor.name() : donor.name() + "?zone=" + address.zone();
    }

    /** As {@code set} takes them, and what is on its way. */
    String text() {
        List<String> names = new ArrayList<>();
        StringBuilder open = new StringBuilder();
        for (Donor donor : donors.present()) {
            DonorAddress address = donors.addressOf(donor);
            if (address == null) {
                continue;
            }
            String name = name(donor, address);
            switch (donor.use()) {
                case USED -> names.add(name);
                case JOINING -> {
                    names.add(name);
                    String why = donor.whyUnused();
                    open.append("\ndonor ")
                            .append(donor)
                            .append(" joins: it gets slabs when all others know of it")
                            .append(why == null ? unknown() : "; now it " + why);
                }
                case LEAVING ->
                    open.append("\ndonor ")
                            .append(donor)
                            .append(" leaves when the ")
                            .append(Size.approximate(
                                    (long) donors.copiesAt(donor) * device.map().slabSize()))
                            .append(" that it holds are elsewhere");
                case DISOWNED ->
                    open.append("\ndonor ")
                            .append(donor)
                            .append(" leaves when all others know of it")
                            .append(unknown());
                case GONE -> {
                    // It is none of them.
                }
            }
        }
        // A donor in this process cannot be changed.
        return names.isEmpty() && open.isEmpty() ? "" : " " + ALL + "=" + String.join(",", names) + open;
    }

    private String unknown() {
        String who = donors.whoDoesNotKnow();
        return who == null ? "" : "; donor " + who + " does not yet";
    }

    /** Puts them into an open JSON object. */
    void putInto(Json json) {
        json.array("donors");
        for (Donor donor : donors.present()) {
            json.object()
                    .put("name", donor.name())
                    .put("use", use(donor))
                    .put("slabs_held", donors.copiesAt(donor))
                    .endObject();
        }
        json.endArray();
    }

    /** What a donor is to the server, in a word. */
    static String use(Donor donor) {
        return switch (donor.use()) {
            case JOINING -> "joining";
            case USED -> "used";
            case LEAVING, DISOWNED -> "leaving";
            case GONE -> "gone";
        };
    }
}
