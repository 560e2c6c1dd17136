/** A client of an export: who serves it, what it says of itself, its first page. {@code attach} and {@code push} are such. */
@NullMarked
package io.leapnbd.tools.client;

import org.jspecify.annotations.NullMarked;
