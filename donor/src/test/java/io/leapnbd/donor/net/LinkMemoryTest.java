package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** F9: what links use has one bound. */
class LinkMemoryTest {

    private static final int MIB = 1 << 20;

    private final LinkMemory memory = new LinkMemory(4 * MIB);
    private final List<String> resumed = new ArrayList<>();
    private final List<String> evicted = new ArrayList<>();

    private LinkMemory.Account open(String name) {
        LinkMemory.Account account = stranger(name);
        account.claimed();
        return account;
    }

    private LinkMemory.Account stranger(String name) {
        return memory.open(() -> resumed.add(name), () -> evicted.add(name));
    }

    @Test
    void whoHasClaimedNothingHasAQuarterTogetherAndTheGreediestEnds() {
        int quantum = MIB / 16;
        LinkMemory.Account greedy = stranger("greedy");
        assertThat(greedy.mayTake(4 * quantum)).isTrue();
        assertThat(greedy.take(4 * quantum)).isTrue();
        List<LinkMemory.Account> modest = new ArrayList<>();
        for (int i = 0; i < 12; i++) {
            modest.add(stranger("modest " + i));
            assertThat(modest.get(i).mayTake(quantum)).isTrue();
            assertThat(modest.get(i).take(quantum)).isTrue();
        }
        assertThat(evicted).isEmpty();
        // It would be more than a quarter: the one that has most makes room. What it has is not theirs any more.
        LinkMemory.Account newcomer = stranger("newcomer");
        assertThat(newcomer.mayTake(quantum)).isTrue();
        assertThat(evicted).containsExactly("greedy");
        assertThat(newcomer.take(quantum)).isTrue();
        for (int i = 0; i < 4; i++) {
            assertThat(stranger("n" + i).mayTake(quantum)).isTrue();
        }
        // One that has as much as any other ends itself, and leaves those that have claimed what is theirs.
        modest.getFirst().claimed();
        LinkMemory.Account server = open("server");
        assertThat(server.mayTake(2 * MIB)).isTrue();
        assertThat(server.take(2 * MIB)).isTrue();
        LinkMemory.Account more = modest.getLast();
        assertThat(more.take(MIB / 4)).isTrue();
        assertThat(more.mayTake(MIB)).isFalse();
        assertThat(evicted).containsExactly("greedy");
    }

    @Test
    void whatIsGuaranteedIsThereWhateverOthersTake() {
        LinkMemory.Account hog = open("hog");
        assertThat(hog.take(4 * MIB)).isTrue();
        assertThat(hog.take(MIB)).isFalse();

        LinkMemory.Account other = open("other");
        assertThat(other.take(LinkMemory.GUARANTEED)).isTrue();
        assertThat(other.take(1)).isFalse();
        assertThat(memory.contended()).isTrue();
    }

    @Test
    void whoWaitsIsServedInTurnAndNobodyOvertakes() {
        LinkMemory.Account hog = open("hog");
        assertThat(hog.take(3 * MIB)).isTrue();
        LinkMemory.Account large = open("large");
        LinkMemory.Account small = open("small");
        assertThat(large.take(2 * MIB)).isFalse();
        // There would be enough for this one.
        assertThat(small.take(MIB / 2)).isFalse();

        hog.give(MIB / 2);
        assertThat(resumed).isEmpty();
        hog.give(MIB);
        assertThat(resumed).containsExactly("large", "small");
        large.resumed();
        small.resumed();
        assertThat(large.waits()).isFalse();
        assertThat(large.take(2 * MIB)).isTrue();
        assertThat(small.take(MIB / 2)).isTrue();
        assertThat(memory.contended()).isFalse();
    }

    @Test
    void everythingComesBack() {
        LinkMemory.Account one = open("one");
        LinkMemory.Account two = open("two");
        assertThat(one.take(3 * MIB + 5)).isTrue();
        one.force(100_000);
        assertThat(two.take(2 * MIB)).isFalse();
        one.give(100_000);
        one.give(3 * MIB + 5);
        assertThat(resumed).containsExactly("two");
        two.close();
        one.close();
        assertThat(memory.free()).isEqualTo(4 * MIB);
    }

    @Test
    void aLinkThatEndsWhileItWaitsLetsTheNextHaveItsTurn() {
        LinkMemory.Account hog = open("hog");
        assertThat(hog.take(3 * MIB)).isTrue();
        LinkMemory.Account large = open("large");
        LinkMemory.Account small = open("small");
        assertThat(large.take(2 * MIB)).isFalse();
        assertThat(small.take(MIB / 2)).isFalse();
        large.close();
        assertThat(resumed).containsExactly("small");
    }

    @Test
    void receiveBuffersBecomeSmallWhenMemoryIsShort() {
        assertThat(memory.receiveBytes()).isEqualTo(LinkMemory.RECEIVE);
        LinkMemory.Account hog = open("hog");
        hog.force(4 * MIB);
        assertThat(memory.receiveBytes()).isEqualTo(16 << 10);
    }

    @Test
    void moreThanTheJvmHasIsRefusedInASentence() {
        ServerSettings settings = ServerSettings.listenOn(new InetSocketAddress(0));
        assertThatThrownBy(() -> LinkMemory.requireRoom(settings.withMemory(1L << 50), false))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("raise -XX:MaxDirectMemorySize");
        assertThatThrownBy(() -> settings.withMemory(1 << 20))
                .isInstanceOf(IllegalArgumentException.class)
                .hasMessageContaining("would not fit");
    }

    /** A donor runs with 256 MiB of direct memory. */
    @Test
    void theDefaultsFitTheDonorsDirectMemory() {
        assertThat(2 * LinkMemory.bound(ServerSettings.listenOn(new InetSocketAddress(0)), false))
                .isLessThan(256L << 20);
    }
}
