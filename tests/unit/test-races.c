/* vhdkit tests: everything at once, on one disk, for seconds.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Writers allocate, trim, free and write over sectors of their own, which lie
 * in the same blocks as those of others, and verify every byte; others flush,
 * read everything, and ask for extents; the caches are so small that bitmaps
 * and resolved parents come and go.  Every sector carries its number, so that
 * a reader of foreign sectors knows data of another place when it sees it.
 *
 * Each disk lives for a moment only, because most can go wrong while its
 * blocks are new.  VHDKIT_RACE_SECONDS (1, of each scenario) and VHDKIT_SEED.
 */
#include <config.h>

#include "unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/uio.h>
#include <time.h>

#include "base/checked.h"
#include "target.h"

#define KIB 1024u
#define MIB (1024 * KIB)
#define WRITERS 5
#define GROUP 3u                /* sectors of one writer in a row */
#define ROUND 0.3               /* seconds with one disk */

/* Reads and writes of one file must not count as an order between threads. */
extern const char *__tsan_default_options (void);
const char *
__tsan_default_options (void)
{
  return "io_sync=0";
}

static unsigned seconds, seed;

static void
nap (double s)
{
  const struct timespec t = { (time_t) s, (long) ((s - (time_t) s) * 1e9) };

  nanosleep (&t, NULL);
}

/*----------------------------------------------------------------------
 * System calls that dawdle, so that what must not come in between has time to.
 * The linker puts these in front of the real ones (see Makefile.am).
 *--------------------------------------------------------------------*/

static void
dawdle (void)
{
  static _Thread_local uint64_t state;

  if (state == 0)
    state = (uintptr_t) &state | 1;
  state = state * UINT64_C (6364136223846793005) + 1442695041;
  if ((state >> 40 & 255) == 0)
    nap (1e-6 * (state >> 50 & 4095));
  else if ((state >> 40 & 7) == 0)
    sched_yield ();
}

#define DAWDLE(type, name, params, args)                \
  extern type __real_##name params;                     \
  extern type __wrap_##name params;                     \
  type                                                  \
  __wrap_##name params                                  \
  {                                                     \
    type r;                                             \
                                                        \
    dawdle ();                                          \
    r = __real_##name args;                             \
    dawdle ();                                          \
    return r;                                           \
  }

DAWDLE (ssize_t, pread, (int fd, void *buf, size_t count, off_t offset),
        (fd, buf, count, offset))
DAWDLE (ssize_t, pwrite, (int fd, const void *buf, size_t count,
                          off_t offset), (fd, buf, count, offset))
DAWDLE (ssize_t, preadv, (int fd, const struct iovec *iov, int n,
                          off_t offset), (fd, iov, n, offset))
DAWDLE (ssize_t, pwritev, (int fd, const struct iovec *iov, int n,
                           off_t offset), (fd, iov, n, offset))
DAWDLE (int, fallocate, (int fd, int mode, off_t offset, off_t length),
        (fd, mode, offset, length))
DAWDLE (int, fdatasync, (int fd), (fd))

/*----------------------------------------------------------------------
 * What is in a sector
 *--------------------------------------------------------------------*/

#define STAMP UINT64_C (0x7374616d70000000)

/* version 0: zeros. */
static void
fill_sector (uint64_t *words, uint64_t sector, uint64_t version)
{
  unsigned k;

  for (k = 0; k < SECTOR_SIZE / 8; k += 2) {
    words[k] = version ? STAMP | sector : 0;
    words[k + 1] = version;
  }
}

/* Does all of it belong to this sector, whatever the versions?  A read beside
 * a write may see a part of each. */
static bool
is_of_sector (const uint64_t *words, uint64_t sector)
{
  unsigned k;

  for (k = 0; k < SECTOR_SIZE / 8; k += 2)
    if (words[k] != 0 && words[k] != (STAMP | sector))
      return false;
  return true;
}

/*----------------------------------------------------------------------
 * The threads
 *--------------------------------------------------------------------*/

