/* vhdkit: check: blocks that a program wrote which ignores parents.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * qemu takes a differencing image for a dynamic one.  Where it writes it marks
 * the whole block as present, and what it did not write reads as zeros from
 * then on: the parents' data in that block is hidden (vhd-format 8.2).
 *
 * It cannot be told for certain from a guest that zeroed most of a block.
 * The signs asked for, all of them:
 *   - every bit of the bitmap is set, those past the sectors included, as qemu
 *     does and we never do;
 *   - at least half of the block's sectors are zero, but not all: a wholly
 *     zero block is a guest's zero or discard;
 *   - the parents hold data that is not zero in the zero part.
 * Then the place decides how loud to be.  qemu puts a block right behind the
 * last one, so that its data does not begin a page; Windows, XenServer and we
 * align it.  An aligned block is only noted: a guest that discards, then
 * writes a little, looks the same.
 *
 * To find zeros by reading takes long.  Only blocks that are mostly holes in
 * the file are read, unless VHDKIT_CHECK_DATA asks for all.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "operations/check.h"

#define PAGE 4096u
#define PIECE 65536u
/* Bytes of the parents that are read for one block, looking for a non-zero
 * one. */
#define PARENT_BUDGET (1u << 20)

struct foreign {
  struct check_image *ci;
  const struct placed *p;
  uint32_t zero;                /* sectors found zero */
  uint64_t held;                /* of them, held by a parent */
  bool hidden;                  /* a parent's byte that is not zero was seen */
  uint64_t hidden_at;           /* its sector in the disk */
  uint32_t budget;
};

/* Where the walk down the chain is. */
struct walk {
  struct foreign *f;
  size_t layer;
};

static int look_below (struct foreign *f, size_t layer, uint64_t sector,
                       uint64_t count);

/* A parent holds these sectors at offset: is one of them not zero? */
static int
look_at (struct foreign *f, struct store *s, uint64_t sector, uint64_t count,
         uint64_t offset)
{
  static const uint8_t zeros[SECTOR_SIZE];
  uint8_t buf[8 * SECTOR_SIZE];
  uint64_t done, n, i;

  f->held += count;
  for (done = 0; done < count && !f->hidden && f->budget >= sizeof buf;
       done += n) {
    n = MIN_OF (count - done, sizeof buf / SECTOR_SIZE);
    f->budget -= sizeof buf;
    if (store_pread (s, buf, n * SECTOR_SIZE, offset + done * SECTOR_SIZE)
        == -1)
      return 0;                 /* the parent's own check tells */
    for (i = 0; i < n && !f->hidden; i++)
      if (memcmp (buf + i * SECTOR_SIZE, zeros, SECTOR_SIZE) != 0) {
        f->hidden = true;
        f->hidden_at = sector + done + i;
      }
  }
  return 0;
}

static int
look_at_run (void *opaque, const struct image_run *run)
{
  struct walk *w = opaque;
  const struct layer *l = &w->f->ci->check->disk->layer[w->layer];

  if (run->file_offset == IMAGE_ABSENT)
    return look_below (w->f, w->layer + 1, run->sector, run->count);
  return look_at (w->f, image_store (l->image), run->sector, run->count,
                  run->file_offset);
}

/* What do the layers from this one on hold of the range?  Recursion is as deep
 * as the chain, which is bounded. */
static int
look_below (struct foreign *f, size_t layer, uint64_t sector, uint64_t count)
{
  const struct vhdkit_disk *d = f->ci->check->disk;
  struct walk w = { f, layer };
  const struct layer *l;
  uint64_t end;

  if (layer >= d->nr_layers)
    return 0;
  l = &d->layer[layer];
  end = l->size / SECTOR_SIZE;
  if (sector >= end)
    return 0;
  count = MIN_OF (count, end - sector);
  if (!l->image)
    return look_at (f, l->store, sector, count, sector * SECTOR_SIZE);
  return image_runs (l->image, sector, count, look_at_run, &w);
}

/* Sectors [first, first + count) of the block are zero. */
static int
zero_run (struct foreign *f, uint32_t first, uint32_t count)
{
  const uint64_t sector =
    block_disk_offset (f->ci, f->p->block) / SECTOR_SIZE + first;

  f->zero += count;
  return look_below (f, f->ci->layer + 1, sector, count);
}

