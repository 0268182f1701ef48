/* vhdkit: the parents of an image as one, resolved once.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Parents are not written while they are served, so the answer to "which layer
 * holds this sector, and where?" never changes.  It is worked out once for
 * each unit of 2 MiB, over all layers, and kept as a list of runs; from then
 * on a read costs the same whatever the depth.  Units that no layer holds
 * anything of are one bit in a map.  The lists live in a bounded cache; what
 * was pushed out is worked out again.
 *
 * A unit is resolved without a lock.  Two threads may do it at once; the
 * second result is thrown away.
 */
#include <config.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/cache.h"
#include "base/checked.h"
#include "base/error.h"
#include "disk/disk.h"

#define UNIT_SECTORS 4096u

struct unit_run {
  uint32_t start;               /* sector within the unit */
  int32_t layer;                /* -1: zeros */
  uint64_t file_offset;
};

struct unit {
  struct cache_entry entry;     /* key: number of the unit */
  uint32_t n;
  struct unit_run run[];        /* covers the unit; run[0].start is 0 */
};

struct below_cache {
  const struct layer *layer;
  size_t n;
  uint64_t sectors;             /* of the largest layer */
  struct grace grace;
  struct cache units;
  _Atomic uint64_t *empty;      /* one bit a unit */
};

struct below_cache *
below_new (const struct layer *layer, size_t n, uint64_t cache_bytes)
{
  struct below_cache *b = calloc (1, sizeof *b);
  uint64_t units;
  size_t k;

  if (b == NULL)
    goto error;
  b->layer = layer;
  b->n = n;
  /* What lies behind the nearest parent's end is zero, however long the
   * others are (vhd-format 4.2). */
  b->sectors = layer[0].size / SECTOR_SIZE;
  units = div_round_up (b->sectors, UNIT_SECTORS);
  b->empty = calloc (units / 64 + 1, sizeof b->empty[0]);
  if (b->empty == NULL)
    goto error;
  for (k = 0; k < units / 64 + 1; k++)
    atomic_init (&b->empty[k], 0);
  grace_init (&b->grace);
  cache_init (&b->units, &b->grace, cache_bytes);
  return b;

 error:
  set_error_errno (ENOMEM, "%s: parents", layer[0].path);
  free (b);
  return NULL;
}

void
below_free (struct below_cache *b)
{
  if (b == NULL)
    return;
  cache_destroy (&b->units);
  grace_destroy (&b->grace);
  free (b->empty);
  free (b);
}

static bool
known_empty (struct below_cache *b, uint64_t number)
{
  return atomic_load_explicit (&b->empty[number / 64], memory_order_relaxed)
         >> number % 64 & 1;
}

/*----------------------------------------------------------------------
 * Resolving one unit
 *--------------------------------------------------------------------*/

struct range {
  uint64_t sector, count;
};

struct resolve {
  int layer;
  uint64_t base;                /* first sector of the unit */
  struct unit_run *run;         /* found so far, in any order */
  size_t nr_runs, max_runs;
  struct range *absent;         /* what this layer left to the next */
  size_t nr_absent, max_absent;
};

static int
no_memory (void)
{
  set_error_errno (ENOMEM, "resolving parents");
  return -1;
}

static int
add_run (struct resolve *v, uint64_t sector, int layer, uint64_t file_offset)
{
  if (v->nr_runs == v->max_runs) {
    size_t max = v->max_runs ? v->max_runs * 2 : 16;
    struct unit_run *p = realloc (v->run, max * sizeof *p);

    if (p == NULL)
      return no_memory ();
    v->run = p;
    v->max_runs = max;
  }
  v->run[v->nr_runs++] = (struct unit_run) {
    sector - v->base, layer, file_offset
  };
  return 0;
}