struct race {
  vhdkit_disk *disk;
  uint64_t sectors;
  uint32_t block_sectors;
  uint64_t *version;            /* per sector, of its owner's */
  _Atomic bool stop, writable;
  _Atomic bool failed;
  _Atomic uint64_t requests;
};

struct thread {
  pthread_t id;
  struct race *race;
  unsigned number;
  uint64_t random;
  uint64_t versions;
  uint64_t buf[64 * SECTOR_SIZE / 8], want[SECTOR_SIZE / 8];
};

static uint64_t
next_random (struct thread *t)
{
  t->random ^= t->random >> 12;
  t->random ^= t->random << 25;
  t->random ^= t->random >> 27;
  return t->random * UINT64_C (0x2545f4914f6cdd1d) >> 8;
}

static void
note (struct thread *t, bool ok, const char *what, uint64_t sector)
{
  atomic_fetch_add_explicit (&t->race->requests, 1, memory_order_relaxed);
  if (ok || atomic_exchange (&t->race->failed, true))
    return;
  print_error ("thread %u: %s, sector %llu: %s; VHDKIT_SEED=%u\n", t->number,
               what, (unsigned long long) sector, vhdkit_get_error (), seed);
  t->race->stop = true;
}

/* In the first half of the disk the writers take turns every few sectors, in
 * the second block by block: so that blocks are freed. */
static uint64_t
own_range (struct thread *t, uint64_t *ret_count)
{
  struct race *r = t->race;
  bool blocks = next_random (t) % 2;
  uint64_t unit = blocks ? r->block_sectors : GROUP;
  uint64_t half = round_down (r->sectors / 2 / r->block_sectors, 2)
                  * r->block_sectors;
  uint64_t base = blocks ? half : 0;
  uint64_t end = blocks ? r->sectors : half;
  uint64_t turns = (end - base) / (unit * WRITERS);
  uint64_t first = base + (next_random (t) % turns * WRITERS + t->number)
                          * unit;
  uint64_t skip = 0;

  if (next_random (t) % 4)
    skip = next_random (t) % unit;
  *ret_count = MIN_OF (unit - skip, 64u);
  if (next_random (t) % 2)
    *ret_count = 1 + next_random (t) % *ret_count;
  return first + skip;
}

static void
verify (struct thread *t, uint64_t first, uint64_t count)
{
  uint64_t k;

  if (vhdkit_pread (t->race->disk, t->buf, count * SECTOR_SIZE,
                    first * SECTOR_SIZE) == -1) {
    note (t, false, "read", first);
    return;
  }
  for (k = 0; k < count; k++) {
    const uint64_t *found = t->buf + k * SECTOR_SIZE / 8;

    fill_sector (t->want, first + k, t->race->version[first + k]);
    note (t, memcmp (found, t->want, SECTOR_SIZE) == 0, "wrong data",
          first + k);
  }
}

static void
write_range (struct thread *t, uint64_t first, uint64_t count)
{
  uint64_t k;

  t->versions++;
  for (k = 0; k < count; k++) {
    t->race->version[first + k] = t->versions;
    fill_sector (t->buf + k * SECTOR_SIZE / 8, first + k, t->versions);
  }
  note (t, vhdkit_pwrite (t->race->disk, t->buf, count * SECTOR_SIZE,
                          first * SECTOR_SIZE,
                          next_random (t) % 64 ? 0 : VHDKIT_FUA) == 0,
        "write", first);
}

/* Whole sectors, by way of writes that begin and end within one. */
static void
write_in_parts (struct thread *t, uint64_t sector)
{
  uint64_t at = sector * SECTOR_SIZE;
  unsigned cut = 16 * (1 + next_random (t) % 31);

  t->race->version[sector] = ++t->versions;
  fill_sector (t->buf, sector, t->versions);
  note (t, vhdkit_pwrite (t->race->disk, (char *) t->buf + cut,
                          SECTOR_SIZE - cut, at + cut, 0) == 0
           && vhdkit_pwrite (t->race->disk, t->buf, cut, at, 0) == 0,
        "write in parts", sector);
}

