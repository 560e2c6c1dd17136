package io.leapnbd.tools.attach;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.tools.client.ExportInfo;
import io.leapnbd.tools.client.Server;
import io.leapnbd.tools.linux.Machine;
import io.leapnbd.tools.linux.SwapArea;
import io.leapnbd.tools.linux.SwapOwner;
import java.nio.file.Path;
import java.util.List;
import java.util.Optional;
import java.util.UUID;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** E1: one export has one swap area, whatever was killed and however often attach is started. */
class AttachPlanTest {
    private static final String URI = "nbd+unix:///?socket=/run/a.sock";
    private static final long SIZE = 1 << 30;
    private static final int FLAGS = 0x12d;
    private static final UUID SWAP = new UUID(7, 7);
    private static final Machine HERE = new Machine(new UUID(1, 1), new UUID(2, 2), "here");
    private static final AttachPlan.Page BLANK = new AttachPlan.Page.Blank();

    private static AttachPlan.Page header(UUID uuid, UUID machine, UUID boot) {
        return new AttachPlan.Page.Header(uuid, Optional.of(new SwapOwner(machine, boot, "far-away")));
    }

    private static final AttachPlan.Page OURS = header(SWAP, HERE.id(), HERE.boot());

    private static Attached attached(int index, String content, Optional<Long> resident, boolean swapping) {
        DeviceIdentity identity = new DeviceIdentity(content, Optional.of(SWAP), FLAGS, URI);
        return new Attached(
                new NbdDevice(index, SIZE, 100, identity.text(), 1), Optional.of(identity), resident, swapping);
    }

    private static Attached elsewhere(int index) {
        DeviceIdentity identity = new DeviceIdentity("other", Optional.of(new UUID(5, 5)), FLAGS, "/run/b.sock");
        return new Attached(
                new NbdDevice(index, SIZE, 100, identity.text(), 1), Optional.of(identity), Optional.empty(), true);
    }

    private static final Attached ORPHAN = attached(0, "c", Optional.empty(), true);

    private static AttachPlan.Wish wish(String uri, String content) {
        return new AttachPlan.Wish(
                "export 'leap'",
                Server.parse(uri),
                new ExportInfo(SIZE, FLAGS, "content=" + content),
                Optional.empty(),
                true,
                false,
                false);
    }

    private static final AttachPlan.Wish WISH = wish(URI, "c");

    private static AttachPlan.Wish takingOver() {
        return new AttachPlan.Wish("export 'leap'", WISH.server(), WISH.info(), Optional.empty(), true, false, true);
    }

    private static AttachPlan.Wish on(String device) {
        return new AttachPlan.Wish(
                "export 'leap'", WISH.server(), WISH.info(), Optional.of(Path.of(device)), true, false, false);
    }

    private static List<SwapArea> swaps(String... devices) {
        return List.of(devices).stream()
                .map(device -> new SwapArea(Path.of(device), SIZE - 4096, 4096))
                .toList();
    }

    private static AttachPlan decide(
            AttachPlan.Wish wish, AttachPlan.Page page, List<SwapArea> swaps, Attached... devices) {
        return AttachPlan.decide(wish, List.of(devices), swaps, page, HERE);
    }

    private static void assertRefused(AttachPlan plan, String... parts) {
        assertThat(plan).isInstanceOf(AttachPlan.Refuse.class);
        assertThat(((AttachPlan.Refuse) plan).why()).contains(parts);
    }

    private static void assertSetUp(AttachPlan plan) {
        assertThat(plan).isEqualTo(new AttachPlan.SetUp());
    }

    @Test
    void a_blank_export_that_nobody_has_is_set_up() {
        assertSetUp(decide(WISH, BLANK, List.of()));
        assertSetUp(decide(WISH, BLANK, swaps("/dev/nbd3"), elsewhere(3)));
    }

    @ParameterizedTest
    @ValueSource(strings = {URI, "/run/a.sock", "nbd://127.0.0.1/leap"})
    void a_device_whose_resident_process_was_killed_is_adopted_by_whatever_uri_reaches_its_contents(String uri) {
        assertThat(decide(wish(uri, "c"), OURS, swaps("/dev/nbd0"), ORPHAN))
                .isEqualTo(new AttachPlan.Adopt(ORPHAN, false));
    }

