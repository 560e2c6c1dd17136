/*
 * Stands between servers and one donor, and does what a bad wire, a bad card or a far machine does.
 *
 *   relay TARGET-PORT      prints 'ready PORT' when it listens there, on 127.0.0.1
 *
 * It obeys lines on its standard input, and answers each with 'ok N', where N counts the bits that it has changed:
 *
 *   reads N    changes a bit of the data of one READ reply in N; 0: of none
 *   writes N   changes a bit of the data of one WRITE request in N; 0: of none
 *   seed N     what these draws follow from
 *   delay N    what arrives is passed on N microseconds later
 *   cut        resets all connections, wherever in a frame they are
 *   garble     changes the operation of the next reply, so that the server has to give the link up
 *
 * Frames are those of donor/PROTOCOL.md. Ends and resets of connections are passed on as what they are: an end in good order says
 * that the donor's process is gone. It ends with its standard input.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define ROOM (256 << 10)
#define MOST_LINKS 64
#define REQUEST_HEADER 32
#define REPLY_HEADER 16
#define READ 16
#define WRITE 17

/* One direction of a link. */
struct way {
    int from, to;
    uint8_t bytes[ROOM];
    size_t begin, end;    /* what waits to be sent */
    int64_t due;          /* when it may be, in nanoseconds */
    int blocked;          /* the receiver takes no more */
    int ended, told;      /* the sender has ended; the receiver knows */
    int header;           /* bytes of a header */
    size_t seen;          /* of this frame's header */
    uint8_t head[REQUEST_HEADER];
    uint32_t left;        /* of this frame's payload */
    int64_t change;       /* the byte of it to change, counted from its end; 0: none */
};

struct link {
    struct way request, reply;
};

static struct link *links[MOST_LINKS];
static int count;
static unsigned reads_one_in, writes_one_in, garbles;
static unsigned long changed;
static int64_t delay;
static uint64_t state = 1;

static int64_t now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static uint32_t draw(uint32_t below) { /* the generator of Knuth's MMIX */
    state = state * 6364136223846793005ULL + 1442695040888963407ULL;
    return (uint32_t)(state >> 33) % below;
}

static uint32_t number(const uint8_t *at) {
    uint32_t n;
    memcpy(&n, at, sizeof n);
    return ntohl(n);
}

/* Follows the frames of what has just arrived, and changes what is to be changed. */
static void follow(struct way *way, uint8_t *at, uint8_t *end) {
    while (at < end) {
        if (way->left > 0) {
            size_t n = (size_t)(end - at) < way->left ? (size_t)(end - at) : way->left;
            int64_t index = (int64_t)way->left - way->change;
            if (way->change > 0 && index < (int64_t)n) {
                at[index] ^= 1 << draw(8);
                way->change = 0;
                changed++;
            }
            way->left -= n, at += n;
            continue;
        }
        if (way->seen == 0 && way->header == REPLY_HEADER && garbles > 0) {
            *at ^= 0x80;
            garbles--, changed++;
        }
        way->head[way->seen++] = *at++;
        if (way->seen == (size_t)way->header) {
            int is_reply = way->header == REPLY_HEADER;
            unsigned one_in = is_reply ? reads_one_in : writes_one_in;
            way->left = number(way->head + (is_reply ? 8 : 20));
            way->seen = 0;
            int has_data = way->left > 0 && way->head[0] == (is_reply ? READ : WRITE);
            way->change = has_data && one_in > 0 && draw(one_in) == 0 ? 1 + draw(way->left) : 0;
        }
    }
}

/* Connecting to nowhere resets what is connected. */
static void reset(int fd) {
    struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
    connect(fd, &nowhere, sizeof nowhere);
    close(fd);
}

static void drop(int i, int in_good_order) {
    if (in_good_order) {
        close(links[i]->request.from), close(links[i]->reply.from);
    } else {
        reset(links[i]->request.from), reset(links[i]->reply.from);
    }
    free(links[i]);
    links[i] = links[--count];
}

static int passing(int error) { return error == EAGAIN || error == EINTR || error == ENOTCONN; }

/* Takes what has arrived; returns whether the link is whole. */
static int receive(struct way *way) {
    if (way->end == ROOM || way->ended) return 1;
    ssize_t n = recv(way->from, way->bytes + way->end, ROOM - way->end, MSG_DONTWAIT);
    if (n < 0) return passing(errno);
    if (n == 0) way->ended = 1;
    if (way->begin == way->end) way->due = now() + delay;
    follow(way, way->bytes + way->end, way->bytes + way->end + n);
    way->end += n;
    return 1;
}

