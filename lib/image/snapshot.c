/* vhdkit: what a commit writes.  See snapshot.h, and commit.c for the rules.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"
#include "image/snapshot.h"

/*----------------------------------------------------------------------
 * Taking, and giving back
 *--------------------------------------------------------------------*/

void
snapshot_free (struct snapshot *s)
{
  free (s->sector);
  free (s->table);
  free (s->copy);
  free (s->bits);
  free (s->freed);
}

static void
copy_table_locked (struct image *i, struct snapshot *s)
{
  struct commit *c = &i->commit;
  uint32_t w, words = div_round_up (table_sectors (i), 64);

  for (w = 0; w < words; w++) {
    while (c->dirty_table[w]) {
      uint32_t sector = w * 64 + __builtin_ctzll (c->dirty_table[w]);
      uint32_t first = sector * ENTRIES_PER_SECTOR, k;
      uint8_t *p = s->table + s->nr_sectors * SECTOR_SIZE;

      for (k = 0; k < ENTRIES_PER_SECTOR && first + k < i->blocks; k++) {
        be32 v = put_be32 (block_entry (i, first + k));
        memcpy (p + k * 4, &v, 4);
      }
      s->sector[s->nr_sectors++] = sector;
      c->dirty_table[w] &= c->dirty_table[w] - 1;
    }
  }
  c->table_dirty = false;
}

static void
copy_bitmaps_locked (struct image *i, struct snapshot *s)
{
  struct commit *c = &i->commit;
  struct bitmap *b, *next;

  for (b = c->dirty_bitmaps; b; b = next) {
    uint32_t entry = block_entry (i, b->entry.key);

    next = b->next_dirty;
    if (entry != VHD_BAT_UNUSED) {
      atomic_store (&b->dirty, false);  /* but busy, for us from now on */
      bitmap_encode (i, b, s->bits + s->nr_copies * i->bitmap_bytes);
      s->copy[s->nr_copies].bitmap = b;
      s->copy[s->nr_copies].offset = (uint64_t) entry * SECTOR_SIZE;
      s->nr_copies++;
    }
    else {                      /* freed since */
      atomic_store (&b->dirty, false);
      atomic_fetch_sub (&b->busy, 1);
    }
  }
  c->dirty_bitmaps = NULL;
  atomic_store (&c->dirty_bitmap_bytes, 0);
}

/* In one instant: the lock is held throughout. */
int
snapshot_take (struct image *i, struct snapshot *s)
{
  struct commit *c = &i->commit;
  LOCK_FOR_SCOPE (&c->lock);
  size_t sectors = 0, bitmaps = 0;
  uint32_t w;
  struct bitmap *b;

  memset (s, 0, sizeof *s);
  if (c->table_dirty)
    for (w = 0; w < div_round_up (table_sectors (i), 64); w++)
      sectors += __builtin_popcountll (c->dirty_table[w]);
  for (b = c->dirty_bitmaps; b; b = b->next_dirty)
    bitmaps++;

  if (sectors) {
    s->sector = malloc (sectors * sizeof *s->sector);
    s->table = malloc (sectors * SECTOR_SIZE);
  }
  if (bitmaps) {
    s->copy = malloc (bitmaps * sizeof *s->copy);
    s->bits = malloc (bitmaps * i->bitmap_bytes);
  }
  if ((sectors && (s->sector == NULL || s->table == NULL))
      || (bitmaps && (s->copy == NULL || s->bits == NULL))) {
    snapshot_free (s);
    set_error_errno (ENOMEM, "%s: commit", i->store->name);
    return -1;
  }
  if (sectors)
    copy_table_locked (i, s);
  if (bitmaps)
    copy_bitmaps_locked (i, s);
  s->freed = c->freed;
  s->nr_freed = c->nr_freed;
  c->freed = NULL;
  c->nr_freed = c->max_freed = 0;
  s->data = atomic_exchange (&c->data_dirty, false);
  return 0;
}

static void
lower_busy (struct snapshot *s)
{
  size_t k;

  for (k = 0; k < s->nr_copies; k++)
    atomic_fetch_sub (&s->copy[k].bitmap->busy, 1);
}

