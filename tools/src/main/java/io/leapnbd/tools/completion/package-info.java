/** Scripts that have shells complete commands, options and values, made from the commands' own options. */
@NullMarked
package io.leapnbd.tools.completion;

import org.jspecify.annotations.NullMarked;
