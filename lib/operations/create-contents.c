/* vhdkit: write what a new image holds.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Both footers are written last, after everything else is durable.  Until then
 * no reader takes the file for an image, whatever ends the process.  (Where the
 * file has no name until it is complete nobody sees it anyway: new-file.h.)
 * A disk that itself begins like a dynamic image would make one of a fixed
 * image without its footer, so that sector has to wait, too.  It is written
 * just before the footer: a file that has its name by then is that other image
 * for this one moment.  (The other way round it would be ours, with a sector
 * missing.)
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "format/vhd.h"
#include "operations/create.h"
#include "operations/host-volume.h"

/* Work between two looks at the progress callback. */
#define WRITE_CHUNK (1u << 20)
#define RESERVE_CHUNK (UINT64_C (1) << 30)

/* With a source its copy is what takes the time: before it nothing is done,
 * behind it all, so that progress neither runs ahead nor falls back. */
static int
tell (struct creation *c, uint64_t done, uint64_t total)
{
  const struct progress *p = c->progress;

  if (c->source) {
    done = c->copied ? c->size : 0;
    total = c->size;
  }
  if (!p || !p->fn || p->fn (p->opaque, done, total) == 0)
    return 0;
  set_error (VHDKIT_ERR_CANCELLED, ECANCELED,
             "%s: creation was cancelled", c->path);
  return -1;
}

/* length bytes of value from offset on. */
static int
write_fill (struct creation *c, int value, uint64_t offset, uint64_t length)
{
  CLEANUP_FREE void *buf = malloc (MIN_OF (length, WRITE_CHUNK));
  uint64_t done, n;

  if (!buf) {
    set_error_errno (ENOMEM, "%s", c->path);
    return -1;
  }
  memset (buf, value, MIN_OF (length, WRITE_CHUNK));
  for (done = 0; done < length; done += n) {
    n = MIN_OF (length - done, WRITE_CHUNK);
    if (tell (c, done, length) == -1
        || new_file_write (&c->file, buf, n, offset + done) == -1)
      return -1;
  }
  return tell (c, length, length);
}

/* Space for the data of a fixed image.  Unless it must be sparse it is
 * reserved: a disk of fixed size that fails a write for lack of space is not
 * what was ordered.  Room is asked for before, because some file systems take
 * all there is before they find out. */
static int
reserve_data (struct creation *c)
{
  uint64_t done, n;

  if (c->options.flags & VHDKIT_CREATE_SPARSE)
    return 0;
  if (host_check_room (c->file.dirfd, c->path, create_full_size (c)) == -1)
    return -1;
  for (done = 0; done < c->size; done += n) {
    n = MIN_OF (c->size - done, RESERVE_CHUNK);
    if (tell (c, done, c->size) == -1)
      return -1;
    if (new_file_reserve (&c->file, done, n) == 0)
      continue;
    if (vhdkit_get_error_code () != VHDKIT_ERR_NOT_SUPPORTED)
      return -1;
    if (c->options.flags & VHDKIT_CREATE_PREALLOCATE)
      return write_fill (c, 0, 0, c->size);
    return 0;
  }
  return tell (c, c->size, c->size);
}

/* Where the data of a dynamic image ends is known after the copy only. */
static int
copy_data (struct creation *c)
{
  const bool fixed = c->options.type == VHDKIT_TYPE_FIXED;
  struct copy_target t = {
    .data_offset = fixed ? 0 : c->table_end,
    .block_size = fixed ? 0 : c->block_size,
    .cached = c->file.no_sync,
    .table = c->table,
    .table_entries = fixed ? 0 : c->header.table_entries,
  };
  int r;

  t.store = store_file_dup (c->file.fd, c->path);
  if (!t.store)
    return -1;
  r = copy_run (c->source, &t, c->progress);
  if (r == -1) {
    struct saved_error e;

    error_save (&e);
    store_close (t.store);
    error_restore (&e);
    return -1;
  }
  if (store_close (t.store) == -1)
    return -1;
  c->copied = true;
  c->left_out = t.left_out;
  memcpy (c->first, t.first, sizeof c->first);
  /* Never before the place that an image without data has for it. */
  c->footer_offset = MAX_OF (c->footer_offset, t.footer_offset);
  return new_file_set_size (&c->file, c->footer_offset
                            + sizeof (struct vhd_footer_disk));
}

static int
write_table (struct creation *c)
{
  const uint64_t offset = c->header.table_offset;

  if (c->table)
    return new_file_write (&c->file, c->table, c->table_end - offset, offset);
  /* VHD_BAT_UNUSED throughout, the padding too. */
  return write_fill (c, 0xff, offset, c->table_end - offset);
}

static int
write_metadata (struct creation *c)
{
  const struct vhd_header *h = &c->header;
  struct vhd_header_disk d;

  vhd_header_encode (h, &d);
  if (new_file_write (&c->file, &d, sizeof d, c->footer.data_offset) == -1)
    return -1;
  if (c->options.type == VHDKIT_TYPE_DIFFERENCING
      && (new_file_write (&c->file, c->parent.absolute.payload,
                          h->locator[0].length, h->locator[0].offset) == -1
          || new_file_write (&c->file, c->parent.relative.payload,
                             h->locator[1].length,
                             h->locator[1].offset) == -1))
    return -1;
  return write_table (c);
}

int
create_write_contents (struct creation *c)
{
  const bool fixed = c->options.type == VHDKIT_TYPE_FIXED;
  struct vhd_footer_disk footer;

  vhd_footer_encode (&c->footer, &footer);
  if (new_file_set_size (&c->file, c->footer_offset + sizeof footer) == -1
      || (fixed && reserve_data (c) == -1)
      || (c->source && copy_data (c) == -1)
      || (!fixed && write_metadata (c) == -1)
      || new_file_sync (&c->file) == -1
      /* The sync of a large copy takes its time, and cannot be interrupted;
       * the footers are what would make an image of it. */
      || tell (c, c->size, c->size) == -1)
    return -1;
  if (!fixed && new_file_write (&c->file, &footer, sizeof footer, 0) == -1)
    return -1;
  if (c->left_out
      && new_file_write (&c->file, c->first, sizeof c->first, 0) == -1)
    return -1;
  return new_file_write (&c->file, &footer, sizeof footer, c->footer_offset);
}