    @Test
    void a_server_without_contents_is_recognised_by_the_swap_header() {
        AttachPlan.Wish plain = new AttachPlan.Wish(
                "export 'x'",
                Server.parse("nbd://127.0.0.1/x"),
                new ExportInfo(SIZE, FLAGS, ""),
                Optional.empty(),
                true,
                false,
                false);
        Attached orphan = attached(0, "", Optional.empty(), true);
        assertThat(decide(plain, OURS, swaps("/dev/nbd0"), orphan)).isEqualTo(new AttachPlan.Adopt(orphan, false));
        assertSetUp(decide(plain, BLANK, List.of(), orphan));
    }

    @Test
    void a_device_that_somebody_keeps_connected_is_named_with_that_process() {
        assertRefused(
                decide(WISH, OURS, swaps("/dev/nbd0"), attached(0, "c", Optional.of(42L), true)),
                "export 'leap'",
                "/dev/nbd0",
                "42");
    }

    @Test
    void another_device_than_the_one_that_is_attached_is_refused_and_that_one_is_adopted() {
        assertRefused(decide(on("/dev/nbd1"), OURS, swaps("/dev/nbd0"), ORPHAN), "/dev/nbd0", "--device");
        assertThat(decide(on("/dev/nbd0"), OURS, swaps("/dev/nbd0"), ORPHAN)).isInstanceOf(AttachPlan.Adopt.class);
    }

    @Test
    void a_device_that_has_another_export_is_not_touched() {
        assertRefused(decide(on("/dev/nbd0"), BLANK, List.of(), elsewhere(0)), "/dev/nbd0 is in use", "/run/b");
    }

    @Test
    void an_export_that_lost_its_contents_gets_no_second_device_beside_the_one_that_waits_for_them() {
        assertRefused(
                decide(wish(URI, "new"), BLANK, swaps("/dev/nbd0"), ORPHAN),
                "lost the export's contents",
                "leap-nbd detach /dev/nbd0");
    }

    @Test
    void an_export_that_an_earlier_version_attached_twice_is_left_to_the_user() {
        assertRefused(
                decide(WISH, OURS, swaps("/dev/nbd0"), ORPHAN, attached(1, "c", Optional.empty(), true)),
                "/dev/nbd0 and /dev/nbd1");
    }

    @Test
    void swapping_begins_on_an_adopted_device_only_with_its_own_header() {
        Attached idle = attached(0, "c", Optional.empty(), false);
        assertThat(decide(WISH, OURS, List.of(), idle)).isEqualTo(new AttachPlan.Adopt(idle, true));
        assertRefused(decide(WISH, BLANK, List.of(), idle), "not in use as swap");
        assertRefused(decide(WISH, new AttachPlan.Page.Data(), List.of(), idle), "not in use as swap");
    }

    @Test
    void a_swap_area_of_another_machine_is_left_alone_until_the_user_says_otherwise() {
        AttachPlan.Page foreign = header(SWAP, new UUID(9, 9), new UUID(8, 8));
        assertRefused(decide(WISH, foreign, List.of()), "another machine, far-away", "--take-over");
        assertSetUp(decide(takingOver(), foreign, List.of()));
    }

    @Test
    void a_swap_area_that_this_machine_left_is_made_anew() {
        assertSetUp(decide(WISH, OURS, List.of()));
        assertSetUp(decide(WISH, header(SWAP, HERE.id(), new UUID(8, 8)), List.of()));
    }

    @Test
    void what_nobody_claims_is_left_alone_until_the_user_says_otherwise() {
        assertRefused(
                decide(WISH, new AttachPlan.Page.Header(SWAP, Optional.empty()), List.of()),
                "attach did not make",
                "--take-over");
        assertRefused(decide(WISH, new AttachPlan.Page.Data(), List.of()), "holds data", "--take-over");
        assertRefused(decide(WISH, new AttachPlan.Page.Unreadable("error 5"), List.of()), "error 5", "--take-over");
        assertSetUp(decide(takingOver(), new AttachPlan.Page.Data(), List.of()));
    }

    @Test
    void a_swap_area_of_this_machine_that_may_be_this_one_is_never_overwritten() {
        Attached unknown = new Attached(new NbdDevice(2, SIZE, 5, "", 1), Optional.empty(), Optional.empty(), true);
        AttachPlan.Page made = new AttachPlan.Page.Header(SWAP, Optional.empty());
        assertRefused(decide(takingOver(), made, swaps("/dev/nbd2"), unknown), "swapoff /dev/nbd2");
        assertRefused(decide(takingOver(), OURS, swaps("/dev/nbd2")), "swapoff /dev/nbd2");
        assertSetUp(decide(takingOver(), made, swaps("/dev/sda2")));
    }
}
