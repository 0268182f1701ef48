/* vhdkit tests: make images with nothing but the format layer.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/guid.h"
#include "format/vhd.h"
#include "target.h"

#define HEADER_OFFSET 512
#define TABLE_OFFSET 1536

static void
put (struct store *s, const void *p, size_t size, uint64_t offset)
{
  if (store_pwrite (s, p, size, offset) == -1) {
    fprintf (stderr, "format_image: %s\n", vhdkit_get_error ());
    abort ();
  }
}

static void
put_footer (struct store *s, const struct vhd_footer *f, uint64_t offset)
{
  struct vhd_footer_disk d;

  vhd_footer_encode (f, &d);
  put (s, &d, sizeof d, offset);
}

/* Block 0, whose data does not begin at a multiple of 4 KiB.  Returns its
 * end. */
static uint64_t
put_packed_block (struct store *s, const struct image_shape *shape,
                  uint64_t offset)
{
  uint32_t bitmap_bytes = vhd_bitmap_bytes (shape->block_size);
  uint8_t *bitmap = malloc (bitmap_bytes);
  be32 entry;

  if (bitmap == NULL)
    abort ();
  if ((offset + bitmap_bytes) % 4096 == 0)
    offset += SECTOR_SIZE;
  memset (bitmap, shape->type == VHD_DIFFERENCING ? 0 : 0xff, bitmap_bytes);
  put (s, bitmap, bitmap_bytes, offset);
  free (bitmap);
  entry = put_be32 (offset / SECTOR_SIZE);
  put (s, &entry, sizeof entry, TABLE_OFFSET);
  return offset + bitmap_bytes + shape->block_size;
}

static void
get (struct store *s, void *p, size_t size, uint64_t offset)
{
  if (store_pread (s, p, size, offset) == -1) {
    fprintf (stderr, "format_image: %s\n", vhdkit_get_error ());
    abort ();
  }
}

static uint64_t
put_table (struct store *s, uint32_t entries)
{
  size_t bytes = round_up ((uint64_t) entries * 4, SECTOR_SIZE);
  uint8_t *table = malloc (bytes);

  if (table == NULL)
    abort ();
  memset (table, 0xff, bytes);
  put (s, table, bytes, TABLE_OFFSET);
  free (table);
  return TABLE_OFFSET + bytes;
}

void
format_image (struct store *s, struct image_shape *shape)
{
  struct vhd_footer f;
  struct vhd_header h;
  struct vhd_header_disk hd;
  uint64_t end = shape->size;

  if (guid_is_zero (shape->id))
    guid_random (shape->id);
  vhd_footer_init (&f, shape->type, shape->size);
  memcpy (f.id, shape->id, sizeof f.id);
  if (shape->type != VHD_FIXED) {
    vhd_header_init (&h, shape->size, shape->block_size, TABLE_OFFSET);
    memcpy (h.parent_id, shape->parent_id, sizeof h.parent_id);
    vhd_header_encode (&h, &hd);
    put_footer (s, &f, 0);
    put (s, &hd, sizeof hd, HEADER_OFFSET);
    end = put_table (s, h.table_entries);
    if (shape->packed)
      end = put_packed_block (s, shape, end);
  }
  put_footer (s, &f, end);
}

void
format_add_spare (struct store *s)
{
  static const uint8_t zeros[SECTOR_SIZE];
  uint8_t footer[SECTOR_SIZE];
  uint64_t size;

  if (store_size (s, &size) == -1)
    abort ();
  get (s, footer, sizeof footer, size - SECTOR_SIZE);
  put (s, footer, sizeof footer, size);
  put (s, zeros, sizeof zeros, size - SECTOR_SIZE);
}

/*----------------------------------------------------------------------
 * XenServer's batmap
 *--------------------------------------------------------------------*/

/* Where its header is: behind the table. */
static uint64_t
batmap_header (struct store *s)
{
  be32 entries;

  get (s, &entries, sizeof entries,
       HEADER_OFFSET + offsetof (struct vhd_header_disk, table_entries));
  return TABLE_OFFSET
         + round_up ((uint64_t) get_be32 (entries) * 4, SECTOR_SIZE);
}

static void
put_batmap (struct store *s, const uint8_t map[SECTOR_SIZE])
{
  uint64_t at = batmap_header (s);
  struct vhd_batmap_disk d = { .cookie = VHD_BATMAP_COOKIE };
  uint32_t sum = 0;
  size_t k;

  for (k = 0; k < SECTOR_SIZE; k++)
    sum += map[k];
  d.offset = put_be64 (at + sizeof d);
  d.sectors = put_be32 (1);
  d.version = put_be32 (0x00010002);
  d.checksum = put_be32 (~sum);
  put (s, &d, sizeof d, at);
  put (s, map, SECTOR_SIZE, at + sizeof d);
}

void
format_add_batmap (struct store *s)
{
  static const uint8_t nothing[SECTOR_SIZE];
  uint64_t end = batmap_header (s) + 2 * SECTOR_SIZE;
  struct vhd_footer_disk d;
  struct vhd_footer f;

  get (s, &d, sizeof d, 0);
  vhd_footer_decode (&d, &f);
  memcpy (f.creator, "tap", 4);
  put_batmap (s, nothing);
  put_footer (s, &f, 0);
  put_footer (s, &f, end);
}

void
format_fill_batmap (struct store *s, uint32_t blocks)
{
  uint8_t map[SECTOR_SIZE] = { 0 };
  uint32_t b;

  for (b = 0; b < blocks; b++)
    map[b / 8] |= 0x80 >> b % 8;
  put_batmap (s, map);
}
