package io.leapnbd.donor.store;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;

/**
 * Whose exports a donor has: there is an account for each owner of one. For use under the lock of {@link ExportTable}.
 *
 * <p>Of exports and of bytes of notes one owner has at most {@link #share}, so that it cannot keep others out. Of slabs it has what
 * {@link OwnerLimits} says.
 */
final class OwnerAccounts {

    /** One in so many is for other owners. */
    private static final int OTHERS = 16;

    private OwnerLimits limits;
    private final int slabSize;
    private final Map<String, OwnerAccount> accounts = new HashMap<>();

    OwnerAccounts(OwnerLimits limits, int slabSize) {
        this.limits = limits;
        this.slabSize = slabSize;
    }

    /** Gives all owners other limits; what they have beyond them stays. */
    void limit(OwnerLimits others) {
        limits = others;
        for (OwnerAccount account : accounts.values()) {
            account.limit = others.slabs(account.name, slabSize);
        }
    }

    /** What one owner may have at most of so many. */
    static int share(int all) {
        return all - all / OTHERS;
    }

    /** An owner's account; a fresh one, which is forgotten, if it has no export. */
    OwnerAccount of(String owner) {
        OwnerAccount known = accounts.get(owner);
        return known != null ? known : new OwnerAccount(owner, limits.slabs(owner, slabSize));
    }

    /** Gives an export, with its slabs and its note, to an owner. */
    void give(Export export, OwnerAccount owner) {
        take(export);
        OwnerAccount present = accounts.putIfAbsent(owner.name, owner);
        OwnerAccount its = present == null ? owner : present;
        its.exports++;
        its.add(export.slabs.size());
        its.noteBytes += export.note.remaining();
        export.account = its;
    }

    /** Says that an export belongs to nobody any more. Does nothing if it does not. */
    void take(Export export) {
        OwnerAccount its = export.account;
        if (its != null) {
            its.exports--;
            its.add(-export.slabs.size());
            its.noteBytes -= export.note.remaining();
            export.account = null;
            if (its.exports == 0) {
                accounts.remove(its.name);
            }
        }
    }

    List<OwnerStatistics> statistics() {
        List<OwnerStatistics> all = new ArrayList<>(accounts.size());
        for (OwnerAccount account : accounts.values()) {
            all.add(new OwnerStatistics(account.name, account.exports, account.slabs(), account.limit));
        }
        return all;
    }
}
