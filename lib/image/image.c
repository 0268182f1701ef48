/* vhdkit: opening and closing one image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening is parsing hostile bytes: the footer, the dynamic header, the table
 * and what they say of each other are checked in the order of vhd-format 9.2
 * before anything is used.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

/* Enough for the bitmaps of a parent looked at now and then. */
#define SMALL_CACHE (4u << 20)

static uint64_t
chs_size (const struct image *i)
{
  uint64_t chs = vhd_chs_size (&i->footer);

  /* No geometry, no size; and the largest geometry means "ask elsewhere". */
  if (chs == 0 || chs >= UINT64_C (65535) * 16 * 255 * SECTOR_SIZE)
    return i->footer.current_size;
  return chs;
}

static int
open_fixed (struct image *i, const struct image_options *o)
{
  i->size = i->footer.current_size;
  if (o->size_chs)
    i->size = MIN_OF (chs_size (i), round_down (i->data_end, SECTOR_SIZE));
  return 0;
}

void
add_metadata (struct image *i, uint64_t start, uint64_t length)
{
  uint64_t end = round_up (start + length, SECTOR_SIZE);

  i->other[i->nr_others++] = (struct stretch) { start, end };
  i->metadata_end = MAX_OF (i->metadata_end, end);
  i->reserved_end = MAX_OF (i->reserved_end, end);
}

/* A payload near the tables counts although the file does not reach that far:
 * it will when blocks have been added, and they must not be in its way then.
 * One that lies in the midst of the blocks counts as well: a client that could
 * write it would choose where the parent is looked for. */
static void
add_locator (struct image *i, const struct vhd_locator *l)
{
  uint64_t space = vhd_locator_space (l);

  if (!vhd_locator_usable (l, i->tables_end + NEAR_TABLES)
      && !vhd_locator_usable (l, i->data_end))
    return;
  add_metadata (i, l->offset, l->length);
  if (range_within (l->offset, space, i->data_end))
    i->reserved_end = MAX_OF (i->reserved_end,
                              round_up (l->offset + space, SECTOR_SIZE));
}

/* Where metadata lies that no block may touch, and where a writer begins:
 * behind the room that locators keep (vhd-format 8.3). */
static void
find_metadata (struct image *i)
{
  const struct vhd_header *h = &i->header;
  size_t k;

  i->tables_end = i->footer.data_offset + sizeof (struct vhd_header_disk);
  i->tables_end = MAX_OF (i->tables_end, h->table_offset
                          + round_up ((uint64_t) h->table_entries * 4,
                                      SECTOR_SIZE));
  i->metadata_end = i->reserved_end = i->tables_end;
  for (k = 0; k < VHD_LOCATORS; k++)
    add_locator (i, &h->locator[k]);
}

bool
image_over_metadata (const struct image *i, uint64_t start)
{
  uint64_t end = start + i->bitmap_bytes + i->block_size;
  unsigned k;

  if (start >= i->metadata_end)
    return false;
  if (start < i->tables_end)
    return true;
  for (k = 0; k < i->nr_others; k++)
    if (start < i->other[k].end && i->other[k].start < end)
      return true;
  return false;
}

bool
is_padding (const struct image *i, uint64_t start, uint64_t end)
{
  size_t k;

  if (end - start >= 4096)
    return false;
  for (k = 0; k < i->nr_others; k++)
    if (i->other[k].start < end && start < i->other[k].end)
      return false;
  for (k = 0; k < VHD_LOCATORS; k++) {
    const struct vhd_locator *l = &i->header.locator[k];

    if (vhd_locator_usable (l, UINT64_MAX) && l->offset < end
        && start - MIN_OF (start, l->offset) < l->length)
      return false;
  }
  return true;
}

/* The first tapdisk began each byte of a bitmap with the lowest bit, and
 * libvhd refuses its images.  Most bitmaps look the same either way (all ones,
 * or none), so we read them, as any other; but not without a word. */