static void
zero_range (struct thread *t, uint64_t first, uint64_t count, bool trim)
{
  uint64_t k;

  for (k = 0; k < count; k++)
    t->race->version[first + k] = 0;
  note (t, (trim ? vhdkit_trim (t->race->disk, count * SECTOR_SIZE,
                                first * SECTOR_SIZE, 0)
                 : vhdkit_zero (t->race->disk, count * SECTOR_SIZE,
                                first * SECTOR_SIZE,
                                next_random (t) % 2 ? VHDKIT_MAY_TRIM : 0))
           == 0, "zero", first);
}

/* A whole block of ours goes, and comes again somewhere else. */
static void
free_block (struct thread *t)
{
  struct race *r = t->race;
  uint64_t first, count;

  do
    first = own_range (t, &count);
  while (first < r->sectors / 2);
  first = round_down (first, r->block_sectors);
  zero_range (t, first, MIN_OF (r->block_sectors, r->sectors - first),
              next_random (t) % 2);
}

static void *
write_and_verify (void *arg)
{
  struct thread *t = arg;

  while (!t->race->stop) {
    uint64_t count, first = own_range (t, &count);

    if (!t->race->writable) {
      verify (t, first, count);
      continue;
    }
    switch (next_random (t) % 16) {
    case 0: case 1: case 2: case 3: case 4:
      write_range (t, first, count);
      break;
    case 5: case 6:
      write_in_parts (t, first);
      break;
    case 7: case 8: case 9:
      zero_range (t, first, count, next_random (t) % 2);
      break;
    case 10: case 11:
      free_block (t);
      break;
    default:
      verify (t, first, count);
    }
  }
  return NULL;
}

static void *
read_everything (void *arg)
{
  struct thread *t = arg;
  struct race *r = t->race;

  while (!r->stop) {
    uint64_t first = next_random (t) % r->sectors, k;
    uint64_t count = 1 + next_random (t) % 64;

    count = MIN_OF (count, r->sectors - first);
    if (vhdkit_pread (r->disk, t->buf, count * SECTOR_SIZE,
                      first * SECTOR_SIZE) == -1)
      note (t, false, "read", first);
    for (k = 0; k < count; k++)
      note (t, is_of_sector (t->buf + k * SECTOR_SIZE / 8, first + k),
            "data of another place", first + k);
  }
  return NULL;
}

static void *
flush_again_and_again (void *arg)
{
  struct thread *t = arg;
  const struct timespec nap = { 0, 2 * 1000 * 1000 };

  while (!t->race->stop) {
    if (t->race->writable)
      note (t, vhdkit_flush (t->race->disk) == 0, "flush", 0);
    nanosleep (&nap, NULL);
  }
  return NULL;
}

struct cover {
  uint64_t next;
  bool ok;
};

static int
on_extent (void *opaque, const struct vhdkit_extent *e)
{
  struct cover *c = opaque;

  c->ok = c->ok && e->offset == c->next && e->length > 0;
  c->next += e->length;
  return 0;
}

static void *
ask_for_extents (void *arg)
{
  struct thread *t = arg;
  struct race *r = t->race;

  while (!r->stop) {
    uint64_t first = next_random (t) % r->sectors;
    uint64_t count = 1 + next_random (t) % (r->sectors - first);
    struct cover c = { first * SECTOR_SIZE, true };

    note (t, vhdkit_extents (r->disk, count * SECTOR_SIZE,
                             first * SECTOR_SIZE, on_extent, &c) == 0
             && c.ok && c.next == (first + count) * SECTOR_SIZE, "extents",
          first);
  }
  return NULL;
}

/*----------------------------------------------------------------------
 * Scenarios
 *--------------------------------------------------------------------*/

