/* vhdkit: writing one image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Sectors that are present are overwritten in place, without a lock.  All
 * else happens under the block's stripe: a look at what is present, the write,
 * and the change of bits or table entry that makes it visible, in this order.
 *
 * In memory as on disk, a block appears only when its data and bitmap are in
 * the file, and a bit only when its sector is.  When a write fails half way
 * nothing has appeared, and the room goes back to the allocator (rule 5).
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

/* A write within one block. */
struct piece {
  const void *buf;              /* NULL: zeros, whole sectors only */
  size_t count;
  uint64_t offset;              /* on the disk */
  uint32_t block;
  uint64_t within;              /* of the block's data */
  uint32_t first, sectors;      /* the sectors touched */
};

static struct piece
make_piece (const struct image *i, const void *buf, size_t count,
            uint64_t offset)
{
  struct piece p = {
    .buf = buf, .count = count, .offset = offset,
    .block = offset >> i->block_shift,
    .within = offset & (i->block_size - 1)
  };

  p.first = p.within >> SECTOR_SHIFT;
  p.sectors = ((p.within + count - 1) >> SECTOR_SHIFT) - p.first + 1;
  return p;
}

static bool
bit_is_set (const struct bitmap *b, uint32_t sector)
{
  return atomic_load (&b->words[sector / 64]) >> (63 - sector % 64) & 1;
}

static bool
all_set (const struct bitmap *b, uint32_t first, uint32_t count)
{
  bool set;

  return bitmap_run (b->words, first, count, &set) == count && set;
}

/*----------------------------------------------------------------------
 * Partly written sectors
 *--------------------------------------------------------------------*/

/* What goes to the file: the caller's bytes, and before and behind them what
 * completes sectors that this image does not hold yet. */
struct filled {
  struct iovec iov[4];          /* [0] is left for a bitmap */
  int n;
  uint64_t within;              /* where iov[1] begins in the block */
  uint8_t head[SECTOR_SIZE], tail[SECTOR_SIZE];
};

/* present: the bits of the block, or NULL if it holds nothing yet. */
static int
fill_edges (struct image *i, const struct piece *p,
            const struct bitmap *present, struct filled *f)
{
  uint64_t head = p->within % SECTOR_SIZE;
  uint64_t end = p->within + p->count;
  uint64_t tail = round_up (end, SECTOR_SIZE) - end;
  uint32_t last = p->first + p->sectors - 1;
  uint64_t base = p->offset - p->within;

  if (present && bit_is_set (present, p->first))
    head = 0;
  if (present && bit_is_set (present, last))
    tail = 0;
  f->n = 1;
  f->within = p->within - head;
  if (head) {
    if (read_below (i, f->head, SECTOR_SIZE,
                    base + (uint64_t) p->first * SECTOR_SIZE) == -1)
      return -1;
    f->iov[f->n++] = (struct iovec) { f->head, head };
  }
  f->iov[f->n++] = (struct iovec) { (void *) p->buf, p->count };
  if (tail) {
    if (read_below (i, f->tail, SECTOR_SIZE,
                    base + (uint64_t) last * SECTOR_SIZE) == -1)
      return -1;
    f->iov[f->n++] = (struct iovec) { f->tail + SECTOR_SIZE - tail, tail };
  }
  return 0;
}

/*----------------------------------------------------------------------
 * A new block.  The stripe is held.
 *--------------------------------------------------------------------*/

/* The bits a new block starts with.  Without parents all: what is not written
 * is zero, as Windows has it. */
static void
first_bits (const struct image *i, const struct piece *p, uint32_t *ret_first,
            uint32_t *ret_count)
{
  if (i->has_below || i->footer.type == VHD_DIFFERENCING) {
    *ret_first = p->first;
    *ret_count = p->sectors;
  }
  else {
    *ret_first = 0;
    *ret_count = i->sectors_per_block;
  }
}

/* Bitmap and data, in one call where they touch. */
static int
write_new (struct image *i, const struct piece *p, uint32_t entry,
           const void *bitmap, struct filled *f)
{
  uint64_t start = (uint64_t) entry * SECTOR_SIZE;

  f->iov[0] = (struct iovec) { (void *) bitmap, i->bitmap_bytes };
  if (p->buf == NULL)           /* the room is zero already */
    return store_pwritev (i->store, f->iov, 1, start);
  if (f->within == 0)
    return store_pwritev (i->store, f->iov, f->n, start);
  if (store_pwritev (i->store, f->iov, 1, start) == -1)
    return -1;
  return store_pwritev (i->store, f->iov + 1, f->n - 1,
                        block_data (i, entry) + f->within);
}

