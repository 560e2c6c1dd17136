/** What a running server does, for people: once, and live. */
@NullMarked
package io.leapnbd.tools.status;

import org.jspecify.annotations.NullMarked;
