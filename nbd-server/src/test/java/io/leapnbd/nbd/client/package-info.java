@NullMarked
package io.leapnbd.nbd.client;

import org.jspecify.annotations.NullMarked;
