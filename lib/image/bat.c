/* vhdkit: loading the block table.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The table is read in one piece and kept as atomic words.  Every entry is
 * checked before it is used (vhd-format 9.2 point 7): within the file, behind
 * the metadata, overlapping no other.  The sort is by radix, so that a full
 * table of 2040 GiB opens in milliseconds.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "image/internal.h"

#define HUGE_PAGE ((size_t) 2 << 20)

static uint32_t
sectors_in_file (const struct image *i)
{
  return (i->bitmap_bytes + i->block_size) / SECTOR_SIZE;
}

/* As many wrong entries are named one by one; the others are counted.  A table
 * of zeros has a million of them, and someone may be logging. */
#define NAMED_ENTRIES 10

/* One entry is wrong.  A reader goes without the block; a writer will refuse
 * the image; check reads the table itself and has more to say. */
static int
bad_entry (struct image *i, uint32_t block, const char *expected,
           struct report *r)
{
  char structure[40];
  uint32_t entry = block_entry (i, block);

  atomic_store (&i->bat[block], BAT_BAD);
  if (i->bad_blocks++ >= NAMED_ENTRIES || i->inspect)
    return 0;
  snprintf (structure, sizeof structure, "BAT entry %u", block);
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BAT_CORRUPT,
                 structure, i->header.table_offset + (uint64_t) block * 4,
                 expected,
                 "the data of this block is out of reach; served read-only, "
                 "only this block fails",
                 "sector %" PRIu32, entry);
}

static int
report_unnamed (struct image *i, struct report *r)
{
  if (i->bad_blocks <= NAMED_ENTRIES || i->inspect)
    return 0;
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_BAT_CORRUPT,
                 "block table", i->header.table_offset, "none",
                 "the data of these blocks is out of reach, too; vhdkit check "
                 "tells more",
                 "%u more entries that lead nowhere",
                 i->bad_blocks - NAMED_ENTRIES);
}

/* Does the block at entry fit?  The last block of the disk may be cut short
 * behind its last sector, where nobody is going to write to it. */
static bool
fits (const struct image *i, uint32_t block, uint32_t entry)
{
  uint64_t start = (uint64_t) entry * SECTOR_SIZE;
  uint64_t need = (uint64_t) i->bitmap_bytes + i->block_size;

  if (block == i->blocks - 1)
    need = i->bitmap_bytes
           + (uint64_t) block_sectors (i, block) * SECTOR_SIZE;
  return range_within (start, need, i->data_end);
}

/* The first entry from block on that is in use, as the table was read; eight
 * at a time, because most of a large table is not.  No one else looks yet. */
static uint32_t
next_used (const struct image *i, uint32_t block)
{
  const uint32_t *entry = (const uint32_t *) i->bat;
  uint64_t x[4];

  for (; i->blocks - block >= 8; block += 8) {
    memcpy (x, entry + block, sizeof x);
    if ((x[0] & x[1] & x[2] & x[3]) != ~UINT64_C (0))
      break;
  }
  while (block < i->blocks && entry[block] == VHD_BAT_UNUSED)
    block++;
  return block;
}

/* Turn the table just read into numbers, and check each entry.  An unused one
 * looks the same either way round. */
static int
decode_entries (struct image *i, struct report *r)
{
  char behind[80], inside[80];
  uint32_t block;

  snprintf (behind, sizeof behind, "a place behind the metadata, which ends at "
            "byte %" PRIu64, i->metadata_end);
  snprintf (inside, sizeof inside, "a whole block before byte %" PRIu64
            ", where the data area ends", i->data_end);

  for (block = next_used (i, 0); block < i->blocks;
       block = next_used (i, block + 1)) {
    uint32_t entry = atomic_load_explicit (&i->bat[block],
                                           memory_order_relaxed);
    const char *expected = NULL;

    entry = be32toh (entry);
    atomic_store_explicit (&i->bat[block], entry, memory_order_relaxed);
    atomic_fetch_add_explicit (&i->blocks_used, 1, memory_order_relaxed);
    if (image_over_metadata (i, (uint64_t) entry * SECTOR_SIZE))
      expected = behind;
    else if (!fits (i, block, entry))
      expected = inside;
    if (expected && bad_entry (i, block, expected, r) == -1)
      return -1;
  }
  return 0;
}

/* For qsort, of short lists of entries. */
int
bat_compare (const void *a, const void *b)
{
  uint32_t x = * (const uint32_t *) a, y = * (const uint32_t *) b;

  return x < y ? -1 : x > y;
}

