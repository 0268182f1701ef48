/* vhdkit: what can be copied from.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * To the copy a source is a number of bytes, with holes.  A VHD is read
 * through its whole chain; everything else is a store.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "base/checked.h"
#include "base/error.h"
#include "operations/copy-internal.h"

/* How far the tables of a chain are looked through for one extent: each is
 * looked at again where any of the others has data. */
#define MAX_LOOK (64u << 20)

/*----------------------------------------------------------------------
 * Opening
 *--------------------------------------------------------------------*/

static int
open_vhd (struct copy_source *s, const struct vhdkit_open_options *opts)
{
  size_t i;

  s->kind = COPY_FROM_VHD;
  if (disk_open (s->name, VHDKIT_ACCESS_ATTACH_RO, 0, opts, &s->disk) == -1)
    return -1;
  for (i = 0; i < s->disk->nr_layers; i++)
    store_file_read_once (s->disk->layer[i].store);
  s->bytes = s->disk->layer[0].size;
  return 0;
}

/* A file or a block device, sector by sector. */
static int
open_flat (struct copy_source *s, const char *path, bool force)
{
  struct stat st;

  s->kind = COPY_FROM_RAW;
  s->store = store_open_file (AT_FDCWD, path, false, false);
  if (s->store == NULL)
    return -1;
  if (fstat (store_file_fd (s->store), &st) == -1) {
    set_error_errno (errno, "%s", path);
    return -1;
  }
  if (S_ISBLK (st.st_mode)) {
    s->kind = COPY_FROM_DEVICE;
    if (copy_claim_device (path, s->store, force, &s->claim) == -1)
      return -1;
  }
  else if (store_lock (s->store, STORE_LOCK_READ) == -1)
    return -1;
  store_file_read_once (s->store);
  return store_size (s->store, &s->bytes);
}

static int
is_cancelled (void *opaque)
{
  const struct progress *p = opaque;

  return p->fn (p->opaque, 0, 0);
}

static int
open_nbd (struct copy_source *s, const struct progress *progress)
{
  s->kind = COPY_FROM_NBD;
  s->store = store_open_nbd (s->name, progress && progress->fn ? is_cancelled
                             : NULL, (void *) progress);
  return s->store ? store_size (s->store, &s->bytes) : -1;
}

bool
copy_source_is_remote (const char *path)
{
  return store_is_nbd_uri (path);
}

static int
open_by_name (struct copy_source *s, uint32_t flags,
              const struct vhdkit_open_options *opts,
              const struct progress *progress)
{
  const bool force = flags & COPY_FORCE_SOURCE;
  struct stat st;

  if (strncmp (s->name, "raw:", 4) == 0)
    return open_flat (s, s->name + 4, force);
  if (copy_source_is_remote (s->name))
    return open_nbd (s, progress);
  if (stat (s->name, &st) == 0 && S_ISBLK (st.st_mode))
    return open_flat (s, s->name, force);
  return open_vhd (s, opts);
}

int
copy_source_open (const char *path, uint32_t flags,
                  const struct vhdkit_open_options *opts,
                  const struct progress *progress,
                  struct copy_source **ret_source)
{
  struct copy_source *s = calloc (1, sizeof *s);

  if (s == NULL || (s->name = strdup (path)) == NULL) {
    free (s);
    set_error_errno (ENOMEM, "%s", path);
    return -1;
  }
  s->claim = -1;
  if (open_by_name (s, flags, opts, progress) == -1) {
    copy_source_close (s);
    return -1;
  }
  s->size = s->bytes <= INT64_MAX ? round_up (s->bytes, SECTOR_SIZE)
                                  : s->bytes;
  *ret_source = s;
  return 0;
}

void
copy_source_close (struct copy_source *s)
{
  struct saved_error e;

  if (s == NULL)
    return;
  error_save (&e);
  disk_close (s->disk);
  store_close (s->store);
  if (s->claim != -1)
    close (s->claim);
  free (s->name);
  free (s);
  error_restore (&e);
}

/*----------------------------------------------------------------------
 * Size
 *--------------------------------------------------------------------*/

uint64_t
copy_source_size (const struct copy_source *s)
{
  return s->size;
}

