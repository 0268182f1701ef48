/* vhdkit tests: random operations against a plain array.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * VHDKIT_SEED=N repeats a run, VHDKIT_STEPS=N makes it longer (operations for
 * each kind of disk and, with threads, for each thread).
 */
#include <config.h>

#include "unit.h"

#include <inttypes.h>
#include <pthread.h>
#include <time.h>

#include "base/checked.h"
#include "store-wrap.h"
#include "target.h"

#define KiB 1024u
#define MiB (1024u * KiB)
#define MAX_BYTES (3 * MiB)     /* of one operation */

static uint64_t first_seed;
static unsigned steps;

/*----------------------------------------------------------------------
 * The model: what the disk must read as
 *--------------------------------------------------------------------*/

struct model {
  const char *name;             /* for messages */
  uint8_t *data;
  uint64_t size;
};

static void
model_resize (struct model *m, uint64_t size)
{
  m->data = realloc (m->data, size);
  assert_non_null (m->data);
  if (size > m->size)
    memset (m->data + m->size, 0, size - m->size);
  m->size = size;
}

static void
model_free (struct model *m)
{
  free (m->data);
  memset (m, 0, sizeof *m);
}

/* One who makes random operations on a disk and the model of it: the only
 * one, or a thread that has the stripes s with s % of == number. */
struct player {
  struct target *t;
  struct model *m;
  uint64_t seed, random;
  uint8_t *buf;                 /* MAX_BYTES */
  unsigned step;
  unsigned number, of;
  uint32_t stripe_bytes;        /* 0: all is mine */
  unsigned steps;
  bool failed;
};

static uint64_t
next_random (struct player *p)
{
  /* xorshift64* */
  p->random ^= p->random >> 12;
  p->random ^= p->random << 25;
  p->random ^= p->random >> 27;
  return p->random * UINT64_C (0x2545f4914f6cdd1d);
}

/* Cheap, and no two writes have the same bytes. */
static void
fill_random (struct player *p, size_t count)
{
  uint64_t x = next_random (p);

  for (size_t k = 0; k < count; k += 8) {
    x = x * UINT64_C (6364136223846793005) + 1;
    memcpy (p->buf + k, &x, 8);
  }
}

/* cmocka cannot fail a test from another thread, so this only notes it. */
static bool
failed (struct player *p, const char *what, uint64_t offset, uint64_t count,
        const char *why)
{
  print_error ("%s, thread %u, step %u: %s of %" PRIu64 " bytes at offset %"
               PRIu64 " (0x%" PRIx64 "): %s\nVHDKIT_SEED=%" PRIu64 "\n",
               p->m->name, p->number, p->step, what, count, offset, offset,
               why, first_seed);
  p->failed = true;
  return false;
}

static bool
compare (struct player *p, const uint8_t *found, uint64_t offset,
         size_t count, const char *what)
{
  const uint8_t *expected = p->m->data + offset;
  char why[100];
  size_t k;

  if (memcmp (found, expected, count) == 0)
    return true;
  for (k = 0; found[k] == expected[k]; k++)
    ;
  snprintf (why, sizeof why, "at offset 0x%" PRIx64 " is %02x, must be %02x",
            offset + k, found[k], expected[k]);
  return failed (p, what, offset, count, why);
}

/*----------------------------------------------------------------------
 * Operations
 *--------------------------------------------------------------------*/

static bool
do_read (struct player *p, uint64_t offset, size_t count)
{
  memset (p->buf, 0xee, count);
  if (p->t->ops->pread (p->t, p->buf, count, offset) == -1)
    return failed (p, "read", offset, count, vhdkit_get_error ());
  return compare (p, p->buf, offset, count, "read");
}

static bool
do_write (struct player *p, uint64_t offset, size_t count)
{
  fill_random (p, count);
  if (p->t->ops->pwrite (p->t, p->buf, count, offset) == -1)
    return failed (p, "write", offset, count, vhdkit_get_error ());
  memcpy (p->m->data + offset, p->buf, count);
  return true;
}

