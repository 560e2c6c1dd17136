@NullMarked
package io.leapnbd.nbd.server;

import org.jspecify.annotations.NullMarked;
