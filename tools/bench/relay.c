/*
 * How fast memory moves from one process to another by way of a third, over two loopback TCP connections, and nothing else: what
 * a server does that fills a copy of a slab again. Frames of 256 KiB; each process touches all of its memory. The one in the middle has
 * as many frames under way as a server has.
 *
 *   relay MIB      prints {"seconds": S, "gib_per_second": G}
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define FRAME (256 << 10)
#define ACK 16

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static void take(int fd, char *to, size_t bytes) {
    for (size_t got = 0; got < bytes;) {
        ssize_t n = recv(fd, to + got, bytes - got, 0);
        if (n == 0) exit(0);
        if (n < 0 && errno != EINTR) die("recv");
        if (n > 0) got += n;
    }
}

static void give(int fd, const char *from, size_t bytes) {
    for (size_t put = 0; put < bytes;) {
        ssize_t n = send(fd, from + put, bytes - put, MSG_NOSIGNAL);
        if (n < 0 && errno != EINTR) die("send");
        if (n > 0) put += n;
    }
}

/* Two ends of a TCP connection over loopback. */
static void connection(int ends[2]) {
    int listener = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    if (listener < 0 || bind(listener, (struct sockaddr *)&at, sizeof at) < 0 || listen(listener, 1) < 0
        || getsockname(listener, (struct sockaddr *)&at, &length) < 0)
        die("listen");
    ends[0] = socket(AF_INET, SOCK_STREAM, 0);
    if (ends[0] < 0 || connect(ends[0], (struct sockaddr *)&at, sizeof at) < 0) die("connect");
    ends[1] = accept(listener, NULL, NULL);
    if (ends[1] < 0) die("accept");
    for (int i = 0; i < 2; i++) setsockopt(ends[i], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    close(listener);
}

static char *memory(size_t bytes, int fill) {
    char *at = malloc(bytes);
    if (!at) die("malloc");
    memset(at, fill, bytes);
    return at;
}

static pid_t child(void) {
    pid_t pid = fork();
    if (pid < 0) die("fork");
    if (pid == 0) prctl(PR_SET_PDEATHSIG, SIGKILL);
    return pid;
}

int main(int argc, char **argv) {
    long mib = argc == 2 ? atol(argv[1]) : 0;
    if (mib < 1 || mib > 65536) {
        fprintf(stderr, "relay MIB, 1..65536\n");
        return 2;
    }
    size_t bytes = (size_t)mib << 20;
    int source[2], target[2], ready[2];
    if (pipe(ready) < 0) die("pipe");
    connection(source);
    connection(target);
    if (child() == 0) {
        char *from = memory(bytes, 7), ask[ACK];
        if (write(ready[1], "s", 1) != 1) die("write");
        for (size_t at = 0; at < bytes; at += FRAME) {
            take(source[1], ask, ACK);
            give(source[1], from + at, FRAME);
        }
        pause();
    }
    if (child() == 0) {
        char *to = memory(bytes, 0), ack[ACK] = {0};
        if (write(ready[1], "t", 1) != 1) die("write");
        for (size_t at = 0; at < bytes; at += FRAME) {
            take(target[1], to + at, FRAME);
            give(target[1], ack, ACK);
        }
        pause();
    }
    char both[2], ask[ACK] = {0}, ack[ACK];
    for (int i = 0; i < 2; i++)
        if (read(ready[0], both + i, 1) != 1) die("read");
    enum { AHEAD = 8 };
    size_t frames = bytes / FRAME, asked = 0, acked = 0;
    char *frame = memory(FRAME, 0);
    double begin = now();
    for (size_t done = 0; done < frames; done++) {
        for (; asked < frames && asked < done + AHEAD; asked++) give(source[0], ask, ACK);
        take(source[0], frame, FRAME);
        give(target[0], frame, FRAME);
        for (; done - acked >= AHEAD; acked++) take(target[0], ack, ACK);
    }
    for (; acked < frames; acked++) take(target[0], ack, ACK);
    double seconds = now() - begin;
    printf("{\"seconds\": %.3f, \"gib_per_second\": %.3f}\n", seconds, bytes / seconds / (1 << 30));
    return 0;
}