/* The commit failed without harm (no space, say): all of it is dirty again. */
void
snapshot_take_back (struct image *i, struct snapshot *s)
{
  struct commit *c = &i->commit;
  size_t k;

  for (k = 0; k < s->nr_copies; k++)
    commit_bitmap_dirty (i, s->copy[k].bitmap);
  lower_busy (s);

  LOCK_FOR_SCOPE (&c->lock);
  for (k = 0; k < s->nr_sectors; k++)
    c->dirty_table[s->sector[k] / 64] |= UINT64_C (1) << s->sector[k] % 64;
  if (s->nr_sectors)
    c->table_dirty = true;
  /* If memory is short this space is lost until the image is opened again. */
  for (k = 0; k < s->nr_freed; k++)
    if (commit_remember_freed (i, s->freed[k]) == -1)
      break;
  atomic_store (&c->data_dirty, true);
}

/*----------------------------------------------------------------------
 * Writing
 *--------------------------------------------------------------------*/

static int
compare_copies (const void *a, const void *b)
{
  const struct bitmap_copy *x = * (const struct bitmap_copy *const *) a;
  const struct bitmap_copy *y = * (const struct bitmap_copy *const *) b;

  return x->offset < y->offset ? -1 : x->offset > y->offset;
}

/* In the order of the file, for the sake of disks that seek. */
static int
write_bitmaps (struct image *i, const struct snapshot *s)
{
  CLEANUP_FREE const struct bitmap_copy **order = NULL;
  size_t k;

  if (s->nr_copies == 0)
    return 0;
  order = malloc (s->nr_copies * sizeof *order);
  if (order == NULL) {
    set_error_errno (ENOMEM, "%s: commit", i->store->name);
    return -1;
  }
  for (k = 0; k < s->nr_copies; k++)
    order[k] = &s->copy[k];
  qsort (order, s->nr_copies, sizeof *order, compare_copies);
  for (k = 0; k < s->nr_copies; k++) {
    size_t at = order[k] - s->copy;

    if (store_pwrite (i->store, s->bits + at * i->bitmap_bytes,
                      i->bitmap_bytes, order[k]->offset) == -1) {
      error_prefix ("sector bitmap");
      return -1;
    }
  }
  return 0;
}

/* Bytes of this sector of the table that are entries the disk needs.  What
 * lies behind them stays as it is. */
static size_t
table_sector_bytes (const struct image *i, uint32_t sector)
{
  uint32_t left = i->blocks - sector * ENTRIES_PER_SECTOR;

  return MIN_OF (left, ENTRIES_PER_SECTOR) * 4;
}

static int
write_table (struct image *i, const struct snapshot *s)
{
  size_t k, n, bytes;

  for (k = 0; k < s->nr_sectors; k += n) {
    for (n = 1; k + n < s->nr_sectors && s->sector[k + n] == s->sector[k] + n;
         n++)
      ;
    bytes = (n - 1) * SECTOR_SIZE
            + table_sector_bytes (i, s->sector[k + n - 1]);
    if (store_pwrite (i->store, s->table + k * SECTOR_SIZE, bytes,
                      i->header.table_offset
                      + (uint64_t) s->sector[k] * SECTOR_SIZE) == -1) {
      error_prefix ("block table");
      return -1;
    }
  }
  return 0;
}

/* Give the space of freed blocks back to the host, neighbours and the padding
 * between them in one call, and then to the allocator.  By now no table entry
 * on disk leads there, and after the grace period no request in flight does.
 * A host that cannot take it back does no harm: it is zeroed before use. */
static void
reuse_freed (struct image *i, struct snapshot *s)
{
  uint64_t slot = (uint64_t) i->bitmap_bytes + i->block_size, start, end, next;
  size_t k = 0;

  if (s->nr_freed == 0)
    return;
  grace_wait (&i->grace);
  qsort (s->freed, s->nr_freed, sizeof *s->freed, bat_compare);
  while (k < s->nr_freed) {
    start = next = (uint64_t) s->freed[k] * SECTOR_SIZE;
    do {
      end = next + slot;
      if (++k < s->nr_freed)
        next = (uint64_t) s->freed[k] * SECTOR_SIZE;
    } while (k < s->nr_freed && is_padding (i, end, next));
    (void) store_zero (i->store, start, end - start,
                       STORE_ZERO_PUNCH | STORE_ZERO_FAST);
  }
  space_release (i, s->freed, s->nr_freed);
}

void
snapshot_settle (struct image *i, struct snapshot *s)
{
  lower_busy (s);
  reuse_freed (i, s);
}

int
snapshot_write (struct image *i, struct snapshot *s)
{
  bool metadata = s->nr_sectors || s->nr_copies;

  if (!s->data && !metadata)
    return 0;
  if (!BROKEN (1) && commit_sync (i) == -1)
    return -1;
  if (!metadata)
    return 0;
  if (write_bitmaps (i, s) == -1 || write_table (i, s) == -1)
    return -1;
  return commit_sync (i);
}
