/* vhdkit: change what an image says of itself and of its parent.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * These are the explicit operations of rule (4): the header, and the copy of
 * the footer, are written nowhere else after creation.
 *
 * Whenever the power fails, the image must name the old parent or the new one.
 * But a header takes two sectors, and paths take more; only one sector is
 * written whole or not at all.  So one sector decides, the footer at the end,
 * which says where the header is:
 *
 *  (1) new paths go to free space in the room that locators have, and the new
 *      header to a second place there; both are made durable;
 *  (2) the footer is made to say that place, durably;
 *  (3) the header is written to its own place, durably;
 *  (4) the footer is made to say that again, durably.
 *
 * Where the room is too small for a second header, (3) comes alone, and a power
 * cut may leave a header that is torn; where it is too small for new paths
 * beside the old ones, those are overwritten.  Other programs always do so.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "image/internal.h"

/*----------------------------------------------------------------------
 * Room for the parent's paths
 *--------------------------------------------------------------------*/

struct span {
  uint64_t start, end;
};

/* Structures of the metadata, and payloads. */
#define MAX_SPANS (6 + VHD_LOCATORS + IMAGE_PARENT_PATHS + 1)

struct room {
  uint64_t start, end;          /* where payloads may go */
  struct span taken[MAX_SPANS];
  size_t n;
};

static void
take (struct room *r, uint64_t start, uint64_t bytes)
{
  assert (r->n < MAX_SPANS);
  r->taken[r->n++] =
    (struct span) { start, start + round_up (bytes, SECTOR_SIZE) };
}

static uint64_t
first_block (const struct image *i)
{
  uint64_t first = i->data_end;
  uint32_t b;

  for (b = 0; b < i->blocks; b++) {
    uint32_t entry = block_entry ((struct image *) i, b);

    if (entry != VHD_BAT_UNUSED)
      first = MIN_OF (first, (uint64_t) entry * SECTOR_SIZE);
  }
  return first;
}

/* From behind the header, or from the first payload where that is before it,
 * up to where blocks may be. */
static void
find_room (struct image *i, struct room *r)
{
  const struct vhd_header *h = &i->header;
  size_t k;

  r->n = 0;
  r->start = i->footer.data_offset + sizeof (struct vhd_header_disk);
  r->end = MIN_OF (i->reserved_end, first_block (i));
  take (r, 0, sizeof (struct vhd_footer_disk));
  take (r, i->footer.data_offset, sizeof (struct vhd_header_disk));
  take (r, h->table_offset, (uint64_t) h->table_entries * 4);
  if (i->batmap_present) {
    take (r, i->batmap_header, sizeof (struct vhd_batmap_disk));
    take (r, i->batmap_offset, i->batmap_bytes);
  }
  for (k = 0; k < VHD_LOCATORS; k++)
    if (vhd_locator_usable (&h->locator[k], i->data_end))
      r->start = MIN_OF (r->start, h->locator[k].offset);
}

static void
take_payloads (struct image *i, struct room *r)
{
  size_t k;

  for (k = 0; k < VHD_LOCATORS; k++)
    if (vhd_locator_usable (&i->header.locator[k], i->data_end))
      take (r, i->header.locator[k].offset, i->header.locator[k].length);
}

/* End of something that overlaps [start, end), or 0. */
static uint64_t
overlap (const struct room *r, uint64_t start, uint64_t end)
{
  size_t k;

  for (k = 0; k < r->n; k++)
    if (r->taken[k].start < end && start < r->taken[k].end)
      return r->taken[k].end;
  return 0;
}

/* The first free place; 0: there is none. */
static uint64_t
find_place (const struct room *r, uint64_t bytes)
{
  uint64_t at = round_up (r->start, SECTOR_SIZE), next;

  while (at < r->end && bytes <= r->end - at) {
    next = overlap (r, at, at + round_up (bytes, SECTOR_SIZE));
    if (next == 0)
      return at;
    at = round_up (next, SECTOR_SIZE);
  }
  return 0;
}

/* Up to the next thing, or to the end of the room. */
static uint64_t
space_from (const struct room *r, uint64_t offset)
{
  uint64_t end = r->end;
  size_t k;

  for (k = 0; k < r->n; k++)
    if (r->taken[k].start > offset)
      end = MIN_OF (end, r->taken[k].start);
  return round_down (end - offset, SECTOR_SIZE);
}

/* Returns how many paths found a place. */
static size_t
place_paths (struct room *r, const struct image_parent *p,
             struct vhd_locator l[VHD_LOCATORS])
{
  size_t k, n = 0;

  memset (l, 0, VHD_LOCATORS * sizeof *l);
  for (k = 0; k < IMAGE_PARENT_PATHS; k++) {
    uint64_t at = find_place (r, p->path[k].length);

    if (p->path[k].length == 0 || at == 0)
      continue;
    take (r, at, p->path[k].length);
    l[k].platform = p->path[k].platform;
    l[k].offset = at;
    l[k].length = p->path[k].length;
    n++;
  }
  for (k = 0; k < IMAGE_PARENT_PATHS; k++)
    if (l[k].length)
      l[k].space = MAX_OF (space_from (r, l[k].offset), SECTOR_SIZE);
  return n;
}

