/* vhdkit: check: is an image, with its chain, sound?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Read-only.  See check.h for how it is divided.
 *
 * What makes an image impossible to open is damage like any other: it is
 * reported, and the check has been made.  Only where there is nothing to be
 * examined (no such file, no permission, not a VHD) the check itself fails.
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>

#include "base/error.h"
#include "operations/check.h"
#include "operations/operations.h"

static void
count (struct check *c, enum vhdkit_severity severity, uint64_t n)
{
  switch (severity) {
  case VHDKIT_SEVERITY_NOTE:    c->result.notes += n; break;
  case VHDKIT_SEVERITY_WARNING: c->result.warnings += n; break;
  case VHDKIT_SEVERITY_LEAK:    c->result.leaks += n; break;
  case VHDKIT_SEVERITY_ERROR:   c->result.errors += n; break;
  }
}

/* Every finding, of the lower layers and of the passes, comes through here. */
int
check_receive (void *opaque, const struct vhdkit_finding *f)
{
  struct check *c = opaque;

  count (c, f->severity, 1);
  if (c->fn && c->fn (c->opaque, f) != 0)
    c->stopped = true;
  return c->stopped;
}

bool
check_tally (struct tally *t)
{
  return t->n++ < CHECK_FINDINGS_OF_A_KIND;
}

int
check_tally_end (struct check_image *ci, const struct tally *t,
                 enum vhdkit_severity severity, enum vhdkit_error code,
                 const char *what)
{
  if (t->n <= CHECK_FINDINGS_OF_A_KIND)
    return 0;
  /* The finding that says so counts for one of them. */
  count (ci->check, severity, t->n - CHECK_FINDINGS_OF_A_KIND - 1);
  return report (&ci->report, severity, code, what, 0, "none",
                 "they are like those above, and not listed one by one",
                 "%" PRIu64 " more", t->n - CHECK_FINDINGS_OF_A_KIND);
}

uint32_t
check_block_sectors (const struct check_image *ci, uint32_t block)
{
  const uint64_t left = image_size (ci->image) - block_disk_offset (ci, block);

  return (left < ci->header->block_size ? left : ci->header->block_size)
    / SECTOR_SIZE;
}

/* The first byte that is not zero, or size. */
static size_t
first_nonzero (const uint8_t *p, size_t size)
{
  size_t k;

  for (k = 0; k < size && p[k] == 0; k++)
    ;
  return k;
}

static int
reserved_byte (struct check_image *ci, enum vhdkit_error code,
               const char *structure, uint64_t at, uint8_t byte)
{
  return report (&ci->report, VHDKIT_SEVERITY_NOTE, code, structure, at,
                 "zeros",
                 "the format gives them no meaning, and they are kept as they "
                 "are; 7-Zip refuses the image", "0x%02x", byte);
}

/* What the format leaves free may mean something to the program that made the
 * image.  footer: where it is. */
static int
check_reserved (struct check_image *ci, uint64_t footer)
{
  const struct vhd_footer *f = ci->footer;
  const struct vhd_header *h = ci->header;
  size_t k = 1 + first_nonzero (f->reserved + 1, sizeof f->reserved - 1);

  if (k < sizeof f->reserved
      && reserved_byte (ci, VHDKIT_ERR_FOOTER_CORRUPT,
                        "footer, reserved bytes", footer
                        + offsetof (struct vhd_footer_disk, reserved) + k,
                        f->reserved[k]) == -1)
    return -1;
  if (!h)
    return 0;
  if (h->reserved1 != 0
      && report (&ci->report, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_HEADER_CORRUPT,
                 "dynamic header, reserved field", f->data_offset
                 + offsetof (struct vhd_header_disk, reserved1), "0",
                 "the format gives it no meaning, and it is kept as it is; "
                 "7-Zip and vhd-util refuse the image",
                 "0x%08" PRIx32, h->reserved1) == -1)
    return -1;
  k = first_nonzero (h->reserved2, sizeof h->reserved2);
  if (k == sizeof h->reserved2)
    return 0;
  return reserved_byte (ci, VHDKIT_ERR_HEADER_CORRUPT,
                        "dynamic header, reserved bytes", f->data_offset
                        + offsetof (struct vhd_header_disk, reserved2) + k,
                        h->reserved2[k]);
}

/* Marks of the footer that are no damage, but of interest to whoever checks;
 * an opener for inspection leaves them to us. */
static int
check_marks (struct check_image *ci)
{
  const struct vhd_footer *f = ci->footer;
  const uint64_t at = image_footer_missing (ci->image) ? 0 : ci->data_end;

  if (f->saved_state != 0
      && report (&ci->report, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_WRONG_STATE,
                 "footer, saved state",
                 at + offsetof (struct vhd_footer_disk, saved_state), "0",
                 "a virtual machine is suspended on this disk; changing the "
                 "disk now damages its data when the machine resumes",
                 "%u", f->saved_state) == -1)
    return -1;
  if (check_reserved (ci, at) == -1)
    return -1;
  if (f->reserved[0] == 0)
    return 0;
  return report (&ci->report, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_WRONG_STATE,
                 "footer, hidden",
                 at + offsetof (struct vhd_footer_disk, reserved), "0",
                 "XenServer keeps this image as a base of others and does not "
                 "show it as a disk; 7-Zip and DiscUtils refuse it",
                 "%u", f->reserved[0]);
}

