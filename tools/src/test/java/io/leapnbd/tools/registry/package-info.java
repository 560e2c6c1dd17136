@NullMarked
package io.leapnbd.tools.registry;

import org.jspecify.annotations.NullMarked;
