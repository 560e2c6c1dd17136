package io.leapnbd.tools.http;

import java.util.Map;

/** One path of the endpoint. Called on the endpoint's threads, several at a time. */
@FunctionalInterface
public interface Page {

    /**
     * Makes the answer.
     *
     * @param query the address's parameters; of those given twice, the last
     * @throws IllegalArgumentException if a parameter is wrong; its message is the answer, with status 400
     */
    Answer answer(Map<String, String> query);
}
