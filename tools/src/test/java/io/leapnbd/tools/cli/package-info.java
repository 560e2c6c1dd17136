@NullMarked
package io.leapnbd.tools.cli;

import org.jspecify.annotations.NullMarked;
