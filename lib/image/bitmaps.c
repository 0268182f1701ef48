/* vhdkit: sector bitmaps, cached as far as they are needed.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Most blocks end up with a bitmap of all ones, and of those only one bit is
 * kept: the full marker.  The bits of other blocks are loaded when first
 * needed and pushed out again when memory is short, unless they are dirty or
 * being written.
 *
 * Bits are only ever set, one way and under the block's stripe, after the
 * data they stand for is in the file.  A reader without the lock therefore
 * sees a bit late, never early.  A freed block keeps its cached bitmap; the
 * table says that it means nothing, and the next allocation overwrites it.
 *
 * A bitmap must not be pushed out between a writer's look at it and the mark
 * that makes it dirty, nor be loaded again from the file before the commit
 * has written it: pushing out takes the stripe (or leaves the entry alone),
 * and loading happens under the stripe.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

/* Mask of bits [a, b) of a word, 0 <= a < b <= 64, bit 0 leftmost. */
static uint64_t
mask (unsigned a, unsigned b)
{
  uint64_t m = ~UINT64_C (0) >> a;

  if (b < 64)
    m &= ~(~UINT64_C (0) >> b);
  return m;
}

static bool
may_evict (void *opaque, struct cache_entry *e)
{
  struct image *i = opaque;
  struct bitmap *b = (struct bitmap *) e;

  if (atomic_load (&b->busy))
    return false;
  if (pthread_mutex_trylock (block_stripe (i, e->key)) != 0)
    return false;
  /* With the stripe held nobody makes it busy.  One that is stays so for as
   * long as the list of what is dirty or a commit knows it, without a gap when
   * it goes from one to the other. */
  if (atomic_load (&b->busy)) {
    mutex_unlock (block_stripe (i, e->key));
    return false;
  }
  return true;
}

static void
evicted (void *opaque, struct cache_entry *e)
{
  mutex_unlock (block_stripe (opaque, e->key));
}

void
bitmaps_init (struct image *i, uint64_t cache_bytes)
{
  cache_init (&i->bitmaps, &i->grace, cache_bytes);
  i->bitmaps.may_evict = may_evict;
  i->bitmaps.evicted = evicted;
  i->bitmaps.opaque = i;
}

void
bitmaps_set_full (struct image *i, uint32_t block, bool full)
{
  uint64_t bit = UINT64_C (1) << block % 64;

  if (full)
    atomic_fetch_or (&i->full[block / 64], bit);
  else
    atomic_fetch_and (&i->full[block / 64], ~bit);
}

uint32_t
bitmap_run (const _Atomic uint64_t *words, uint32_t first, uint32_t count,
            bool *ret_set)
{
  uint32_t w = first / 64, pos = first % 64, n = 0;
  uint64_t v = atomic_load_explicit (&words[w], memory_order_acquire);
  bool set = v << pos >> 63;

  for (;;) {
    /* Turn the bits looked for into zeros, count them from the left. */
    uint64_t x = (set ? ~v : v) << pos;
    uint32_t in_word = 64 - pos;
    uint32_t k = x ? (uint32_t) __builtin_clzll (x) : in_word;

    if (k > in_word)
      k = in_word;
    n += k;
    if (k < in_word || n >= count)
      break;
    pos = 0;
    v = atomic_load_explicit (&words[++w], memory_order_acquire);
  }
  *ret_set = set;
  return MIN_OF (n, count);
}

static uint32_t
count_ones (const struct image *i, const struct bitmap *b, uint32_t block)
{
  uint32_t n = block_sectors (i, block), s, ones = 0;

  for (s = 0; s < n; s += 64) {
    uint64_t v = atomic_load_explicit (&b->words[s / 64],
                                       memory_order_relaxed);
    ones += __builtin_popcountll (n - s >= 64 ? v : v & mask (0, n - s));
  }
  return ones;
}

static struct bitmap *
new_bitmap (struct image *i, uint32_t block)
{
  size_t bytes = sizeof (struct bitmap) + i->bitmap_bytes;
  struct bitmap *b = calloc (1, bytes);

  if (b == NULL) {
    set_error_errno (ENOMEM, "%s: sector bitmap of block %u", i->store->name,
                     block);
    return NULL;
  }
  b->entry.key = block;
  b->entry.bytes = bytes;
  return b;
}

/* The stripe is held, or the image is read-only. */
static int
load (struct image *i, uint32_t block, uint32_t entry,
      struct bitmap **ret_bitmap)
{
  struct bitmap *b = new_bitmap (i, block);
  struct cache_entry *e;
  uint32_t w;

