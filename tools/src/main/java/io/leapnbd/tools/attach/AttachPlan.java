package io.leapnbd.tools.attach;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.client.FirstPage;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.linux.SwapOwner;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;

/**
 * What {@code attach} does about an export: set a device up, adopt the one that is there, or nothing. A pure function of what was
 * found on this machine and in the export's first page, so that every case can be tested.
 *
 * <p>Two swap areas on one export destroy each other's pages. So an export that a device of this machine is connected to gets
 * no second device, and a swap area that may be in use is not overwritten.
 */
sealed interface AttachPlan {
    /** Nothing of the export is attached here, and nothing in its first page is in the way. */
    record SetUp() implements AttachPlan {}

    /**
     * This device is connected to the export, and nobody keeps it connected any more.
     *
     * @param startSwapping whether its swap area is there, and not in use yet
     */
    record Adopt(Attached attached, boolean startSwapping) implements AttachPlan {}

    /** Nothing is done; one sentence says why, and what would be right. */
    record Refuse(String why) implements AttachPlan {}

    /** The export's first page. */
    sealed interface Page {
        /** All zeros, or nobody's concern because nothing is to be written there. */
        record Blank() implements Page {}

        /** The header of a swap area. */
        record Header(UUID uuid, Optional<SwapOwner> owner) implements Page {}

        /** Something else. */
        record Data() implements Page {}

        /** The server cannot read it. */
        record Unreadable(String why) implements Page {}
    }

    /**
     * What is asked for.
     *
     * @param export for messages: the export's name, and where it is
     * @param server where it is, as state files have it
     * @param info what the server says of it
     * @param device the one to use; empty for any
     * @param swap whether to swap on it
     * @param adoptOnly whether to do nothing but adopt
     * @param takeOver whether the user says that what the first page has is not needed any more
     */
    record Wish(
            String export,
            Server server,
            ExportInfo info,
            Optional<Path> device,
            boolean swap,
            boolean adoptOnly,
            boolean takeOver) {}

    /**
     * Decides.
     *
     * @param devices all nbd devices of this machine that are set up
     * @param swaps all swap areas in use
     * @param page the export's first page
     */
    static AttachPlan decide(Wish wish, List<Attached> devices, List<SwapArea> swaps, Page page, Machine here) {
        List<Attached> same =
                devices.stream().filter(device -> isOf(wish, device, page)).toList();
        if (same.size() > 1) {
            List<String> names =
                    same.stream().map(device -> device.path().toString()).toList();
            return new Refuse(wish.export + " is attached more than once, as " + String.join(" and ", names)
                    + ": end that with leap-nbd detach first");
        }
        if (same.size() == 1) {
            return decide(wish, same.getFirst(), page);
        }
        if (wish.adoptOnly) {
            return new Refuse(wish.device.map(Path::toString).orElse("no device") + " is not attached to " + wish.export
                    + "; attach it without --adopt");
        }
        Optional<Attached> busy = devices.stream()
                .filter(device -> wish.device.filter(device.path()::equals).isPresent())
                .findFirst();
        if (busy.isPresent()) {
            return new Refuse(
                    busy.get().path() + " is in use, connected to " + busy.get().uri()
                            + ": choose another device, or end that with leap-nbd detach "
                            + busy.get().path());
        }
        return wish.swap ? forSwap(wish, devices, swaps, page, here) : new SetUp();
    }

    private static boolean isOf(Wish wish, Attached device, Page page) {
        if (device.known().isEmpty()) {
            return false;
        }
        DeviceIdentity known = device.known().get();
        return wish.info.content().filter(known.content()::equals).isPresent()
                || wish.server.isAt(known.uri())
                || (page instanceof Page.Header header
                        && known.swap().filter(header.uuid::equals).isPresent());
    }

    private static AttachPlan decide(Wish wish, Attached device, Page page) {
        Path path = device.path();
        String attached = wish.export + " is attached as " + path + " already";
        if (device.resident().isPresent()) {
            return new Refuse(attached + ", and process " + device.resident().get() + " keeps it connected");
        }
        if (wish.device.filter(wanted -> !wanted.equals(path)).isPresent()) {
            return new Refuse(attached + ": leave out --device to keep it connected again, or run leap-nbd detach "
                    + path + " first");
        }
        Optional<String> difference = wish.info.differenceFrom(device.export());
        if (difference.isPresent()) {
            return new Refuse(attached + " and cannot be kept connected: " + difference.get() + "; leap-nbd detach "
                    + path + " ends it");
        }
        if (device.swapping() && !wish.swap) {
            return new Refuse(
                    attached + " and in use as swap: leave out --no-swap, or run leap-nbd detach " + path + " first");
        }
        if (device.swapping() || !wish.swap) {
            return new Adopt(device, false);
        }
        if (page instanceof Page.Header header
                && device.swap().filter(header.uuid::equals).isPresent()) {
            return new Adopt(device, true);
        }
        return new Refuse(attached + " and not in use as swap: attach it with --no-swap to keep it connected again, or"
                + " run leap-nbd detach " + path + " first");
    }

    private static AttachPlan forSwap(
            Wish wish, List<Attached> devices, List<SwapArea> swaps, Page page, Machine here) {
        if (page instanceof Page.Blank) {
            return new SetUp();
        }
        long usable = wish.info.size() / FirstPage.SIZE * FirstPage.SIZE - FirstPage.SIZE; // all but the header
        for (SwapArea area : swaps) {
            Optional<Attached> device = devices.stream()
                    .filter(one -> one.path().equals(area.device()))
                    .findFirst();
            boolean unknown = device.isPresent()
                    ? device.get().known().isEmpty()
                    : area.device().toString().matches("/dev/nbd\\d+");
            if (unknown && area.bytes() == usable) {
                return new Refuse("the swap area on " + area.device() + " may be on " + wish.export
                        + ": it is as large, and nothing says what it is; swapoff " + area.device() + " first");
            }
        }
        if (wish.takeOver) {
            return new SetUp();
        }
        String remedy = "; if nothing uses it any more, attach --take-over makes a new swap area of it";
        return switch (page) {
            case Page.Blank blank -> new SetUp();
            case Page.Data data -> new Refuse(wish.export + " holds data that is no swap area" + remedy);
            case Page.Unreadable unreadable ->
                new Refuse("whether somebody swaps on " + wish.export + " cannot be told: " + unreadable.why + remedy);
            case Page.Header header -> {
                if (header.owner.isEmpty()) {
                    yield new Refuse(wish.export + " holds a swap area that attach did not make and that may be in use"
                            + " on another machine" + remedy);
                }
                SwapOwner owner = header.owner.get();
                // From this machine: left by an attach that died and whose device is gone, or by an earlier boot.
                yield owner.machine().equals(here.id())
                        ? new SetUp()
                        : new Refuse(wish.export + " is the swap area of another machine, "
                                + (owner.name().isEmpty() ? owner.machine() : owner.name())
                                + ", which has not detached it" + remedy);
            }
        };
    }
}
