package io.leapnbd.tools.reproduce;

/** What became of a part. */
sealed interface Outcome {

    /**
     * It was done.
     *
     * @param html the section's inside; its author has escaped what others wrote
     */
    record Done(String html) implements Outcome {}

    /**
     * This machine, user or copy of leap-nbd lacks something.
     *
     * @param reason one sentence for people, not escaped
     */
    record Skipped(String reason) implements Outcome {}

    /**
     * It was tried, and went wrong.
     *
     * @param reason one sentence for people, not escaped
     */
    record Failed(String reason) implements Outcome {}
}
