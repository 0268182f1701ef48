/* vhdkit: the public entry points of a disk: check arguments, call down.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>

#include "base/checked.h"
#include "api-arguments.h"
#include "base/error.h"
#include "disk/disk.h"

static int
check_open (const char *function, const char *path, uint32_t mask,
            uint32_t flags, const struct vhdkit_open_options *opts)
{
  const uint32_t known = DISK_OPEN_FLAGS;

  if (path == NULL)
    return api_null_pointer (function, "path");
  if (*path == '\0') {
    set_error (VHDKIT_ERR_BAD_PATHNAME, ENOENT, "%s: path is empty", function);
    return -1;
  }
  if (mask & ~VHDKIT_ACCESS_ALL) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: access_mask is 0x%08" PRIx32 ", expected only bits of "
               "0x%08x", function, mask, VHDKIT_ACCESS_ALL);
    return -1;
  }
  if (flags & ~known) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: flags are 0x%08" PRIx32 ", expected only bits of 0x%08"
               PRIx32, function, flags, known);
    return -1;
  }
  if (opts && opts->struct_size != sizeof *opts)
    return api_wrong_size (function, "opts", opts->struct_size, sizeof *opts);
  return 0;
}

int
vhdkit_open (const char *path, uint32_t access_mask, uint32_t flags,
             const struct vhdkit_open_options *opts, vhdkit_disk **ret_disk)
{
  if (check_open (__func__, path, access_mask, flags, opts) == -1)
    return -1;
  if (ret_disk == NULL)
    return api_null_pointer (__func__, "ret_disk");
  return disk_open (path, access_mask, flags, opts, ret_disk);
}

int
vhdkit_upgrade (vhdkit_disk *disk)
{
  if (disk == NULL)
    return api_null_pointer (__func__, "disk");
  return disk_upgrade (disk);
}

int
vhdkit_close (vhdkit_disk *disk)
{
  return disk_close (disk);
}

uint64_t
vhdkit_size (vhdkit_disk *disk)
{
  return disk->layer[0].size;
}

int
vhdkit_is_writable (vhdkit_disk *disk)
{
  return image_writable (disk->layer[0].image);
}

/* What all data calls have in common. */
static int
check_io (const char *function, vhdkit_disk *disk, uint64_t count,
          uint64_t offset)
{
  if (disk == NULL)
    return api_null_pointer (function, "disk");
  if (disk->inspect) {
    set_error (VHDKIT_ERR_WRONG_STATE, EINVAL,
               "%s: %s: opened for information only", function, disk->path);
    return -1;
  }
  if (!range_within (offset, count, disk->layer[0].size)) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %s: %" PRIu64 " bytes at offset %" PRIu64 " go past the "
               "end of the disk, at %" PRIu64, function, disk->path, count,
               offset, disk->layer[0].size);
    return -1;
  }
  return 0;
}

static int
check_write (const char *function, vhdkit_disk *disk, uint64_t count,
             uint64_t offset, uint32_t flags, uint32_t known)
{
  if (check_io (function, disk, count, offset) == -1)
    return -1;
  if (flags & ~known) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: flags are 0x%" PRIx32 ", expected only bits of 0x%" PRIx32,
               function, flags, known);
    return -1;
  }
  if (!image_writable (disk->layer[0].image)) {
    set_error (VHDKIT_ERR_READ_ONLY, EPERM, "%s: %s: opened read-only",
               function, disk->path);
    return -1;
  }
  return 0;
}

int
vhdkit_pread (vhdkit_disk *disk, void *buf, size_t count, uint64_t offset)
{
  if (check_io (__func__, disk, count, offset) == -1)
    return -1;
  return disk_pread (disk, buf, count, offset);
}

int
vhdkit_pwrite (vhdkit_disk *disk, const void *buf, size_t count,
               uint64_t offset, uint32_t flags)
{
  if (check_write (__func__, disk, count, offset, flags, VHDKIT_FUA) == -1)
    return -1;
  return disk_pwrite (disk, buf, count, offset, flags);
}

int
vhdkit_zero (vhdkit_disk *disk, uint64_t count, uint64_t offset,
             uint32_t flags)
{
  if (check_write (__func__, disk, count, offset, flags,
                   VHDKIT_FUA | VHDKIT_MAY_TRIM | VHDKIT_FAST_ZERO) == -1)
    return -1;
  return disk_zero (disk, count, offset, flags);
}

int
vhdkit_trim (vhdkit_disk *disk, uint64_t count, uint64_t offset,
             uint32_t flags)
{
  if (check_write (__func__, disk, count, offset, flags, VHDKIT_FUA) == -1)
    return -1;
  return disk_trim (disk, count, offset, flags);
}

int
vhdkit_flush (vhdkit_disk *disk)
{
  if (check_io (__func__, disk, 0, 0) == -1)
    return -1;
  return disk_flush (disk);
}

int
vhdkit_cache (vhdkit_disk *disk, uint64_t count, uint64_t offset)
{
  if (check_io (__func__, disk, count, offset) == -1)
    return -1;
  return disk_cache (disk, count, offset);
}

int
vhdkit_extents (vhdkit_disk *disk, uint64_t count, uint64_t offset,
                int (*fn) (void *opaque, const struct vhdkit_extent *extent),
                void *opaque)
{
  if (check_io (__func__, disk, count, offset) == -1)
    return -1;
  return disk_extents (disk, count, offset, fn, opaque);
}

size_t
vhdkit_layers (vhdkit_disk *disk)
{
  return disk->nr_layers;
}

const struct vhdkit_layer_info *
vhdkit_layer (vhdkit_disk *disk, size_t layer)
{
  return disk_layer_info (disk, layer);
}
