/*
 * A TCP relay that lets every byte arrive so many microseconds later, each way: a donor that is further away than loopback.
 *
 *   delay LISTEN-PORT TARGET-PORT MICROSECONDS      prints 'ready' when it accepts connections on 127.0.0.1
 *
 * It ends with its parent, unless DELAY_STAYS is in the environment.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#define PIECE (64 << 10)
#define MOST_PIECES 1024 /* of one direction: then it is not read any more */

struct piece {
    struct piece *next;
    int64_t due; /* nanoseconds */
    size_t length, sent;
    char bytes[PIECE];
};

struct side {
    int fd;
    struct side *other;
    struct piece *first, **last; /* what waits to be written to this side */
    int pieces, blocked, ended, gone;
    struct side *next_open;
};

static struct side *open_sides;
static struct piece *spare;
static int loop, timer;

static void die(const char *what) {
    perror(what);
    exit(1);
}

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void watch(struct side *side, int op) {
    if (side->gone) return;
    int reads = !side->ended && side->other->pieces < MOST_PIECES;
    struct epoll_event event = {.events = (reads ? EPOLLIN : 0) | (side->blocked ? EPOLLOUT : 0), .data.ptr = side};
    if (epoll_ctl(loop, op, side->fd, &event) < 0) die("epoll_ctl");
}

static void receive(struct side *from, int64_t delay) {
    while (from->other->pieces < MOST_PIECES) {
        struct piece *p = spare != NULL ? spare : malloc(sizeof *p);
        spare = spare != NULL ? spare->next : NULL;
        ssize_t n = recv(from->fd, p->bytes, PIECE, MSG_DONTWAIT);
        if (n <= 0) {
            p->next = spare, spare = p;
            if (n == 0 || (errno != EAGAIN && errno != EINTR)) from->ended = 1;
            break;
        }
        p->next = NULL, p->due = now() + delay, p->length = n, p->sent = 0;
        *from->other->last = p;
        from->other->last = &p->next;
        from->other->pieces++;
    }
    watch(from, EPOLL_CTL_MOD);
}

/* Writes what is due; says when the next is, or 0. */
static int64_t deliver(struct side *to) {
    int was_blocked = to->blocked, was_full = to->pieces >= MOST_PIECES;
    to->blocked = 0;
    while (to->first != NULL && to->first->due <= now()) {
        struct piece *p = to->first;
        ssize_t n = send(to->fd, p->bytes + p->sent, p->length - p->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno != EAGAIN && errno != EINTR) n = p->length - p->sent; /* nobody takes it any more */
        if (n > 0) p->sent += n;
        if (p->sent < p->length) {
            to->blocked = 1;
            break;
        }
        to->first = p->next;
        if (to->first == NULL) to->last = &to->first;
        to->pieces--;
        p->next = spare, spare = p;
    }
    if (to->blocked != was_blocked) watch(to, EPOLL_CTL_MOD);
    if (was_full) watch(to->other, EPOLL_CTL_MOD);
    if (to->first == NULL && to->other->ended) shutdown(to->fd, SHUT_WR);
    return to->first != NULL && !to->blocked ? to->first->due : 0;
}

static struct side *opened(int fd) {
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct side *side = calloc(1, sizeof *side);
    side->fd = fd, side->last = &side->first, side->next_open = open_sides;
    return open_sides = side;
}

int main(int argc, char **argv) {
    if (argc != 4) return fputs("usage: delay LISTEN-PORT TARGET-PORT MICROSECONDS\n", stderr), 2;
    if (getenv("DELAY_STAYS") == NULL) prctl(PR_SET_PDEATHSIG, SIGKILL);
    prctl(PR_SET_TIMERSLACK, 1000); /* nanoseconds, not the 50 us of the default */
    int64_t delay = atoll(argv[3]) * 1000;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, there = here;
    here.sin_port = htons(atoi(argv[1]));
    there.sin_port = htons(atoi(argv[2]));
    int on = 1, listener = socket(AF_INET, SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 64) < 0) die("listen");
    loop = epoll_create1(0);
    timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK);
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = &listener};
    epoll_ctl(loop, EPOLL_CTL_ADD, listener, &event);
    event.data.ptr = &timer;
    epoll_ctl(loop, EPOLL_CTL_ADD, timer, &event);
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct epoll_event events[64];
        int n = epoll_wait(loop, events, 64, -1);
        for (int i = 0; i < n; i++) {
            void *which = events[i].data.ptr;
            if (which == &listener) {
                int near = accept(listener, NULL, NULL), far = socket(AF_INET, SOCK_STREAM, 0);
                if (near < 0 || connect(far, (struct sockaddr *)&there, sizeof there) < 0) {
                    close(near), close(far);
                    continue;
                }
                struct side *a = opened(near), *b = opened(far);
                a->other = b, b->other = a;
                watch(a, EPOLL_CTL_ADD);
                watch(b, EPOLL_CTL_ADD);
            } else if (which == &timer) {
                uint64_t times;
                if (read(timer, &times, sizeof times) < 0 && errno != EAGAIN) die("timer");
            } else if (events[i].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
                struct side *from = which;
                receive(from, delay);
                // Closed both ways: it would be reported for ever.
                if (from->ended && events[i].events & (EPOLLHUP | EPOLLERR)) {
                    epoll_ctl(loop, EPOLL_CTL_DEL, from->fd, NULL);
                    from->gone = 1;
                }
            }
        }
        int64_t next = 0;
        for (struct side *s = open_sides; s != NULL; s = s->next_open) {
            int64_t due = deliver(s);
            if (due != 0 && (next == 0 || due < next)) next = due;
        }
        struct itimerspec at = {.it_value = {next / 1000000000, next % 1000000000}};
        timerfd_settime(timer, TFD_TIMER_ABSTIME, &at, NULL);
    }
}
