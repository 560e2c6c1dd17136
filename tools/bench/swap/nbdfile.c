// Shows an NBD export as a file, for a loop device to be put on it: what stands in for the kernel's nbd driver where there is none.
//
//   nbdfile DIRECTORY SOCKET EXPORT        the file is DIRECTORY/nbd; ends when it is unmounted
//
// Like that driver it has one connection and up to 128 requests on their way. One thread, which only hands on: a request of the kernel's FUSE
// becomes one of NBD and a reply the other way round. nbdfuse, which has ten threads and wakes several for each request, takes three times the CPU.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fuse.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>

#define DEPTH 128
#define MOST (1 << 20)
#define FILE_NODE 2
#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

enum { NBD_READ = 0, NBD_WRITE = 1, NBD_FLUSH = 3, NBD_TRIM = 4, NBD_ZEROES = 6 };

struct request { uint32_t magic; uint16_t flags, type; uint64_t cookie, offset; uint32_t length; } __attribute__((packed));
struct reply { uint32_t magic, error; uint64_t cookie; } __attribute__((packed));

static int fuse, nbd;
static uint64_t size;
static char in[MOST + (64 << 10)], out[2 * MOST + (64 << 10)], back[4 * MOST];
static size_t out_from, out_to, back_from, back_to;
static struct { uint64_t unique; uint32_t length; int type, used; } pending[DEPTH * 2];
static int next_slot;

static void die(const char *what) { fprintf(stderr, "nbdfile: %s: %s\n", what, strerror(errno)); exit(1); }

static void whole(void *to, size_t length, int write_it) {
  for (char *at = to; length > 0;) {
    ssize_t n = write_it ? write(nbd, at, length) : read(nbd, at, length);
    if (n <= 0) die("handshake");
    at += n;
    length -= n;
  }
}

static void handshake(const char *path, const char *export) {
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  strncpy(address.sun_path, path, sizeof address.sun_path - 1);
  nbd = socket(AF_UNIX, SOCK_STREAM, 0);
  if (nbd < 0 || connect(nbd, (struct sockaddr *)&address, sizeof address)) die(path);
  char hello[18];
  whole(hello, 18, 0);
  uint32_t flags = htonl(3), name = strlen(export);
  whole(&flags, 4, 1);
  struct { uint64_t magic; uint32_t option, length, name; } __attribute__((packed)) go =
      {htobe64(0x49484156454F5054ull), htonl(7), htonl(name + 6), htonl(name)};
  whole(&go, sizeof go, 1);
  whole((void *)export, name, 1);
  uint16_t none = 0;
  whole(&none, 2, 1);
  for (;;) {
    struct { uint64_t magic; uint32_t option, type, length; } __attribute__((packed)) answer;
    whole(&answer, sizeof answer, 0);
    uint32_t type = ntohl(answer.type), length = ntohl(answer.length);
    char data[4096];
    if (length > sizeof data) { errno = EMSGSIZE; die("handshake"); }
    whole(data, length, 0);
    if (type == 1) return;
    if (type & 0x80000000u) { fprintf(stderr, "nbdfile: the server refuses the export (%x)\n", type); exit(1); }
    if (type == 3 && length >= 12 && data[0] == 0 && data[1] == 0) { memcpy(&size, data + 2, 8); size = be64toh(size); }
  }
}

static void answer(uint64_t unique, int error, const void *data, size_t length) {
  struct fuse_out_header header = {sizeof header + (error ? 0 : length), -error, unique};
  struct iovec parts[2] = {{&header, sizeof header}, {(void *)data, error ? 0 : length}};
  if (writev(fuse, parts, 2) < 0 && errno != ENOENT) die("reply to the kernel"); // ENOENT: it was interrupted
}

static void attributes(uint64_t node, struct fuse_attr *a) {
  memset(a, 0, sizeof *a);
  a->ino = node;
  a->mode = node == FILE_NODE ? S_IFREG | 0600 : S_IFDIR | 0700;
  a->nlink = 1;
  a->size = node == FILE_NODE ? size : 0;
  a->blksize = 4096;
}

static void forward(uint64_t unique, int type, uint64_t offset, uint32_t length, const void *data) {
  while (pending[next_slot].used) next_slot = (next_slot + 1) % (DEPTH * 2);
  pending[next_slot].unique = unique;
  pending[next_slot].type = type;
  pending[next_slot].length = length;
  pending[next_slot].used = 1;
  struct request r = {htonl(0x25609513), 0, htons(type), htobe64(next_slot), htobe64(offset), htonl(length)};
  memcpy(out + out_to, &r, sizeof r);
  out_to += sizeof r;
  if (data) { memcpy(out + out_to, data, length); out_to += length; }
}

