/**
 * The configuration file: what it says, which of flag, environment, file and default counts, and how it is checked, shown and
 * changed. A value of the file becomes the argument that somebody could have typed, so commands see one kind of setting only.
 */
@NullMarked
package io.leapnbd.tools.config;

import org.jspecify.annotations.NullMarked;
