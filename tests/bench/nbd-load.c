/* vhdkit: a load generator on libnbd's asynchronous calls.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One thread keeps a number of requests in flight on each of a number of
 * connections and prints one line of JSON: requests, seconds, latencies, and
 * the processor time that the server took.  The same seed gives the same
 * offsets, whatever the server.  Requests to warm up with come first, and are
 * not counted: a server starts threads for its connections, and processors
 * that have just served another have other things in their caches.
 */
#include <config.h>

#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <libnbd.h>

enum op { OP_READ, OP_WRITE, OP_MIX, OP_TRIM, OP_STATUS };
enum pattern { SEQUENTIAL, RANDOM, STRIDE };

struct options {
  const char *uri;
  enum op op;
  enum pattern pattern;
  unsigned block, depth, connections;
  uint64_t requests, warm_up, start, length, stride, seed;
  double seconds;               /* stop then, at the latest; 0: never */
  bool flush_each, flush_end;
  long server_pid;
};

static struct options opt = {
  .op = OP_READ, .pattern = RANDOM, .block = 4096, .depth = 1,
  .connections = 1, .requests = 1000, .stride = 2 << 20, .seed = 1
};

struct connection {
  struct nbd_handle *nbd;
  unsigned in_flight;
};

struct slot {
  struct connection *connection;
  char *buf;
  uint64_t offset;
  double began;
  bool writing, flushing, busy;
};

static struct connection *connection;
static struct slot *slot;
static uint64_t issued, finished, state;
static float *latency;
static uint64_t extents;

static void __attribute__ ((noreturn))
die (const char *what)
{
  fprintf (stderr, "nbd-load: %s: %s\n", what, nbd_get_error ());
  exit (1);
}

static double
now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec / 1e9;
}

/* User and system seconds of a process. */
static double
cpu_seconds (long pid)
{
  char path[64], line[1024];
  unsigned long user = 0, sys = 0;
  FILE *f;
  char *p;

  if (pid == 0)
    return 0;
  snprintf (path, sizeof path, "/proc/%ld/stat", pid);
  f = fopen (path, "r");
  if (f == NULL)
    return 0;
  if (fgets (line, sizeof line, f) && (p = strrchr (line, ')')))
    sscanf (p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu",
            &user, &sys);
  fclose (f);
  return (double) (user + sys) / sysconf (_SC_CLK_TCK);
}

static uint64_t
next_random (void)
{
  /* splitmix64 */
  uint64_t z = (state += UINT64_C (0x9e3779b97f4a7c15));

  z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
  return z ^ z >> 31;
}

static uint64_t
next_offset (uint64_t n)
{
  uint64_t places = opt.length / opt.block;

  switch (opt.pattern) {
  case SEQUENTIAL:
    return opt.start + n % places * opt.block;
  case STRIDE:
    return opt.start + n * opt.stride % opt.length;
  default:
    return opt.start + next_random () % places * opt.block;
  }
}

static void issue (struct slot *s);

static int
completed (void *opaque, int *error)
{
  struct slot *s = opaque;

  if (*error) {
    fprintf (stderr, "nbd-load: request at %" PRIu64 ": %s\n", s->offset,
             strerror (*error));
    exit (1);
  }
  if (s->writing && opt.flush_each && !s->flushing) {
    s->flushing = true;
    s->busy = false;            /* the flush goes out from the main loop */
    return 1;
  }
  latency[finished++] = (now () - s->began) * 1e6;
  s->flushing = s->busy = false;
  s->connection->in_flight--;
  return 1;
}

static void
issue (struct slot *s)
{
  struct nbd_handle *h = s->connection->nbd;
  nbd_completion_callback done = { .callback = completed, .user_data = s };
  int64_t r;

  s->busy = true;
  if (s->flushing) {
    if (nbd_aio_flush (h, done, 0) == -1)
      die ("flush");
    return;
  }
  s->connection->in_flight++;
  s->offset = next_offset (issued++);
  s->began = now ();
  s->writing = opt.op == OP_WRITE
               || (opt.op == OP_MIX && next_random () % 10 >= 7);
  if (opt.op == OP_TRIM)
    r = nbd_aio_trim (h, opt.block, s->offset, done, 0);
  else if (s->writing)
    r = nbd_aio_pwrite (h, s->buf, opt.block, s->offset, done, 0);
  else
    r = nbd_aio_pread (h, s->buf, opt.block, s->offset, done, 0);
  if (r == -1)
    die ("request");
}

