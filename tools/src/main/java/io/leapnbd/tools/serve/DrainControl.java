package io.leapnbd.tools.serve;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.tools.cli.DonorAddress;
import io.leapnbd.tools.cli.Size;
import io.leapnbd.tools.http.Answer;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.stream.Collectors;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;
import picocli.CommandLine.TypeConversionException;

/** Says which donors are to be emptied: {@code PUT /drain?donor=10.0.0.2:9400&undo=no}. Any thread but an event loop. */
final class DrainControl {

    private static final Logger log = LoggerFactory.getLogger(DrainControl.class);

    private static final Set<String> NAMES = Set.of("donor", "undo");

    private final ServerStatus status;

    DrainControl(ServerStatus status) {
        this.status = status;
    }

    /**
     * Changes one donor, and says how much it holds.
     *
     * @param query {@code donor}, as {@code status} names it; {@code undo}, yes or no, and no if it is not there
     * @throws IllegalArgumentException if anything is wrong; then nothing is changed
     */
    synchronized Answer drain(Map<String, String> query) {
        query.keySet().stream()
                .filter(name -> !NAMES.contains(name))
                .findFirst()
                .ifPresent(name -> {
                    throw new IllegalArgumentException("nothing is called '" + name + "' here; there are donor, undo");
                });
        boolean undo = switch (query.getOrDefault("undo", "no")) {
            case "yes" -> true;
            case "no" -> false;
            default -> throw new IllegalArgumentException("undo is yes or no");
        };
        List<Donor> donors = status.device().donorSet().present();
        if (status.store() != null) {
            throw new IllegalArgumentException("this server's donor is in its own process, and cannot be drained");
        }
        Donor donor = find(donors, query.getOrDefault("donor", ""));
        String held = Size.approximate((long) status.device().donorSet().copiesAt(donor)
                * status.device().map().slabSize());
        if (donor.use().compareTo(Donor.Use.LEAVING) >= 0) {
            throw new IllegalArgumentException("donor " + donor
                    + " is being removed, which empties it; 'leap-nbd set donors+=" + donor + "' keeps it");
        }
        if (undo) {
            donor.drain(false);
            log.info("donor {} is used again", donor);
            return Answer.line(200, donor + " is used again; it holds " + held);
        }
        if (donors.stream().allMatch(other -> other == donor || !other.takesSlabs())) {
            throw new IllegalArgumentException("no other donor is left that " + donor
                    + " could be drained to; add one, or undo the drain of another");
        }
        donor.drain(true);
        log.info(
                "donor {} is drained: the {} that it holds go to others, and nothing new is placed there", donor, held);
        return Answer.line(
                200,
                "the " + held + " that " + donor
                        + " holds go to other donors, and nothing new is placed there. 'leap-nbd status' shows what is left."
                        + " That is so until this server ends, or until 'leap-nbd drain --undo " + donor + "'");
    }

    /** Host and port of a donor as {@code --donors} may name it; the text itself if it names none. */
    private static String place(String name) {
        try {
            List<DonorAddress> named = DonorAddress.parseList(name);
            return named.size() == 1 ? named.getFirst().address().toString() : name;
        } catch (TypeConversionException e) {
            return name;
        }
    }

    private static Donor find(List<Donor> donors, String name) {
        for (Donor donor : donors) {
            if (place(donor.name()).equals(place(name))) {
                return donor;
            }
        }
        throw new IllegalArgumentException("no donor is called '" + name + "'; there are: "
                + donors.stream().map(Donor::name).collect(Collectors.joining(", ")));
    }
}
