/* vhdkit: check: the block table.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Read from the file once more, because the opened image no longer has what
 * stood in the bad entries.  Every entry must lead to a whole block behind the
 * metadata and before the footer, and no two to the same bytes.  Sorted by
 * place, blocks being of one size, two overlap exactly if neighbours do.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "operations/check.h"

/* Entries read at a time. */
#define CHUNK 16384u

struct table_check {
  struct check_image *ci;
  struct tally bad, shared, extra;
};

static int
entry_finding (struct check_image *ci, enum vhdkit_severity severity,
               uint32_t block, const char *expected, const char *meaning,
               const char *found)
{
  char structure[40];

  snprintf (structure, sizeof structure, "BAT entry %" PRIu32, block);
  return report (&ci->report, severity, VHDKIT_ERR_BAT_CORRUPT, structure,
                 ci->header->table_offset + (uint64_t) block * 4, expected,
                 meaning, "%s", found);
}

/* What of the metadata the bytes [start, end) touch first. */
static const char *
metadata_at (const struct check_image *ci, uint64_t start, uint64_t end,
             char buf[40])
{
  const struct vhd_header *h = ci->header;
  const uint64_t header = ci->footer->data_offset;
  size_t i;

#define TOUCHES(at, length) (start < (at) + (length) && (at) < end)
  if (TOUCHES (0, SECTOR_SIZE))
    return "the footer copy";
  if (TOUCHES (header, sizeof (struct vhd_header_disk)))
    return "the dynamic header";
  if (TOUCHES (h->table_offset, (uint64_t) h->table_entries * 4))
    return "the block table";
  for (i = 0; i < VHD_LOCATORS; i++)
    if (h->locator[i].platform != VHD_PLATFORM_NONE
        && TOUCHES (h->locator[i].offset, h->locator[i].length)) {
      snprintf (buf, 40, "parent locator %zu", i);
      return buf;
    }
#undef TOUCHES
  if (image_has_batmap (ci->image))
    return "the batmap";
  return "space kept for metadata";
}

static int
entry_in_metadata (struct table_check *t, uint32_t block, uint32_t entry)
{
  struct check_image *ci = t->ci;
  const uint64_t start = (uint64_t) entry * SECTOR_SIZE;
  char found[120], expected[80], buf[40];

  if (!check_tally (&t->bad))
    return 0;
  snprintf (found, sizeof found, "sector %" PRIu32 " (byte %" PRIu64
            "), over %s", entry, start,
            metadata_at (ci, start, start + ci->block_span, buf));
  snprintf (expected, sizeof expected, "a place behind the metadata, which "
            "ends at byte %" PRIu64, ci->metadata_end);
  return entry_finding (ci, VHDKIT_SEVERITY_ERROR, block, expected,
                        "the block and the metadata overwrite each other; the "
                        "block cannot be read, and the image not be written",
                        found);
}

static int
entry_past_end (struct table_check *t, uint32_t block, uint32_t entry,
                bool harmless)
{
  struct check_image *ci = t->ci;
  const uint64_t start = (uint64_t) entry * SECTOR_SIZE;
  char found[120], expected[100];

  if (!harmless && !check_tally (&t->bad))
    return 0;
  snprintf (found, sizeof found, "sector %" PRIu32 " (bytes %" PRIu64
            " to %" PRIu64 ")", entry, start, start + ci->block_span);
  snprintf (expected, sizeof expected, "a whole block before byte %" PRIu64
            ", where the %s", ci->data_end,
            ci->data_end < ci->file_size ? "footer is" : "file ends");
  if (harmless)
    return entry_finding (ci, VHDKIT_SEVERITY_WARNING, block, expected,
                          "the file ends inside the last block, but after the "
                          "last sector of the disk: nothing is missing, and "
                          "the image cannot be written", found);
  return entry_finding (ci, VHDKIT_SEVERITY_ERROR, block, expected,
                        start >= ci->file_size ?
                        "the data of this block is not in the file: it was "
                        "cut, or a write was interrupted" :
                        "part of this block is missing or is not its own: the "
                        "file was cut, or a write was interrupted", found);
}

/* Judge one entry; *ret_usable: may the other passes follow it? */
static int
check_entry (struct table_check *t, uint32_t block, uint32_t entry,
             bool *ret_usable)
{
  const struct check_image *ci = t->ci;
  const uint64_t start = (uint64_t) entry * SECTOR_SIZE;
  uint64_t least;

  *ret_usable = false;
  if (image_over_metadata (ci->image, start))
    return entry_in_metadata (t, block, entry);
  if (range_within (start, ci->block_span, ci->data_end)) {
    *ret_usable = true;
    return 0;
  }
  least = ci->bitmap_bytes
    + (uint64_t) check_block_sectors (ci, block) * SECTOR_SIZE;
  *ret_usable = block == ci->blocks - 1
    && range_within (start, least, ci->data_end);
  return entry_past_end (t, block, entry, *ret_usable);
}

static int
check_unneeded (struct table_check *t, uint32_t block, uint32_t entry)
{
  char found[40];

  if (!check_tally (&t->extra))
    return 0;
  snprintf (found, sizeof found, "sector %" PRIu32, entry);
  return entry_finding (t->ci, VHDKIT_SEVERITY_WARNING, block,
                        "0xffffffff (unused)",
                        "the disk ends before this block; the entry is "
                        "ignored, and what it leads to is lost space", found);
}

