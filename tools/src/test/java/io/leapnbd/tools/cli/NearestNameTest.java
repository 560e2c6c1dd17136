package io.leapnbd.tools.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class NearestNameTest {

    @ParameterizedTest
    @CsvSource({"size,size,0", "sise,size,1", "siez,size,1", "donor,donors,1", "'',abc,3", "threads,three,3"})
    void aSwapOfNeighboursIsOneSlip(String from, String to, int distance) {
        assertThat(NearestName.distance(from, to)).isEqualTo(distance);
        assertThat(NearestName.distance(to, from)).isEqualTo(distance);
    }

    @Test
    void aWordThatIsLikeNoneIsGivenNoHint() {
        assertThat(NearestName.hint("colour", List.of("size", "donors"))).isEmpty();
        assertThat(NearestName.hint("donnors", List.of("size", "donors"))).isEqualTo("; did you mean 'donors'?");
    }
}