static int
report_old_bitmaps (struct image *i, struct report *r)
{
  if (!vhd_creator_is_tap (&i->footer) || i->footer.creator_major != 0
      || i->footer.creator_minor != 1)
    return 0;
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_UNSUPPORTED_VERSION,
                 "footer, creator version",
                 (i->footer_missing ? 0 : i->data_end)
                 + offsetof (struct vhd_footer_disk, creator_major),
                 "1.1 or later", "tapdisk 0.1 had the bits of its sector "
                 "bitmaps in another order; blocks that are written in part "
                 "may read wrong", "0.1");
}

static int
open_dynamic (struct image *i, const struct image_options *o)
{
  struct vhd_header_disk d;

  if (store_pread (i->store, &d, sizeof d, i->footer.data_offset) == -1) {
    error_prefix ("dynamic header");
    error_recode (VHDKIT_ERR_METADATA_READ_FAILURE, EIO);
    return -1;
  }
  if (vhd_header_decode (&d, i->footer.data_offset, &i->footer, i->file_size,
                         o->report, &i->header) == -1)
    return -1;

  i->dynamic = true;
  i->block_size = i->header.block_size;
  i->block_shift = __builtin_ctz (i->block_size);
  i->bitmap_bytes = vhd_bitmap_bytes (i->block_size);
  i->sectors_per_block = i->block_size / SECTOR_SIZE;
  i->size = i->footer.current_size;
  if (o->size_chs)
    i->size = MIN_OF (chs_size (i), (uint64_t) i->header.table_entries
                                    * i->block_size);
  i->blocks = div_round_up (i->size, i->block_size);
  find_metadata (i);
  if (report_old_bitmaps (i, o->report) == -1
      || batmap_find (i, o->report) == -1)
    return -1;
  return bat_load (i, o->report);
}

static int
report_state (struct image *i, struct report *r)
{
  if (i->footer.saved_state == 0 || i->inspect)  /* check says it itself */
    return 0;
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_WRONG_STATE,
                 "footer, saved state", i->data_end, "0",
                 "a virtual machine is suspended on this disk; writing to it "
                 "may confuse the machine when it resumes",
                 "%u", i->footer.saved_state);
}

static struct image *
new_image (struct store *s, const struct image_options *o)
{
  struct image *i = calloc (1, sizeof *i);
  unsigned k;

  if (i == NULL) {
    set_error_errno (ENOMEM, "%s", s->name);
    return NULL;
  }
  i->store = s;
  i->inspect = o->inspect;
  grace_init (&i->grace);
  bitmaps_init (i, o->cache_bytes ? o->cache_bytes : SMALL_CACHE);
  for (k = 0; k < STRIPES; k++)
    pthread_mutex_init (&i->stripe[k], NULL);
  pthread_mutex_init (&i->space.lock, NULL);
  commit_init (i, o->commit_interval);
  return i;
}

static void
free_image (struct image *i)
{
  unsigned k;

  commit_free (i);
  space_free (i);
  pthread_mutex_destroy (&i->space.lock);
  for (k = 0; k < STRIPES; k++)
    pthread_mutex_destroy (&i->stripe[k]);
  cache_destroy (&i->bitmaps);
  grace_destroy (&i->grace);
  free (i->full);
  free (i->bat);
  free (i);
}

int
image_open (struct store *s, const struct image_options *o,
            struct image **ret_image)
{
  struct image *i = new_image (s, o);

  if (i == NULL)
    return -1;
  if (store_size (s, &i->file_size) == -1
      || choose_footer (i, o->report) == -1
      || vhd_footer_validate (&i->footer,
                              i->footer_missing ? 0 : i->data_end,
                              i->file_size, o->report) == -1
      || report_state (i, o->report) == -1
      || (i->footer.type == VHD_FIXED ? open_fixed (i, o)
                                      : open_dynamic (i, o)) == -1
      || (o->writable && image_make_writable (i) == -1)) {
    free_image (i);
    return -1;
  }
  *ret_image = i;
  return 0;
}

