package io.leapnbd.bypass.takeover;

import io.leapnbd.bypass.link.Donor;
import io.leapnbd.bypass.link.DonorConnector;
import io.leapnbd.bypass.link.DonorStanding;
import io.leapnbd.bypass.link.RefusedException;
import io.leapnbd.bypass.map.StateFile.DonorRow;
import io.leapnbd.bypass.takeover.Greeting.Found;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.UUID;
import java.util.function.Predicate;
import org.jspecify.annotations.Nullable;

/**
 * Looks at donors that are to be added to a running server, before anything is changed: what a start would refuse is refused here. What they say later, to
 * the links, is judged as at a start. Blocking; for one thread.
 */
public final class NewcomerCheck {

    private final Terms terms;
    private final List<Found> accepted = new ArrayList<>();
    private final List<String> names = new ArrayList<>();

    /** Of one change. */
    public NewcomerCheck(Terms terms) {
        this.terms = terms;
    }

    /**
     * What a donor has to fit.
     *
     * @param export name of the export
     * @param content of this server
     * @param instance this server
     * @param slabSize bytes of a slab
     * @param loops event loops, each of which needs a link
     * @param givenUp whether an operator gave a donor process up
     * @param donors that the server has, or had
     * @param rows what the state file knows of donor processes
     */
    public record Terms(
            String export,
            UUID content,
            UUID instance,
            int slabSize,
            int loops,
            Predicate<UUID> givenUp,
            List<Donor> donors,
            List<DonorRow> rows) {}

    /**
     * Looks at one.
     *
     * @return what this server is there
     * @throws IllegalArgumentException if it cannot be added, in one sentence
     */
    public DonorStanding check(DonorConnector connector) {
        return check(observe(connector));
    }

    /** Likewise, of what one has answered. */
    DonorStanding check(Greeting greeting) {
        String name = greeting.address();
        Found found = greeting.found();
        if (found == null && greeting.refused()) {
            throw new IllegalArgumentException("donor " + name + " " + greeting.problem());
        }
        if (found == null) {
            throw new IllegalArgumentException(
                    "donor " + name + " does not answer: " + greeting.problem() + "; start it first");
        }
        String same = knownAs(found.incarnation());
        if (same != null) {
            throw new IllegalArgumentException(
                    same + " and " + name + " are one donor under two addresses; name it once");
        }
        if (found.slabSize() != terms.slabSize()) {
            throw new IllegalArgumentException("donor " + name + " lends in slabs of " + Words.size(found.slabSize())
                    + ", and this server's donors in slabs of " + Words.size(terms.slabSize())
                    + "; start it with --slab-size " + Words.size(terms.slabSize()));
        }
        if (found.freeLinks() < terms.loops()) {
            throw new IllegalArgumentException("donor " + name + " accepts " + found.freeLinks()
                    + " more links, and this server needs " + terms.loops() + "; add another donor");
        }
        DonorStanding standing = standing(name, found);
        accepted.add(found);
        names.add(name);
        return standing;
    }

    private Greeting observe(DonorConnector connector) {
        try (Survey survey = new Survey(terms.export(), List.of(connector))) {
            return survey.observe(false).getFirst();
        } catch (RefusedException e) {
            throw new IllegalArgumentException(String.valueOf(e.getMessage()), e);
        } catch (IOException e) {
            return Greeting.none(0, connector.donor().name(), String.valueOf(e.getMessage()));
        }
    }

    private @Nullable String knownAs(UUID process) {
        for (Donor donor : terms.donors()) {
            if (process.equals(donor.incarnation())) {
                return donor.name();
            }
        }
        for (int i = 0; i < accepted.size(); i++) {
            if (accepted.get(i).incarnation().equals(process)) {
                return names.get(i);
            }
        }
        return null;
    }

    /** What it has of the export's name may be this server's only: a link that met anything else would take this server for replaced. */
    private DonorStanding standing(String name, Found found) {
        String export = "export " + Words.printable(terms.export());
        if (!found.hasContent()) {
            return DonorStanding.NONE;
        }
        if (!found.content().equals(terms.content())) {
            throw new IllegalArgumentException("donor " + name + " holds other contents of " + export + ", of "
                    + found.owner().text() + "; wait until its lease has ended, or add another donor");
        }
        if (found.owner().instance().equals(terms.instance())) {
            return DonorStanding.NONE;
        }
        for (DonorRow row : terms.rows()) {
            if (row.incarnation().equals(found.incarnation())
                    && row.epoch() == found.epoch()
                    && row.instance().equals(found.owner().instance())) {
                return new DonorStanding(row.incarnation(), row.epoch(), row.instance());
            }
        }
        throw new IllegalArgumentException(
                terms.givenUp().test(found.incarnation())
                        ? "donor " + name + " was given up; restart it, and it can be added"
                        : "donor " + name + " holds pages of " + export + " for another server ("
                                + found.owner().text() + "); restart it, and it can be added");
    }
}