static int
add_placed (struct check_image *ci, size_t *max, uint32_t block,
            uint32_t entry)
{
  if (ci->nr_placed == *max) {
    size_t n = *max ? *max * 2 : 1024;
    struct placed *p = realloc (ci->placed, n * sizeof *p);

    if (!p) {
      set_error_errno (ENOMEM, "%s: list of %zu blocks", ci->report.file, n);
      return -1;
    }
    ci->placed = p;
    *max = n;
  }
  ci->placed[ci->nr_placed++] = (struct placed) { entry, block };
  return 0;
}

static int
check_chunk (struct table_check *t, const be32 *table, uint32_t first,
             uint32_t n, size_t *max)
{
  struct check_image *ci = t->ci;
  uint32_t i, entry;
  bool usable;

  for (i = 0; i < n; i++) {
    entry = get_be32 (table[i]);
    if (entry == VHD_BAT_UNUSED)
      continue;
    if (first + i >= ci->blocks) {
      if (check_unneeded (t, first + i, entry) == -1)
        return -1;
      continue;
    }
    ci->allocated++;
    if (check_entry (t, first + i, entry, &usable) == -1
        || (usable && add_placed (ci, max, first + i, entry) == -1))
      return -1;
  }
  return 0;
}

static int
read_table (struct table_check *t)
{
  struct check_image *ci = t->ci;
  CLEANUP_FREE be32 *table = malloc (CHUNK * sizeof *table);
  const uint32_t total = ci->header->table_entries;
  uint32_t first, n;
  size_t max = 0;

  if (!table) {
    set_error_errno (ENOMEM, "%s: block table", ci->report.file);
    return -1;
  }
  for (first = 0; first < total; first += n) {
    const uint64_t offset = ci->header->table_offset + (uint64_t) first * 4;

    n = MIN_OF (total - first, CHUNK);
    if (store_pread (ci->store, table, n * sizeof *table, offset) == -1)
      return report (&ci->report, VHDKIT_SEVERITY_ERROR,
                     VHDKIT_ERR_METADATA_READ_FAILURE, "BAT", offset,
                     "a readable block table", "blocks from here on cannot be "
                     "found", "%s", vhdkit_get_error ());
    if (check_chunk (t, table, first, n, &max) == -1)
      return -1;
  }
  return 0;
}

static int
by_place (const void *va, const void *vb)
{
  const struct placed *a = va, *b = vb;

  if (a->entry != b->entry)
    return a->entry < b->entry ? -1 : 1;
  return a->block < b->block ? -1 : a->block > b->block;
}

/* Blocks are often in order already; the sort is skipped then. */
static void
sort_placed (struct check_image *ci)
{
  size_t k;

  for (k = 1; k < ci->nr_placed; k++)
    if (ci->placed[k - 1].entry > ci->placed[k].entry) {
      qsort (ci->placed, ci->nr_placed, sizeof ci->placed[0], by_place);
      return;
    }
}

static int
shared_space (struct table_check *t, const struct placed *a,
              const struct placed *b)
{
  struct check_image *ci = t->ci;
  const uint64_t size = ci->header->block_size;
  const uint64_t common = ci->block_span - (placed_offset (b)
                                            - placed_offset (a));
  char found[120], expected[80], meaning[400];

  if (!check_tally (&t->shared))
    return 0;
  snprintf (found, sizeof found, "sector %" PRIu32 ", %s entry %" PRIu32
            " (sector %" PRIu32 ")", b->entry,
            a->entry == b->entry ? "the same as" : "inside the block of",
            a->block, a->entry);
  snprintf (expected, sizeof expected, "%" PRIu64 " sectors that no other "
            "block uses", ci->block_span / SECTOR_SIZE);
  snprintf (meaning, sizeof meaning,
            "blocks %" PRIu32 " (disk bytes %" PRIu64 " to %" PRIu64 ") and %"
            PRIu32 " (disk bytes %" PRIu64 " to %" PRIu64 ") share %" PRIu64
            " bytes of the file: a write to one changes the other, and at most "
            "one has its own data (qemu leaves this after a full disk)",
            a->block, a->block * size, (a->block + 1) * size, b->block,
            b->block * size, (b->block + 1) * size, common);
  return entry_finding (ci, VHDKIT_SEVERITY_ERROR, b->block, expected,
                        meaning, found);
}

int
check_table (struct check_image *ci)
{
  struct table_check t = { .ci = ci };
  size_t k;

  if (read_table (&t) == -1)
    return -1;
  sort_placed (ci);
  for (k = 1; k < ci->nr_placed; k++) {
    const struct placed *a = &ci->placed[k - 1], *b = &ci->placed[k];

    if (placed_offset (b) - placed_offset (a) < ci->block_span
        && shared_space (&t, a, b) == -1)
      return -1;
  }
  if (check_tally_end (ci, &t.bad, VHDKIT_SEVERITY_ERROR,
                       VHDKIT_ERR_BAT_CORRUPT, "BAT entries lead nowhere") == -1
      || check_tally_end (ci, &t.shared, VHDKIT_SEVERITY_ERROR,
                          VHDKIT_ERR_BAT_CORRUPT, "BAT entries share space")
         == -1
      || check_tally_end (ci, &t.extra, VHDKIT_SEVERITY_WARNING,
                          VHDKIT_ERR_BAT_CORRUPT, "BAT entries beyond the disk "
                          "are in use") == -1)
    return -1;
  return 0;
}