static void
wait_for_events (void)
{
  struct pollfd fds[64];
  unsigned k;

  for (k = 0; k < opt.connections; k++) {
    unsigned direction = nbd_aio_get_direction (connection[k].nbd);

    fds[k].fd = nbd_aio_get_fd (connection[k].nbd);
    fds[k].events = (direction & LIBNBD_AIO_DIRECTION_READ ? POLLIN : 0)
                    | (direction & LIBNBD_AIO_DIRECTION_WRITE ? POLLOUT : 0);
    fds[k].revents = 0;
  }
  if (poll (fds, opt.connections, -1) == -1 && errno != EINTR) {
    perror ("nbd-load: poll");
    exit (1);
  }
  for (k = 0; k < opt.connections; k++) {
    struct nbd_handle *h = connection[k].nbd;

    if ((fds[k].revents & (POLLIN | POLLHUP))
        && nbd_aio_notify_read (h) == -1)
      die ("read");
    if ((fds[k].revents & POLLOUT)
        && (nbd_aio_get_direction (h) & LIBNBD_AIO_DIRECTION_WRITE)
        && nbd_aio_notify_write (h) == -1)
      die ("write");
  }
}

static void
run (uint64_t requests)
{
  unsigned slots = opt.depth * opt.connections, k, busy;
  double stop = opt.seconds > 0 ? now () + opt.seconds : 0;

  do {
    bool more = issued < requests && (stop == 0 || now () < stop);

    for (k = 0, busy = 0; k < slots; k++) {
      if (!slot[k].busy
          && (slot[k].flushing || (more && issued < requests)))
        issue (&slot[k]);
      busy += slot[k].busy || slot[k].flushing;
    }
    if (busy)
      wait_for_events ();
  } while (busy);
}

/*----------------------------------------------------------------------
 * Block status.  A request is the whole range, in as many questions as the
 * server's answers make it.
 *--------------------------------------------------------------------*/

static int
add_extents (void *opaque, const char *context, uint64_t offset,
             uint32_t *entries, size_t n, int *error)
{
  uint64_t *covered = opaque;
  size_t k;

  (void) context;
  (void) offset;
  (void) error;
  for (k = 0; k < n; k += 2)
    *covered += entries[k];
  extents += n / 2;
  return 0;
}

static void
ask_status (uint64_t offset, uint64_t end)
{
  while (offset < end) {
    uint64_t covered = 0, most = UINT64_C (2) << 30;
    nbd_extent_callback add = { .callback = add_extents,
                                .user_data = &covered };

    if (nbd_block_status (connection[0].nbd,
                          end - offset < most ? end - offset : most, offset,
                          add, 0) == -1)
      die ("block status");
    offset += covered;
  }
}

static void
run_status (void)
{
  while (finished < opt.requests) {
    double began = now ();

    ask_status (opt.start, opt.start + opt.length);
    latency[finished++] = (now () - began) * 1e6;
  }
}

static int
compare_floats (const void *a, const void *b)
{
  float x = * (const float *) a, y = * (const float *) b;

  return x < y ? -1 : x > y;
}

static float
percentile (double p)
{
  return finished ? latency[(uint64_t) (p * (finished - 1))] : 0;
}

static void
connect_all (void)
{
  unsigned k;

  connection = calloc (opt.connections, sizeof *connection);
  slot = calloc (opt.depth * opt.connections, sizeof *slot);
  latency = calloc ((opt.requests > opt.warm_up ? opt.requests : opt.warm_up)
                    + 1, sizeof *latency);
  if (!connection || !slot || !latency) {
    perror ("nbd-load");
    exit (1);
  }
  for (k = 0; k < opt.connections; k++) {
    connection[k].nbd = nbd_create ();
    if (connection[k].nbd == NULL
        || (opt.op == OP_STATUS
            && nbd_add_meta_context (connection[k].nbd, "base:allocation")
               == -1)
        || nbd_connect_uri (connection[k].nbd, opt.uri) == -1)
      die (opt.uri);
  }
  for (k = 0; k < opt.depth * opt.connections; k++) {
    slot[k].connection = &connection[k % opt.connections];
    slot[k].buf = malloc (opt.op == OP_STATUS || opt.op == OP_TRIM
                          ? 1 : opt.block);
    if (slot[k].buf == NULL) {
      perror ("nbd-load");
      exit (1);
    }
    if (opt.op != OP_STATUS && opt.op != OP_TRIM)
      memset (slot[k].buf, 0x40 + k % 64, opt.block);
  }
  if (opt.length == 0)
    opt.length = nbd_get_size (connection[0].nbd) - opt.start;
}

