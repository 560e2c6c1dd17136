package io.leapnbd.tools.memory;

import static org.assertj.core.api.Assertions.assertThat;

import org.junit.jupiter.api.Test;

class HeapNeedTest {

    private static final long MIB = 1L << 20;
    private static final long PAGES = (16L << 20) / 4096;

    @Test
    void a_server_of_two_loops_and_the_default_cache_fits_the_launchers_heap() {
        assertThat(HeapNeed.server(2, 4, 1024, 1, PAGES)).isLessThan(22 * MIB);
    }

    /** With 22 MiB a server of 16 loops ended for want of heap while it met its hundredth donor. */
    @Test
    void a_server_with_many_links_needs_heap_for_each_of_them() {
        assertThat(HeapNeed.server(16, 100, 100, 1, PAGES)).isGreaterThan(45 * MIB);
    }
}
