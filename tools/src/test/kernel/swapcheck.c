/*
 * A program that is larger than memory and knows what every page of it must hold.
 *
 * Every word of a page is derived from the page's number, its generation and a seed; the first words name them, so a
 * wrong page says whose it is. Each pass touches every page once (or a part of them), checks every word, and prints how
 * far it is and what it took:
 *
 *   swapcheck: fill 1/4
 *   swapcheck: fill     131072 pages  17.012 s  faults 0
 *   swapcheck: stride10 131072 pages  22.601 s  faults 98211  p50 0.11 p90 0.14 p99 0.31 p99.9 1.20 max 9.81 ms
 *
 * The percentiles are those of the touches that had to wait for a swap-in: of the slowest `faults` touches of the pass,
 * where `faults` is what the kernel counts as major ones (pages that read-ahead had brought are not among them).
 *
 * Exit status: 0 all pages right, 1 a page is wrong, 2 usage or no memory, 3 a page could not be read (SIGBUS).
 */
#define _GNU_SOURCE
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <x86intrin.h>
#endif

#define PAGE 4096
#define WORDS (PAGE / 8)
#define TICKS_SHIFT 8 /* so that minutes fit into 32 bits */

static uint64_t seed = 1;
static uint64_t pages;
static uint8_t *memory;
static uint8_t *generation; /* of each page: the newest that was written */
static uint32_t *waits;     /* of each touch of the running pass, in 256 ticks */
static volatile uint64_t at; /* the page being touched, for the SIGBUS handler */
static uint64_t wrong;