struct scenario {
  uint32_t type;
  uint64_t size;
  uint32_t block_size;
  bool packed;
  bool over_data;               /* a chain of three */
  bool upgrade;                 /* opened read-only, writable later */
  uint64_t metadata_cache;
};

static void
format_file (const char *name, struct image_shape *shape)
{
  struct store *s;

  unlink (temp_path (name));
  s = store_create_file (temp_path (name), 0600);
  assert_non_null (s);
  format_image (s, shape);
  assert_ok (store_close (s));
}

/* Every step-th sector, from the first on, is there with version 1. */
static void
fill_parent (struct race *r, const char *name, const char *const *parents,
             size_t nr_parents, unsigned step)
{
  const struct vhdkit_open_options o = {
    .struct_size = sizeof o, .parents = parents, .nr_parents = nr_parents
  };
  uint64_t words[SECTOR_SIZE / 8], k;
  vhdkit_disk *d;

  assert_ok (vhdkit_open (temp_path (name), VHDKIT_ACCESS_ATTACH_RW, 0, &o,
                          &d));
  for (k = 0; k < r->sectors; k += step) {
    fill_sector (words, k, 1);
    r->version[k] = 1;
    assert_ok (vhdkit_pwrite (d, words, sizeof words, k * SECTOR_SIZE, 0));
  }
  assert_ok (vhdkit_close (d));
}

static size_t
make_parents (struct race *r, const struct scenario *s, const char **parents)
{
  struct image_shape base = { .type = VHD_DYNAMIC, .size = s->size,
                              .block_size = 16 * KIB };
  struct image_shape middle = { .type = VHD_DIFFERENCING, .size = s->size,
                                .block_size = 4 * KIB };

  if (s->type != VHD_DIFFERENCING)
    return 0;
  parents[0] = strdup (temp_path ("middle.vhd"));
  parents[1] = strdup (temp_path ("base.vhd"));
  format_file ("base.vhd", &base);
  memcpy (middle.parent_id, base.id, sizeof base.id);
  format_file ("middle.vhd", &middle);
  if (s->over_data) {
    fill_parent (r, "base.vhd", NULL, 0, 3);
    fill_parent (r, "middle.vhd", parents + 1, 1, 7);
  }
  return 2;
}

static void
open_disk (struct race *r, const struct scenario *s)
{
  struct image_shape shape = { .type = s->type, .size = s->size,
                               .block_size = s->block_size,
                               .packed = s->packed };
  const char *parents[2] = { NULL, NULL };
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .parents = parents, .commit_interval = 1,
    .metadata_cache = s->metadata_cache
  };
  struct store *parent;

  o.nr_parents = make_parents (r, s, parents);
  if (o.nr_parents > 0) {
    struct image_options io = { 0 };
    struct image *i;

    parent = store_open_file (AT_FDCWD, parents[0], false, false);
    assert_non_null (parent);
    assert_ok (image_open (parent, &io, &i));
    memcpy (shape.parent_id, image_footer (i)->id, 16);
    assert_ok (image_close (i));
  }
  format_file ("disk.vhd", &shape);
  assert_ok (vhdkit_open (temp_path ("disk.vhd"),
                          s->upgrade ? VHDKIT_ACCESS_ATTACH_RO
                          : VHDKIT_ACCESS_ATTACH_RW, 0, &o, &r->disk));
  r->writable = !s->upgrade;
  free ((char *) parents[0]);
  free ((char *) parents[1]);
}

