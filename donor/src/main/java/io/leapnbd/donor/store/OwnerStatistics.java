package io.leapnbd.donor.store;

/**
 * What one owner has at a donor.
 *
 * @param name what the donor knows it by; it may hold anything, so it has to be escaped before people see it
 * @param exports that it has claimed last
 * @param slabs that they hold
 * @param limit slabs that they may hold; -1 for as many as there are. More are held only if an export with slabs came from another owner
 */
public record OwnerStatistics(String name, int exports, int slabs, int limit) {

    /** Whether it is limited. */
    public boolean limited() {
        return limit >= 0;
    }
}