static bool
do_zero (struct player *p, uint64_t offset, size_t count)
{
  if (p->t->ops->zero (p->t, count, offset, next_random (p) & 1) == -1)
    return failed (p, "zero", offset, count, vhdkit_get_error ());
  memset (p->m->data + offset, 0, count);
  return true;
}

/* Of a trim, whole sectors only. */
static bool
do_trim (struct player *p, uint64_t offset, size_t count)
{
  uint64_t a = round_up (offset, 512), b = round_down (offset + count, 512);

  if (p->t->ops->trim (p->t, count, offset) == -1)
    return failed (p, "trim", offset, count, vhdkit_get_error ());
  if (a < b)
    memset (p->m->data + a, 0, b - a);
  return true;
}

static bool
do_flush (struct player *p)
{
  if (p->t->ops->flush (p->t) == -1)
    return failed (p, "flush", 0, 0, vhdkit_get_error ());
  return true;
}

static bool
do_reopen (struct player *p)
{
  if (p->t->ops->reopen (p->t) == -1)
    return failed (p, "reopen", 0, 0, vhdkit_get_error ());
  return true;
}

struct extent_check {
  struct player *p;
  uint64_t next;
};

/* Where it says that data lies, the data must lie. */
static bool
check_extent_content (struct player *p, const struct target_extent *e)
{
  size_t n = MIN_OF (e->length, MAX_BYTES);

  if (e->zero)
    memset (p->buf, 0, n);
  else if (e->store == NULL)
    return true;
  else if (store_pread (e->store, p->buf, n, e->file_offset) == -1)
    return failed (p, "extents", e->offset, n, vhdkit_get_error ());
  return compare (p, p->buf, e->offset, n, "extents");
}

static int
check_extent (void *opaque, const struct target_extent *e)
{
  struct extent_check *c = opaque;

  if (e->offset != c->next || e->length == 0)
    return failed (c->p, "extents", e->offset, e->length, "not in order") - 1;
  c->next += e->length;
  /* Others may be writing there. */
  if (c->p->of > 1)
    return 0;
  return check_extent_content (c->p, e) ? 0 : -1;
}

static bool
do_extents (struct player *p, uint64_t offset, size_t count)
{
  uint64_t a = round_down (offset, 512), b = round_up (offset + count, 512);
  struct extent_check c = { p, a };

  if (p->t->ops->extents (p->t, a / 512, (b - a) / 512, check_extent, &c)
      == -1)
    return p->failed ? false
      : failed (p, "extents", a, b - a, vhdkit_get_error ());
  if (c.next != b)
    return failed (p, "extents", a, b - a, "not covered");
  return true;
}

/*----------------------------------------------------------------------
 * Playing
 *--------------------------------------------------------------------*/

/* Mostly small, now and then whole blocks; odd and even. */
static void
choose_range (struct player *p, uint64_t *ret_offset, size_t *ret_count)
{
  static const uint32_t unit[] = {
    1, 512, 512, 4 * KiB, 4 * KiB, 64 * KiB, 512 * KiB, 2 * MiB
  };
  uint64_t r = next_random (p);
  uint32_t u = unit[r % 8], v = unit[r / 8 % 6];
  uint64_t offset = next_random (p) % p->m->size / u * u;
  uint64_t count = (1 + next_random (p) % 8) * v;

  if (r / 64 % 16 == 0) {       /* a large one */
    count = MAX_OF (u, 4 * KiB);
    offset = offset / count * count;
  }
  *ret_offset = offset;
  *ret_count = MIN_OF (MIN_OF (count, MAX_BYTES), p->m->size - offset);
}

