package io.leapnbd.tools.serve;

import static org.assertj.core.api.Assertions.assertThat;

import io.leapnbd.bypass.path.RepairProgress.Left;
import org.junit.jupiter.api.Test;

class RepairStatusTest {

    @Test
    void whatIsToBeMadeDoesNotReadAsWhatIsLeft() {
        assertThat(RepairStatus.words(new Left(1, 1 << 20, 1 << 20))).startsWith("1 copy to make, 1 MiB, ");
        assertThat(RepairStatus.words(new Left(2, 1 << 20, 0))).startsWith("2 copies to make, ");
    }
}
