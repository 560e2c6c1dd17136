/*
 * The floor under a remote read on this machine: a client, a relay and a far end, each with one epoll loop and nothing else,
 * that carry 28 bytes there (an NBD request) and 4 KiB back, over a Unix socket and a TCP connection. And the same client
 * against a real NBD server, so that the two figures differ by the server alone.
 *
 *   floor relay SECONDS          prints {"count": N, "p50": US, "p99": US}
 *   floor nbd SOCKET MIB SECONDS the same for random 4 KiB reads below MIB of the default export
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define REQUEST 28
#define PAGE 4096
#define REPLY_HEADER 16
#define MOST 4000000

static void die(const char *what) {
    perror(what);
    exit(1);
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1e6 + t.tv_nsec / 1e3;
}

static void await_readable(int loop) {
    struct epoll_event event;
    while (epoll_wait(loop, &event, 1, -1) < 0)
        if (errno != EINTR) die("epoll_wait");
}

static int loop_on(int fd) {
    int loop = epoll_create1(0);
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (loop < 0 || epoll_ctl(loop, EPOLL_CTL_ADD, fd, &event) < 0) die("epoll");
    return loop;
}

/* Reads exactly so many bytes, waiting in epoll before each read as a server does. 0 at the end of the stream. */
static int take(int loop, int fd, void *to, size_t bytes) {
    for (size_t got = 0; got < bytes;) {
        await_readable(loop);
        ssize_t n = read(fd, (char *)to + got, bytes - got);
        if (n == 0) return 0;
        if (n < 0 && errno != EINTR && errno != EAGAIN) die("read");
        if (n > 0) got += n;
    }
    return 1;
}

static void put(int fd, const void *from, size_t bytes) {
    for (size_t sent = 0; sent < bytes;) {
        ssize_t n = write(fd, (const char *)from + sent, bytes - sent);
        if (n < 0 && errno != EINTR) die("write");
        if (n > 0) sent += n;
    }
}

static void far_end(int listener) {
    char request[REQUEST], page[PAGE] = {1};
    int on = 1, fd = accept(listener, NULL, NULL), loop = loop_on(fd);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    while (take(loop, fd, request, REQUEST)) put(fd, page, PAGE);
    exit(0);
}

static void relay(int client, int far) {
    char request[REQUEST], page[PAGE];
    int from_client = loop_on(client), from_far = loop_on(far);
    while (take(from_client, client, request, REQUEST)) {
        put(far, request, REQUEST);
        if (!take(from_far, far, page, PAGE)) break;
        put(client, page, PAGE);
    }
    exit(0);
}

static int by_value(const void *a, const void *b) {
    float x = *(const float *)a, y = *(const float *)b;
    return x < y ? -1 : x > y;
}

static void report(float *took, size_t count) {
    qsort(took, count, sizeof *took, by_value);
    printf("{\"count\": %zu, \"p50\": %.2f, \"p99\": %.2f}\n", count, took[count / 2], took[count * 99 / 100]);
}

static void measure_floor(double seconds) {
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof address;
    int pair[2], on = 1, listener = socket(AF_INET, SOCK_STREAM, 0), far = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, length) < 0 || listen(listener, 1) < 0) die("listen");
    getsockname(listener, (struct sockaddr *)&address, &length);
    pid_t end = fork();
    if (end == 0) close(far), prctl(PR_SET_PDEATHSIG, SIGKILL), far_end(listener);
    if (connect(far, (struct sockaddr *)&address, length) < 0) die("connect");
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    if (socketpair(AF_UNIX, SOCK_STREAM, 0, pair) < 0) die("socketpair");
    pid_t middle = fork();
    if (middle == 0) close(pair[0]), prctl(PR_SET_PDEATHSIG, SIGKILL), relay(pair[1], far);
    close(pair[1]);
    close(far);
    float *took = malloc(MOST * sizeof *took);
    char request[REQUEST] = {0}, page[PAGE];
    int loop = loop_on(pair[0]);
    size_t count = 0;
    for (double end_at = now() + seconds * 1e6, begin; (begin = now()) < end_at && count < MOST; count++) {
        put(pair[0], request, REQUEST);
        take(loop, pair[0], page, PAGE);
        took[count] = now() - begin;
    }
    report(took + count / 10, count - count / 10); /* without the first tenth */
    close(pair[0]);
    waitpid(middle, NULL, 0);
    waitpid(end, NULL, 0);
}

static void measure_nbd(const char *path, uint64_t pages, double seconds) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    if (connect(fd, (struct sockaddr *)&address, sizeof address) < 0) die(path);
    int loop = loop_on(fd);
    char bytes[PAGE + REPLY_HEADER + 256];
    if (!take(loop, fd, bytes, 18) || memcmp(bytes, "NBDMAGICIHAVEOPT", 16) != 0) die("greeting");
    uint32_t flags = htobe32(3); /* fixed newstyle, no zeroes */
    put(fd, &flags, 4);
    char option[16] = "IHAVEOPT"; /* EXPORT_NAME with an empty name: answered with size and flags */
    uint32_t number = htobe32(1);
    memcpy(option + 8, &number, 4);
    memset(option + 12, 0, 4);
    put(fd, option, 16);
    if (!take(loop, fd, bytes, 10)) die("export");
    float *took = malloc(MOST * sizeof *took);
    size_t count = 0;
    uint64_t random = 88172645463325252u;
    for (double end_at = now() + seconds * 1e6, begin; (begin = now()) < end_at && count < MOST; count++) {
        struct __attribute__((packed)) {
            uint32_t magic;
            uint16_t flags, type;
            uint64_t cookie, offset;
            uint32_t length;
        } request = {htobe32(0x25609513), 0, 0, count, 0, htobe32(PAGE)};
        random ^= random << 13, random ^= random >> 7, random ^= random << 17;
        request.offset = htobe64(random % pages * PAGE);
        put(fd, &request, REQUEST);
        if (!take(loop, fd, bytes, REPLY_HEADER + PAGE)) die("reply");
        if (memcmp(bytes + 4, "\0\0\0\0", 4) != 0) fputs("floor: a read failed\n", stderr), exit(1);
        took[count] = now() - begin;
    }
    report(took + count / 10, count - count / 10);
}

int main(int argc, char **argv) {
    if (argc == 3 && strcmp(argv[1], "relay") == 0) return measure_floor(atof(argv[2])), 0;
    if (argc == 5 && strcmp(argv[1], "nbd") == 0)
        return measure_nbd(argv[2], strtoull(argv[3], NULL, 10) << 8, atof(argv[4])), 0;
    fputs("usage: floor relay SECONDS | floor nbd SOCKET MIB SECONDS\n", stderr);
    return 2;
}
