@NullMarked
package io.leapnbd.tools.status;

import org.jspecify.annotations.NullMarked;
