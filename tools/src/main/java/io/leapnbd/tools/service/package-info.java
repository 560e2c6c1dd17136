/** What a service manager (systemd) is told: that the service is ready, what it does, that it lives, that it ends. */
@NullMarked
package io.leapnbd.tools.service;

import org.jspecify.annotations.NullMarked;
