/* vhdkit tests: random operations against a plain array.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vhdkit.h"
#include "base/checked.h"
#include "model.h"

#define KiB 1024u
#define MiB (1024u * KiB)
#define MAX_BYTES (3 * MiB)     /* of one operation */

void
model_resize (struct model *m, uint64_t size)
{
  m->data = realloc (m->data, size);
  if (m->data == NULL)
    abort ();
  if (size > m->size)
    memset (m->data + m->size, 0, size - m->size);
  m->size = size;
}

void
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
  uint64_t seed, random;        /* as begun, as it is */
  uint8_t *buf;                 /* MAX_BYTES */
  struct fault *fault;          /* NULL: nothing is made to fail */
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

/* A thread cannot fail a test of cmocka, so it says so and stops. */
static bool
failed (struct player *p, const char *what, uint64_t offset, uint64_t count,
        const char *why)
{
  fprintf (stderr, "%s, thread %u, step %u: %s of %" PRIu64 " bytes at offset %"
           PRIu64 " (0x%" PRIx64 "): %s\nVHDKIT_SEED=%" PRIu64 "\n",
           p->m->name, p->number, p->step, what, count, offset, offset, why,
           p->seed);
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

/* Did the call fail because it was made to?  Then no more faults until the
 * next step. */
static bool
made_to_fail (struct player *p, int r)
{
  if (p->fault == NULL || r != -1 || !p->fault->hit)
    return false;
  p->fault->fail_at = 0;
  return true;
}

static bool
do_read (struct player *p, uint64_t offset, size_t count)
{
  int r;

  memset (p->buf, 0xee, count);
  r = p->t->ops->pread (p->t, p->buf, count, offset);
  if (made_to_fail (p, r))
    r = p->t->ops->pread (p->t, p->buf, count, offset);
  if (r == -1)
    return failed (p, "read", offset, count, vhdkit_get_error ());
  return compare (p, p->buf, offset, count, "read");
}

/* After a change that failed each byte of its range is what it was or what it
 * should have become (wanted; NULL: zero). */
static bool
check_half_done (struct player *p, const uint8_t *wanted, uint64_t offset,
                 size_t count)
{
  uint8_t *now = malloc (count + 1);
  bool right = true;

  if (now == NULL)
    abort ();
  if (p->t->ops->pread (p->t, now, count, offset) == -1)
    right = failed (p, "read", offset, count, vhdkit_get_error ());
  for (size_t k = 0; k < count && right; k++)
    if (now[k] != p->m->data[offset + k]
        && now[k] != (wanted ? wanted[k] : 0))
      right = failed (p, "change that failed", offset, count,
                      "left something third");
  free (now);
  return right;
}

static bool
do_write (struct player *p, uint64_t offset, size_t count)
{
  int r;

  fill_random (p, count);
  r = p->t->ops->pwrite (p->t, p->buf, count, offset);
  if (made_to_fail (p, r)) {
    if (!check_half_done (p, p->buf, offset, count))
      return false;
    r = p->t->ops->pwrite (p->t, p->buf, count, offset);
  }
  if (r == -1)
    return failed (p, "write", offset, count, vhdkit_get_error ());
  memcpy (p->m->data + offset, p->buf, count);
  return true;
}

static bool
do_zero (struct player *p, uint64_t offset, size_t count)
{
  bool may_trim = next_random (p) & 1;
  int r = p->t->ops->zero (p->t, count, offset, may_trim);

  if (made_to_fail (p, r)) {
    if (!check_half_done (p, NULL, offset, count))
      return false;
    r = p->t->ops->zero (p->t, count, offset, may_trim);
  }
  if (r == -1)
    return failed (p, "zero", offset, count, vhdkit_get_error ());
  memset (p->m->data + offset, 0, count);
  return true;
}

/* Of a trim, whole sectors only. */
static bool
do_trim (struct player *p, uint64_t offset, size_t count)
{
  uint64_t a = round_up (offset, 512), b = round_down (offset + count, 512);
  int r = p->t->ops->trim (p->t, count, offset);

  if (made_to_fail (p, r)) {
    if (a < b && !check_half_done (p, NULL, a, b - a))
      return false;
    r = p->t->ops->trim (p->t, count, offset);
  }
  if (r == -1)
    return failed (p, "trim", offset, count, vhdkit_get_error ());
  if (a < b)
    memset (p->m->data + a, 0, b - a);
  return true;
}

static bool
do_flush (struct player *p)
{
  int r = p->t->ops->flush (p->t);

  if (made_to_fail (p, r))
    r = p->t->ops->flush (p->t);
  if (r == -1)
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

/* Let one of the next calls of the store fail, or none. */
static void
arm_fault (struct player *p)
{
  static const int errs[] = { EIO, ENOSPC };

  p->fault->calls = 0;
  p->fault->hit = false;
  p->fault->err = errs[next_random (p) % 2];
  p->fault->partial = next_random (p) % 3000;
  p->fault->fail_at = next_random (p) % 6;
}

static bool
play_step (struct player *p)
{
  uint64_t offset;
  size_t count;

  if (p->fault)
    arm_fault (p);
  if (p->stripe_bytes)
    choose_of_stripe (p, &offset, &count);
  else
    choose_range (p, &offset, &count);
  switch (next_random (p) % 32) {
  case 0:
    return do_flush (p);
  case 1:
    if (p->of > 1)              /* nobody else may be using it */
      return true;
    if (p->fault)
      p->fault->fail_at = 0;
    return do_reopen (p);
  case 2: case 3:
    if (p->fault)
      p->fault->fail_at = 0;
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

  p->random = (p->seed + p->number) * 2 + 1;
  p->buf = malloc (MAX_BYTES + 8);
  if (p->buf == NULL)
    abort ();
  for (p->step = 0; p->step < p->steps && play_step (p); p->step++)
    ;
  free (p->buf);
  return NULL;
}

/* All of it, now and after opening it anew. */
static bool
all_as_modelled (struct target *t, struct model *m, uint64_t seed)
{
  struct player p = { .t = t, .m = m, .seed = seed, .of = 1,
                      .buf = malloc (MAX_BYTES) };
  bool right;

  if (p.buf == NULL)
    abort ();
  if (t->size != m->size)
    return failed (&p, "size", 0, t->size, "is not the model's");
  right = read_all (&p) && do_reopen (&p) && read_all (&p);
  free (p.buf);
  return right;
}

bool
play_alone (struct target *t, struct model *m, uint64_t seed, unsigned steps,
            struct fault *fault)
{
  struct player p = { .t = t, .m = m, .seed = seed, .of = 1, .steps = steps,
                      .fault = fault };

  play (&p);
  if (fault)
    fault->fail_at = 0;
  return !p.failed && all_as_modelled (t, m, seed);
}

bool
play_together (struct target *t, struct model *m, uint64_t seed,
               unsigned steps, uint32_t stripe_bytes)
{
  enum { THREADS = 4 };
  struct player p[THREADS];
  pthread_t thread[THREADS];
  bool right = true;

  for (unsigned k = 0; k < THREADS; k++) {
    p[k] = (struct player) { .t = t, .m = m, .seed = seed, .number = k,
                             .of = THREADS, .steps = steps,
                             .stripe_bytes = stripe_bytes };
    if (pthread_create (&thread[k], NULL, play, &p[k]) != 0)
      abort ();
  }
  for (unsigned k = 0; k < THREADS; k++) {
    pthread_join (thread[k], NULL);
    right = right && !p[k].failed;
  }
  return right && all_as_modelled (t, m, seed);
}