static int
write_new_block (struct image *i, const struct piece *p, uint32_t entry)
{
  CLEANUP_FREE uint8_t *bitmap = malloc (i->bitmap_bytes);
  struct filled f;
  uint32_t first, count;

  if (bitmap == NULL) {
    set_error_errno (ENOMEM, "%s: sector bitmap", i->store->name);
    return -1;
  }
  first_bits (i, p, &first, &count);
  bitmap_encode_range (i, first, count, bitmap);
  if (p->buf && fill_edges (i, p, NULL, &f) == -1)
    return -1;
  if (write_new (i, p, entry, bitmap, &f) == -1)
    return -1;
  commit_data_written (i);
  return bitmap_new_locked (i, p->block, first,
                            MIN_OF (count, block_sectors (i, p->block)));
}

static int
allocate (struct image *i, const struct piece *p)
{
  uint32_t entry;

  if (space_alloc (i, &entry) == -1)
    return -1;
  if (BROKEN (5) && commit_publish (i, p->block, entry) == -1)
    return -1;
  if (write_new_block (i, p, entry) == -1
      || commit_publish (i, p->block, entry) == -1) {
    bitmaps_set_full (i, p->block, false);
    space_release (i, &entry, 1);
    return -1;
  }
  return 0;
}

/*----------------------------------------------------------------------
 * Write
 *--------------------------------------------------------------------*/

static int
write_in_place (struct image *i, const struct piece *p, uint32_t entry)
{
  int r = store_pwrite (i->store, p->buf, p->count,
                        block_data (i, entry) + p->within);

  commit_data_written (i);      /* if it failed, a part may be there */
  return r;
}

static int
write_locked (struct image *i, const struct piece *p)
{
  LOCK_FOR_SCOPE (block_stripe (i, p->block));
  uint32_t entry = block_entry (i, p->block);
  struct bitmap *b;
  struct filled f;

  if (entry == VHD_BAT_UNUSED)
    return allocate (i, p);
  if (bitmap_get_locked (i, p->block, &b) == -1)
    return -1;
  if (b == NULL || all_set (b, p->first, p->sectors))
    return write_in_place (i, p, entry);

  if (fill_edges (i, p, b, &f) == -1
      || store_pwritev (i->store, f.iov + 1, f.n - 1,
                        block_data (i, entry) + f.within) == -1)
    return -1;
  commit_data_written (i);
  bitmap_set_locked (i, p->block, b, p->first, p->sectors);
  return 0;
}

/* Within a section.  If the block moves after the look at its entry, it was
 * freed meanwhile; its old place is nobody's until the section ends, and this
 * write came before the free. */
static int
write_block (struct image *i, const struct piece *p)
{
  bool full = block_is_full (i, p->block);
  uint32_t entry = block_entry (i, p->block);
  struct bitmap *b;

  if (entry != VHD_BAT_UNUSED) {
    if (full)
      return write_in_place (i, p, entry);
    b = (struct bitmap *) cache_find (&i->bitmaps, p->block);
    if (b && all_set (b, p->first, p->sectors))
      return write_in_place (i, p, entry);
  }
  return write_locked (i, p);
}

/* Not within a section any more. */
static int
after_write (struct image *i, int r)
{
  cache_reap (&i->bitmaps);
  if (r == 0 && commit_pressure (i))
    return commit_run (i);
  return r;
}

int
image_pwrite (struct image *i, const void *buf, size_t count, uint64_t offset)
{
  struct grace_section section;
  const char *b = buf;
  int r = 0;

  if (commit_check (i) == -1)
    return -1;
  if (!i->dynamic) {
    r = store_pwrite (i->store, buf, count, offset);
    commit_data_written (i);
    return r;
  }
  grace_enter (&i->grace, &section);
  while (count > 0 && r == 0) {
    size_t n = MIN_OF (count, i->block_size - (offset & (i->block_size - 1)));
    struct piece p = make_piece (i, b, n, offset);

    r = write_block (i, &p);
    b += n;
    count -= n;
    offset += n;
  }
  grace_leave (&i->grace, &section);
  return after_write (i, r);
}

/*----------------------------------------------------------------------
 * Zero.  Whole sectors; what is not is written.
 *--------------------------------------------------------------------*/

static int
below_is_zero (struct image *i, const struct piece *p, bool *ret_zero)
{
  if (!i->has_below) {          /* opened alone, a child must not guess */
    *ret_zero = i->footer.type != VHD_DIFFERENCING;
    return 0;
  }
  return i->below.is_zero (i->below.opaque, p->offset / SECTOR_SIZE,
                           p->sectors, ret_zero);
}

static int
zero_in_place (struct image *i, const struct piece *p, uint32_t entry,
               uint32_t flags)
{
  uint32_t f = (flags & IMAGE_ZERO_TRIM ? STORE_ZERO_PUNCH : 0)
               | (flags & IMAGE_ZERO_FAST ? STORE_ZERO_FAST : 0);
  int r;

  r = store_zero (i->store, block_data (i, entry) + p->within, p->count, f);
  commit_data_written (i);
  return r;
}