static void
radix_pass (const uint32_t *from, uint32_t *to, size_t n, unsigned shift)
{
  size_t count[2048] = { 0 }, at = 0, k;

  for (k = 0; k < n; k++)
    count[from[k] >> shift & 2047]++;
  for (k = 0; k < 2048; k++) {
    size_t c = count[k];
    count[k] = at;
    at += c;
  }
  for (k = 0; k < n; k++)
    to[count[from[k] >> shift & 2047]++] = from[k];
}

/* The entries in use, ascending; *ret_entries is malloced.  Nobody may be
 * allocating meanwhile. */
int
bat_sorted (struct image *i, uint32_t **ret_entries, size_t *ret_n)
{
  size_t used = image_blocks_allocated (i), max = used - i->bad_blocks + 1;
  size_t n = 0;
  uint32_t *a = malloc (max * sizeof *a), *b = malloc (max * sizeof *b);
  uint32_t block;

  if (a == NULL || b == NULL) {
    free (a);
    free (b);
    set_error_errno (ENOMEM, "%s: block table", i->store->name);
    return -1;
  }
  for (block = 0; used > 0 && block < i->blocks; block++) {
    uint32_t entry = block_entry (i, block);

    used -= entry != VHD_BAT_UNUSED;
    if (entry != VHD_BAT_UNUSED && entry != BAT_BAD)
      a[n++] = entry;
  }
  radix_pass (a, b, n, 0);
  radix_pass (b, a, n, 11);
  radix_pass (a, b, n, 22);
  free (a);
  *ret_entries = b;
  *ret_n = n;
  return 0;
}

/* Both blocks of an overlap are bad: nobody knows whose the bytes are.  Found
 * by value, in a second walk, because the sorted list has lost the numbers. */
static int
mark_overlaps (struct image *i, const uint32_t *sorted, size_t n,
               struct report *r)
{
  uint32_t length = sectors_in_file (i), block;
  size_t lo, hi, mid;
  char expected[96];

  for (block = 0; block < i->blocks; block++) {
    uint32_t entry = block_entry (i, block);

    if (entry == VHD_BAT_UNUSED || entry == BAT_BAD)
      continue;
    for (lo = 0, hi = n; lo < hi;) {            /* first >= entry */
      mid = lo + (hi - lo) / 2;
      if (sorted[mid] < entry)
        lo = mid + 1;
      else
        hi = mid;
    }
    if ((lo > 0 && entry - sorted[lo - 1] < length)
        || (lo + 1 < n && sorted[lo + 1] - entry < length)) {
      snprintf (expected, sizeof expected, "%" PRIu32 " sectors that no other "
                "block uses", length);
      if (bad_entry (i, block, expected, r) == -1)
        return -1;
    }
  }
  return 0;
}

static int
check_overlaps (struct image *i, struct report *r)
{
  CLEANUP_FREE uint32_t *sorted = NULL;
  uint32_t length = sectors_in_file (i);
  size_t n, k;

  if (bat_sorted (i, &sorted, &n) == -1)
    return -1;
  for (k = 1; k < n; k++)
    if (sorted[k] - sorted[k - 1] < length)
      return mark_overlaps (i, sorted, n, r);
  return 0;
}

/* Memory for a table.  That of a large disk is 4 MiB, every page of which is
 * touched at once: huge pages take two faults instead of a thousand. */
static void *
table_memory (size_t bytes)
{
  void *p;

  if (bytes < HUGE_PAGE)
    return malloc (bytes);
  bytes = round_up (bytes, HUGE_PAGE);
  if (posix_memalign (&p, HUGE_PAGE, bytes) != 0)
    return NULL;
  madvise (p, bytes, MADV_HUGEPAGE);    /* a wish; any answer will do */
  return p;
}

int
bat_load (struct image *i, struct report *r)
{
  size_t bytes = (size_t) i->blocks * 4;

  i->bat = table_memory (bytes);
  i->full = calloc (div_round_up (i->blocks, 64), sizeof i->full[0]);
  if (i->bat == NULL || i->full == NULL) {
    set_error_errno (ENOMEM, "%s: block table of %u entries", i->store->name,
                     i->blocks);
    return -1;
  }
  if (store_pread (i->store, (void *) i->bat, bytes, i->header.table_offset)
      == -1) {
    error_prefix ("block table");
    error_recode (VHDKIT_ERR_METADATA_READ_FAILURE, EIO);
    return -1;
  }
  if (decode_entries (i, r) == -1)
    return -1;
  if (image_blocks_allocated (i) > 1 && check_overlaps (i, r) == -1)
    return -1;
  return report_unnamed (i, r);
}