static void
let_them_run (struct race *r, const struct scenario *s)
{
  static void *(*const others[]) (void *) = {
    read_everything, read_everything, flush_again_and_again, ask_for_extents
  };
  enum { OTHERS = sizeof others / sizeof others[0] };
  struct thread *t = calloc (WRITERS + OTHERS, sizeof *t);
  unsigned k;

  assert_non_null (t);
  for (k = 0; k < WRITERS + OTHERS; k++) {
    t[k].race = r;
    t[k].number = k;
    t[k].random = (seed * 1000 + k) * 2 + 1;
    t[k].versions = 1;
    assert_int_equal (pthread_create (&t[k].id, NULL, k < WRITERS
                                      ? write_and_verify
                                      : others[k - WRITERS], &t[k]), 0);
  }
  if (s->upgrade) {
    nap (ROUND / 3);
    assert_ok (vhdkit_upgrade (r->disk));
    r->writable = true;
  }
  nap (ROUND);
  r->stop = true;
  for (k = 0; k < WRITERS + OTHERS; k++)
    assert_int_equal (pthread_join (t[k].id, NULL), 0);
  assert_false (r->failed);
  /* All of it once more, by one. */
  for (k = 0; k < r->sectors; k += 64)
    verify (&t[0], k, MIN_OF (64, r->sectors - k));
  free (t);
  assert_false (r->failed);
}

static void
check_file (void)
{
  struct vhdkit_check_result result;

  assert_ok (vhdkit_check (temp_path ("disk.vhd"),
                           VHDKIT_OPEN_NO_PARENTS, NULL, &result));
  assert_int_equal (result.errors, 0);
}

/* One disk, from its first block on. */
static uint64_t
play_round (const struct scenario *s)
{
  struct race r = {
    .sectors = s->size / SECTOR_SIZE,
    .block_sectors = s->block_size / SECTOR_SIZE,
    .version = calloc (s->size / SECTOR_SIZE, sizeof (uint64_t))
  };

  assert_non_null (r.version);
  open_disk (&r, s);
  let_them_run (&r, s);
  assert_ok (vhdkit_close (r.disk));
  check_file ();
  free (r.version);
  return r.requests;
}

static void
race (const struct scenario *s)
{
  const time_t end = time (NULL) + seconds;
  uint64_t requests = 0;
  unsigned rounds = 0;

  do {
    requests += play_round (s);
    rounds++;
    seed++;
  } while (time (NULL) < end);
  print_message ("%u rounds, %llu requests\n", rounds,
                 (unsigned long long) requests);
}

#define RACE(name, ...)                                 \
  static void                                           \
  name (void **state)                                   \
  {                                                     \
    static const struct scenario s = { __VA_ARGS__ };   \
                                                        \
    (void) state;                                       \
    race (&s);                                          \
  }

RACE (dynamic_image, .type = VHD_DYNAMIC, .size = 2 * MIB,
      .block_size = 16 * KIB)
RACE (packed_image, .type = VHD_DYNAMIC, .size = 1 * MIB,
      .block_size = 8 * KIB, .packed = true)
RACE (child_over_data, .type = VHD_DIFFERENCING, .size = 2 * MIB,
      .block_size = 16 * KIB, .over_data = true)
RACE (child_with_tiny_caches, .type = VHD_DIFFERENCING, .size = 4 * MIB,
      .block_size = 16 * KIB, .over_data = true, .metadata_cache = 16 * KIB)
RACE (child_over_nothing, .type = VHD_DIFFERENCING, .size = 2 * MIB,
      .block_size = 8 * KIB, .metadata_cache = 8 * KIB)
RACE (upgraded_while_it_is_read, .type = VHD_DIFFERENCING, .size = 1 * MIB,
      .block_size = 16 * KIB, .over_data = true, .upgrade = true,
      .metadata_cache = 16 * KIB)

static unsigned
number (const char *name, unsigned otherwise)
{
  const char *s = getenv (name);

  return s ? strtoul (s, NULL, 0) : otherwise;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (dynamic_image),
    cmocka_unit_test (packed_image),
    cmocka_unit_test (child_over_data),
    cmocka_unit_test (child_with_tiny_caches),
    cmocka_unit_test (child_over_nothing),
    cmocka_unit_test (upgraded_while_it_is_read),
  };

  seconds = number ("VHDKIT_RACE_SECONDS", 1);
  seed = number ("VHDKIT_SEED", (unsigned) time (NULL) % 100000);
  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
