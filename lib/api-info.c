/* vhdkit: the public entry points of Windows' information classes.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/cleanup.h"
#include "api-arguments.h"
#include "base/error.h"
#include "disk/disk.h"
#include "operations/operations.h"

/* A disk without a mask is one of version 2, for which there are no rights. */
static int
check_access (const char *function, vhdkit_disk *disk, uint32_t right,
              const char *name)
{
  if (disk->access_mask == VHDKIT_ACCESS_NONE
      || (disk->access_mask & right) != 0)
    return 0;
  set_error (VHDKIT_ERR_ACCESS_DENIED, EACCES,
             "%s: %s: was opened with the access mask 0x%08" PRIx32
             ", which lacks %s", function, disk->path, disk->access_mask,
             name);
  return -1;
}

int
vhdkit_get_info (vhdkit_disk *disk, enum vhdkit_info_class info_class,
                 void *buf, size_t *len)
{
  if (!disk)
    return api_null_pointer (__func__, "disk");
  if (!len)
    return api_null_pointer (__func__, "len");
  if (check_access (__func__, disk, VHDKIT_ACCESS_GET_INFO,
                    "VHDKIT_ACCESS_GET_INFO") == -1)
    return -1;
  return op_get_info (disk, info_class, buf, len);
}

static int
check_set (const char *function, vhdkit_disk *disk, const void *buf,
           uint32_t flags)
{
  if (!disk)
    return api_null_pointer (function, "disk");
  if (!buf)
    return api_null_pointer (function, "buf");
  if (flags & ~VHDKIT_SET_INFO_FORCE) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: flags are 0x%" PRIx32 ", expected 0 or "
               "VHDKIT_SET_INFO_FORCE", function, flags);
    return -1;
  }
  if (check_access (function, disk, VHDKIT_ACCESS_METAOPS,
                    "VHDKIT_ACCESS_METAOPS") == -1)
    return -1;
  if (!image_writable (disk->layer[0].image)) {
    set_error (VHDKIT_ERR_READ_ONLY, EPERM, "%s: %s: opened read-only",
               function, disk->path);
    return -1;
  }
  return 0;
}

/* The path with its NUL, wherever that is. */
static int
set_parent_path (vhdkit_disk *disk, const void *buf, size_t len,
                 uint32_t flags)
{
  CLEANUP_FREE char *path = strndup (buf, len);

  if (!path) {
    set_error_errno (ENOMEM, "%s", disk->path);
    return -1;
  }
  if (path[0] == '\0') {
    set_error (VHDKIT_ERR_BAD_PATHNAME, ENOENT,
               "%s: the path of the new parent is empty", disk->path);
    return -1;
  }
  return op_reparent (disk, path, flags & VHDKIT_SET_INFO_FORCE);
}

int
vhdkit_set_info (vhdkit_disk *disk, enum vhdkit_set_info_class info_class,
                 const void *buf, size_t len, uint32_t flags)
{
  if (check_set (__func__, disk, buf, flags) == -1)
    return -1;
  switch (info_class) {
  case VHDKIT_SET_INFO_PARENT_PATH:
    return set_parent_path (disk, buf, len, flags);
  case VHDKIT_SET_INFO_IDENTIFIER:
    if (len == 16)
      return op_set_id (disk, buf);
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: an id has 16 bytes, found %zu", __func__, len);
    return -1;
  case VHDKIT_SET_INFO_PARENT_PATH_WITH_DEPTH:
  case VHDKIT_SET_INFO_PHYSICAL_SECTOR_SIZE:
  case VHDKIT_SET_INFO_VIRTUAL_DISK_ID:
  case VHDKIT_SET_INFO_CHANGE_TRACKING_STATE:
  case VHDKIT_SET_INFO_PARENT_LOCATOR:
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "%s: class %d is not supported for VHD images", __func__,
               (int) info_class);
    return -1;
  }
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "%s: there is no class %d", __func__, (int) info_class);
  return -1;
}