int
copy_new_size (const struct copy_source *s, uint64_t maximum_size,
               const char *path, uint64_t *ret_size)
{
  const uint64_t size = maximum_size ? maximum_size : s->size;

  if (size == 0) {
    set_error (VHDKIT_ERR_SIZE_TOO_SMALL, EINVAL,
               "%s: the source %s is empty: give a size", path, s->name);
    return -1;
  }
  if (size < s->size) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: a size of %" PRIu64 " bytes is too small for the source "
               "%s, which has %" PRIu64, path, size, s->name, s->size);
    return -1;
  }
  if (size > VHD_MAX_SIZE) {
    set_error (VHDKIT_ERR_SIZE_TOO_LARGE, EFBIG,
               "%s: %" PRIu64 " bytes, the size of the source %s, is too "
               "large: the limit is %" PRIu64 " (2040 GiB)", path, size,
               s->name, VHD_MAX_SIZE);
    return -1;
  }
  *ret_size = size;
  return 0;
}

/*----------------------------------------------------------------------
 * Reading
 *--------------------------------------------------------------------*/

int
copy_source_pread (struct copy_source *s, void *buf, size_t count,
                   uint64_t offset)
{
  size_t there = offset >= s->bytes ? 0
                 : MIN_OF ((uint64_t) count, s->bytes - offset);

  memset ((char *) buf + there, 0, count - there);
  if (there == 0)
    return 0;
  if (s->disk)
    return disk_pread (s->disk, buf, there, offset);
  return store_pread (s->store, buf, there, offset);
}

/* What one layer of a VHD has at offset, until *ret_end.  Told from the block
 * table alone: the sector bitmaps, which would have to be read one by one
 * here, are read by those who read the data. */
static int
layer_extent (const struct layer *l, uint64_t offset, uint64_t end,
              uint64_t *ret_end, bool *ret_zero)
{
  const uint64_t sector = offset / SECTOR_SIZE;
  const uint64_t layer_end = MIN_OF (end, l->size);
  const struct vhd_header *h = l->image ? image_header (l->image) : NULL;
  uint64_t n;

  *ret_end = end;
  *ret_zero = true;
  if (offset >= l->size)
    return 0;
  if (h == NULL)
    return store_next_extent (l->store, offset, layer_end, ret_end, ret_zero);
  n = image_unallocated (l->image, sector,
                         div_round_up (layer_end, SECTOR_SIZE) - sector);
  *ret_zero = n > 0;
  *ret_end = n > 0 ? (sector + n) * SECTOR_SIZE
             : round_down (offset, h->block_size) + h->block_size;
  return 0;
}

/* Data if it is data in any layer; that a nearer one hides it does not matter:
 * what is read and turns out to be zero is not written. */
static int
disk_extent (struct vhdkit_disk *d, uint64_t offset, uint64_t end,
             uint64_t *ret_end, bool *ret_zero)
{
  uint64_t data_end = offset, zero_end = end, e;
  size_t i;
  bool zero;

  for (i = 0; i < d->nr_layers; i++) {
    if (layer_extent (&d->layer[i], offset, zero_end, &e, &zero) == -1)
      return -1;
    if (zero)
      zero_end = MIN_OF (zero_end, e);
    else
      data_end = MAX_OF (data_end, e);
  }
  *ret_zero = data_end == offset;
  *ret_end = MIN_OF (end, *ret_zero ? zero_end : data_end);
  return 0;
}

int
copy_source_extent (struct copy_source *s, uint64_t offset, uint64_t *ret_end,
                    bool *ret_zero)
{
  if (offset >= s->bytes) {
    *ret_end = s->size;
    *ret_zero = true;
    return 0;
  }
  if (s->disk)
    return disk_extent (s->disk, offset,
                        MIN_OF (s->bytes, offset + MAX_LOOK), ret_end,
                        ret_zero);
  return store_next_extent (s->store, offset, s->bytes, ret_end, ret_zero);
}

void
copy_source_cancel (struct copy_source *s)
{
  if (s->kind == COPY_FROM_NBD)
    store_nbd_cancel (s->store);
}