/* Beside what is there now, or else in its place.  *ret_second: a second place
 * for the header; 0: there is none. */
static size_t
make_room (struct image *i, const struct image_parent *p,
           struct vhd_locator l[VHD_LOCATORS], uint64_t *ret_second)
{
  struct room r;
  size_t n;

  find_room (i, &r);
  take_payloads (i, &r);
  n = place_paths (&r, p, l);
  if (n < IMAGE_PARENT_PATHS) {
    find_room (i, &r);
    n = place_paths (&r, p, l);
  }
  *ret_second = find_place (&r, sizeof (struct vhd_header_disk));
  return n;
}

/*----------------------------------------------------------------------
 * Writing
 *--------------------------------------------------------------------*/

static int
write_failed (const char *what)
{
  error_prefix ("%s", what);
  return -1;
}

/* Where the footer at the end is now. */
static uint64_t
trailing_footer (struct image *i)
{
  LOCK_FOR_SCOPE (&i->space.lock);

  return i->dynamic ? i->space.footer : i->data_end;
}

static int
write_footer (struct image *i, const struct vhd_footer *f, uint64_t offset)
{
  struct vhd_footer_disk d;

  vhd_footer_encode (f, &d);
  if (store_pwrite (i->store, &d, sizeof d, offset) == -1
      || commit_sync (i) == -1)
    return write_failed (offset == 0 ? "footer copy" : "footer");
  return 0;
}

static int
write_header (struct image *i, const struct vhd_header *h, uint64_t offset)
{
  struct vhd_header_disk d;

  vhd_header_encode (h, &d);
  if (store_pwrite (i->store, &d, sizeof d, offset) == -1
      || commit_sync (i) == -1)
    return write_failed ("dynamic header");
  return 0;
}

static int
write_paths (struct image *i, const struct image_parent *p,
             const struct vhd_locator l[VHD_LOCATORS])
{
  size_t k;

  for (k = 0; k < IMAGE_PARENT_PATHS; k++)
    if (l[k].length
        && store_pwrite (i->store, p->path[k].payload, l[k].length,
                         l[k].offset) == -1)
      return write_failed ("path of the parent");
  return 0;
}

/* Steps (1) to (4). */
static int
replace_header (struct image *i, const struct image_parent *p,
                const struct vhd_header *h, uint64_t second)
{
  const uint64_t end = trailing_footer (i);
  struct vhd_footer f = i->footer;

  if (write_paths (i, p, h->locator) == -1 || commit_sync (i) == -1)
    return -1;
  if (second == 0)
    return write_header (i, h, i->footer.data_offset);
  f.data_offset = second;
  if (write_header (i, h, second) == -1)
    return -1;
  if (write_footer (i, &f, end) == 0
      && write_header (i, h, i->footer.data_offset) == 0
      && write_footer (i, &i->footer, end) == 0)
    return 0;
  /* The footer that is there now must stay the one that counts. */
  commit_give_up (i);
  return -1;
}

/*----------------------------------------------------------------------
 * What is changed
 *--------------------------------------------------------------------*/

int
image_set_parent (struct image *i, const struct image_parent *p)
{
  struct vhd_header h = i->header;
  uint64_t second;

  if (commit_run (i) == -1)
    return -1;
  if (make_room (i, p, h.locator, &second) == 0) {
    set_error (VHDKIT_ERR_NAME_TOO_LONG, ENAMETOOLONG,
               "%s: the path of the parent takes %zu bytes, absolute, or %zu, "
               "relative; the image keeps no room for that; move the parent "
               "nearer to it", i->store->name, p->path[0].length,
               p->path[1].length);
    return -1;
  }
  memcpy (h.parent_id, p->id, sizeof h.parent_id);
  memcpy (h.parent_name, p->name, sizeof h.parent_name);
  h.parent_timestamp = p->timestamp;
  if (replace_header (i, p, &h, second) == -1)
    return -1;
  i->header = h;
  return 0;
}

/* The copy first, and durable: it stands in where the one at the end is torn.
 */
int
image_set_id (struct image *i, const uint8_t id[16])
{
  struct vhd_footer f = i->footer;

  if (commit_run (i) == -1)
    return -1;
  memcpy (f.id, id, sizeof f.id);
  /* Until both are written the copy may not stand in for the other. */
  i->copy_differs = true;
  i->space.copy_checked = false;
  if ((i->dynamic && write_footer (i, &f, 0) == -1)
      || write_footer (i, &f, trailing_footer (i)) == -1)
    return -1;
  i->copy_differs = false;
  i->footer = f;
  return 0;
}
