package io.leapnbd.tools.http;

import java.nio.charset.StandardCharsets;

/**
 * What the endpoint replies.
 *
 * @param status HTTP status code
 * @param contentType with its character set
 * @param body UTF-8
 */
@SuppressWarnings("ArrayRecordComponent") // handed from the page to the socket and never compared
public record Answer(int status, String contentType, byte[] body) {

    private static final String TEXT = "text/plain; charset=utf-8";

    /** A document. */
    public static Answer ok(String contentType, String body) {
        return new Answer(200, contentType, body.getBytes(StandardCharsets.UTF_8));
    }

    /** One line of text. */
    public static Answer line(int status, String text) {
        return new Answer(status, TEXT, (text + "\n").getBytes(StandardCharsets.UTF_8));
    }
}
