/*
 * Programs whose memory access is well known, for recording what they make the kernel's swap do.
 *
 *   workloads mergesort MIB     top-down merge sort of random 64-bit numbers; MIB is the array, and a buffer half as large
 *   workloads matrix MIB        C += A * B in tiles, doubles; MIB is the three together
 *   workloads pagerank MIB      two iterations over a power-law graph in compressed rows
 *   workloads bfs MIB           breadth-first searches from four vertices of the same graph
 *
 * Each prints a line when its memory is filled and checks its result.
 */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

static uint64_t state = 0x9e3779b97f4a7c15u;

static inline uint64_t next_random(void) {
    state ^= state << 13;
    state ^= state >> 7;
    return state ^= state << 17;
}

static void *memory(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED) perror("workloads: mmap"), exit(2);
    return p;
}

static void filled(void) {
    puts("workloads: filled");
    fflush(stdout);
}

static int wrong(const char *what) {
    fprintf(stderr, "workloads: %s\n", what);
    return 1;
}

static void sort(uint64_t *a, size_t n, uint64_t *buffer) {
    if (n <= 32) {
        for (size_t i = 1; i < n; i++) {
            uint64_t x = a[i];
            size_t j = i;
            for (; j > 0 && a[j - 1] > x; j--) a[j] = a[j - 1];
            a[j] = x;
        }
        return;
    }
    size_t half = n / 2, i = 0, j = half, k = 0;
    sort(a, half, buffer);
    sort(a + half, n - half, buffer);
    memcpy(buffer, a, half * sizeof *a);
    while (i < half && j < n) a[k++] = buffer[i] <= a[j] ? buffer[i++] : a[j++];
    while (i < half) a[k++] = buffer[i++];
}

static int mergesort_numbers(size_t mib) {
    size_t n = (mib << 20) / sizeof(uint64_t);
    uint64_t *a = memory(n * sizeof *a), *buffer = memory(n / 2 * sizeof *a), sum = 0;
    for (size_t i = 0; i < n; i++) sum += a[i] = next_random();
    filled();
    sort(a, n, buffer);
    for (size_t i = 0; i < n; i++) {
        sum -= a[i];
        if (i > 0 && a[i - 1] > a[i]) return wrong("not sorted");
    }
    return sum != 0 ? wrong("not the numbers that there were") : 0;
}

#define TILE 256

static int matrix(size_t mib) {
    size_t n = (size_t)sqrt((double)(mib << 20) / (3 * sizeof(double))) / TILE * TILE;
    double *a = memory(n * n * sizeof *a), *b = memory(n * n * sizeof *b), *c = memory(n * n * sizeof *c);
    for (size_t i = 0; i < n * n; i++) a[i] = (double)(i % 7), b[i] = (double)(i % 5), c[i] = 0;
    filled();
    for (size_t ii = 0; ii < n; ii += TILE)
        for (size_t jj = 0; jj < n; jj += TILE)
            for (size_t kk = 0; kk < n; kk += TILE)
                for (size_t i = ii; i < ii + TILE; i++)
                    for (size_t k = kk; k < kk + TILE; k++) {
                        double x = a[i * n + k];
                        for (size_t j = jj; j < jj + TILE; j++) c[i * n + j] += x * b[k * n + j];
                    }
    size_t i = n / 3, j = n / 2;
    double sum = 0;
    for (size_t k = 0; k < n; k++) sum += a[i * n + k] * b[k * n + j];
    return sum != c[i * n + j] ? wrong("the product is not right") : 0;
}

struct graph {
    size_t vertices, edges;
    uint64_t *row;
    uint32_t *to;
};

/* Degrees and targets follow a power law: vertex v is chosen with a weight of about 1 / sqrt(v). */
static struct graph power_law(size_t mib) {
    struct graph g;
    g.vertices = (mib << 20) / 96;
    g.row = memory((g.vertices + 1) * sizeof *g.row);
    size_t most = (mib << 20) / 4 * 3 / sizeof *g.to;
    g.to = memory(most * sizeof *g.to);
    g.edges = 0;
    for (size_t v = 0; v < g.vertices; v++) {
        g.row[v] = g.edges;
        size_t degree = 1 + (size_t)(16.0 * sqrt(1e6 / (double)(next_random() % 1000000 + 1)) / 2);
        for (size_t e = 0; e < degree && g.edges < most; e++) {
            double u = (double)(next_random() >> 11) / 9007199254740992.0;
            g.to[g.edges++] = (uint32_t)(u * u * (double)(g.vertices - 1));
        }
    }
    g.row[g.vertices] = g.edges;
    return g;
}

static int pagerank(size_t mib) {
    struct graph g = power_law(mib);
    double *rank = memory(g.vertices * sizeof *rank), *next = memory(g.vertices * sizeof *next), sum = 0;
    for (size_t v = 0; v < g.vertices; v++) rank[v] = 1.0 / (double)g.vertices;
    filled();
    for (int iteration = 0; iteration < 2; iteration++) {
        for (size_t v = 0; v < g.vertices; v++) next[v] = 0.15 / (double)g.vertices;
        for (size_t v = 0; v < g.vertices; v++) {
            uint64_t degree = g.row[v + 1] - g.row[v];
            double share = degree > 0 ? 0.85 * rank[v] / (double)degree : 0;
            for (uint64_t e = g.row[v]; e < g.row[v + 1]; e++) next[g.to[e]] += share;
        }
        double *t = rank;
        rank = next, next = t;
    }
    for (size_t v = 0; v < g.vertices; v++) sum += rank[v];
    return sum < 0.1 || sum > 1.01 ? wrong("ranks do not add up") : 0;
}

static int bfs(size_t mib) {
    struct graph g = power_law(mib);
    uint32_t *queue = memory(g.vertices * sizeof *queue);
    uint8_t *level = memory(g.vertices);
    filled();
    for (int search = 0; search < 4; search++) {
        size_t head = 0, tail = 0, start = g.vertices / 5 * (search + 1) - 1;
        memset(level, 0, g.vertices);
        level[start] = 1;
        queue[tail++] = (uint32_t)start;
        while (head < tail) {
            uint32_t v = queue[head++];
            for (uint64_t e = g.row[v]; e < g.row[v + 1]; e++)
                if (level[g.to[e]] == 0) level[g.to[e]] = level[v] + 1, queue[tail++] = g.to[e];
        }
        if (tail < 2) return wrong("nothing was found");
    }
    return 0;
}

int main(int argc, char **argv) {
    size_t mib = argc == 3 ? strtoull(argv[2], NULL, 10) : 0;
    if (mib == 0) return fputs("usage: workloads mergesort|matrix|pagerank|bfs MIB\n", stderr), 2;
    if (strcmp(argv[1], "mergesort") == 0) return mergesort_numbers(mib);
    if (strcmp(argv[1], "matrix") == 0) return matrix(mib);
    if (strcmp(argv[1], "pagerank") == 0) return pagerank(mib);
    if (strcmp(argv[1], "bfs") == 0) return bfs(mib);
    return fputs("workloads: unknown program\n", stderr), 2;
}
