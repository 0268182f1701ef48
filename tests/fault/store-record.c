/* vhdkit tests: a store that remembers, and shows what a power cut leaves.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The model of the disk beneath: a flush makes everything before it durable.
 * Of what came later any part may have reached the disk, in any order, in
 * units of one sector.  Of several writes to one sector, the last one that
 * survives is what is read; a file is as long as what survives makes it.  The
 * length and the places of the data are in one inode: what lies in a part that
 * a truncate has added is lost where the truncate is.
 */
#include <config.h>

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "store-wrap.h"

#define SECTOR 512

void
recording_init (struct recording *r)
{
  memset (r, 0, sizeof *r);
  if (pthread_mutex_init (&r->lock, NULL) != 0)
    abort ();
}

static void
forget (struct recording *r)
{
  for (size_t i = 0; i < r->nr; i++)
    free (r->entry[i].data);
  r->nr = 0;
  if (store_close (r->base) == -1)
    abort ();
  r->base = NULL;
}

void
recording_destroy (struct recording *r)
{
  forget (r);
  free (r->entry);
  pthread_mutex_destroy (&r->lock);
}

static uint8_t *
gather (const struct call *c)
{
  uint8_t *data = malloc (c->length + 1);
  size_t done = 0;

  if (data == NULL)
    abort ();
  for (int i = 0; i < c->n; i++) {
    memcpy (data + done, c->iov[i].iov_base, c->iov[i].iov_len);
    done += c->iov[i].iov_len;
  }
  return data;
}

static void
append_locked (struct recording *r, const struct call *c)
{
  if (r->nr == r->max) {
    r->max = r->max * 2 + 64;
    r->entry = realloc (r->entry, r->max * sizeof *r->entry);
    if (r->entry == NULL)
      abort ();
  }
  r->entry[r->nr++] = (struct recorded) {
    .kind = c->kind,
    .offset = c->offset,
    .length = c->length,
    .data = c->kind == CALL_WRITE ? gather (c) : NULL,
  };
}

static bool
is_recorded (const struct call *c)
{
  return c->kind & (CALLS_CHANGING | CALL_FLUSH);
}

/* The lock is held from before the inner call to after it, so that entries
 * are in the order of what happened. */
static int
record_before (struct wrap *w, const struct call *c)
{
  struct recording *r = w->opaque;

  if (is_recorded (c))
    mutex_lock (&r->lock);
  return 0;
}

static void
record_after (struct wrap *w, const struct call *c, int result)
{
  struct recording *r = w->opaque;

  if (!is_recorded (c))
    return;
  if (result == 0)
    append_locked (r, c);
  mutex_unlock (&r->lock);
}

struct store *
record_open (struct store *inner, struct recording *r)
{
  static const struct wrap_hooks hooks = { record_before, record_after };

  forget (r);
  r->base = store_open_memory (inner->name);
  if (r->base == NULL || store_copy (inner, r->base) == -1)
    abort ();
  return wrap_open (inner, &hooks, r);
}

size_t
recording_nr (struct recording *r)
{
  LOCK_FOR_SCOPE (&r->lock);

  return r->nr;
}

size_t
recording_durable (struct recording *r, size_t end)
{
  LOCK_FOR_SCOPE (&r->lock);

  assert (end <= r->nr);
  while (end > 0 && r->entry[end - 1].kind != CALL_FLUSH)
    end--;
  return end;
}

/*----------------------------------------------------------------------
 * Power cuts
 *--------------------------------------------------------------------*/

/* Like the inner store did, but within the present size only: zeroing never
 * makes a file longer. */
static int
apply_zero (struct store *s, uint64_t offset, uint64_t length)
{
  uint64_t size;

  if (store_size (s, &size) == -1)
    return -1;
  if (offset >= size)
    return 0;
  return store_zero (s, offset, MIN_OF (length, size - offset), 0);
}

