package io.leapnbd.donor.net;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Kin of F9: what one owner's links cannot keep others from. */
class LinkPlacesTest {

    private final List<Link> evicted = new ArrayList<>();

    private final class Link implements LinkPlaces.Occupant {

        private final String owner;
        private final long heard;

        Link(String owner, long heard) {
            this.owner = owner;
            this.heard = heard;
        }

        @Override
        public String owner() {
            return owner;
        }

        @Override
        public long lastHeard() {
            return heard;
        }

        @Override
        public void evicted() {
            evicted.add(this);
        }
    }

    private Link enter(LinkPlaces places, String owner, long heard) {
        Link link = new Link(owner, heard);
        assertThat(places.enter(link)).isTrue();
        return link;
    }

    private void claim(LinkPlaces places, String owner, int count) {
        for (int i = 0; i < count; i++) {
            places.claimed(enter(places, owner, 0));
        }
    }

    @Test
    void aFloodOfConnectionsPushesOutItsOwn() {
        LinkPlaces places = new LinkPlaces(8);
        Link quiet = enter(places, "quiet", -100);
        List<Link> flood = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            flood.add(enter(places, "flood", i));
        }
        assertThat(evicted).doesNotContain(quiet).containsExactlyElementsOf(flood.subList(0, 13));
    }

    @Test
    void theLastPlacesAreForOtherOwners() {
        LinkPlaces places = new LinkPlaces(32);
        claim(places, "greedy", 30);
        assertThat(places.free("greedy")).isZero();
        assertThat(places.free("other")).isEqualTo(2);
        claim(places, "other", 1);
        assertThat(places.free("other")).isEqualTo(1);
    }

    @Test
    void whoLeavesMakesRoomForItsOwnerAgain() {
        LinkPlaces places = new LinkPlaces(32);
        claim(places, "greedy", 29);
        Link last = enter(places, "greedy", 0);
        places.claimed(last);
        assertThat(places.free("greedy")).isZero();
        places.leave(last);
        assertThat(places.free("greedy")).isEqualTo(1);
    }
}
