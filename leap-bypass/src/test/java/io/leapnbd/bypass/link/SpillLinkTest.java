package io.leapnbd.bypass.link;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.LinkRequest.Outcome;
import io.leapnbd.bypass.spill.FaultyDisk;
import io.leapnbd.bypass.spill.Spill;
import io.leapnbd.donor.protocol.HelloReply;
import io.leapnbd.donor.protocol.Operation;
import io.leapnbd.donor.store.Admission;
import io.leapnbd.donor.store.Claim;
import java.io.IOException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Objects;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** The life of a link to a spill, whose disk hangs and fails. The loop never does. */
class SpillLinkTest extends LinkFixture {

    private final FaultyDisk disk = new FaultyDisk();

    @TempDir
    private Path folder;

    private Spill spill;
    private Claim claim;
    private int slab;

    @BeforeEach
    void open() throws IOException {
        spill = disk.spill(
                folder.resolve("spill"), 2L * ScriptedDonor.SLAB_SIZE, ScriptedDonor.SLAB_SIZE, settings.export());
        HelloReply found = Objects.requireNonNull(
                spill.store().hello(settings.observe(0), () -> {}).reply());
        Admission claimed = spill.store().hello(settings.claim(0, false, found), () -> {});
        claim = Objects.requireNonNull(claimed.claim());
        donor.stand(DonorStanding.claimed(
                found.incarnation(), Objects.requireNonNull(claimed.reply()).epoch()));
        SpillRequests pool = new SpillRequests(spill, loop);
        link = new ReconnectingLink(
                loop, 0, donor, of -> new SpillSession(of, pool, settings.connectTimeout()), settings, MINUTE);
        connect();
        LinkRequest grant = request(Operation.GRANT, 1, 0);
        grant.version = 1;
        link.post(grant);
        ends(grant, Outcome.OK);
        slab = grant.grantedHandle;
    }

    @AfterEach
    void close() throws IOException {
        disk.goOn();
        link.close();
        claim.close();
        spill.close();
    }

    @Override
    LinkTransport transport() {
        return _ -> {
            throw new IllegalStateException("replaced by each test");
        };
    }

    private LinkRequest write(int page, int mark, long version) {
        script.memory.setByte(page, mark);
        LinkRequest write = request(Operation.WRITE, slab, PAGE);
        write.incarnation = donor.incarnation();
        write.offset = page * PAGE;
        write.bufferIndex = page;
        write.version = version;
        return write;
    }

    private LinkRequest read(int page) {
        LinkRequest read = request(Operation.READ, slab, PAGE);
        read.incarnation = donor.incarnation();
        read.offset = page * PAGE;
        return read;
    }

    @Test
    void whatWasWrittenIsRead() {
        LinkRequest write = write(3, 42, 1);
        link.post(write);
        ends(write, Outcome.OK);
        script.memory.setByte(3, 0);
        LinkRequest read = read(3);
        link.post(read);
        ends(read, Outcome.OK);
        assertThat(script.memory.getByte(0)).isEqualTo((byte) 42);
    }

    @Test
    void aRequestThatTheDiskDoesNotEndBreaksTheSessionAndIsSentAgain() {
        disk.hang();
        LinkRequest late = write(8, 41, 1);
        late.deadlineNanos = late.startNanos + SECOND;
        link.post(late);
        LinkRequest write = write(3, 42, 2);
        link.post(write);
        LinkRequest lateRead = read(8);
        lateRead.deadlineNanos = late.deadlineNanos;
        link.post(lateRead);
        until(() -> disk.hanging() == 2);
        link.tick(late.deadlineNanos + 2 * SECOND);
        assertThat(donor.timeouts()).isOne();
        // It is the client's again, as far as the disk is concerned.
        script.memory.setByte(3, 43);
        assertThat(late.outcome).isEqualTo(Outcome.UNREACHABLE);
        assertThat(done).contains(late, lateRead).doesNotContain(write);
        script.memory.setByte(0, 17);
        disk.goOn();
        ends(write, Outcome.OK);
        until(() -> spill.threads().waiting() == 0);
        LinkRequest ping = request(Operation.PING, 0, 0);
        link.post(ping);
        ends(ping, Outcome.OK);
        assertThat(script.memory.getByte(0))
                .as("memory of a read that has ended")
                .isEqualTo((byte) 17);
        LinkRequest read = read(3);
        link.post(read);
        ends(read, Outcome.OK);
        assertThat(script.memory.getByte(0)).isEqualTo((byte) 43);
        assertThat(donor.reconnects()).isOne();
    }

    @Test
    void aRequestPastItsDeadlineEndsWhileTheDiskHangs() {
        disk.hang();
        LinkRequest write = write(3, 42, 1);
        write.deadlineNanos = write.startNanos + SECOND / 2;
        link.post(write);
        until(() -> {
            link.tick(System.nanoTime());
            return done.contains(write);
        });
        assertThat(write.outcome).isEqualTo(Outcome.UNREACHABLE);
        assertThat(disk.hanging()).isOne();
    }

    /** What is not at the disk waits in the link, so a disk that hangs takes a fixed number of buffers. */
    @Test
    void noMoreIsUnderWayThanThereAreBuffers() {
        disk.hang();
        List<LinkRequest> posted = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            posted.add(i % 2 == 0 ? write(i, i, 1 + i) : read(i));
            link.post(posted.get(i));
        }
        until(() -> disk.hanging() > 0);
        assertThat(spill.threads().waiting()).isLessThan(50);
        disk.goOn();
        until(() -> done.containsAll(posted));
        assertThat(posted).allMatch(request -> request.outcome == Outcome.OK);
    }

    /** So a disk that hangs is silent, whatever is asked that needs no disk. */
    @Test
    void aPingIsAnsweredAfterWhatWasAskedBefore() {
        disk.hang();
        LinkRequest write = write(3, 42, 1);
        link.post(write);
        LinkRequest ping = request(Operation.PING, 0, 0);
        link.post(ping);
        until(() -> disk.hanging() == 1);
        LinkRequest blank = read(9);
        link.post(blank);
        ends(blank, Outcome.OK);
        assertThat(done).doesNotContain(ping);
        disk.goOn();
        ends(ping, Outcome.OK);
        assertThat(done).contains(write);
    }

    @Test
    void changesOfAPageAreDoneInTheirOrder() {
        disk.hang();
        List<LinkRequest> posted = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            posted.add(write(5, 100 + i, 7));
            link.post(posted.get(i));
        }
        disk.goOn();
        until(() -> done.containsAll(posted));
        LinkRequest read = read(5);
        link.post(read);
        ends(read, Outcome.OK);
        assertThat(script.memory.getByte(0)).isEqualTo((byte) 119);
    }

    @Test
    void anErrorOfTheDiskIsThatRequestsAndIsCounted() {
        disk.fail(true);
        LinkRequest write = write(3, 42, 1);
        link.post(write);
        ends(write, Outcome.UNREACHABLE);
        assertThat(spill.errors()).isOne();
        disk.fail(false);
        LinkRequest again = write(3, 42, 2);
        link.post(again);
        ends(again, Outcome.OK);
        assertThat(donor.timeouts()).isZero();
    }
}