  if (b == NULL)
    return -1;
  if (store_pread (i->store, (void *) b->words, i->bitmap_bytes,
                   (uint64_t) entry * SECTOR_SIZE) == -1) {
    error_prefix ("sector bitmap of block %u", block);
    free (b);
    return -1;
  }
  for (w = 0; w < i->bitmap_bytes / 8; w++)
    atomic_init (&b->words[w], be64toh (atomic_load_explicit (
                                          &b->words[w], memory_order_relaxed)));
  b->ones = count_ones (i, b, block);
  if (b->ones == block_sectors (i, block)) {
    bitmaps_set_full (i, block, true);
    free (b);
    *ret_bitmap = NULL;
    return 0;
  }
  e = cache_add (&i->bitmaps, &b->entry);
  if (e != &b->entry)
    free (b);
  if (e == NULL)
    return -1;
  *ret_bitmap = (struct bitmap *) e;
  return 0;
}

int
bitmap_get_locked (struct image *i, uint32_t block,
                   struct bitmap **ret_bitmap)
{
  uint32_t entry = block_entry (i, block);
  struct cache_entry *e;

  if (entry == VHD_BAT_UNUSED || entry == BAT_BAD
      || block_is_full (i, block)) {
    *ret_bitmap = NULL;
    return 0;
  }
  e = cache_find (&i->bitmaps, block);
  if (e) {
    *ret_bitmap = (struct bitmap *) e;
    return 0;
  }
  return load (i, block, entry, ret_bitmap);
}

int
bitmap_get (struct image *i, uint32_t block, struct bitmap **ret_bitmap)
{
  struct cache_entry *e = cache_find (&i->bitmaps, block);

  if (e) {
    *ret_bitmap = (struct bitmap *) e;
    return 0;
  }
  LOCK_FOR_SCOPE (block_stripe (i, block));
  return bitmap_get_locked (i, block, ret_bitmap);
}

/* Set bits [first, first + count) of words; returns how many were new. */
static uint32_t
set_bits (_Atomic uint64_t *words, uint32_t first, uint32_t count)
{
  uint32_t end = first + count, fresh = 0;

  while (first < end) {
    uint32_t w = first / 64, a = first % 64;
    uint32_t b = MIN_OF (end - w * 64, 64);
    uint64_t m = mask (a, b);
    uint64_t old = atomic_fetch_or (&words[w], m);

    fresh += __builtin_popcountll (m & ~old);
    first = (w + 1) * 64;
  }
  return fresh;
}

int
bitmap_new_locked (struct image *i, uint32_t block, uint32_t first,
                   uint32_t count)
{
  struct cache_entry *e = cache_find (&i->bitmaps, block);
  struct bitmap *b = (struct bitmap *) e;
  uint32_t w;

  if (b == NULL && count == block_sectors (i, block)) {
    bitmaps_set_full (i, block, true);
    return 0;
  }
  if (b == NULL) {
    b = new_bitmap (i, block);
    if (b == NULL)
      return -1;
    set_bits (b->words, first, count);
    b->ones = count;
    /* The stripe keeps others from adding it first. */
    if (cache_add (&i->bitmaps, &b->entry) == NULL) {
      free (b);
      return -1;
    }
  }
  else {
    /* Left over from before the block was freed. */
    for (w = 0; w < i->bitmap_bytes / 8; w++)
      atomic_store (&b->words[w], 0);
    set_bits (b->words, first, count);
    b->ones = count;
  }
  bitmaps_set_full (i, block, b->ones == block_sectors (i, block));
  return 0;
}

void
bitmap_set_locked (struct image *i, uint32_t block, struct bitmap *b,
                   uint32_t first, uint32_t count)
{
  uint32_t fresh = set_bits (b->words, first, count);

  if (fresh == 0)
    return;
  b->ones += fresh;
  commit_bitmap_dirty (i, b);
  if (b->ones == block_sectors (i, block))
    bitmaps_set_full (i, block, true);
}

void
bitmap_encode (const struct image *i, const struct bitmap *b,
               void *ret_bytes)
{
  uint8_t *p = ret_bytes;
  uint32_t w;

  for (w = 0; w < i->bitmap_bytes / 8; w++, p += 8) {
    be64 v = put_be64 (atomic_load (&b->words[w]));
    memcpy (p, &v, sizeof v);
  }
}

void
bitmap_encode_range (const struct image *i, uint32_t first, uint32_t count,
                     void *ret_bytes)
{
  uint8_t *p = ret_bytes;
  uint32_t end = first + count;

  memset (p, 0, i->bitmap_bytes);
  for (; first < end && first % 8 != 0; first++)
    p[first / 8] |= 0x80 >> first % 8;
  memset (p + first / 8, 0xff, (end - first) / 8);
  for (first += (end - first) / 8 * 8; first < end; first++)
    p[first / 8] |= 0x80 >> first % 8;
}
