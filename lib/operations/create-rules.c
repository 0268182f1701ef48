/* vhdkit: what CreateVirtualDisk allows.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Nineteen conditions, IP-1 to IP-19, in the order in which the comment on
 * vhdkit_create lists them: of two mistakes the first one is reported.  IP-13,
 * a source larger than the disk, needs the source and comes after all others
 * (copy_new_size).  No file is looked at here.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/guid.h"
#include "disk/disk.h"
#include "format/vhd.h"
#include "operations/create.h"
#include "operations/paths.h"

static const uint8_t microsoft[16] = VHDKIT_VENDOR_MICROSOFT;

static int
refuse (const char *what)
{
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL, "vhdkit_create: %s", what);
  return -1;
}

static int
refuse_number (const char *field, uint64_t found, const char *expected)
{
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "vhdkit_create: %s is %" PRIu64 " (0x%" PRIx64 "), expected %s",
             field, found, found, expected);
  return -1;
}

/*----------------------------------------------------------------------
 * Which kind of disk
 *--------------------------------------------------------------------*/

static bool
has_vhd_name (const char *path)
{
  const char *dot = path ? strrchr (path_name (path), '.') : NULL;

  return dot && strcasecmp (dot, ".vhd") == 0;
}

/* A type that is unknown altogether goes by the name; path NULL: any. */
static bool
is_vhd (const struct vhdkit_storage_type *t, const char *path)
{
  const bool no_vendor = guid_is_zero (t->vendor_id);

  if (t->device_id == VHDKIT_DEVICE_UNKNOWN)
    return no_vendor && (!path || has_vhd_name (path));
  return t->device_id == VHDKIT_DEVICE_VHD
    && (no_vendor || memcmp (t->vendor_id, microsoft, 16) == 0);
}

static int
check_provider (const struct vhdkit_storage_type *t, const char *path,
                const char *what)
{
  char vendor[GUID_TEXT_SIZE];

  if (is_vhd (t, path))
    return 0;
  guid_format (t->vendor_id, true, vendor);
  set_error (VHDKIT_ERR_PROVIDER_NOT_FOUND, ENOTSUP,
             "vhdkit_create: the type of the %s is device %" PRIu32
             ", vendor %s, expected VHD (2) of Microsoft, or nothing and a "
             "name that ends in .vhd: there are no VHDX, VHDSET or ISO images "
             "here", what, t->device_id, vendor);
  return -1;
}

/*----------------------------------------------------------------------
 * The conditions.  Some are for VHD only: another kind of disk is refused at
 * the end as such.
 *--------------------------------------------------------------------*/

static int
check_record (const struct vhdkit_create_parameters *p)
{
  if (p && p->struct_size == sizeof *p && !p->storage_type)     /* IP-1 */
    return refuse ("storage_type is NULL");
  if (!p)                                                       /* IP-2 */
    return refuse ("params is NULL");
  if (p->struct_size != sizeof *p)
    return refuse ("params->struct_size is not that of this version of the "
                   "library: was the program compiled for another one?");
  if (p->version != 1 && p->version != 2)                       /* IP-3 */
    return refuse_number ("version", p->version, "1 or 2");
  if (p->version == 2 && p->access_mask != VHDKIT_ACCESS_NONE)  /* IP-4 */
    return refuse_number ("access_mask", p->access_mask,
                          "VHDKIT_ACCESS_NONE with version 2");
  return 0;
}

static int
check_geometry (const struct vhdkit_create_parameters *p)
{
  const uint32_t sector = p->sector_size ? p->sector_size : SECTOR_SIZE;

  if (p->block_size != 0 && p->block_size != 512 << 10
      && p->block_size != 2 << 20)                              /* IP-5 */
    return refuse_number ("block_size", p->block_size,
                          "0, 524288 (512 KiB) or 2097152 (2 MiB)");
  if (!p->parent_path && !p->source_path
      && p->maximum_size < CREATE_MIN_SIZE) {                   /* IP-6 */
    set_error (VHDKIT_ERR_SIZE_TOO_SMALL, EINVAL,
               "vhdkit_create: maximum_size is %" PRIu64 ", expected at least "
               "%" PRIu64 " (3 MiB)", p->maximum_size, CREATE_MIN_SIZE);
    return -1;
  }
  if (p->maximum_size % sector != 0) {                          /* IP-7 */
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "vhdkit_create: maximum_size is %" PRIu64 ", expected a "
               "multiple of sector_size (%" PRIu32 ")", p->maximum_size,
               sector);
    return -1;
  }
  return 0;
}