static int
free_block (struct image *i, const struct piece *p)
{
  if (batmap_clear (i) == -1
      || commit_publish (i, p->block, VHD_BAT_UNUSED) == -1)
    return -1;
  bitmaps_set_full (i, p->block, false);
  return 0;
}

/* Over a parent that holds data here: bits over holes, never written zeros,
 * and never the parent's data. */
static int
zero_over_data (struct image *i, const struct piece *p, uint32_t entry,
                uint32_t flags)
{
  struct bitmap *b;

  if (entry == VHD_BAT_UNUSED)
    return allocate (i, p);
  if (bitmap_get_locked (i, p->block, &b) == -1)
    return -1;
  /* Without the space of the host's: sectors we do not hold take none now. */
  if (zero_in_place (i, p, entry, b && !all_set (b, p->first, p->sectors)
                                  ? flags | IMAGE_ZERO_TRIM : flags) == -1)
    return -1;
  if (b)
    bitmap_set_locked (i, p->block, b, p->first, p->sectors);
  return 0;
}

static int
zero_locked (struct image *i, const struct piece *p, uint32_t flags)
{
  LOCK_FOR_SCOPE (block_stripe (i, p->block));
  uint32_t entry = block_entry (i, p->block);
  bool zero_below;

  if (below_is_zero (i, p, &zero_below) == -1)
    return -1;
  if (!zero_below)
    return zero_over_data (i, p, entry, flags);
  if (entry == VHD_BAT_UNUSED)
    return 0;
  if ((flags & IMAGE_ZERO_TRIM)
      && p->sectors == block_sectors (i, p->block))
    return free_block (i, p);
  return zero_in_place (i, p, entry, flags);
}

/* Whole sectors of one block. */
static int
zero_sectors (struct image *i, size_t count, uint64_t offset, uint32_t flags)
{
  struct piece p = make_piece (i, NULL, count, offset);

  return zero_locked (i, &p, flags);
}

/* Part of one sector: written, where it is not zero anyway. */
static int
zero_part (struct image *i, size_t count, uint64_t offset)
{
  static const uint8_t zeros[SECTOR_SIZE];
  struct piece p = make_piece (i, zeros, count, offset);
  bool zero_below;

  if (block_entry (i, p.block) == VHD_BAT_UNUSED) {
    if (below_is_zero (i, &p, &zero_below) == -1)
      return -1;
    if (zero_below)
      return 0;
  }
  return write_block (i, &p);
}

static int
zero_whole_sectors (struct image *i, uint64_t start, uint64_t end,
                    uint32_t flags)
{
  while (start < end) {
    uint64_t n = MIN_OF (end - start,
                         i->block_size - (start & (i->block_size - 1)));

    if (zero_sectors (i, n, start, flags) == -1)
      return -1;
    start += n;
  }
  return 0;
}

/* Whole sectors first: if that cannot be done fast, it fails with nothing
 * written.  A trim leaves sectors that it only touches alone. */
static int
zero_range (struct image *i, uint64_t start, uint64_t end, uint32_t flags)
{
  uint64_t first = round_up (start, SECTOR_SIZE);
  uint64_t last = round_down (end, SECTOR_SIZE);

  if (first < last && zero_whole_sectors (i, first, last, flags) == -1)
    return -1;
  if (flags & IMAGE_ZERO_WHOLE)
    return 0;
  if (first > last)                     /* within one sector */
    return zero_part (i, end - start, start);
  if (start < first && zero_part (i, first - start, start) == -1)
    return -1;
  return last < end ? zero_part (i, end - last, last) : 0;
}

static int
zero_fixed (struct image *i, uint64_t count, uint64_t offset, uint32_t flags)
{
  uint32_t f = (flags & IMAGE_ZERO_TRIM ? STORE_ZERO_PUNCH : 0)
               | (flags & IMAGE_ZERO_FAST ? STORE_ZERO_FAST : 0);
  int r;

  if (flags & IMAGE_ZERO_WHOLE) {
    uint64_t end = round_down (offset + count, SECTOR_SIZE);

    offset = round_up (offset, SECTOR_SIZE);
    if (offset >= end)
      return 0;
    count = end - offset;
  }
  r = store_zero (i->store, offset, count, f);
  commit_data_written (i);
  return r;
}

int
image_zero (struct image *i, uint64_t count, uint64_t offset, uint32_t flags)
{
  struct grace_section section;
  int r;

  if (count == 0)
    return 0;
  if (commit_check (i) == -1)
    return -1;
  if (!i->dynamic)
    return zero_fixed (i, count, offset, flags);

  grace_enter (&i->grace, &section);
  r = zero_range (i, offset, offset + count, flags);
  grace_leave (&i->grace, &section);
  return after_write (i, r);
}

int
image_flush (struct image *i)
{
  return commit_run (i);
}
