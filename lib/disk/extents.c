/* vhdkit: where the data of a disk is.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Walks the image, and the parents where it holds nothing, and joins what
 * belongs together.  What a layer holds is then looked at through the host's
 * eyes: a block of which only a part was ever written is a hole for the rest,
 * and so is what a zero or a trim has punched out.
 *
 * Blocks lie behind each other in the file, so one question to the host often
 * answers for many of them: the answer is remembered for each layer, because
 * looking for the end of a stretch can take long (tmpfs looks at every page).
 * In an image that is being written only data is remembered: it may be out of
 * date, which does no harm, because data is what a hole may always be called.
 */
#include <config.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "disk/disk.h"

/* How far beyond what was asked for the host is asked to look. */
#define LOOK_AHEAD (UINT64_C (1) << 40)

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

static bool
known_run (struct walk *w, const struct layer *l, uint64_t offset,
           uint64_t *ret_until, bool *ret_hole)
{
  LOCK_FOR_SCOPE (&w->disk->known_lock);

  *ret_until = l->known_until;
  *ret_hole = l->known_hole;
  return offset >= l->known_from && offset < l->known_until;
}

/* Whether the image is writable is looked at under the lock: becoming writable
 * comes before the call that forgets, so no hole is remembered behind that. */
static void
remember (struct vhdkit_disk *d, struct layer *l, uint64_t from,
          uint64_t until, bool hole)
{
  LOCK_FOR_SCOPE (&d->known_lock);

  if (hole && l->image && image_writable (l->image))
    return;
  l->known_from = from;
  l->known_until = until;
  l->known_hole = hole;
}

/* The run of data or hole of the layer's file that offset lies in, as far as
 * end. */
static int
host_run (struct walk *w, struct layer *l, uint64_t offset, uint64_t end,
          uint64_t *ret_end, bool *ret_hole)
{
  uint64_t next;

  if (!known_run (w, l, offset, &next, ret_hole)) {
    if (store_next_extent (l->store, offset, offset + LOOK_AHEAD, &next,
                           ret_hole) == -1)
      return -1;
    remember (w->disk, l, offset, next, *ret_hole);
  }
  *ret_end = MIN_OF (end, next);
  return 0;
}

/* The image has become writable, or something is a hole now that was data. */
void
disk_extents_forget (struct vhdkit_disk *d)
{
  LOCK_FOR_SCOPE (&d->known_lock);

  d->layer[0].known_from = d->layer[0].known_until = 0;
}

/* What a layer holds, from file_offset on. */
static int
add_held (struct walk *w, int layer, uint64_t sector, uint64_t count,
          uint64_t file_offset)
{
  uint64_t at = MAX_OF (sector * SECTOR_SIZE,
                        round_down (w->offset, SECTOR_SIZE));
  uint64_t end = MIN_OF ((sector + count) * SECTOR_SIZE,
                         round_up (w->end, SECTOR_SIZE));
  uint64_t shift = file_offset - sector * SECTOR_SIZE;  /* may wrap */

  if (file_offset == IMAGE_BAD) {
    struct vhdkit_extent e = {
      sector * SECTOR_SIZE, count * SECTOR_SIZE, 0, layer, UINT64_MAX
    };
    return add (w, e);
  }
  while (at < end) {
    uint64_t next;
    bool hole;

    if (host_run (w, &w->disk->layer[layer], at + shift, end + shift, &next,
                  &hole) == -1)
      return -1;
    struct vhdkit_extent e = {
      at, next - shift - at,
      hole ? VHDKIT_EXTENT_HOLE | VHDKIT_EXTENT_ZERO : 0, layer, at + shift
    };
    if (add (w, e) == -1)
      return -1;
    at = next - shift;
  }
  return 0;
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