static int
refuse_bad_blocks (struct image *i)
{
  if (i->bad_blocks == 0)
    return 0;
  set_error (VHDKIT_ERR_BAT_CORRUPT, EIO,
             "%s: block table at offset %" PRIu64 ": found %u damaged entries, "
             "expected none; the image can be opened read-only (vhdkit check "
             "explains it)", i->store->name, i->header.table_offset,
             i->bad_blocks);
  return -1;
}

/* Blocks that end behind the footer are cut short: fine to read from, but a
 * writer would write over the footer. */
static int
refuse_short_block (struct image *i)
{
  uint32_t last = i->blocks - 1, entry = block_entry (i, last);

  if (entry == VHD_BAT_UNUSED
      || range_within ((uint64_t) entry * SECTOR_SIZE,
                       (uint64_t) i->bitmap_bytes + i->block_size,
                       i->data_end))
    return 0;
  set_error (VHDKIT_ERR_BAT_CORRUPT, EIO,
             "%s: BAT entry %u at offset %" PRIu64 ": found a block at sector "
             "%u that is cut short, expected it to end before byte %" PRIu64
             "; the image can be opened read-only", i->store->name, last,
             i->header.table_offset + (uint64_t) last * 4, entry,
             i->data_end);
  return -1;
}

static int
make_dynamic_writable (struct image *i)
{
  if (!i->store->can_grow) {
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "%s: a %s image on a block device can only be opened "
               "read-only: it has no room to grow", i->store->name,
               i->footer.type == VHD_DYNAMIC ? "dynamic" : "differencing");
    return -1;
  }
  if (refuse_bad_blocks (i) == -1 || refuse_short_block (i) == -1)
    return -1;
  return space_init (i);
}

int
image_make_writable (struct image *i)
{
  if (atomic_load (&i->writable))
    return 0;
  if (i->dynamic && make_dynamic_writable (i) == -1)
    return -1;
  if (commit_start_timer (i) == -1)
    return -1;
  atomic_store (&i->writable, true);
  return 0;
}

void
image_set_below (struct image *i, const struct below *below)
{
  i->has_below = true;
  i->below = *below;
}

int
image_close (struct image *i)
{
  struct saved_error first = { VHDKIT_OK, 0, NULL };
  struct store *s;

  if (i == NULL)
    return 0;
  s = i->store;
  commit_stop_timer (i);
  if (atomic_load (&i->writable) && !BROKEN (7)
      && (commit_run (i) == -1 || (i->dynamic && space_trim_end (i) == -1)))
    error_save (&first);
  free_image (i);
  if (store_close (s) == -1 && first.code == VHDKIT_OK)
    error_save (&first);
  if (first.code == VHDKIT_OK)
    return 0;
  error_restore (&first);
  return -1;
}

struct store *
image_store (struct image *i)
{
  return i->store;
}

const struct vhd_footer *
image_footer (const struct image *i)
{
  return &i->footer;
}

const struct vhd_header *
image_header (const struct image *i)
{
  return i->dynamic ? &i->header : NULL;
}

uint64_t
image_size (const struct image *i)
{
  return i->size;
}

bool
image_writable (const struct image *i)
{
  return atomic_load (&((struct image *) i)->writable);
}

bool
image_footer_missing (const struct image *i)
{
  return i->footer_missing;
}

uint32_t
image_table_entries (const struct image *i)
{
  return i->blocks;
}

uint32_t
image_table_entry (const struct image *i, uint32_t block)
{
  return block_entry ((struct image *) i, block);
}

uint32_t
image_blocks_allocated (const struct image *i)
{
  return atomic_load (&((struct image *) i)->blocks_used);
}

bool
image_data_aligned (const struct image *i)
{
  uint32_t block;

  for (block = 0; block < i->blocks; block++) {
    uint32_t entry = image_table_entry (i, block);

    if (entry != VHD_BAT_UNUSED && entry != BAT_BAD
        && block_data (i, entry) % 4096 != 0)
      return false;
  }
  return true;
}

bool
image_has_batmap (const struct image *i)
{
  return i->batmap_present;
}

uint64_t
image_metadata_end (const struct image *i)
{
  return i->metadata_end;
}

uint64_t
image_data_end (const struct image *i)
{
  return i->data_end;
}
