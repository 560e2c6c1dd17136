// PageRank over a made-up graph: its edges are gone through in order, its ranks are read and written all over.
//
//   pagerank NODES EDGES ROUNDS
//
// Ranks are whole numbers, so that the sum that is printed is the same everywhere.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

static uint64_t state = 88172645463325252u;
static uint64_t draw(void) {
  state ^= state << 13;
  state ^= state >> 7;
  return state ^= state << 17;
}
// A few nodes have most of the links, as in graphs of people and pages.
static uint32_t popular(uint32_t nodes) { return (draw() % nodes) & draw() % nodes; }

int main(int argc, char **argv) {
  if (argc != 4) { fprintf(stderr, "pagerank NODES EDGES ROUNDS\n"); return 2; }
  uint32_t nodes = atol(argv[1]), edges = atol(argv[2]);
  struct edge { uint32_t from, to; } *edge = malloc(edges * sizeof *edge);
  uint64_t *rank = malloc(nodes * sizeof *rank), *next = malloc(nodes * sizeof *next);
  uint32_t *out = calloc(nodes, sizeof *out);
  if (!edge || !rank || !next || !out) { perror("pagerank"); return 1; }
  for (uint32_t i = 0; i < edges; i++) {
    edge[i].from = (uint64_t)i * nodes / edges; // sorted by where they begin
    edge[i].to = popular(nodes);
    out[edge[i].from]++;
  }
  for (uint32_t n = 0; n < nodes; n++) rank[n] = 1u << 20;
  for (int round = atoi(argv[3]); round > 0; round--) {
    for (uint32_t n = 0; n < nodes; n++) next[n] = (1u << 20) * 15 / 100;
    for (uint32_t i = 0; i < edges; i++) next[edge[i].to] += rank[edge[i].from] * 85 / 100 / out[edge[i].from];
    uint64_t *swap = rank;
    rank = next;
    next = swap;
  }
  uint64_t sum = 0;
  for (uint32_t n = 0; n < nodes; n++) sum = sum * 31 + rank[n];
  printf("%016lx\n", (unsigned long)sum);
  return 0;
}
