package io.leapnbd.tools.doctor;

import java.util.Locale;

/**
 * What one check found.
 *
 * @param name of what was checked
 * @param status how it is
 * @param detail what was found
 * @param remedy what to do; empty when there is nothing to do
 */
record Check(String name, Status status, String detail, String remedy) {
    /** How bad it is. */
    enum Status {
        /** As it should be. */
        OK,
        /** It works, with less protection, speed or choice. */
        WARN,
        /** Swapping to remote memory does not work here. */
        FAIL;

        String label() {
            return name().toLowerCase(Locale.ROOT);
        }
    }

    static Check ok(String name, String detail) {
        return new Check(name, Status.OK, detail, "");
    }

    static Check warn(String name, String detail, String remedy) {
        return new Check(name, Status.WARN, detail, remedy);
    }

    static Check fail(String name, String detail, String remedy) {
        return new Check(name, Status.FAIL, detail, remedy);
    }

    /** One line: status, name, what was found, and what to do. */
    @Override
    public String toString() {
        return String.format(Locale.ROOT, "%-5s %-25s %s", status.label(), name, detail)
                + (remedy.isEmpty() ? "" : " – " + remedy);
    }
}
