@NullMarked
package io.leapnbd.tools.serve;

import org.jspecify.annotations.NullMarked;
