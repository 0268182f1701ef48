/* vhdkit: reading one image, and telling what it holds.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A read takes no lock.  It looks at the full marker before the table entry:
 * were it the other way round, a block freed and allocated again in between
 * could pair the old place with the new marker.  This way round the worst is
 * the old marker with the new place, whose unwritten sectors are zeros, and
 * only blocks over zeros are ever freed.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "image/internal.h"

int
read_below (struct image *i, void *buf, size_t count, uint64_t offset)
{
  if (i->has_below)
    return i->below.pread (i->below.opaque, buf, count, offset);
  memset (buf, 0, count);
  return 0;
}

static int
bad_block (struct image *i, uint32_t block)
{
  set_error (VHDKIT_ERR_BAT_CORRUPT, EIO,
             "%s: block %u cannot be read: its table entry is damaged "
             "(vhdkit check explains it)", i->store->name, block);
  return -1;
}

/* Part of a block whose sectors are partly here, partly below.  1: the block
 * has moved, look again.  The bits are looked at before the entry: if they are
 * already those of the next place, the entry has changed before them.  A bit
 * that is clear is right in any case: if it belongs to the next place, then the
 * block was freed during this read, and read as what is below. */
static int
read_mixed (struct image *i, const struct bitmap *b, uint32_t entry,
            char *buf, size_t count, uint64_t offset)
{
  uint32_t block = offset >> i->block_shift;
  uint64_t within = offset & (i->block_size - 1);

  while (count > 0) {
    uint32_t sector = within >> SECTOR_SHIFT;
    uint32_t last = (within + count - 1) >> SECTOR_SHIFT;
    bool here;
    uint64_t end = (uint64_t) (sector + bitmap_run (b->words, sector,
                                                    last - sector + 1, &here))
                   << SECTOR_SHIFT;
    size_t n = MIN_OF (end - within, count);

    if (here && entry != block_entry (i, block))
      return 1;
    if (here ? store_pread (i->store, buf, n, block_data (i, entry) + within)
             : read_below (i, buf, n, offset))
      return -1;
    buf += n;
    count -= n;
    offset += n;
    within += n;
  }
  return 0;
}

/* Within one block, and within a section. */
static int
read_block (struct image *i, void *buf, size_t count, uint64_t offset)
{
  uint32_t block = offset >> i->block_shift;

  for (;;) {
    bool full = block_is_full (i, block);
    uint32_t entry = block_entry (i, block);
    struct bitmap *b;

    if (entry == VHD_BAT_UNUSED)
      return read_below (i, buf, count, offset);
    if (entry == BAT_BAD)
      return bad_block (i, block);
    if (full)
      return store_pread (i->store, buf, count,
                          block_data (i, entry)
                          + (offset & (i->block_size - 1)));
    if (bitmap_get (i, block, &b) == -1)
      return -1;
    if (b) {
      int r = read_mixed (i, b, entry, buf, count, offset);

      if (r != 1)
        return r;
    }
    /* It became full, was freed, or moved just now: look again. */
  }
}

int
image_pread (struct image *i, void *buf, size_t count, uint64_t offset)
{
  struct grace_section section;
  char *p = buf;
  int r = 0;

  if (!i->dynamic)
    return store_pread (i->store, buf, count, offset);

  grace_enter (&i->grace, &section);
  while (count > 0 && r == 0) {
    size_t n = MIN_OF (count, i->block_size - (offset & (i->block_size - 1)));

    r = read_block (i, p, n, offset);
    p += n;
    count -= n;
    offset += n;
  }
  grace_leave (&i->grace, &section);
  cache_reap (&i->bitmaps);
  return r;
}

/* Bits [first, first + count) of a block into words, aligned to first; first
 * is a multiple of 64.  Parents never change and are looked at once, so their
 * bitmaps bypass the cache. */