static int
add_absent (struct resolve *v, uint64_t sector, uint64_t count)
{
  if (v->nr_absent == v->max_absent) {
    size_t max = v->max_absent ? v->max_absent * 2 : 16;
    struct range *p = realloc (v->absent, max * sizeof *p);

    if (p == NULL)
      return no_memory ();
    v->absent = p;
    v->max_absent = max;
  }
  v->absent[v->nr_absent++] = (struct range) { sector, count };
  return 0;
}

static int
on_image_run (void *opaque, const struct image_run *run)
{
  struct resolve *v = opaque;

  return run->file_offset == IMAGE_ABSENT
         ? add_absent (v, run->sector, run->count)
         : add_run (v, run->sector, v->layer, run->file_offset);
}

/* Ask one layer about one range that the layers above left open.  Behind its
 * end there are zeros, and no one further down is asked. */
static int
ask_layer (const struct layer *l, struct resolve *v, struct range range)
{
  uint64_t sectors = l->size / SECTOR_SIZE;
  uint64_t n = range.sector >= sectors
               ? 0 : MIN_OF (range.count, sectors - range.sector);

  if (n < range.count && add_run (v, range.sector + n, -1, 0) == -1)
    return -1;
  if (n == 0)
    return 0;
  if (l->image == NULL)
    return add_run (v, range.sector, v->layer, range.sector * SECTOR_SIZE);
  if (image_runs (l->image, range.sector, n, on_image_run, v) == -1) {
    error_prefix ("parent %s", l->path);
    return -1;
  }
  return 0;
}

static int
ask_layers (struct below_cache *b, struct resolve *v, uint64_t sector,
            uint64_t count)
{
  struct range *open;
  size_t n, k, depth;
  int r = 0;

  if (add_absent (v, sector, count) == -1)
    return -1;
  for (depth = 0; depth < b->n && v->nr_absent > 0 && r == 0; depth++) {
    open = v->absent;
    n = v->nr_absent;
    v->absent = NULL;
    v->nr_absent = v->max_absent = 0;
    v->layer = depth;
    for (k = 0; k < n && r == 0; k++)
      r = ask_layer (&b->layer[depth], v, open[k]);
    free (open);
  }
  for (k = 0; k < v->nr_absent && r == 0; k++)
    r = add_run (v, v->absent[k].sector, -1, 0);
  return r;
}

static int
compare_runs (const void *a, const void *b)
{
  const struct unit_run *x = a, *y = b;

  return x->start < y->start ? -1 : x->start > y->start;
}

/* Does run y go on where x ends? */
static bool
continues (const struct unit_run *x, const struct unit_run *y)
{
  return x->layer == y->layer
         && (x->layer == -1
             || y->file_offset - x->file_offset
                == (uint64_t) (y->start - x->start) * SECTOR_SIZE);
}

static struct unit *
make_unit (uint64_t number, struct resolve *v)
{
  struct unit *u;
  size_t n = 0, k, bytes;

  qsort (v->run, v->nr_runs, sizeof *v->run, compare_runs);
  for (k = 0; k < v->nr_runs; k++)
    if (n == 0 || !continues (&v->run[n - 1], &v->run[k]))
      v->run[n++] = v->run[k];
  bytes = sizeof *u + n * sizeof u->run[0];
  u = malloc (bytes);
  if (u == NULL) {
    no_memory ();
    return NULL;
  }
  u->entry.key = number;
  u->entry.bytes = bytes;
  u->n = n;
  memcpy (u->run, v->run, n * sizeof u->run[0]);
  return u;
}

static int
resolve (struct below_cache *b, uint64_t number, struct unit **ret_unit)
{
  struct resolve v = { .base = number * UNIT_SECTORS };
  struct unit *u = NULL;
  struct cache_entry *e;
  int r;

  r = ask_layers (b, &v, v.base,
                  MIN_OF (UNIT_SECTORS, b->sectors - v.base));
  if (r == 0)
    u = make_unit (number, &v);
  free (v.run);
  free (v.absent);
  if (u == NULL)
    return -1;

  if (u->n == 1 && u->run[0].layer == -1) {
    free (u);
    atomic_fetch_or (&b->empty[number / 64], UINT64_C (1) << number % 64);
    *ret_unit = NULL;
    return 0;
  }
  e = cache_add (&b->units, &u->entry);
  if (e != &u->entry)
    free (u);
  if (e == NULL)
    return -1;
  *ret_unit = (struct unit *) e;
  return 0;
}

