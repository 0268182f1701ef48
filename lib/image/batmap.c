/* vhdkit: the batmap of XenServer images.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Bit i says that block i is allocated and its sector bitmap all ones.  A 0
 * that should be 1 costs XenServer a look at the bitmap; a 1 that should be 0
 * is corruption.  We never clear a sector bit, so only freeing a block can
 * make a 1 untrue: before the first free of a session the map is set to zero
 * as a whole.  XenServer needs a valid map to open the image for writing, so
 * it stays there.  Source: vhd-format 7.1.
 */
#include <config.h>

#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

static const char batmap_expected[] =
  "a batmap behind the table, within the file";

/* The header also has what only matters to XenServer: a hash of the key, if
 * the disk is encrypted.  Nothing in the blocks says so, and served as it is
 * such a disk would be garbage that a client may take for an empty one, and
 * write to.  Who only inspects the image sees the rest of it. */
static int
check_key (struct image *i, const struct vhd_batmap_disk *d, uint64_t at,
           struct report *r)
{
  if (d->key_hash_set != 1)
    return 0;
  return report (r, i->inspect ? VHDKIT_SEVERITY_WARNING
                               : VHDKIT_SEVERITY_ERROR,
                 VHDKIT_ERR_NOT_SUPPORTED, "batmap header, key hash",
                 at + offsetof (struct vhd_batmap_disk, key_hash_set), "none",
                 "XenServer encrypts the data of this disk, and without the "
                 "key there is no reading it",
                 "the hash of a key");
}

static int
check_version (const struct vhd_batmap_disk *d, uint64_t at, struct report *r)
{
  uint32_t version = get_be32 (d->version);

  if (version == VHD_BATMAP_VERSION_1_1 || version == VHD_BATMAP_VERSION_1_2)
    return 0;
  return report (r, VHDKIT_SEVERITY_WARNING,
                 VHDKIT_ERR_UNSUPPORTED_VERSION, "batmap header, version",
                 at + offsetof (struct vhd_batmap_disk, version),
                 "version 1.1 or 1.2",
                 "XenServer may refuse the image; we do not need the map",
                 "version %" PRIu32 ".%" PRIu32, version >> 16,
                 version & 0xffff);
}

int
batmap_find (struct image *i, struct report *r)
{
  uint64_t at = i->header.table_offset
                + round_up ((uint64_t) i->header.table_entries * 4,
                            SECTOR_SIZE);
  struct vhd_batmap_disk d;
  uint64_t offset, bytes;
  bool valid;

  if (!vhd_creator_is_tap (&i->footer)
      || !range_within (at, sizeof d, i->data_end))
    return 0;
  if (store_pread (i->store, &d, sizeof d, at) == -1)
    return -1;
  if (memcmp (d.cookie, VHD_BATMAP_COOKIE, 8) != 0)
    return 0;
  if (check_key (i, &d, at, r) == -1 || check_version (&d, at, r) == -1)
    return -1;
  offset = get_be64 (d.offset);
  bytes = (uint64_t) get_be32 (d.sectors) * SECTOR_SIZE;
  valid = offset >= at + sizeof d && offset % SECTOR_SIZE == 0
          && bytes >= div_round_up (i->blocks, 8);
  /* As with locators: nothing may be in its way, also when the file has grown,
   * because freeing a block writes the map. */
  if (valid && (range_within (offset, bytes, at + NEAR_TABLES)
                || range_within (offset, bytes, i->data_end))) {
    add_metadata (i, at, sizeof d);
    add_metadata (i, offset, bytes);
  }
  if (!valid || !range_within (offset, bytes, i->data_end))
    return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                   "batmap header", at, batmap_expected,
                   "XenServer may refuse the image; we do not need the map",
                   "map at %" PRIu64 ", %" PRIu64 " bytes", offset, bytes);
  i->batmap_present = true;
  i->batmap_header = at;
  i->batmap_offset = offset;
  i->batmap_bytes = bytes;
  i->reserved_end = MAX_OF (i->reserved_end, offset + bytes);
  return 0;
}

int
batmap_clear (struct image *i)
{
  struct vhd_batmap_disk d;
  /* Under the space lock, which is free here and keeps a second thread from
   * going on before the first is done. */
  LOCK_FOR_SCOPE (&i->space.lock);

  if (!i->batmap_present || atomic_load (&i->batmap_cleared))
    return 0;
  if (store_pread (i->store, &d, sizeof d, i->batmap_header) == -1)
    return -1;
  d.checksum = put_be32 (0xffffffff);   /* complement of the sum of zeros */
  if (store_zero (i->store, i->batmap_offset, i->batmap_bytes, 0) == -1
      || store_pwrite (i->store, &d, sizeof d, i->batmap_header) == -1) {
    error_prefix ("batmap");
    return -1;
  }
  commit_data_written (i);
  atomic_store (&i->batmap_cleared, true);
  return 0;
}