static int
bits_of_block (struct image *i, uint32_t block, uint32_t entry,
               uint32_t first, uint32_t count, _Atomic uint64_t *words)
{
  uint32_t w, n = (count + 63) / 64;
  struct bitmap *b;
  be64 v;

  if (block_is_full (i, block))
    b = NULL;
  else if (atomic_load (&i->writable)) {
    if (bitmap_get (i, block, &b) == -1)
      return -1;
  }
  else {
    if (store_pread (i->store, (void *) words, n * 8,
                     (uint64_t) entry * SECTOR_SIZE + first / 8) == -1) {
      error_prefix ("sector bitmap of block %u", block);
      return -1;
    }
    for (w = 0; w < n; w++) {
      uint64_t x = atomic_load_explicit (&words[w], memory_order_relaxed);
      memcpy (&v, &x, sizeof v);
      atomic_init (&words[w], get_be64 (v));
    }
    return 0;
  }
  for (w = 0; w < n; w++)
    atomic_init (&words[w], b ? atomic_load (&b->words[first / 64 + w])
                              : ~UINT64_C (0));
  return 0;
}

/* Sectors [first, last) of one allocated block.  *ret_end: how far it came;
 * less than last if the block has moved meanwhile, and must be looked up
 * again. */
#define RUN_CHUNK 4096u
static int
runs_of_block (struct image *i, uint32_t block, uint32_t entry,
               uint32_t first, uint32_t last,
               int (*fn) (void *opaque, const struct image_run *run),
               void *opaque, uint32_t *ret_end)
{
  _Atomic uint64_t words[RUN_CHUNK / 64];
  uint64_t base = (uint64_t) block * i->sectors_per_block;
  uint32_t chunk, s, end;

  if (block_is_full (i, block)) {
    struct image_run run = {
      base + first, last - first,
      block_data (i, entry) + (uint64_t) first * SECTOR_SIZE
    };

    *ret_end = entry == block_entry (i, block) ? last : first;
    return *ret_end == last ? fn (opaque, &run) : 0;
  }

  for (s = first; s < last; s = end) {
    chunk = round_down (s, 64);
    end = MIN_OF (last, chunk + RUN_CHUNK);
    if (bits_of_block (i, block, entry, chunk, end - chunk, words) == -1)
      return -1;
    *ret_end = s;
    if (entry != block_entry (i, block))
      return 0;
    while (s < end) {
      bool here;
      uint32_t n = bitmap_run (words, s - chunk, end - s, &here);
      struct image_run run = {
        base + s, n,
        here ? block_data (i, entry) + (uint64_t) s * SECTOR_SIZE
             : IMAGE_ABSENT
      };

      if (fn (opaque, &run))
        return -1;
      s += n;
    }
  }
  *ret_end = last;
  return 0;
}

uint64_t
image_unallocated (struct image *i, uint64_t sector, uint64_t count)
{
  uint64_t end = sector + count, s = sector;

  if (!i->dynamic)
    return 0;
  while (s < end
         && block_entry (i, s / i->sectors_per_block) == VHD_BAT_UNUSED)
    s = round_down (s, i->sectors_per_block) + i->sectors_per_block;
  return MIN_OF (s, end) - sector;
}

static int
dynamic_runs (struct image *i, uint64_t sector, uint64_t count,
              int (*fn) (void *opaque, const struct image_run *run),
              void *opaque)
{
  uint64_t end = sector + count;

  while (sector < end) {
    uint64_t absent = image_unallocated (i, sector, end - sector);
    uint32_t block, entry, first, last;

    if (absent > 0) {
      struct image_run run = { sector, absent, IMAGE_ABSENT };
      if (fn (opaque, &run))
        return -1;
      sector += absent;
      continue;
    }
    block = sector / i->sectors_per_block;
    entry = block_entry (i, block);
    if (entry == VHD_BAT_UNUSED)        /* freed just now */
      continue;
    first = sector % i->sectors_per_block;
    last = MIN_OF (i->sectors_per_block, first + (end - sector));
    if (entry == BAT_BAD) {
      struct image_run run = { sector, last - first, IMAGE_BAD };
      if (fn (opaque, &run))
        return -1;
    }
    else if (runs_of_block (i, block, entry, first, last, fn, opaque, &last))
      return -1;
    sector += last - first;
  }
  return 0;
}

int
image_runs (struct image *i, uint64_t sector, uint64_t count,
            int (*fn) (void *opaque, const struct image_run *run),
            void *opaque)
{
  struct grace_section section;
  int r;

  if (!i->dynamic) {
    struct image_run run = { sector, count, sector * SECTOR_SIZE };
    return fn (opaque, &run);
  }
  grace_enter (&i->grace, &section);
  r = dynamic_runs (i, sector, count, fn, opaque);
  grace_leave (&i->grace, &section);
  cache_reap (&i->bitmaps);
  return r;
}
