/* vhdkit: check: sector bitmaps, and XenServer's map of full blocks.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Bitmaps are read in the order they lie in the file, where anything depends
 * on them: in differencing images, under a batmap, and when the data is
 * examined too.  Elsewhere they are all ones by custom and nothing is lost if
 * they are not.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "operations/check.h"

struct bitmaps_check {
  struct check_image *ci;
  uint8_t *bitmap;              /* of the block at hand */
  uint8_t *batmap;              /* NULL: none that can be relied on */
  uint64_t batmap_offset;
  struct tally unreadable, untrue, foreign;
};

bool
check_all_zero (const void *p, size_t size)
{
  const char *c = p;

  return size == 0 || (c[0] == 0 && memcmp (c, c + 1, size - 1) == 0);
}

/* Are the bits of all sectors that belong to the disk set? */
static bool
all_set (const uint8_t *bitmap, uint32_t sectors)
{
  uint32_t s;

  for (s = 0; s + 8 <= sectors; s += 8)
    if (bitmap[s / 8] != 0xff)
      return false;
  for (; s < sectors; s++)
    if (!bitmap_bit (bitmap, s))
      return false;
  return true;
}

/* The complement of the byte sum; version 1.1 summed signed bytes. */
static bool
batmap_sum_ok (const uint8_t *map, size_t size, uint32_t version,
               uint32_t stored)
{
  uint32_t sum = 0;
  size_t i;

  if (vhd_checksum (map, size, size) == stored)
    return true;
  if (version != VHD_BATMAP_VERSION_1_1)
    return false;
  for (i = 0; i < size; i++)
    sum += (uint32_t) (int8_t) map[i];
  return ~sum == stored;
}

static uint64_t
batmap_header_at (const struct check_image *ci)
{
  return ci->header->table_offset
    + round_up ((uint64_t) ci->header->table_entries * 4, SECTOR_SIZE);
}

/* From version 1.2 on XenServer relies on a batmap being there.  One that is
 * there and wrong was told of when the image was opened. */
static int
check_batmap_exists (struct check_image *ci)
{
  const uint64_t at = batmap_header_at (ci);
  const struct vhd_footer *f = ci->footer;
  struct vhd_batmap_disk d;

  if (!vhd_creator_is_tap (f) || image_has_batmap (ci->image)
      || f->creator_major < 1
      || (f->creator_major == 1 && f->creator_minor < 2)
      || (range_within (at, sizeof d, ci->file_size)
          && store_pread (ci->store, &d, sizeof d, at) == 0
          && memcmp (d.cookie, VHD_BATMAP_COOKIE, sizeof d.cookie) == 0))
    return 0;
  return report (&ci->report, VHDKIT_SEVERITY_WARNING,
                 VHDKIT_ERR_HEADER_CORRUPT, "batmap header", at,
                 "\"" VHD_BATMAP_COOKIE "\"", "the creator says XenServer, "
                 "whose tools will not write an image without a batmap; qemu "
                 "overwrites it; the data does not depend on it",
                 "no batmap");
}

static int
load_batmap (struct bitmaps_check *b)
{
  struct check_image *ci = b->ci;
  const uint64_t at = batmap_header_at (ci);
  const size_t size = round_up (div_round_up (ci->blocks, 8), SECTOR_SIZE);
  CLEANUP_FREE uint8_t *map = malloc (size);
  struct vhd_batmap_disk d;

  if (!map) {
    set_error_errno (ENOMEM, "%s: batmap", ci->report.file);
    return -1;
  }
  if (store_pread (ci->store, &d, sizeof d, at) == -1
      || store_pread (ci->store, map, size, get_be64 (d.offset)) == -1)
    return report (&ci->report, VHDKIT_SEVERITY_WARNING,
                   VHDKIT_ERR_METADATA_READ_FAILURE, "batmap", at,
                   "a readable batmap", "XenServer's tools will not write the "
                   "image; the data does not depend on the batmap",
                   "%s", vhdkit_get_error ());
  if (!batmap_sum_ok (map, size, get_be32 (d.version),
                      get_be32 (d.checksum)))
    return report (&ci->report, VHDKIT_SEVERITY_WARNING,
                   VHDKIT_ERR_BITMAP_MISMATCH, "batmap, checksum",
                   at + offsetof (struct vhd_batmap_disk, checksum),
                   "the complement of the byte sum of the map",
                   "the batmap cannot be trusted; the data does not depend on "
                   "it, but XenServer's tools will not write the image",
                   "0x%08" PRIx32, get_be32 (d.checksum));
  b->batmap_offset = get_be64 (d.offset);
  b->batmap = map;
  map = NULL;
  return 0;
}

