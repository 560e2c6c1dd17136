package io.leapnbd.tools.push;

import io.leapnbd.tools.linux.HostSetting;

/** The machine's memory. */
final class MachinePages {

    private static final long KIB_A_PAGE = 4;

    private MachinePages() {}

    /** In pages. */
    static long all() {
        return HostSetting.memoryKib() / KIB_A_PAGE;
    }
}
