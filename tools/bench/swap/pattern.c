// Touches memory in a pattern and prints how long single touches took: what a program feels of swap.
//
//   pattern MIB PATTERN [WORK_US] [TOUCHES]
//
// PATTERN: seq | rev | sN (stride of N pages, then the next offset) | xA,B (two interleaved strides, each in its own half)
//          | tN (two threads, stride N, each in its own half) | rand | unmap (the first half in order, then the second half is unmapped and the
//          first touched again)
// All pages are written first, then paged out and pushed out of the swap cache too (give the cgroup about half of MIB), then touched in
// order; each page's contents are checked.
// If a line comes in on standard input within START_WAIT seconds (environment; default 0) it starts then: time for an agent to be attached.
// One line of JSON: touches, wrong pages, percentiles and their curve in microseconds, major and minor faults, seconds. Exit 1 if a page was wrong.
#define _GNU_SOURCE
#include <poll.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <x86intrin.h>

#define PAGE 4096
#define PAGEOUT 21 /* MADV_PAGEOUT */

static char *memory;
static double ticks_per_us, work_us;

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}
static uint64_t expected(size_t page) { return page ^ 0x5a5a; }
static uint64_t *at(size_t page) { return (uint64_t *)(memory + page * PAGE); }
static void *locked(size_t bytes) {
  void *p = mmap(0, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
  if (p == MAP_FAILED || mlock(p, bytes)) { perror("mlock"); exit(2); }
  return p;
}

struct walk { uint32_t *order; float *us; size_t count, wrong; };

static void *touch(void *argument) {
  struct walk *w = argument;
  uint64_t work = work_us * ticks_per_us;
  unsigned cpu;
  for (size_t k = 0; k < w->count; k++) {
    uint64_t begin = __rdtscp(&cpu);
    uint64_t value = *(volatile uint64_t *)at(w->order[k]);
    uint64_t end = __rdtscp(&cpu);
    w->wrong += value != expected(w->order[k]);
    w->us[k] = (end - begin) / ticks_per_us;
    while (__rdtsc() - end < work);
  }
  return 0;
}

// stride over pages [from, from + length), offset after offset
static void stride(uint32_t *order, size_t step, size_t count, size_t by, size_t from, size_t length) {
  size_t page = 0, offset = 0;
  for (size_t k = 0; k < count; k++) {
    order[k * step] = from + page;
    if ((page += by) >= length) { offset = (offset + 1) % by; page = offset; }
  }
}

static int by_value(const void *a, const void *b) {
  float x = *(float *)a, y = *(float *)b;
  return (x > y) - (x < y);
}

// Steps of 2 per cent to 98, then of 0.1 per cent.
#define CURVE 69
static double curve(int i) { return i < 50 ? i * 2 : 98 + (i - 49) * 0.1; }

int main(int argc, char **argv) {
  if (argc < 3) { fprintf(stderr, "pattern MIB PATTERN [WORK_US] [TOUCHES]\n"); return 2; }
  size_t pages = atol(argv[1]) * 256, count = argc > 4 ? (size_t)atol(argv[4]) : pages, half = pages / 2, a = 1, b = 1;
  const char *pattern = argv[2];
  work_us = argc > 3 ? atof(argv[3]) : 0;
  count -= count % 2;
  uint32_t *order = locked(count * sizeof *order);
  float *us = locked(count * sizeof *us);
  int threads = 1;
  if (!strcmp(pattern, "seq")) stride(order, 1, count, 1, 0, pages);
  else if (!strcmp(pattern, "rev")) for (size_t k = 0; k < count; k++) order[k] = pages - 1 - k % pages;
  else if (sscanf(pattern, "s%zu", &a) == 1) stride(order, 1, count, a, 0, pages);
  else if (sscanf(pattern, "x%zu,%zu", &a, &b) == 2) { stride(order, 2, count / 2, a, 0, half); stride(order + 1, 2, count / 2, b, half, half); }
  else if (sscanf(pattern, "t%zu", &a) == 1) { threads = 2; stride(order, 1, count / 2, a, 0, half); stride(order + count / 2, 1, count / 2, a, half, half); }
  else if (!strcmp(pattern, "rand")) { uint64_t x = 88172645463325252u; for (size_t k = 0; k < count; k++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; order[k] = x % pages; } }
  else if (!strcmp(pattern, "unmap")) { count = half & ~1ul; stride(order, 1, count, 1, 0, half); }
  else { fprintf(stderr, "pattern: seq rev sN xA,B tN rand unmap\n"); return 2; }

  double t = seconds();
  uint64_t ticks = __rdtsc();
  while (seconds() - t < 0.05);
  ticks_per_us = (__rdtsc() - ticks) / (seconds() - t) / 1e6;

  memory = mmap(0, pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  madvise(memory, pages * PAGE, MADV_NOHUGEPAGE);
  for (size_t i = 0; i < pages; i++) *at(i) = expected(i);
  madvise(memory, pages * PAGE, PAGEOUT);
  // what was just written stays in the swap cache until its memory is wanted: want it, for as much as half of all
  char *ballast = mmap(0, half * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (size_t i = 0; i < half; i++) ballast[i * PAGE] = 1;
  munmap(ballast, half * PAGE);
  const char *wait = getenv("START_WAIT");
  fprintf(stderr, "filled\n");
  if (wait) { struct pollfd in = {0, POLLIN, 0}; poll(&in, 1, atoi(wait) * 1000); }

  struct rusage before, after;
  getrusage(RUSAGE_SELF, &before);
  t = seconds();
  struct walk first = {order, us, count / threads, 0}, second = {order + count / 2, us + count / 2, count / 2, 0};
  pthread_t other;
  if (threads == 2) pthread_create(&other, 0, touch, &second);
  touch(&first);
  if (threads == 2) pthread_join(other, 0);
  if (!strcmp(pattern, "unmap")) { munmap(memory + half * PAGE, half * PAGE); touch(&first); }
  t = seconds() - t;
  getrusage(RUSAGE_SELF, &after);

  double sum = 0;
  for (size_t k = 0; k < count; k++) sum += us[k];
  qsort(us, count, sizeof *us, by_value);
  size_t wrong = first.wrong + second.wrong;
  printf("{\"pattern\": \"%s\", \"work_us\": %g, \"touches\": %zu, \"wrong\": %zu, \"p50\": %.2f, \"p90\": %.2f, \"p99\": %.2f, \"p999\": %.2f, \"mean\": %.2f, "
         "\"major\": %ld, \"minor\": %ld, \"seconds\": %.3f, \"curve\": [",
         pattern, work_us, count, wrong, us[count / 2], us[count * 9 / 10], us[count * 99 / 100], us[count * 999 / 1000], sum / count,
         after.ru_majflt - before.ru_majflt, after.ru_minflt - before.ru_minflt, t);
  for (int i = 0; i <= CURVE; i++) // per cent of the touches, and what they took at most
    printf("%s[%.2f, %.2f]", i ? ", " : "", curve(i), us[(size_t)((count - 1) * curve(i) / 100)]);
  printf("]}\n");
  return wrong != 0;
}
