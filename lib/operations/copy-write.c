/* vhdkit: laying copied data out in a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What is large and aligned goes past the page cache: it is written once and
 * not read again soon, and a copy into the cache that is then written back
 * costs several times the processor time (measured: a quarter of it, and the
 * data is on the disk when the copy ends, so that the sync after it is short
 * and a cancel is not stuck in it).  The rest, and everything where the file
 * system cannot do that, is written the usual way.  The two never touch the
 * same page.
 *
 * A block:
 *
 *     head: zeros ... bitmap | data
 *     4 KiB boundary         4 KiB boundary
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "operations/copy-internal.h"

/* Below this a transfer past the page cache costs more than it saves. */
#define DIRECT_MIN (64u << 10)
/* Through the page cache in pieces of this: for an aligned write of 2 MiB the
 * kernel looks for 2 MiB of contiguous memory, and measured that takes ten
 * times as long as the write when memory is not fresh. */
#define CACHED_STEP (256u << 10)

static int
make_head (struct output *o)
{
  const uint32_t sectors = o->target->block_size / SECTOR_SIZE;
  uint8_t *bitmap;

  o->bitmap_bytes = vhd_bitmap_bytes (o->target->block_size);
  o->head_bytes = round_up (o->bitmap_bytes, GRANULE);
  o->head = aligned_alloc (GRANULE, o->head_bytes);
  if (o->head == NULL) {
    set_error_errno (ENOMEM, "%s", o->target->store->name);
    return -1;
  }
  memset (o->head, 0, o->head_bytes);
  bitmap = o->head + o->head_bytes - o->bitmap_bytes;
  memset (bitmap, 0xff, sectors / 8);
  return 0;
}

int
output_init (struct output *o, struct copy_target *t,
             const _Atomic bool *stop)
{
  memset (o, 0, sizeof *o);
  pthread_mutex_init (&o->cached_lock, NULL);
  o->target = t;
  o->stop = stop;
  o->pace.step = UNIT_BYTES;
  o->end = t->data_offset;
  t->blocks = 0;
  t->left_out = false;
  if (t->block_size && make_head (o) == -1)
    return -1;
  if (!t->cached)
    o->direct = store_file_direct (t->store);
  return 0;
}

void
output_free (struct output *o)
{
  struct saved_error e;

  error_save (&e);
  store_close (o->direct);
  error_restore (&e);
  free (o->head);
  pthread_mutex_destroy (&o->cached_lock);
}

void
output_finish (struct output *o)
{
  struct copy_target *t = o->target;

  /* Where the bitmap of another block would go: vhd-format 4.3, 11. */
  if (t->block_size)
    t->footer_offset = o->end + GRANULE - SECTOR_SIZE;
}

/*----------------------------------------------------------------------
 * Places
 *--------------------------------------------------------------------*/

static int
place_block (struct output *o, uint32_t block)
{
  struct copy_target *t = o->target;
  const uint64_t data = o->end + o->head_bytes;
  const uint64_t entry = (data - o->bitmap_bytes) / SECTOR_SIZE;

  if (entry >= VHD_BAT_UNUSED) {
    set_error (VHDKIT_ERR_DISK_FULL, ENOSPC,
               "%s: no room for another block: the block table reaches 2 TiB "
               "at most", t->store->name);
    return -1;
  }
  t->table[block] = put_be32 (entry);
  t->blocks++;
  o->end = data + t->block_size;
  return 0;
}

/* The granules of u that lie in its k-th block; block sizes are powers of two,
 * so that a unit lies in one block or consists of whole ones. */
static void
granules_of (const struct output *o, const struct unit *u, unsigned k,
             unsigned *ret_first, unsigned *ret_end)
{
  const uint64_t per_block = o->target->block_size / GRANULE;
  const unsigned all = div_round_up (u->length, GRANULE);

  *ret_first = MIN_OF (k * per_block, all);
  *ret_end = MIN_OF ((k + 1) * per_block, all);
}

static unsigned
blocks_of (const struct output *o, const struct unit *u)
{
  return div_round_up (u->length, o->target->block_size);
}

int
output_place (struct output *o, const struct unit *u, uint64_t *fresh)
{
  struct copy_target *t = o->target;
  const uint32_t block = u->offset / t->block_size;
  unsigned k, first, end;

  for (k = 0; k < blocks_of (o, u); k++) {
    granules_of (o, u, k, &first, &end);
    if (get_be32 (t->table[block + k]) != VHD_BAT_UNUSED
        || !unit_any (u, first, end))
      continue;
    if (place_block (o, block + k) == -1)
      return -1;
    fresh[k / 64] |= UINT64_C (1) << k % 64;
  }
  return 0;
}

/*----------------------------------------------------------------------
 * Writing
 *--------------------------------------------------------------------*/

