package io.leapnbd.bypass.takeover;

import java.util.List;

/**
 * How many copies of a slab are wanted, each on a machine of its own.
 *
 * @param number 1 or more
 * @param ifRoom whether fewer will do where donors have no room for that many
 * @param machines for each donor a number of the machine that it is on
 */
public record CopiesWish(int number, boolean ifRoom, List<Integer> machines) {

    public CopiesWish {
        machines = List.copyOf(machines);
    }

    /**
     * How many there will be.
     *
     * @param size bytes of the device
     * @param rooms bytes that each donor can hold of it; 0 for one that does not answer
     * @param before how many the server before had; 0 if that is not known. Fewer than these are for an operator to ask for
     */
    public int granted(long size, List<Long> rooms, int before) {
        return ifRoom ? Math.clamp(Math.max(before, fitting(size, rooms)), 1, number) : number;
    }

    /**
     * For how many copies there is room. Of a machine no more counts than the device is large: a second copy there is none.
     *
     * @param size bytes of the device
     * @param rooms bytes that each donor can hold of it
     */
    public int fitting(long size, List<Long> rooms) {
        long[] ofMachine = new long[machines.size()];
        for (int i = 0; i < rooms.size(); i++) {
            ofMachine[machines.get(i)] += rooms.get(i);
        }
        long sum = 0;
        for (long room : ofMachine) {
            sum += Math.min(room, size);
        }
        return (int) (sum / size);
    }
}