static int
untrue_bit (struct bitmaps_check *b, uint32_t block, const char *found)
{
  struct check_image *ci = b->ci;
  char structure[40];

  if (!check_tally (&b->untrue))
    return 0;
  snprintf (structure, sizeof structure, "batmap, block %" PRIu32, block);
  return report (&ci->report, VHDKIT_SEVERITY_ERROR,
                 VHDKIT_ERR_BITMAP_MISMATCH, structure,
                 b->batmap_offset + block / 8,
                 "1 only for a block with all its sectors",
                 "XenServer's tools take the whole block from this file "
                 "without looking further: they read garbage or lose what the "
                 "parents hold", "1 for %s", found);
}

/* A 1 for a block that is nowhere in the file. */
static int
check_unallocated_bits (struct bitmaps_check *b)
{
  const struct check_image *ci = b->ci;
  uint32_t block;

  for (block = 0; block < ci->blocks; block++) {
    if (block % 8 == 0 && b->batmap[block / 8] == 0) {
      block += 7;
      continue;
    }
    if (bitmap_bit (b->batmap, block)
        && image_table_entry (ci->image, block) == VHD_BAT_UNUSED
        && untrue_bit (b, block, "a block that is not allocated") == -1)
      return -1;
  }
  return 0;
}

static int
unreadable (struct bitmaps_check *b, const struct placed *p)
{
  char structure[48];

  if (!check_tally (&b->unreadable))
    return 0;
  snprintf (structure, sizeof structure, "sector bitmap of block %" PRIu32,
            p->block);
  return report (&b->ci->report, VHDKIT_SEVERITY_ERROR,
                 VHDKIT_ERR_METADATA_READ_FAILURE, structure,
                 placed_offset (p), "a readable bitmap",
                 "nobody can tell which sectors of this block are here",
                 "%s", vhdkit_get_error ());
}

static int
check_block (struct bitmaps_check *b, struct check_data *data,
             const struct placed *p)
{
  struct check_image *ci = b->ci;

  if (store_pread (ci->store, b->bitmap, ci->bitmap_bytes, placed_offset (p))
      == -1)
    return unreadable (b, p);
  if (b->batmap && bitmap_bit (b->batmap, p->block)
      && !all_set (b->bitmap, check_block_sectors (ci, p->block))
      && untrue_bit (b, p->block, "a block that lacks sectors") == -1)
    return -1;
  if (ci->footer->type == VHD_DIFFERENCING
      && check_foreign (ci, p, b->bitmap, &b->foreign) == -1)
    return -1;
  if (data && check_data_block (ci, data, p, b->bitmap) == -1)
    return -1;
  return 0;
}

static int
check_blocks (struct bitmaps_check *b, struct check_data *data)
{
  struct check_image *ci = b->ci;
  size_t k;

  for (k = 0; k < ci->nr_placed; k++)
    if (check_block (b, data, &ci->placed[k]) == -1)
      return -1;
  if (check_tally_end (ci, &b->unreadable, VHDKIT_SEVERITY_ERROR,
                       VHDKIT_ERR_METADATA_READ_FAILURE,
                       "sector bitmaps cannot be read") == -1
      || check_tally_end (ci, &b->untrue, VHDKIT_SEVERITY_ERROR,
                          VHDKIT_ERR_BITMAP_MISMATCH,
                          "bits of the batmap are untrue") == -1
      || check_tally_end (ci, &b->foreign, VHDKIT_SEVERITY_NOTE,
                          VHDKIT_ERR_BITMAP_MISMATCH,
                          "blocks hide data of the parents") == -1)
    return -1;
  return 0;
}

static int
check_with_data (struct bitmaps_check *b)
{
  struct check_data data;
  int r;

  if (!(b->ci->check->flags & VHDKIT_CHECK_DATA))
    return check_blocks (b, NULL);
  if (check_data_begin (b->ci, &data) == -1)
    return -1;
  r = check_blocks (b, &data);
  if (check_data_end (b->ci, &data) == -1)
    r = -1;
  return r;
}

int
check_bitmaps (struct check_image *ci)
{
  struct bitmaps_check b = { .ci = ci };
  int r = -1;

  if (check_batmap_exists (ci) == -1
      || (image_has_batmap (ci->image) && load_batmap (&b) == -1))
    return -1;
  if (ci->footer->type != VHD_DIFFERENCING && !b.batmap
      && !(ci->check->flags & VHDKIT_CHECK_DATA))
    return 0;
  b.bitmap = malloc (ci->bitmap_bytes);
  if (!b.bitmap)
    set_error_errno (ENOMEM, "%s: sector bitmap", ci->report.file);
  else if (!b.batmap || check_unallocated_bits (&b) == 0)
    r = check_with_data (&b);
  free (b.bitmap);
  free (b.batmap);
  return r;
}