/* *ret_unit = NULL: nothing but zeros.  Within a section. */
static int
get_unit (struct below_cache *b, uint64_t number, struct unit **ret_unit)
{
  *ret_unit = NULL;
  if (known_empty (b, number))
    return 0;
  *ret_unit = (struct unit *) cache_find (&b->units, number);
  if (*ret_unit)
    return 0;
  return resolve (b, number, ret_unit);
}

/* Index of the run that sector (of the unit) lies in. */
static uint32_t
find_run (const struct unit *u, uint32_t sector)
{
  uint32_t lo = 0, hi = u->n;

  while (hi - lo > 1) {
    uint32_t mid = lo + (hi - lo) / 2;

    if (u->run[mid].start <= sector)
      lo = mid;
    else
      hi = mid;
  }
  return lo;
}

/*----------------------------------------------------------------------
 * Reading
 *--------------------------------------------------------------------*/

static int
read_run (struct below_cache *b, const struct unit_run *run, char *buf,
          size_t count, uint64_t within)
{
  const struct layer *l;

  if (run->layer == -1) {
    memset (buf, 0, count);
    return 0;
  }
  l = &b->layer[run->layer];
  if (run->file_offset == IMAGE_BAD) {
    set_error (VHDKIT_ERR_BAT_CORRUPT, EIO,
               "parent %s: a block cannot be read: its table entry is damaged "
               "(vhdkit check explains it)", l->path);
    return -1;
  }
  if (store_pread (l->store, buf, count,
                   run->file_offset
                   + (within - (uint64_t) run->start * SECTOR_SIZE)) == 0)
    return 0;
  error_prefix ("parent");
  return -1;
}

/* Within one unit. */
static int
read_unit (struct below_cache *b, const struct unit *u, char *buf,
           size_t count, uint64_t within)
{
  uint32_t k = find_run (u, within / SECTOR_SIZE);

  while (count > 0) {
    uint64_t end = k + 1 < u->n ? (uint64_t) u->run[k + 1].start * SECTOR_SIZE
                                : UNIT_SECTORS * SECTOR_SIZE;
    size_t n = MIN_OF (count, end - within);

    if (read_run (b, &u->run[k], buf, n, within) == -1)
      return -1;
    buf += n;
    count -= n;
    within += n;
    k++;
  }
  return 0;
}

static int
read_units (struct below_cache *b, char *buf, size_t count, uint64_t offset)
{
  while (count > 0) {
    uint64_t number = offset / (UNIT_SECTORS * SECTOR_SIZE);
    uint64_t within = offset % (UNIT_SECTORS * SECTOR_SIZE);
    size_t n = MIN_OF (count, UNIT_SECTORS * SECTOR_SIZE - within);
    struct unit *u;

    if (get_unit (b, number, &u) == -1)
      return -1;
    if (u == NULL)
      memset (buf, 0, n);
    else if (read_unit (b, u, buf, n, within) == -1)
      return -1;
    buf += n;
    count -= n;
    offset += n;
  }
  return 0;
}

static int
below_pread (void *opaque, void *buf, size_t count, uint64_t offset)
{
  struct below_cache *b = opaque;
  struct grace_section section;
  uint64_t end = b->sectors * SECTOR_SIZE;
  size_t n = offset >= end ? 0 : MIN_OF (count, end - offset);
  int r = 0;

  if (n > 0) {
    grace_enter (&b->grace, &section);
    r = read_units (b, buf, n, offset);
    grace_leave (&b->grace, &section);
    cache_reap (&b->units);
  }
  if (n < count)
    memset ((char *) buf + n, 0, count - n);
  return r;
}

