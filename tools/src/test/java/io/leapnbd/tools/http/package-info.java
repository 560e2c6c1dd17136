@NullMarked
package io.leapnbd.tools.http;

import org.jspecify.annotations.NullMarked;
