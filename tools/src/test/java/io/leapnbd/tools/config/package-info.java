/** Tests of the file of settings. */
@NullMarked
package io.leapnbd.tools.config;

import org.jspecify.annotations.NullMarked;
