/* vhdkit: can there be such an image at all?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The limits of the format and of what other programs read, for every way of
 * making an image.  What Windows' interfaces allow is in create-rules.c and
 * create-vs2005.c.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "format/vhd.h"
#include "operations/create.h"

static int
invalid (enum vhdkit_error code, const char *path, const char *what)
{
  set_error (code, EINVAL, "%s: %s", path, what);
  return -1;
}

static int
check_block_size (const char *path, const struct vhdkit_create_options *o)
{
  uint32_t b = o->block_size;

  if (b == 0)
    return 0;
  if (o->type == VHDKIT_TYPE_FIXED)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "a fixed image has no blocks: its block size must be 0");
  if (b == 512 << 10 || b == 2 << 20)
    return 0;
  if ((o->flags & VHDKIT_CREATE_ANY_BLOCK_SIZE) && is_power_of_2 (b)
      && b >= VHD_MIN_BLOCK_SIZE && b <= VHD_MAX_BLOCK_SIZE)
    return 0;
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "%s: block size %" PRIu32 " is not possible: %s", path, b,
             o->flags & VHDKIT_CREATE_ANY_BLOCK_SIZE ?
             "a power of two from 4096 to 268435456 is" :
             "524288 (512 KiB) and 2097152 (2 MiB) are");
  return -1;
}

static int
check_size (const char *path, const struct vhdkit_create_options *o)
{
  uint64_t min = o->flags & VHDKIT_CREATE_ANY_SIZE ? SECTOR_SIZE
                                                   : CREATE_MIN_SIZE;

  if (o->type == VHDKIT_TYPE_DIFFERENCING) {
    if (o->size != 0)
      return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                      "a differencing image has the size of its parent: the "
                      "size must be 0");
    return 0;
  }
  if (o->size < min) {
    set_error (VHDKIT_ERR_SIZE_TOO_SMALL, EINVAL,
               "%s: %" PRIu64 " bytes is too small: at least %" PRIu64
               " are needed", path, o->size, min);
    return -1;
  }
  if (o->size > VHD_MAX_SIZE) {
    set_error (VHDKIT_ERR_SIZE_TOO_LARGE, EFBIG,
               "%s: %" PRIu64 " bytes is too large: the limit is %" PRIu64
               " (2040 GiB)", path, o->size, VHD_MAX_SIZE);
    return -1;
  }
  if (o->size % SECTOR_SIZE != 0) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %" PRIu64 " bytes is not a multiple of 512", path,
               o->size);
    return -1;
  }
  return 0;
}

static int
check_parent (const char *path, const struct vhdkit_create_options *o)
{
  if (o->type == VHDKIT_TYPE_DIFFERENCING) {
    if (!o->parent || !o->parent[0])
      return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                      "a differencing image needs a parent");
    return 0;
  }
  if (o->parent)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "only a differencing image has a parent");
  if (o->flags & VHDKIT_CREATE_RAW_PARENT)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "a raw parent is asked for, but only a differencing image "
                    "has a parent");
  return 0;
}

static int
check_creator (const char *path, const char *creator)
{
  size_t i;

  if (!creator)
    return 0;
  for (i = 0; creator[i]; i++)
    if (i == 4 || creator[i] < ' ' || creator[i] > '~')
      break;
  if (i != 4 || creator[i])
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "the creator must be four ASCII characters");
  /* Readers of XenServer expect its batmap, and refuse an image without. */
  if (strncmp (creator, "tap", 3) == 0)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "the creator cannot be \"tap\": such images have a batmap, "
                    "which is not written");
  return 0;
}

/* In the order of create-rules.c, so that the same mistake always gets the
 * same answer. */
int
create_check_options (const char *path, const struct vhdkit_create_options *o,
                      bool has_source, bool size_known)
{
  const uint32_t known = VHDKIT_CREATE_RAW_PARENT
    | VHDKIT_CREATE_ANY_BLOCK_SIZE | VHDKIT_CREATE_ANY_SIZE
    | VHDKIT_CREATE_PREALLOCATE | VHDKIT_CREATE_SPARSE;
  const uint32_t space = VHDKIT_CREATE_PREALLOCATE | VHDKIT_CREATE_SPARSE;

  if (o->type != VHDKIT_TYPE_FIXED && o->type != VHDKIT_TYPE_DYNAMIC
      && o->type != VHDKIT_TYPE_DIFFERENCING)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "the type must be fixed, dynamic or differencing");
  if (o->flags & ~known) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: unknown flags 0x%" PRIx32, path, o->flags & ~known);
    return -1;
  }
  if ((o->flags & space) == space)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "an image cannot be both preallocated and sparse");
  if ((o->flags & space) && o->type != VHDKIT_TYPE_FIXED)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "only the space of a fixed image can be allocated ahead");
  if (has_source && o->type == VHDKIT_TYPE_DIFFERENCING)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "a differencing image has the content of its parent, not "
                    "that of a source");
  if (check_block_size (path, o) == -1
      || (size_known && check_size (path, o) == -1)
      || check_parent (path, o) == -1 || check_creator (path, o->creator) == -1)
    return -1;
  return 0;
}