static int
check_recipe (const struct vhdkit_create_parameters *p)
{
  const bool full = p->flags & VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION;

  if (p->access_mask & ~VHDKIT_ACCESS_ALL)                      /* IP-8 */
    return refuse_number ("access_mask", p->access_mask,
                          "only bits of VHDKIT_ACCESS_ALL (0x3f0000)");
  if (p->flags > VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION)   /* IP-9 */
    return refuse_number ("flags", p->flags,
                          "0 or VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION "
                          "(0x1)");
  if (p->parent_path && p->source_path)                         /* IP-10 */
    return refuse ("both parent_path and source_path are given, expected one "
                   "of them at most");
  if (p->parent_path && p->maximum_size != 0)                   /* IP-11 */
    return refuse_number ("maximum_size", p->maximum_size,
                          "0 with parent_path: a differencing disk has the "
                          "size of its parent");
  if (p->parent_path && full)                                   /* IP-12 */
    return refuse ("both parent_path and "
                   "VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION are given: a "
                   "differencing disk cannot be fixed");
  return 0;
}

static int
check_rest (const struct vhdkit_create_parameters *p, const char *path,
            bool has_handle)
{
  const bool full = p->flags & VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION;
  const bool vhd = is_vhd (p->storage_type, path);

  if (vhd && p->sector_size != 0 && p->sector_size != SECTOR_SIZE) /* IP-14 */
    return refuse_number ("sector_size", p->sector_size, "512, or 0");
  if (vhd && p->version == 2 && full && p->block_size != 0)     /* IP-15 */
    return refuse_number ("block_size", p->block_size,
                          "0 with version 2 and a fixed disk");
  if (!path)                                                    /* IP-16 */
    return refuse ("path is NULL");
  if (!has_handle)
    return refuse ("ret_disk is NULL");
  if (p->maximum_size > VHD_MAX_SIZE) {                         /* IP-17 */
    set_error (VHDKIT_ERR_SIZE_TOO_LARGE, EFBIG,
               "vhdkit_create: maximum_size is %" PRIu64 ", expected at most %"
               PRIu64 " (2040 GiB)", p->maximum_size, VHD_MAX_SIZE);
    return -1;
  }
  if (vhd && p->provider_flags != 0)                            /* IP-18 */
    return refuse_number ("provider_flags", p->provider_flags, "0");
  if (vhd && p->physical_sector_size != 0
      && p->physical_sector_size != SECTOR_SIZE)                /* IP-19 */
    return refuse_number ("physical_sector_size", p->physical_sector_size,
                          "512, or 0");
  return 0;
}

/*----------------------------------------------------------------------
 * What the catalogue does not have
 *--------------------------------------------------------------------*/

static int
check_open_flags (const struct vhdkit_create_parameters *p)
{
  const uint32_t known = DISK_OPEN_FLAGS & ~VHDKIT_OPEN_INSPECT;

  if (p->version == 1 || (p->open_flags & ~known) == 0)
    return 0;
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "vhdkit_create: open_flags are 0x%" PRIx32 ", expected only bits "
             "of 0x%" PRIx32, p->open_flags, known);
  return -1;
}

static int
check_source_options (const struct vhdkit_create_parameters *p)
{
  if (!p->source_options
      || p->source_options->struct_size == sizeof *p->source_options)
    return 0;
  return refuse ("source_options->struct_size is not that of this version of "
                 "the library: was the program compiled for another one?");
}

static int
check_host_flags (const struct vhdkit_create_parameters *p)
{
  const uint32_t known = VHDKIT_HOST_ALLOW_COMPRESSED
    | VHDKIT_HOST_ALLOW_ENCRYPTED | VHDKIT_HOST_FORCE_SOURCE
    | VHDKIT_HOST_CREATE_FOLDER | VHDKIT_HOST_CREATE_FOLDERS
    | VHDKIT_HOST_SPARSE | VHDKIT_HOST_PREALLOCATE | VHDKIT_HOST_NO_SYNC;

  if ((p->host_flags & ~known) == 0)
    return 0;
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "vhdkit_create: host_flags are 0x%" PRIx32 ", expected only bits "
             "of 0x%" PRIx32, p->host_flags, known);
  return -1;
}

static int
check_providers (const struct vhdkit_create_parameters *p, const char *path)
{
  if (check_provider (p->storage_type, path, "disk") == -1)
    return -1;
  if (p->version == 1)
    return 0;
  if (p->parent_path
      && check_provider (&p->parent_storage_type, NULL, "parent") == -1)
    return -1;
  if (p->source_path
      && check_provider (&p->source_storage_type, NULL, "source") == -1)
    return -1;
  return 0;
}

static int
check_paths (const struct vhdkit_create_parameters *p, const char *path)
{
  if (path_check_given (path, "image") == -1
      || (p->parent_path
          && path_check_given (p->parent_path, "parent") == -1)
      || (p->source_path
          && path_check_given (p->source_path, "source") == -1))
    return -1;
  return 0;
}

int
create_check_rules (const char *path,
                    const struct vhdkit_create_parameters *p, bool has_handle)
{
  if (check_record (p) == -1 || check_geometry (p) == -1
      || check_recipe (p) == -1 || check_rest (p, path, has_handle) == -1
      || check_open_flags (p) == -1 || check_source_options (p) == -1
      || check_host_flags (p) == -1
      || check_providers (p, path) == -1 || check_paths (p, path) == -1)
    return -1;
  return 0;
}