/* The part of it that lies in one of my stripes. */
static void
choose_of_stripe (struct player *p, uint64_t *ret_offset, size_t *ret_count)
{
  uint64_t stripes = div_round_up (p->m->size, p->stripe_bytes);
  uint64_t s = next_random (p) % div_round_up (stripes, p->of) * p->of
               + p->number;
  uint64_t start, end, offset;

  if (s >= stripes)
    s = p->number;
  start = s * p->stripe_bytes;
  end = MIN_OF (start + p->stripe_bytes, p->m->size);
  offset = start;
  if (next_random (p) % 3 != 0)
    offset += next_random (p) % (end - start);
  *ret_offset = offset;
  *ret_count = end - offset;
  if (next_random (p) % 3 != 0)
    *ret_count = 1 + next_random (p) % (end - offset);
}

static bool
play_step (struct player *p)
{
  uint64_t offset;
  size_t count;

  if (p->stripe_bytes)
    choose_of_stripe (p, &offset, &count);
  else
    choose_range (p, &offset, &count);
  switch (next_random (p) % 32) {
  case 0:
    return do_flush (p);
  case 1:
    /* Nobody else may be using it. */
    return p->of > 1 ? true : do_reopen (p);
  case 2: case 3:
    return do_extents (p, offset, count);
  case 4: case 5: case 6:
    return do_zero (p, offset, count);
  case 7: case 8: case 9:
    return do_trim (p, offset, count);
  case 10: case 11: case 12: case 13: case 14: case 15: case 16: case 17:
  case 18:
    return do_read (p, offset, count);
  default:
    return do_write (p, offset, count);
  }
}

static bool
read_all (struct player *p)
{
  for (uint64_t offset = 0; offset < p->m->size; offset += MAX_BYTES) {
    size_t n = MIN_OF (MAX_BYTES, p->m->size - offset);

    if (!do_read (p, offset, n) || !do_extents (p, offset, n))
      return false;
  }
  return true;
}

static void *
play (void *opaque)
{
  struct player *p = opaque;

  p->random = p->seed * 2 + 1;
  p->buf = malloc (MAX_BYTES + 8);
  if (p->buf == NULL)
    abort ();
  for (p->step = 0; p->step < p->steps && play_step (p); p->step++)
    ;
  free (p->buf);
  return NULL;
}

/* All of it, now and after opening it anew. */
static void
assert_all_as_modelled (struct target *t, struct model *m)
{
  struct player p = { .t = t, .m = m, .of = 1, .buf = malloc (MAX_BYTES) };

  assert_non_null (p.buf);
  assert_int_equal (t->size, m->size);
  assert_true (read_all (&p));
  assert_true (do_reopen (&p));
  assert_true (read_all (&p));
  free (p.buf);
}

static void
play_alone (struct target *t, struct model *m, unsigned n)
{
  struct player p = { .t = t, .m = m, .seed = first_seed, .of = 1,
                      .steps = n };

  play (&p);
  assert_false (p.failed);
  assert_all_as_modelled (t, m);
}

static void
play_together (struct target *t, struct model *m, uint32_t stripe_bytes)
{
  enum { THREADS = 4 };
  struct player p[THREADS];
  pthread_t thread[THREADS];

  for (unsigned k = 0; k < THREADS; k++) {
    p[k] = (struct player) { .t = t, .m = m, .seed = first_seed + k,
                             .number = k, .of = THREADS, .steps = steps,
                             .stripe_bytes = stripe_bytes };
    assert_int_equal (pthread_create (&thread[k], NULL, play, &p[k]), 0);
  }
  for (unsigned k = 0; k < THREADS; k++)
    assert_int_equal (pthread_join (thread[k], NULL), 0);
  for (unsigned k = 0; k < THREADS; k++)
    assert_false (p[k].failed);
  assert_all_as_modelled (t, m);
}

/*----------------------------------------------------------------------
 * Images over memory
 *--------------------------------------------------------------------*/

/* With a cache so small that bitmaps come and go all the time. */
static const struct image_options options = {
  .writable = true, .commit_interval = 1, .cache_bytes = 16 * KiB
};

