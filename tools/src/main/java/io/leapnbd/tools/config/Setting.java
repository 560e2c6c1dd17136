package io.leapnbd.tools.config;

import java.util.List;

/**
 * A setting that somebody has made.
 *
 * @param key the option's long name, without its dashes
 * @param texts what could be typed: one for most; for an option that may be repeated, one for each time; for a flag {@code true} or
 *     {@code false}
 * @param origin where it comes from
 */
public record Setting(String key, List<String> texts, Origin origin) {}
