/* vhdkit: where the data of a disk is.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Walks the image, and the parents where it holds nothing, and joins what
 * belongs together.  Images without a block table are looked at through the
 * host's eyes, so that the holes of a sparse fixed image are holes.
 */
#include <config.h>

#include "base/checked.h"
#include "disk/disk.h"

struct walk {
  struct vhdkit_disk *disk;
  uint64_t offset, end;         /* bytes asked for */
  struct vhdkit_extent pending; /* length 0: none */
  int (*fn) (void *opaque, const struct vhdkit_extent *extent);
  void *opaque;
  int answer;                   /* of fn, once it is not 0 */
};

static bool
joins (const struct vhdkit_extent *a, const struct vhdkit_extent *b)
{
  return a->flags == b->flags && a->layer == b->layer
         && (a->file_offset == UINT64_MAX
             ? b->file_offset == UINT64_MAX
             : b->file_offset - a->file_offset == a->length);
}

static int
flush_pending (struct walk *w)
{
  if (w->pending.length > 0 && w->answer == 0)
    w->answer = w->fn (w->opaque, &w->pending);
  w->pending.length = 0;
  return w->answer;
}

/* One more extent; what lies outside of the bytes asked for is cut off. */
static int
add (struct walk *w, struct vhdkit_extent e)
{
  uint64_t end = MIN_OF (e.offset + e.length, w->end);

  if (e.offset < w->offset) {
    if (e.file_offset != UINT64_MAX)
      e.file_offset += w->offset - e.offset;
    e.offset = w->offset;
  }
  if (end <= e.offset)
    return 0;
  e.length = end - e.offset;
  if (w->pending.length > 0 && joins (&w->pending, &e)) {
    w->pending.length += e.length;
    return 0;
  }
  if (flush_pending (w) != 0)
    return -1;
  w->pending = e;
  return 0;
}

static int
add_zero (struct walk *w, uint64_t sector, uint64_t count)
{
  struct vhdkit_extent e = {
    sector * SECTOR_SIZE, count * SECTOR_SIZE,
    VHDKIT_EXTENT_HOLE | VHDKIT_EXTENT_ZERO, -1, UINT64_MAX
  };

  return add (w, e);
}

/* Data of a layer without a table: ask the host for holes. */
static int
add_flat (struct walk *w, int layer, uint64_t sector, uint64_t count)
{
  struct store *s = w->disk->layer[layer].store;
  uint64_t at = MAX_OF (sector * SECTOR_SIZE,
                        round_down (w->offset, SECTOR_SIZE));
  uint64_t end = MIN_OF ((sector + count) * SECTOR_SIZE,
                         round_up (w->end, SECTOR_SIZE));

  while (at < end) {
    uint64_t next;
    bool hole;

    if (store_next_extent (s, at, end, &next, &hole) == -1)
      return -1;
    struct vhdkit_extent e = {
      at, next - at,
      hole ? VHDKIT_EXTENT_HOLE | VHDKIT_EXTENT_ZERO : 0, layer, at
    };
    if (add (w, e) == -1)
      return -1;
    at = next;
  }
  return 0;
}

static int
add_held (struct walk *w, int layer, uint64_t sector, uint64_t count,
          uint64_t file_offset)
{
  const struct layer *l = &w->disk->layer[layer];
  struct vhdkit_extent e = {
    sector * SECTOR_SIZE, count * SECTOR_SIZE, 0, layer,
    file_offset == IMAGE_BAD ? UINT64_MAX : file_offset
  };

  if (l->image == NULL || image_header (l->image) == NULL)
    return add_flat (w, layer, sector, count);
  return add (w, e);
}

static int
on_below_run (void *opaque, const struct below_run *run)
{
  struct walk *w = opaque;

  if (run->layer == -1)
    return add_zero (w, run->sector, run->count);
  return add_held (w, run->layer + 1, run->sector, run->count,
                   run->file_offset);
}

static int
on_image_run (void *opaque, const struct image_run *run)
{
  struct walk *w = opaque;

  if (run->file_offset != IMAGE_ABSENT)
    return add_held (w, 0, run->sector, run->count, run->file_offset);
  if (w->disk->below)
    return below_runs (w->disk->below, run->sector, run->count, on_below_run,
                       w);
  return add_zero (w, run->sector, run->count);
}

int
disk_extents (struct vhdkit_disk *d, uint64_t count, uint64_t offset,
              int (*fn) (void *opaque, const struct vhdkit_extent *extent),
              void *opaque)
{
  struct walk w = {
    .disk = d, .offset = offset, .end = offset + count,
    .fn = fn, .opaque = opaque
  };
  uint64_t first = offset / SECTOR_SIZE;
  uint64_t last = div_round_up (w.end, SECTOR_SIZE);
  int r;

  if (count == 0)
    return 0;
  r = image_runs (d->layer[0].image, first, last - first, on_image_run, &w);
  if (r == 0 && flush_pending (&w) != 0)
    r = -1;
  if (r == -1 && w.answer == 1)         /* fn has seen enough */
    r = 0;
  return r;
}