/* For each block size, a size that is no multiple of it. */
static const struct {
  uint32_t block_size;
  uint64_t size;
} sizes[] = {
  { 4 * KiB, 300 * KiB + 3 * 512 },
  { 512 * KiB, 5 * MiB + 7 * 512 },
  { 2 * MiB, 9 * MiB + 512 },
};
#define NR_SIZES (sizeof sizes / sizeof sizes[0])

static struct target *
open_image (uint32_t type, size_t k, bool packed, struct target *over)
{
  struct image_shape shape = {
    .type = type, .size = sizes[k].size, .block_size = sizes[k].block_size,
    .packed = packed
  };
  struct store *s = store_open_memory ("image");
  struct target *t;

  assert_non_null (s);
  format_image (s, &shape);
  t = target_image (s, over, &options);
  if (t == NULL)
    fail_msg ("%s", vhdkit_get_error ());
  return t;
}

static void
close_target (struct target *t)
{
  assert_ok (t->ops->close (t));
}

static void
fixed_image (void **state)
{
  struct target *t = open_image (VHD_FIXED, 0, false, NULL);
  struct model m = { .name = "fixed" };

  (void) state;
  model_resize (&m, t->size);
  play_alone (t, &m, steps);
  close_target (t);
  model_free (&m);
}

static void
dynamic_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < NR_SIZES * 2; k++) {
    struct target *t = open_image (VHD_DYNAMIC, k / 2, k % 2, NULL);
    struct model m = { .name = k % 2 ? "dynamic packed" : "dynamic" };

    model_resize (&m, t->size);
    play_alone (t, &m, steps);
    close_target (t);
    model_free (&m);
  }
}

/* A child over a parent that holds some sectors: first the parent is played
 * with, then the child.  The parent's blocks have another size. */
static void
differencing_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < NR_SIZES * 2; k++) {
    struct target *parent = open_image (VHD_DIFFERENCING,
                                        (k / 2 + k % 2) % NR_SIZES, false,
                                        NULL);
    struct target *child;
    struct model m = { .name = "parent" };

    model_resize (&m, parent->size);
    play_alone (parent, &m, MIN_OF (steps, 50));
    child = open_image (VHD_DIFFERENCING, k / 2, k % 2, parent);
    m.name = k % 2 ? "child packed" : "child";
    model_resize (&m, child->size);
    play_alone (child, &m, steps);
    close_target (child);
    close_target (parent);
    model_free (&m);
  }
}

/* Stripes of some sectors, of parts of sectors, and of whole blocks. */
static const uint32_t stripes[] = { 3 * 512, 700, 4 * KiB, 5 };

static void
threads_on_dynamic_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < sizeof stripes / sizeof stripes[0]; k++)
    for (size_t size = 0; size < 2; size++) {
      struct target *t = open_image (VHD_DYNAMIC, size, k % 2, NULL);
      struct model m = { .name = "dynamic, threads" };

      model_resize (&m, t->size);
      play_together (t, &m, stripes[k]);
      close_target (t);
      model_free (&m);
    }
}

static void
threads_on_differencing_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < sizeof stripes / sizeof stripes[0]; k++)
    for (size_t size = 0; size < 2; size++) {
      struct target *parent = open_image (VHD_DIFFERENCING, 1 - size, false,
                                          NULL);
      struct target *child;
      struct model m = { .name = "parent" };

      model_resize (&m, parent->size);
      play_alone (parent, &m, 50);
      child = open_image (VHD_DIFFERENCING, size, k % 2, parent);
      m.name = "child, threads";
      model_resize (&m, child->size);
      play_together (child, &m, stripes[k]);
      close_target (child);
      close_target (parent);
      model_free (&m);
    }
}

/*----------------------------------------------------------------------
 * Disks over files
 *--------------------------------------------------------------------*/

static void
format_file (const char *path, struct image_shape *shape)
{
  struct store *s = store_create_file (path, 0600);

  assert_non_null (s);
  format_image (s, shape);
  assert_ok (store_close (s));
}

static struct target *
open_disk (const char *const *path, size_t n)
{
  struct target *t = target_disk (path, n);

  if (t == NULL)
    fail_msg ("%s", vhdkit_get_error ());
  return t;
}