/* A part of an entry: length bytes, which begin skip bytes into it. */
static int
apply (struct store *s, const struct recorded *e, uint64_t skip,
       uint64_t length)
{
  switch (e->kind) {
  case CALL_WRITE:
    return store_pwrite (s, e->data + skip, length, e->offset + skip);
  case CALL_ZERO:
    return apply_zero (s, e->offset + skip, length);
  case CALL_TRUNCATE:
    return store_truncate (s, e->offset);
  default:
    return 0;
  }
}

/* The system writes whole sectors, from its cache.  If a write to a part of one
 * survives, then so does what had been done to the rest of it before. */
static int
catch_up (struct recording *r, struct store *s, size_t durable, size_t entry,
          uint64_t sector)
{
  for (size_t i = durable; i < entry; i++) {
    const struct recorded *e = &r->entry[i];
    uint64_t start = MAX_OF (e->offset, sector);
    uint64_t end = MIN_OF (e->offset + e->length, sector + SECTOR);

    if ((e->kind == CALL_WRITE || e->kind == CALL_ZERO) && start < end
        && apply (s, e, start - e->offset, end - start) == -1)
      return -1;
  }
  return 0;
}

/* How far the file goes if nothing is lost, and from where on all is lost. */
struct reach {
  uint64_t size, lost;
};

static int
apply_truncate (struct store *s, const struct recorded *e, bool survives,
                struct reach *reach)
{
  if (survives)
    reach->lost = UINT64_MAX;
  else if (e->offset > reach->size)
    reach->lost = MIN_OF (reach->lost, reach->size);
  reach->size = e->offset;
  return survives ? apply (s, e, 0, 0) : 0;
}

static int
apply_survivors (struct recording *r, struct store *s, size_t durable,
                 size_t entry, survives_fn survives, void *opaque,
                 struct reach *reach)
{
  const struct recorded *e = &r->entry[entry];
  uint64_t skip = 0, n;

  if (e->kind == CALL_TRUNCATE)
    return apply_truncate (s, e, survives (opaque, entry, e->offset), reach);
  if (e->kind == CALL_WRITE)
    reach->size = MAX_OF (reach->size, e->offset + e->length);
  for (; skip < e->length; skip += n) {
    uint64_t offset = e->offset + skip;

    n = MIN_OF (SECTOR - offset % SECTOR, e->length - skip);
    if (offset >= reach->lost || !survives (opaque, entry, offset))
      continue;
    if (n < SECTOR
        && catch_up (r, s, durable, entry, offset - offset % SECTOR) == -1)
      return -1;
    if (apply (s, e, skip, n) == -1)
      return -1;
  }
  return 0;
}

struct store *
recording_cut (struct recording *r, size_t durable, size_t end,
               survives_fn survives, void *opaque)
{
  struct store *s = store_open_memory ("after the cut");
  struct reach reach = { .lost = UINT64_MAX };
  LOCK_FOR_SCOPE (&r->lock);

  assert (durable <= end && end <= r->nr);
  if (s == NULL || store_copy (r->base, s) == -1)
    abort ();
  for (size_t i = 0; i < end; i++) {
    const struct recorded *e = &r->entry[i];
    int result;

    if (i == durable && store_size (s, &reach.size) == -1)
      abort ();
    if (i < durable || survives == NULL)
      result = apply (s, e, 0, e->length);
    else
      result = apply_survivors (r, s, durable, i, survives, opaque, &reach);
    if (result == -1)
      abort ();
  }
  return s;
}

/* splitmix64: the same answer for the same question. */
static uint64_t
mix (uint64_t x)
{
  x += UINT64_C (0x9e3779b97f4a7c15);
  x = (x ^ (x >> 30)) * UINT64_C (0xbf58476d1ce4e5b9);
  x = (x ^ (x >> 27)) * UINT64_C (0x94d049bb133111eb);
  return x ^ (x >> 31);
}

bool
survives_by_chance (void *opaque, size_t entry, uint64_t offset)
{
  uint64_t of_entry = mix (* (uint64_t *) opaque + entry);

  switch (of_entry % 3) {
  case 0:
    return false;
  case 1:
    return true;
  default:
    return mix (of_entry ^ offset) & 1;
  }
}
