@NullMarked
package io.leapnbd.tools.demo;

import org.jspecify.annotations.NullMarked;
