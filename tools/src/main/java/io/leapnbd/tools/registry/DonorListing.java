package io.leapnbd.tools.registry;

import io.leapnbd.donor.protocol.PrintableText;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;

/**
 * The donors that a registry names. Immutable.
 *
 * @param donors each address once
 * @param unfit what could not be read, or is not used, a sentence each; the first of them
 */
public record DonorListing(List<DonorRecord> donors, List<String> unfit) {

    /** Donors that a registry may name; the rest is passed over. A server uses 128 at most. */
    static final int MOST = 1024;

    private static final int MOST_SENTENCES = 8;

    /** Copies. */
    public DonorListing {
        donors = List.copyOf(donors);
        unfit = List.copyOf(unfit);
    }

    /** Of values by key. Of two with one address the first counts, by the order of their keys. */
    static DonorListing of(Map<String, String> values) {
        List<DonorRecord> donors = new ArrayList<>();
        List<String> unfit = new ArrayList<>();
        Set<String> places = new HashSet<>();
        for (Map.Entry<String, String> one : new TreeMap<>(values).entrySet()) {
            String what = null;
            try {
                DonorRecord read = DonorRecord.parse(one.getValue());
                if (!places.add(read.address().toString())) {
                    what = "another one has its address too";
                } else if (donors.size() == MOST) {
                    what = "there are more than " + MOST;
                } else {
                    donors.add(read);
                }
            } catch (IllegalArgumentException e) {
                what = String.valueOf(e.getMessage());
            }
            if (what != null && unfit.size() < MOST_SENTENCES) {
                unfit.add("registered as " + PrintableText.of(one.getKey()) + ": " + PrintableText.of(what));
            }
        }
        return new DonorListing(donors, unfit);
    }
}