/* Sends what is due; returns whether the link is whole. */
static int deliver(struct way *way, int64_t at) {
    if (way->begin < way->end && way->due <= at && !way->blocked) {
        ssize_t n = send(way->to, way->bytes + way->begin, way->end - way->begin, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && !passing(errno)) return 0;
        if (n > 0) way->begin += n;
        way->blocked = way->begin < way->end;
        if (!way->blocked) way->begin = way->end = 0;
    }
    if (way->begin == way->end && way->ended && !way->told) {
        shutdown(way->to, SHUT_WR);
        way->told = 1;
    }
    return 1;
}

static void accept_one(int listener, const struct sockaddr_in *target) {
    int near = accept4(listener, NULL, NULL, SOCK_NONBLOCK), far = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0), on = 1;
    if (near < 0) {
        close(far);
        return;
    }
    if (count == MOST_LINKS || (connect(far, (const struct sockaddr *)target, sizeof *target) < 0 && errno != EINPROGRESS)) {
        reset(near), close(far);
        return;
    }
    setsockopt(near, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(far, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    struct link *link = calloc(1, sizeof *link);
    if (link == NULL) abort();
    link->request.from = link->reply.to = near;
    link->request.to = link->reply.from = far;
    link->request.header = REQUEST_HEADER, link->reply.header = REPLY_HEADER;
    links[count++] = link;
}

static void obey(const char *line) {
    char word[16];
    long n = 0;
    if (sscanf(line, "%15s %ld", word, &n) < 1) return;
    if (strcmp(word, "reads") == 0) reads_one_in = n;
    if (strcmp(word, "writes") == 0) writes_one_in = n;
    if (strcmp(word, "seed") == 0) state = n;
    if (strcmp(word, "delay") == 0) delay = n * 1000;
    if (strcmp(word, "garble") == 0) garbles = 1;
    if (strcmp(word, "cut") == 0) {
        while (count > 0) drop(0, 0);
    }
    printf("ok %lu\n", changed);
    fflush(stdout);
}

/* What to wait for at the socket that 'in' comes from and 'out' goes to. */
static struct pollfd wish(const struct way *in, const struct way *out) {
    short events = (!in->ended && in->end < ROOM ? POLLIN : 0) | (out->blocked ? POLLOUT : 0);
    return (struct pollfd){.fd = events == 0 ? -1 : in->from, .events = events};
}

int main(int argc, char **argv) {
    if (argc != 2) return fputs("usage: relay TARGET-PORT\n", stderr), 2;
    struct sockaddr_in here = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, target = here;
    socklen_t length = sizeof here;
    target.sin_port = htons(atoi(argv[1]));
    int listener = socket(AF_INET, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&here, sizeof here) < 0 || listen(listener, 64) < 0) return perror("listen"), 1;
    getsockname(listener, (struct sockaddr *)&here, &length);
    printf("ready %d\n", ntohs(here.sin_port));
    fflush(stdout);
    char line[256];
    size_t typed = 0;
    for (;;) {
        struct pollfd fds[2 + 2 * MOST_LINKS] = {{.fd = 0, .events = POLLIN}, {.fd = listener, .events = POLLIN}};
        int polled = count;
        int64_t next = INT64_MAX, at = now();
        for (int i = 0; i < count; i++) {
            struct way *ways[2] = {&links[i]->request, &links[i]->reply};
            for (int w = 0; w < 2; w++) {
                fds[2 + 2 * i + w] = wish(ways[w], ways[1 - w]);
                if (ways[w]->begin < ways[w]->end && !ways[w]->blocked && ways[w]->due < next) next = ways[w]->due;
            }
        }
        int64_t wait = next > at ? next - at : 0;
        struct timespec until = {wait / 1000000000, wait % 1000000000};
        if (ppoll(fds, 2 + 2 * polled, next == INT64_MAX ? NULL : &until, NULL) < 0 && errno != EINTR) return perror("poll"), 1;
        at = now();
        /* From the last to the first: a link that is dropped has the last one put in its place. */
        for (int i = polled - 1; i >= 0; i--) {
            struct way *request = &links[i]->request, *reply = &links[i]->reply;
            int near = fds[2 + 2 * i].revents, far = fds[3 + 2 * i].revents, whole = 1;
            if (near & POLLOUT) reply->blocked = 0;
            if (far & POLLOUT) request->blocked = 0;
            if (near & ~POLLOUT) whole &= receive(request);
            if (far & ~POLLOUT) whole &= receive(reply);
            whole = whole && !((near | far) & POLLERR) && deliver(request, at) && deliver(reply, at);
            if (!whole) {
                drop(i, 0);
            } else if (request->told && reply->told) {
                drop(i, 1);
            }
        }
        if (fds[1].revents) accept_one(listener, &target);
        if (fds[0].revents) {
            ssize_t n = read(0, line + typed, sizeof line - 1 - typed);
            if (n <= 0) return 0;
            typed += n;
            for (char *end; (end = memchr(line, '\n', typed)) != NULL;) {
                *end = 0;
                obey(line);
                typed -= end + 1 - line;
                memmove(line, end + 1, typed);
            }
        }
    }
}