/*----------------------------------------------------------------------
 * Telling
 *--------------------------------------------------------------------*/

/* Sectors from sector on that no layer has a block for: a look at the tables
 * only, so that terabytes of nothing cost no memory. */
static uint64_t
untouched (struct below_cache *b, uint64_t sector, uint64_t count)
{
  size_t k;

  for (k = 0; k < b->n && count > 0; k++) {
    const struct layer *l = &b->layer[k];
    uint64_t sectors = l->size / SECTOR_SIZE;

    if (sector >= sectors)
      break;
    count = MIN_OF (count, sectors - sector);
    count = l->image ? image_unallocated (l->image, sector, count) : 0;
  }
  return count;
}

static int
unit_runs (struct below_cache *b, uint64_t sector, uint64_t count,
           int (*fn) (void *opaque, const struct below_run *run),
           void *opaque)
{
  uint64_t base = round_down (sector, UNIT_SECTORS), end = sector + count;
  struct below_run run = { sector, count, -1, 0 };
  struct unit *u;
  uint32_t k;

  if (get_unit (b, sector / UNIT_SECTORS, &u) == -1)
    return -1;
  if (u == NULL)
    return fn (opaque, &run);
  for (k = find_run (u, sector - base); sector < end; k++) {
    uint64_t next = k + 1 < u->n ? base + u->run[k + 1].start : end;

    run.sector = sector;
    run.count = MIN_OF (next, end) - sector;
    run.layer = u->run[k].layer;
    run.file_offset = u->run[k].file_offset;
    if (run.file_offset != IMAGE_BAD)
      run.file_offset += (sector - base - u->run[k].start) * SECTOR_SIZE;
    if (fn (opaque, &run))
      return -1;
    sector += run.count;
  }
  return 0;
}

static int
runs_within (struct below_cache *b, uint64_t sector, uint64_t end,
             int (*fn) (void *opaque, const struct below_run *run),
             void *opaque)
{
  while (sector < end) {
    uint64_t n = untouched (b, sector, end - sector);
    struct below_run run = { sector, n, -1, 0 };

    if (n > 0) {
      if (fn (opaque, &run))
        return -1;
    }
    else {
      n = MIN_OF (end, round_down (sector, UNIT_SECTORS) + UNIT_SECTORS)
          - sector;
      if (unit_runs (b, sector, n, fn, opaque))
        return -1;
    }
    sector += n;
  }
  return 0;
}

int
below_runs (struct below_cache *b, uint64_t sector, uint64_t count,
            int (*fn) (void *opaque, const struct below_run *run),
            void *opaque)
{
  struct grace_section section;
  uint64_t end = sector + count;
  uint64_t held = MIN_OF (MAX_OF (b->sectors, sector), end);
  int r;

  grace_enter (&b->grace, &section);
  r = runs_within (b, sector, held, fn, opaque);
  grace_leave (&b->grace, &section);
  cache_reap (&b->units);
  if (r == 0 && held < end) {
    struct below_run run = { held, end - held, -1, 0 };
    r = fn (opaque, &run) ? -1 : 0;
  }
  return r;
}

static int
stop_at_data (void *opaque, const struct below_run *run)
{
  bool *zero = opaque;

  if (run->layer == -1)
    return 0;
  *zero = false;
  return 1;
}

static int
below_is_zero (void *opaque, uint64_t sector, uint64_t count, bool *ret_zero)
{
  bool zero = true;

  if (below_runs (opaque, sector, count, stop_at_data, &zero) == -1 && zero)
    return -1;
  *ret_zero = zero;
  return 0;
}

void
below_interface (struct below_cache *b, struct below *ret)
{
  ret->pread = below_pread;
  ret->is_zero = below_is_zero;
  ret->opaque = b;
}