static void
parse (int argc, char **argv)
{
  static const struct option longs[] = {
    { "op", 1, NULL, 'o' }, { "pattern", 1, NULL, 'p' },
    { "block", 1, NULL, 'b' }, { "depth", 1, NULL, 'q' },
    { "connections", 1, NULL, 'c' }, { "requests", 1, NULL, 'n' },
    { "warm-up", 1, NULL, 'w' }, { "start", 1, NULL, 's' },
    { "length", 1, NULL, 'l' },
    { "stride", 1, NULL, 'S' }, { "seed", 1, NULL, 'r' },
    { "seconds", 1, NULL, 't' }, { "flush-each", 0, NULL, 'f' },
    { "flush-end", 0, NULL, 'F' }, { "pid", 1, NULL, 'P' },
    { NULL, 0, NULL, 0 }
  };
  static const char *const ops[] = { "read", "write", "mix", "trim",
                                     "status" };
  static const char *const patterns[] = { "sequential", "random", "stride" };
  int c;
  unsigned k;

  while ((c = getopt_long (argc, argv, "", longs, NULL)) != -1) {
    switch (c) {
    case 'o':
      for (k = 0; k < 5; k++)
        if (strcmp (optarg, ops[k]) == 0)
          opt.op = (enum op) k;
      break;
    case 'p':
      for (k = 0; k < 3; k++)
        if (strcmp (optarg, patterns[k]) == 0)
          opt.pattern = (enum pattern) k;
      break;
    case 'b': opt.block = strtoul (optarg, NULL, 0); break;
    case 'q': opt.depth = strtoul (optarg, NULL, 0); break;
    case 'c': opt.connections = strtoul (optarg, NULL, 0); break;
    case 'n': opt.requests = strtoull (optarg, NULL, 0); break;
    case 'w': opt.warm_up = strtoull (optarg, NULL, 0); break;
    case 's': opt.start = strtoull (optarg, NULL, 0); break;
    case 'l': opt.length = strtoull (optarg, NULL, 0); break;
    case 'S': opt.stride = strtoull (optarg, NULL, 0); break;
    case 'r': opt.seed = strtoull (optarg, NULL, 0); break;
    case 't': opt.seconds = strtod (optarg, NULL); break;
    case 'f': opt.flush_each = true; break;
    case 'F': opt.flush_end = true; break;
    case 'P': opt.server_pid = strtol (optarg, NULL, 0); break;
    default: exit (2);
    }
  }
  if (optind + 1 != argc || opt.connections == 0 || opt.connections > 64
      || opt.depth == 0 || opt.block == 0) {
    fprintf (stderr, "usage: nbd-load [OPTIONS] URI\n");
    exit (2);
  }
  opt.uri = argv[optind];
  state = opt.seed;
}

int
main (int argc, char **argv)
{
  double began, ended, cpu;
  unsigned k;

  parse (argc, argv);
  connect_all ();
  if (opt.warm_up && opt.op != OP_STATUS) {
    run (opt.warm_up);
    issued = finished = 0;
  }
  cpu = cpu_seconds (opt.server_pid);
  began = now ();
  if (opt.op == OP_STATUS)
    run_status ();
  else
    run (opt.requests);
  if (opt.flush_end && nbd_flush (connection[0].nbd, 0) == -1)
    die ("flush");
  ended = now ();
  cpu = cpu_seconds (opt.server_pid) - cpu;
  qsort (latency, finished, sizeof *latency, compare_floats);
  printf ("{\"requests\": %" PRIu64 ", \"seconds\": %.6f, \"cpu\": %.2f, "
          "\"extents\": %" PRIu64 ", \"p50\": %.1f, \"p99\": %.1f, "
          "\"p999\": %.1f}\n", finished, ended - began, cpu, extents,
          percentile (0.5), percentile (0.99), percentile (0.999));
  for (k = 0; k < opt.connections; k++) {
    nbd_shutdown (connection[k].nbd, 0);
    nbd_close (connection[k].nbd);
  }
  return 0;
}