static int
check_blocks (struct check_image *ci)
{
  if (check_table (ci) == -1 || check_space (ci) == -1
      || check_bitmaps (ci) == -1)
    return -1;
  if (ci->layer == 0) {
    ci->check->result.blocks_total = ci->blocks;
    ci->check->result.blocks_allocated = ci->allocated;
  }
  return 0;
}

static int
check_layer (struct check *c, size_t layer)
{
  const struct layer *l = &c->disk->layer[layer];
  struct check_image ci = {
    .check = c, .layer = layer, .image = l->image,
    .report = { check_receive, c, l->path },
  };
  int r = 0;

  if (!l->image) {
    if (layer == 0)
      c->result.image_end_offset = l->size;
    return 0;                   /* a raw file has nothing to be wrong */
  }
  ci.store = image_store (l->image);
  ci.footer = image_footer (l->image);
  ci.header = image_header (l->image);
  ci.data_end = image_data_end (l->image);
  ci.metadata_end = image_metadata_end (l->image);
  if (store_size (ci.store, &ci.file_size) == -1 || check_marks (&ci) == -1)
    return -1;
  if (ci.header) {
    ci.blocks = image_table_entries (l->image);
    ci.bitmap_bytes = vhd_bitmap_bytes (ci.header->block_size);
    ci.block_span = (uint64_t) ci.bitmap_bytes + ci.header->block_size;
    r = check_blocks (&ci);
  }
  else if (layer == 0)
    c->result.image_end_offset = image_size (l->image);
  free (ci.placed);
  return r;
}

static int
check_disk (struct check *c)
{
  size_t layer;

  for (layer = 0; layer < c->disk->nr_layers; layer++)
    if (check_layer (c, layer) == -1)
      return -1;
  return check_chain (c);
}

/* Does the last error say that there is an image, but a damaged one? */
static bool
is_damage (void)
{
  switch (vhdkit_get_error_code ()) {
  case VHDKIT_ERR_FOOTER_MISSING:
  case VHDKIT_ERR_FOOTER_CHECKSUM:
  case VHDKIT_ERR_FOOTER_CORRUPT:
  case VHDKIT_ERR_HEADER_CHECKSUM:
  case VHDKIT_ERR_HEADER_CORRUPT:
  case VHDKIT_ERR_BAT_CORRUPT:
  case VHDKIT_ERR_INVALID_BLOCK_SIZE:
  case VHDKIT_ERR_BITMAP_MISMATCH:
  case VHDKIT_ERR_METADATA_READ_FAILURE:
  case VHDKIT_ERR_INVALID_SIZE:
  case VHDKIT_ERR_INVALID_FILE_SIZE:
  case VHDKIT_ERR_WRONG_STATE:          /* a resize that was interrupted */
    return true;
  default:
    return false;
  }
}

/* The top image cannot be opened.  Returns 0 if that was a result. */
static int
open_failed (struct check *c, const char *path)
{
  struct report r = { check_receive, c, path };

  if (!is_damage ())
    return -1;
  if (c->result.errors > 0)     /* told in detail already */
    return 0;
  report (&r, VHDKIT_SEVERITY_ERROR,
          vhdkit_get_error_code (), "image", 0, "an image that can be opened",
          "nothing of it can be read", "%s", vhdkit_get_error ());
  return 0;
}

int
op_check (const char *path, uint32_t flags,
          const struct vhdkit_open_options *opts,
          struct vhdkit_check_result *ret_result)
{
  struct vhdkit_open_options o = { .struct_size = sizeof o };
  struct check c = { .flags = flags };
  int r;

  if (opts)
    o = *opts;
  c.fn = o.on_finding;
  c.opaque = o.opaque;
  o.on_finding = check_receive;
  o.opaque = &c;

  /* The whole image, whatever part of it a geometry would show. */
  flags &= ~(VHDKIT_CHECK_DATA | VHDKIT_OPEN_SIZE_CHS);
  r = disk_open (path, VHDKIT_ACCESS_READ, flags | VHDKIT_OPEN_INSPECT, &o,
                 &c.disk);
  if (r == -1)
    r = open_failed (&c, path);
  else {
    struct saved_error e;

    r = check_disk (&c);
    error_save (&e);
    disk_close (c.disk);        /* nothing was written */
    error_restore (&e);
  }
  if (r == -1 && !c.stopped)
    return -1;
  *ret_result = c.result;
  return 0;
}