/* A chain that grows at its top: each layer is played with while it is the
 * top.  The sizes grow on the way, the block sizes change. */
enum { DEPTH = 4 };

static void
play_chain (const char *const *path, uint32_t stripe_bytes)
{
  static const struct image_shape layer[DEPTH] = {
    { .type = VHD_DIFFERENCING, .size = 4 * MiB + 5 * 512,
      .block_size = 512 * KiB },
    { .type = VHD_DIFFERENCING, .size = 4 * MiB, .block_size = 4 * KiB },
    { .type = VHD_DIFFERENCING, .size = 3 * MiB + 512, .block_size = 2 * MiB,
      .packed = true },
    { .type = VHD_DYNAMIC, .size = 2 * MiB + 512, .block_size = 512 * KiB },
  };
  struct model m = { .name = "chain of files" };
  uint8_t parent_id[16] = { 0 };

  for (size_t k = DEPTH; k-- > 0; ) {
    struct image_shape shape = layer[k];
    struct target *t;

    unlink (path[k]);           /* a test that failed leaves it */
    memcpy (shape.parent_id, parent_id, sizeof parent_id);
    format_file (path[k], &shape);
    memcpy (parent_id, shape.id, sizeof parent_id);
    t = open_disk (path + k, DEPTH - k);
    model_resize (&m, t->size);
    if (stripe_bytes && k == 0)
      play_together (t, &m, stripe_bytes);
    else
      play_alone (t, &m, k == 0 ? steps : MIN_OF (steps, 100));
    close_target (t);
  }
  model_free (&m);
}

static void
make_chain_paths (const char *ret_path[DEPTH])
{
  static const char *const names[DEPTH] = { "top", "middle", "low", "base" };

  for (size_t k = 0; k < DEPTH; k++)
    ret_path[k] = temp_path (names[k]);
}

static void
chain_of_files (void **state)
{
  const char *path[DEPTH];

  (void) state;
  make_chain_paths (path);
  play_chain (path, 0);
}

static void
threads_on_a_chain_of_files (void **state)
{
  const char *path[DEPTH];

  (void) state;
  make_chain_paths (path);
  play_chain (path, 3 * 512);
  play_chain (path, 700);
}

static void
child_of_a_raw_file (void **state)
{
  char raw[300];
  const char *path[2] = { temp_path ("child"), raw };
  struct image_shape shape = { .type = VHD_DIFFERENCING, .size = 2 * MiB + 512,
                               .block_size = 512 * KiB };
  struct model m = { .name = "child of a raw file" };
  struct store *s = store_create_file (temp_path ("raw"), 0600);
  struct target *t;

  (void) state;
  snprintf (raw, sizeof raw, "raw:%s", temp_path ("raw"));
  model_resize (&m, 1 * MiB + 512);
  for (uint64_t k = 0; k < m.size; k++)
    m.data[k] = k / 512 % 3 == 0 ? 0 : k % 251;
  assert_ok (store_pwrite (s, m.data, m.size, 0));
  assert_ok (store_close (s));
  format_file (path[0], &shape);

  t = open_disk (path, 2);
  model_resize (&m, t->size);
  play_alone (t, &m, steps);
  close_target (t);
  model_free (&m);
}

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
  const char *value = getenv (variable);

  return value ? strtoull (value, NULL, 0) : otherwise;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (fixed_image),
    cmocka_unit_test (dynamic_images),
    cmocka_unit_test (differencing_images),
    cmocka_unit_test (threads_on_dynamic_images),
    cmocka_unit_test (threads_on_differencing_images),
    cmocka_unit_test (chain_of_files),
    cmocka_unit_test (threads_on_a_chain_of_files),
    cmocka_unit_test (child_of_a_raw_file),
  };

  first_seed = number_from ("VHDKIT_SEED", time (NULL) * 1000 + getpid ());
  steps = number_from ("VHDKIT_STEPS", 1000);
  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
