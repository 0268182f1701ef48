/* vhdkit: where everything goes in a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The layout is that of Windows 8 and later (vhd-format 10.4 and 11), which
 * every reader understands and which keeps block data at multiples of 4 KiB:
 *
 *     fixed     data | footer
 *     dynamic   footer copy | header | table, FF up to the next 4 KiB boundary
 *               P | 3584 zero bytes | footer, where the bitmap of the first
 *               block will go
 *     differencing  the same with the parent's paths from 0x1000 on, each in
 *               whole pages so that a longer path fits later, then the table
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "base/error.h"
#include "base/guid.h"
#include "format/vhd.h"
#include "operations/create.h"

#define PAGE 4096u
#define TABLE_OFFSET 0x600
/* Where the first parent locator goes, a page for itself. */
#define LOCATOR_OFFSET 0x1000
/* The first bitmap slot from a page boundary: its data begins a page. */
#define FIRST_SLOT (PAGE - SECTOR_SIZE)

static int
adopt_parent (struct creation *c)
{
  const uint64_t size = c->parent.size;

  if (size == 0 || size > VHD_MAX_SIZE) {
    set_error (size ? VHDKIT_ERR_SIZE_TOO_LARGE : VHDKIT_ERR_SIZE_TOO_SMALL,
               size ? EFBIG : EINVAL,
               "parent %s: its size is %" PRIu64 " bytes, a child can have 512 "
               "to %" PRIu64 " (2040 GiB)", c->options.parent, size,
               VHD_MAX_SIZE);
    return -1;
  }
  c->size = size;
  if (c->block_size == 0)
    c->block_size = c->parent.block_size;
  return 0;
}

/* The next locator of the header; returns where the one after it goes. */
static uint64_t
place_locator (struct vhd_locator *l, uint32_t platform,
               const struct create_locator *payload, uint64_t offset)
{
  l->platform = platform;
  l->space = MAX_OF (round_up (payload->size, PAGE), PAGE);
  l->length = payload->size;
  l->offset = offset;
  return offset + l->space;
}

static int
plan_layout (struct creation *c)
{
  const uint64_t entries = div_round_up (c->size, c->block_size);
  uint64_t table_offset = TABLE_OFFSET, next = LOCATOR_OFFSET;
  struct vhd_locator locator[2] = { 0 };

  if (entries * 4 > VHD_MAX_TABLE_BYTES) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %" PRIu64 " bytes in blocks of %" PRIu32 " need a table "
               "of %" PRIu64 " bytes, more than %u: use larger blocks",
               c->path, c->size, c->block_size, entries * 4,
               VHD_MAX_TABLE_BYTES);
    return -1;
  }
  if (c->options.type == VHDKIT_TYPE_DIFFERENCING) {
    next = place_locator (&locator[0], VHD_PLATFORM_W2KU,
                          &c->parent.absolute, next);
    next = place_locator (&locator[1], VHD_PLATFORM_W2RU,
                          &c->parent.relative, next);
    table_offset = next;
  }
  vhd_header_init (&c->header, c->size, c->block_size, table_offset);
  if (c->options.type == VHDKIT_TYPE_DIFFERENCING) {
    memcpy (c->header.locator, locator, sizeof locator);
    memcpy (c->header.parent_id, c->parent.id, sizeof c->header.parent_id);
    memcpy (c->header.parent_name, c->parent.name,
            sizeof c->header.parent_name);
    c->header.parent_timestamp = c->parent.timestamp;
  }
  c->table_end = round_up (table_offset + entries * 4, PAGE);
  c->footer_offset = c->table_end + FIRST_SLOT;
  return 0;
}

/* The table as it goes to the disk, for a copy to fill. */
static int
new_table (struct creation *c)
{
  const size_t bytes = c->table_end - c->header.table_offset;

  c->table = malloc (bytes);
  if (!c->table) {
    set_error_errno (ENOMEM, "%s", c->path);
    return -1;
  }
  memset (c->table, 0xff, bytes);       /* VHD_BAT_UNUSED */
  return 0;
}

int
create_make_plan (struct creation *c)
{
  const struct vhdkit_create_options *o = &c->options;

  c->size = o->size;
  c->block_size = o->block_size;
  if (o->type == VHDKIT_TYPE_DIFFERENCING
      && (create_parent_open (&c->parent, c->path, o->parent,
                              o->flags & VHDKIT_CREATE_RAW_PARENT) == -1
          || adopt_parent (c) == -1))
    return -1;
  if (c->block_size == 0)
    c->block_size = VHD_DEFAULT_BLOCK_SIZE;

  if (o->type == VHDKIT_TYPE_FIXED)
    c->footer_offset = c->size;
  else if (plan_layout (c) == -1 || (c->source && new_table (c) == -1))
    return -1;

  vhd_footer_init (&c->footer, o->type, c->size);
  c->footer.timestamp = create_timestamp (time (NULL));
  if (o->creator)
    memcpy (c->footer.creator, o->creator, sizeof c->footer.creator);
  if (guid_is_zero (o->id))
    guid_random (c->footer.id);
  else
    memcpy (c->footer.id, o->id, sizeof c->footer.id);
  return 0;
}

/* Each block takes its bitmap and what keeps the next one's data at a page. */
uint64_t
create_full_size (const struct creation *c)
{
  const uint64_t slot = round_up (vhd_bitmap_bytes (c->block_size)
                                  + (uint64_t) c->block_size, PAGE);

  if (c->options.type == VHDKIT_TYPE_FIXED)
    return c->footer_offset + sizeof (struct vhd_footer_disk);
  return c->footer_offset + div_round_up (c->size, c->block_size) * slot
    + sizeof (struct vhd_footer_disk);
}
