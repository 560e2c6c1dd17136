package io.leapnbd.tools.registry;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.link.DonorAddress.Transport;
import io.leapnbd.tools.cli.HostPort;
import java.util.EnumSet;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Random;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

class DonorListingTest {

    private static final DonorRecord WHOLE = new DonorRecord(
            new HostPort("10.0.0.2", 9400),
            EnumSet.of(Transport.TCP, Transport.RDMA),
            "rack-1",
            "h2",
            "machine",
            "process",
            DonorRecord.State.LEAVING,
            1 << 20,
            8L << 30,
            3L << 30,
            List.of(new DonorRecord.Held("web", "h1", 5L << 30, -1)));

    @Test
    void readsWhatADonorWrites() {
        DonorListing read = DonorListing.of(Map.of("k", WHOLE.json()));
        assertThat(read.unfit()).isEmpty();
        assertThat(read.donors()).containsExactly(WHOLE);
    }

    @Test
    void usesRdmaWhereBothEndsHaveIt() {
        assertThat(WHOLE.address(true)).hasToString("rdma://10.0.0.2:9400");
        assertThat(WHOLE.address(false)).hasToString("tcp://10.0.0.2:9400");
        assertThat(WHOLE.address(true).zone()).isEqualTo("rack-1");
    }

    @Test
    void countsTheFirstOfTwoDonorsWithOneAddress() {
        DonorListing read = DonorListing.of(Map.of("b", WHOLE.json().replace("rack-1", "rack-2"), "a", WHOLE.json()));
        assertThat(read.donors()).containsExactly(WHOLE);
        assertThat(read.unfit()).containsExactly("registered as b: another one has its address too");
    }

    @ParameterizedTest
    @CsvSource(
            delimiter = '|',
            value = {
                "\"v\": 1 | \"v\": 2 | version 2",
                "10.0.0.2:9400 | 10.0.0.2 | no port",
                "10.0.0.2:9400 | 0.0.0.0:9400 | no machine",
                "10.0.0.2:9400 | a,b:1?zone=x | is not an address",
                "10.0.0.2:9400 | '' | is not an address",
                "10.0.0.2:9400 | h1,h2:9400 | is no host's name",
                "10.0.0.2:9400 | h1?x:9400 | is no host's name",
                "rack-1 | a?b | zone",
                "rack-1 | a/../b | zone",
                "\"tcp\" | \"carrier-pigeon\" | ''",
                "{ | < | no JSON",
            })
    void passesOverWhatIsUnfitAndSaysSo(String text, String other, String words) {
        DonorListing read = DonorListing.of(Map.of("k", WHOLE.json().replace(text, other)));
        if (words.isEmpty()) {
            // RDMA is left.
            assertThat(read.donors()).hasSize(1);
        } else {
            assertThat(read.donors()).isEmpty();
            assertThat(read.unfit()).singleElement().asString().contains(words);
        }
    }

    @Test
    void neverFailsWhateverIsThere() {
        Random random = new Random(11);
        String text = WHOLE.json();
        for (int i = 0; i < 3_000; i++) {
            char[] letters = text.toCharArray();
            for (int n = 1 + random.nextInt(4); n > 0; n--) {
                letters[random.nextInt(letters.length)] = (char) random.nextInt(random.nextBoolean() ? 128 : 0x10000);
            }
            DonorListing read = DonorListing.of(Map.of("k", new String(letters)));
            assertThat(read.donors().size() + read.unfit().size()).isEqualTo(1);
            read.donors()
                    .forEach(donor -> assertThat(donor.address(true).toString()).isNotEmpty());
            // What people are shown obeys nothing of it.
            read.unfit()
                    .forEach(line -> assertThat(line.chars().noneMatch(Character::isISOControl))
                            .isTrue());
        }
    }

    @Test
    void takesNoMoreThanItsMost() {
        Map<String, String> all = new HashMap<>();
        for (int i = 0; i < DonorListing.MOST + 20; i++) {
            all.put("k" + i, WHOLE.json().replace("10.0.0.2:9400", "10.0.0.2:" + (1 + i)));
        }
        DonorListing read = DonorListing.of(all);
        assertThat(read.donors()).hasSize(DonorListing.MOST);
        assertThat(read.unfit()).hasSize(8);
    }
}
