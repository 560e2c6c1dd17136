@NullMarked
package io.leapnbd.tools;

import org.jspecify.annotations.NullMarked;