/* Zero sectors of a stretch that takes space in the file. */
static int
zeros_in_data (struct foreign *f, uint32_t first, uint32_t count,
               uint64_t offset)
{
  uint8_t buf[PIECE];
  uint32_t done, n, i, run = 0;

  for (done = 0; done < count; done += n) {
    n = MIN_OF (count - done, PIECE / SECTOR_SIZE);
    if (store_pread (f->ci->store, buf, (size_t) n * SECTOR_SIZE,
                     offset + (uint64_t) done * SECTOR_SIZE) == -1)
      return -1;
    for (i = 0; i < n; i++) {
      if (check_all_zero (buf + (size_t) i * SECTOR_SIZE, SECTOR_SIZE))
        run++;
      else if (run > 0) {
        if (zero_run (f, first + done + i - run, run) == -1)
          return -1;
        run = 0;
      }
    }
  }
  return run > 0 ? zero_run (f, first + count - run, run) : 0;
}

/* The stretch of data or hole at sector first of the block: its length. */
static int
next_stretch (const struct foreign *f, uint32_t first, uint32_t sectors,
              uint32_t *ret_count, bool *ret_hole)
{
  const uint64_t data = placed_data (f->ci, f->p);
  const uint64_t at = data + (uint64_t) first * SECTOR_SIZE;
  uint64_t next;

  if (store_next_extent (f->ci->store, at,
                         data + (uint64_t) sectors * SECTOR_SIZE, &next,
                         ret_hole) == -1)
    return -1;
  *ret_count = (next - at) / SECTOR_SIZE;
  /* What ends inside a sector leaves that sector to the data. */
  if (*ret_count == 0) {
    *ret_count = 1;
    *ret_hole = false;
  }
  return 0;
}

/* Is so much of the block a hole that it is worth reading? */
static bool
mostly_holes (const struct foreign *f, uint32_t sectors)
{
  uint32_t s, n, holes = 0;
  bool hole;

  for (s = 0; s < sectors; s += n) {
    if (next_stretch (f, s, sectors, &n, &hole) == -1)
      return false;
    if (hole)
      holes += n;
  }
  return holes >= sectors / 2 && holes < sectors;
}

static int
find_zeros (struct foreign *f, uint32_t sectors)
{
  const uint64_t data = placed_data (f->ci, f->p);
  uint32_t s, n;
  bool hole;

  for (s = 0; s < sectors; s += n) {
    if (next_stretch (f, s, sectors, &n, &hole) == -1)
      return -1;
    if ((hole ? zero_run (f, s, n) :
         zeros_in_data (f, s, n, data + (uint64_t) s * SECTOR_SIZE)) == -1)
      return -1;
  }
  return 0;
}

static bool
bitmap_is_ff (const struct check_image *ci, const uint8_t *bitmap)
{
  return bitmap[0] == 0xff
    && memcmp (bitmap, bitmap + 1, ci->bitmap_bytes - 1) == 0;
}

static int
tell (const struct foreign *f, bool aligned)
{
  const struct check_image *ci = f->ci;
  char structure[48], meaning[420];

  snprintf (structure, sizeof structure, "sector bitmap of block %" PRIu32,
            f->p->block);
  snprintf (meaning, sizeof meaning,
            "the parents' data is hidden, at disk byte %" PRIu64 " for one; %s",
            f->hidden_at * SECTOR_SIZE,
            aligned ?
            "right if the guest zeroed or discarded it, wrong if a program "
            "wrote to this image that ignores differencing (as qemu does)" :
            "place and bitmap are in the manner of a program that ignores "
            "differencing (qemu); unless a guest zeroed so much, data is lost "
            "from view that the parents still have: compare before trusting "
            "this block");
  return report (&f->ci->report,
                 aligned ? VHDKIT_SEVERITY_NOTE : VHDKIT_SEVERITY_WARNING,
                 VHDKIT_ERR_BITMAP_MISMATCH, structure,
                 placed_offset (f->p),
                 "marks for the sectors that were written, only", meaning,
                 "all sectors marked as written, %" PRIu32 " of %" PRIu32
                 " of them zero, %" PRIu64 " of those held by the parents",
                 f->zero, check_block_sectors (ci, f->p->block), f->held);
}

int
check_foreign (struct check_image *ci, const struct placed *p,
               const uint8_t *bitmap, struct tally *t)
{
  struct foreign f = { .ci = ci, .p = p, .budget = PARENT_BUDGET };
  const uint32_t sectors = check_block_sectors (ci, p->block);

  if (ci->layer + 1 >= ci->check->disk->nr_layers
      || !bitmap_is_ff (ci, bitmap))
    return 0;
  if (!(ci->check->flags & VHDKIT_CHECK_DATA) && !mostly_holes (&f, sectors))
    return 0;
  /* What cannot be read here is told elsewhere. */
  if (find_zeros (&f, sectors) == -1 || !f.hidden
      || f.zero == sectors || f.zero < sectors / 2)
    return 0;
  return check_tally (t)
    ? tell (&f, placed_data (ci, p) % PAGE == 0) : 0;
}
