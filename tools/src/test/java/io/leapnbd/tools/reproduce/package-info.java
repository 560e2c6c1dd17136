@NullMarked
package io.leapnbd.tools.reproduce;

import org.jspecify.annotations.NullMarked;