static bool
fits_direct (const struct gather *g)
{
  int i;

  if (g->out->direct == NULL || g->out->no_direct || g->bytes < DIRECT_MIN
      || g->offset % GRANULE != 0)
    return false;
  for (i = 0; i < g->n; i++)
    if (g->iov[i].iov_len % GRANULE != 0
        || (uintptr_t) g->iov[i].iov_base % GRANULE != 0)
      return false;
  return true;
}

/* A file has one writer at a time whatever we do, and the kernel lets the
 * others spin: we let them sleep (measured: a quarter of the processor time of
 * a whole conversion). */
static int
write_cached (struct gather *g)
{
  struct output *o = g->out;
  LOCK_FOR_SCOPE (&o->cached_lock);

  return *o->stop ? 0 : store_pwritev (o->target->store, g->iov, g->n,
                                       g->offset);
}

static int
write_gathered (struct gather *g)
{
  struct output *o = g->out;

  if (fits_direct (g)) {
    if (store_pwritev (o->direct, g->iov, g->n, g->offset) == 0)
      return 0;
    if (vhdkit_get_errno () != EINVAL && vhdkit_get_errno () != EOPNOTSUPP)
      return -1;
    /* The file system said that it could when the file was opened. */
    o->no_direct = true;
  }
  return write_cached (g);
}

static int
flush_gathered (struct gather *g)
{
  uint64_t start = pace_now ();
  int r = 0;

  if (g->n > 0 && !*g->out->stop) {
    r = write_gathered (g);
    pace_adjust (&g->out->pace, start);
  }
  g->n = 0;
  g->bytes = 0;
  return r;
}

static uint32_t
step_of (const struct output *o)
{
  const uint32_t step = o->pace.step;

  return o->direct && !o->no_direct ? step : MIN_OF (step, CACHED_STEP);
}

static int
add (struct gather *g, const uint8_t *p, size_t count, uint64_t offset)
{
  while (count > 0) {
    const uint32_t step = step_of (g->out);
    size_t n;

    if ((g->n == OUTPUT_IOV || g->bytes >= step
         || (g->n > 0 && g->offset + g->bytes != offset))
        && flush_gathered (g) == -1)
      return -1;
    if (g->n == 0)
      g->offset = offset;
    /* Rather a little more than a little piece left over. */
    n = MIN_OF (count, step + PACE_MIN - g->bytes);
    g->iov[g->n++] = (struct iovec) { (void *) p, n };
    g->bytes += n;
    p += n;
    offset += n;
    count -= n;
  }
  return 0;
}

/* The data in granules [first, end), the first of which goes to offset. */
static int
add_data (struct gather *g, const struct unit *u, unsigned first,
          unsigned end, uint64_t offset)
{
  const unsigned base = first;
  unsigned from, to;

  while (unit_run (u, first, end, 0, &from, &to)) {
    size_t bytes = MIN_OF (to * GRANULE, u->length) - from * GRANULE;

    if (add (g, u->buf + from * GRANULE, bytes,
             offset + (uint64_t) (from - base) * GRANULE) == -1)
      return -1;
    first = to;
  }
  return 0;
}

static int
add_block (struct gather *g, const struct unit *u, unsigned k, bool fresh)
{
  struct output *o = g->out;
  const struct copy_target *t = o->target;
  const uint64_t at = u->offset + (uint64_t) k * t->block_size;
  const uint32_t entry = get_be32 (t->table[at / t->block_size]);
  const uint64_t data = (uint64_t) entry * SECTOR_SIZE + o->bitmap_bytes;
  unsigned first, end;

  granules_of (o, u, k, &first, &end);
  if (!unit_any (u, first, end))
    return 0;
  if (fresh && add (g, o->head, o->head_bytes, data - o->head_bytes) == -1)
    return -1;
  return add_data (g, u, first, end, data + at % t->block_size);
}

/* Nobody else has the unit with the first sector. */
static void
leave_out_first (struct copy_target *t, struct unit *u)
{
  if (t->data_offset != 0 || u->offset != 0 || u->length < SECTOR_SIZE
      || memcmp (u->buf, VHD_FOOTER_COOKIE, strlen (VHD_FOOTER_COOKIE)) != 0)
    return;
  memcpy (t->first, u->buf, SECTOR_SIZE);
  memset (u->buf, 0, SECTOR_SIZE);
  t->left_out = true;
}

int
output_write (struct output *o, struct unit *u, const uint64_t *fresh)
{
  struct copy_target *t = o->target;
  struct gather g = { .out = o };
  unsigned k;

  if (t->block_size == 0) {
    leave_out_first (t, u);
    if (add_data (&g, u, 0, div_round_up (u->length, GRANULE),
                  t->data_offset + u->offset) == -1)
      return -1;
    return flush_gathered (&g);
  }
  for (k = 0; k < blocks_of (o, u); k++)
    if (add_block (&g, u, k, fresh[k / 64] >> k % 64 & 1) == -1)
      return -1;
  return flush_gathered (&g);
}