static void from_kernel(void) {
  ssize_t n = read(fuse, in, sizeof in);
  if (n < 0 && (errno == EAGAIN || errno == EINTR || errno == ENOENT)) return;
  if (n < 0 && errno == ENODEV) exit(0); // unmounted
  if (n < 0) die("request of the kernel");
  struct fuse_in_header *h = (void *)in;
  void *body = h + 1;
  switch (h->opcode) {
    case FUSE_INIT: {
      struct fuse_init_in *i = body;
      struct fuse_init_out o = {.major = FUSE_KERNEL_VERSION, .minor = FUSE_KERNEL_MINOR_VERSION};
      o.max_readahead = 0;
      o.flags = i->flags & (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS);
      o.max_background = DEPTH;
      o.congestion_threshold = DEPTH;
      o.max_write = MOST;
      o.max_pages = MOST / 4096;
      o.time_gran = 1;
      answer(h->unique, 0, &o, sizeof o);
      return;
    }
    case FUSE_GETATTR:
    case FUSE_SETATTR: {
      struct fuse_attr_out o = {.attr_valid = 3600};
      attributes(h->nodeid, &o.attr);
      answer(h->unique, 0, &o, sizeof o);
      return;
    }
    case FUSE_LOOKUP: {
      struct fuse_entry_out o = {.nodeid = FILE_NODE, .entry_valid = 3600, .attr_valid = 3600};
      attributes(FILE_NODE, &o.attr);
      answer(h->unique, strcmp(body, "nbd") ? ENOENT : 0, &o, sizeof o);
      return;
    }
    case FUSE_OPEN:
    case FUSE_OPENDIR: {
      struct fuse_open_out o = {.open_flags = h->nodeid == FILE_NODE ? FOPEN_DIRECT_IO : 0};
      answer(h->unique, 0, &o, sizeof o);
      return;
    }
    case FUSE_STATFS: {
      struct fuse_statfs_out o = {.st = {.bsize = 4096, .frsize = 4096, .namelen = 255}};
      answer(h->unique, 0, &o, sizeof o);
      return;
    }
    case FUSE_READ: {
      struct fuse_read_in *r = body;
      forward(h->unique, NBD_READ, r->offset, r->size, 0);
      return;
    }
    case FUSE_WRITE: {
      struct fuse_write_in *w = body;
      forward(h->unique, NBD_WRITE, w->offset, w->size, w + 1);
      return;
    }
    case FUSE_FSYNC: forward(h->unique, NBD_FLUSH, 0, 0, 0); return;
    case FUSE_FALLOCATE: {
      struct fuse_fallocate_in *f = body;
      int punch = f->mode & FALLOC_FL_PUNCH_HOLE;
      if ((!punch && !(f->mode & FALLOC_FL_ZERO_RANGE)) || f->length > 0xfffff000u) answer(h->unique, EOPNOTSUPP, 0, 0);
      else forward(h->unique, punch ? NBD_TRIM : NBD_ZEROES, f->offset, f->length, 0);
      return;
    }
    case FUSE_FLUSH:
    case FUSE_RELEASE:
    case FUSE_RELEASEDIR:
    case FUSE_ACCESS: answer(h->unique, 0, 0, 0); return;
    case FUSE_FORGET:
    case FUSE_BATCH_FORGET:
    case FUSE_INTERRUPT: return;
    case FUSE_DESTROY: answer(h->unique, 0, 0, 0); exit(0);
    default: answer(h->unique, ENOSYS, 0, 0);
  }
}

static void to_server(void) {
  ssize_t n = send(nbd, out + out_from, out_to - out_from, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (n < 0 && errno != EAGAIN && errno != EINTR) die("request to the server");
  if (n > 0) out_from += n;
  if (out_from == out_to) out_from = out_to = 0;
}

static void from_server(void) {
  ssize_t n = recv(nbd, back + back_to, sizeof back - back_to, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return;
  if (n <= 0) { if (n == 0) errno = ECONNRESET; die("the server"); }
  back_to += n;
  while (back_to - back_from >= sizeof(struct reply)) {
    struct reply r;
    memcpy(&r, back + back_from, sizeof r);
    uint64_t slot = be64toh(r.cookie);
    if (ntohl(r.magic) != 0x67446698 || slot >= DEPTH * 2 || !pending[slot].used) { errno = EPROTO; die("the server"); }
    int error = ntohl(r.error), reads = pending[slot].type == NBD_READ && !error;
    size_t length = reads ? pending[slot].length : 0;
    if (back_to - back_from < sizeof r + length) break;
    struct fuse_write_out written = {.size = pending[slot].length};
    const void *data = reads ? back + back_from + sizeof r : (void *)&written;
    size_t bytes = reads ? length : pending[slot].type == NBD_WRITE ? sizeof written : 0;
    pending[slot].used = 0;
    answer(pending[slot].unique, error, data, bytes);
    back_from += sizeof r + length;
  }
  if (back_from == back_to) back_from = back_to = 0;
  else if (back_from > sizeof back / 2) { memmove(back, back + back_from, back_to - back_from); back_to -= back_from; back_from = 0; }
}

int main(int argc, char **argv) {
  if (argc != 4) { fprintf(stderr, "nbdfile DIRECTORY SOCKET EXPORT\n"); return 2; }
  handshake(argv[2], argv[3]);
  fuse = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
  if (fuse < 0) die("/dev/fuse");
  char options[100];
  snprintf(options, sizeof options, "fd=%d,rootmode=40000,user_id=0,group_id=0,max_read=%d", fuse, MOST);
  if (mount("nbdfile", argv[1], "fuse.nbdfile", MS_NOSUID | MS_NODEV, options)) die("mount");
  if (mlockall(MCL_CURRENT | MCL_FUTURE)) die("mlockall");
  prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0); // swap goes through here: no paging out on this thread
  for (;;) {
    int room = sizeof out - out_to >= MOST + 4096;
    struct pollfd fds[2] = {{room ? fuse : -1, POLLIN, 0}, {nbd, POLLIN | (out_from < out_to ? POLLOUT : 0), 0}};
    if (poll(fds, 2, -1) < 0 && errno != EINTR) die("poll");
    if (fds[0].revents & POLLERR) exit(0); // unmounted
    for (int i = 0; i < 32 && fds[0].revents && sizeof out - out_to >= MOST + 4096; i++) {
      size_t before = out_to;
      from_kernel();
      if (out_to == before) break;
    }
    if (out_from < out_to) to_server();
    if (fds[1].revents & (POLLIN | POLLHUP | POLLERR)) from_server();
  }
}