/* A clock that is no system call: under User-mode Linux clock_gettime costs more than a swap-in's software part. */
static inline uint64_t ticks(void) {
#if defined(__x86_64__)
    return __rdtsc();
#else
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + t.tv_nsec;
#endif
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

static inline uint64_t mix(uint64_t x) { /* splitmix64 */
    x += 0x9e3779b97f4a7c15u;
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static inline uint64_t base_of(uint64_t page, uint64_t gen) { return mix(seed ^ mix(page ^ mix(gen))); }

static void write_page(uint64_t page) {
    uint64_t *w = (uint64_t *)(memory + page * PAGE);
    uint64_t base = base_of(page, generation[page]);
    w[0] = page;
    w[1] = generation[page];
    w[2] = seed;
    for (int i = 3; i < WORDS; i++) w[i] = base + i * 0x9e3779b97f4a7c15u;
}

static void check_page(uint64_t page) {
    const uint64_t *w = (const uint64_t *)(memory + page * PAGE);
    uint64_t base = base_of(page, generation[page]);
    uint64_t differs = (w[0] ^ page) | (w[1] ^ generation[page]) | (w[2] ^ seed);
    int first = differs ? 0 : -1;
    for (int i = 3; i < WORDS; i++) {
        if (w[i] != base + i * 0x9e3779b97f4a7c15u) {
            if (first < 0) first = i;
            differs = 1;
        }
    }
    if (!differs) return;
    if (wrong++ < 20) {
        printf("swapcheck: WRONG page %" PRIu64 " generation %u: word %d differs; it says page %" PRIu64
               " generation %" PRIu64 " seed %" PRIu64 "%s\n",
               page, generation[page], first, w[0], w[1], w[2],
               w[0] == page && w[1] < generation[page] ? " (stale)" : w[0] != page && w[2] == seed ? " (another page)" : "");
    }
}

/*
 * Does to a page what a broken device might, so that a test can see that the passes notice. `saved` is what the page held
 * before it was last written.
 */
static int spoil(const char *how, uint64_t page, const uint8_t *saved) {
    uint8_t *here = memory + page * PAGE;
    if (strcmp(how, "corrupt") == 0) here[2345] ^= 0x10;
    else if (strcmp(how, "torn") == 0) memcpy(here + PAGE / 2, saved + PAGE / 2, PAGE / 2);
    else if (strcmp(how, "stale") == 0) memcpy(here, saved, PAGE);
    else if (strcmp(how, "foreign") == 0) memcpy(here, memory + (page + 1) % pages * PAGE, PAGE);
    else if (strcmp(how, "zeros") == 0) memset(here, 0, PAGE);
    else if (strcmp(how, "unreadable") == 0) {
        int empty = memfd_create("empty", 0);
        return empty >= 0 && mmap(here, PAGE, PROT_READ, MAP_SHARED | MAP_FIXED, empty, 0) != MAP_FAILED;
    } else return 0;
    return 1;
}

static int by_size(const void *a, const void *b) {
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

enum what { FILL, REWRITE, READ };

/* A permutation of 0 .. pages-1 that needs no memory: a balanced Feistel network, walked until it lands inside. */
static uint64_t shuffled(uint64_t i, uint64_t key) {
    int half = 1;
    while ((1ull << (2 * half)) < pages) half++;
    uint64_t mask = (1ull << half) - 1;
    do {
        uint64_t left = i >> half, right = i & mask;
        for (int round = 0; round < 4; round++) {
            uint64_t next = left ^ (mix(right ^ mix(key + round)) & mask);
            left = right;
            right = next;
        }
        i = left << half | right;
    } while (i >= pages);
    return i;
}

/* Touches the first `count` pages of its order. */
static void pass(const char *name, enum what what, uint64_t stride, int random, uint64_t key, uint64_t count) {
    struct rusage before, after;
    getrusage(RUSAGE_SELF, &before);
    double started = now();
    uint64_t tick_started = ticks();
    uint64_t wrong_before = wrong, lane = 0, page = 0;
    for (uint64_t n = 0; n < count; n++) {
        uint64_t p;
        if (random) {
            p = shuffled(n, key);
        } else {
            p = page;
            page += stride;
            if (page >= pages) page = ++lane;
        }
        at = p;
        uint64_t t = ticks(); /* the time of the touch alone */
        if (what == FILL) {
            *(volatile uint8_t *)(memory + p * PAGE) = 0;
        } else {
            (void)*(volatile uint8_t *)(memory + p * PAGE);
        }
        t = ticks() - t;
        waits[n] = (uint32_t)(t >> TICKS_SHIFT);
        if (what != FILL) check_page(p);
        if (what == REWRITE) generation[p]++;
        if (what != READ) write_page(p);
        if (n * 4 / count != (n + 1) * 4 / count && n + 1 < count)
            printf("swapcheck: %s %d/4\n", name, (int)((n + 1) * 4 / count));
    }
    double seconds = now() - started;
    double ms_a_tick = seconds * 1e3 / (double)(ticks() - tick_started);
    getrusage(RUSAGE_SELF, &after);
    uint64_t faults = after.ru_majflt - before.ru_majflt;
    if (faults > count) faults = count;
    printf("swapcheck: %-8s %" PRIu64 " pages  %.3f s  faults %" PRIu64, name, count, seconds, faults);
    if (faults > 0) {
        qsort(waits, count, sizeof *waits, by_size);
        const uint32_t *slow = waits + (count - faults);
        const struct { const char *name; double at; } wanted[] = {
            {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p99.9", .999}, {"max", 1}};
        for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
            uint64_t rank = (uint64_t)(wanted[i].at * (double)faults);
            printf("%s%s %.2f", i ? " " : "  ", wanted[i].name, (double)slow[rank < faults ? rank : faults - 1] * (1 << TICKS_SHIFT) * ms_a_tick);
        }
        printf(" ms");
    }
    printf(wrong > wrong_before ? "  WRONG %" PRIu64 "\n" : "\n", wrong - wrong_before);
}

static void unreadable(int signal_number) {
    (void)signal_number;
    char text[80];
    int n = snprintf(text, sizeof text, "swapcheck: UNREADABLE page %" PRIu64 " (SIGBUS)\n", at);
    if (write(1, text, n) < 0) _exit(4);
    _exit(3);
}

static void *locked(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (p == MAP_FAILED) perror("swapcheck: mmap"), exit(2);
    if (mlock(p, bytes) < 0) perror("swapcheck: cannot lock its tables (go on)");
    return p;
}

static int usage(void) {
    fputs("usage: swapcheck [--seed N] [--loops N] [--spoil HOW] MIB [PASS ...]\n"
          "  MIB     working set\n"
          "  PASS    seq, stride, random: read and check; rewrite: check, then write anew, in a random order;\n"
          "          PASS/N: the first of N parts of that order\n"
          "          pause: stop (SIGSTOP) until somebody sends SIGCONT.\n"
          "          The default is: seq stride random rewrite seq. The fill comes first, always.\n"
          "  --loops does the passes N times (default 1); the program says 'swapcheck: loop N' before each\n"
          "  --spoil makes one page wrong after the fill: corrupt, torn, stale, foreign, zeros, unreadable\n", stderr);
    return 2;
}

static int is(const char *pass_name, const char *kind) {
    size_t length = strcspn(pass_name, "/");
    return strlen(kind) == length && strncmp(pass_name, kind, length) == 0;
}

/* How many parts a pass is one of; 0 if it is none. */
static uint64_t part_of(const char *name) {
    const char *slash = strchr(name, '/');
    if (!is(name, "seq") && !is(name, "stride") && !is(name, "random") && !is(name, "rewrite") && strcmp(name, "pause")) return 0;
    return slash == NULL ? 1 : strtoull(slash + 1, NULL, 10);
}

int main(int argc, char **argv) {
    static const char *const standard[] = {"seq", "stride", "random", "rewrite", "seq"};
    const char *how = NULL;
    long loops = 1;
    int i = 1;
    for (; i + 1 < argc && strncmp(argv[i], "--", 2) == 0; i += 2) {
        if (strcmp(argv[i], "--seed") == 0) seed = strtoull(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--loops") == 0) loops = strtol(argv[i + 1], NULL, 0);
        else if (strcmp(argv[i], "--spoil") == 0) how = argv[i + 1];
        else return usage();
    }
    if (i >= argc || (pages = strtoull(argv[i++], NULL, 0) << 8) == 0) return usage();
    const char *const *passes = i < argc ? (const char *const *)argv + i : standard;
    int count = i < argc ? argc - i : 5;
    for (int k = 0; k < count; k++)
        if (part_of(passes[k]) == 0) return usage();

    setvbuf(stdout, NULL, _IOLBF, 4096);
    signal(SIGBUS, unreadable);
    generation = locked(pages);
    waits = locked(pages * sizeof *waits);
    memory = mmap(NULL, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) perror("swapcheck: mmap"), exit(2);

    pass("fill", FILL, 1, 0, 0, pages);
    if (how != NULL) {
        static uint8_t saved[PAGE];
        uint64_t page = pages / 3;
        memcpy(saved, memory + page * PAGE, PAGE);
        generation[page]++;
        write_page(page);
        if (!spoil(how, page, saved)) return usage();
    }
    for (long loop = 0; loop < loops; loop++) {
        if (loops > 1) printf("swapcheck: loop %ld of %ld\n", loop + 1, loops);
        for (int k = 0; k < count; k++) {
            const char *name = passes[k];
            uint64_t key = seed + 1000 * loop + k;
            uint64_t share = pages / part_of(name);
            if (is(name, "pause")) printf("swapcheck: pause\n"), raise(SIGSTOP);
            else if (is(name, "seq")) pass("seq", READ, 1, 0, 0, share);
            else if (is(name, "stride")) pass("stride10", READ, 10, 0, 0, share);
            else if (is(name, "random")) pass("random", READ, 1, 1, key, share);
            else pass("rewrite", REWRITE, 1, 1, key, share);
        }
    }
    printf("swapcheck: %s\n", wrong ? "FAILED" : "every page right");
    return wrong ? 1 : 0;
}
