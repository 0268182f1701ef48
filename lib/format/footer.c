/* vhdkit: the footer.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Source: vhd-format 1.  What a footer says is checked in two steps: decode
 * tells whether there is one, validate whether its fields make sense.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "format/vhd.h"

#define CHECKSUM_AT offsetof (struct vhd_footer_disk, checksum)

bool
vhd_creator_windows_order (const uint8_t creator[4])
{
  return memcmp (creator, "win ", 4) == 0 ||
    memcmp (creator, "d2v\0", 4) == 0 ||
    memcmp (creator, "vbox", 4) == 0;
}

bool
vhd_creator_is_tap (const struct vhd_footer *f)
{
  return memcmp (f->creator, "tap", 3) == 0;
}

static void
decode_fields (const struct vhd_footer_disk *d, struct vhd_footer *f)
{
  f->features = get_be32 (d->features);
  f->version = get_be32 (d->version);
  f->data_offset = get_be64 (d->data_offset);
  f->timestamp = get_be32 (d->timestamp);
  memcpy (f->creator, d->creator, sizeof f->creator);
  f->creator_major = get_be16 (d->creator_major);
  f->creator_minor = get_be16 (d->creator_minor);
  memcpy (f->creator_os, d->creator_os, sizeof f->creator_os);
  f->original_size = get_be64 (d->original_size);
  f->current_size = get_be64 (d->current_size);
  f->cylinders = get_be16 (d->cylinders);
  f->heads = d->heads;
  f->sectors = d->sectors;
  f->type = get_be32 (d->type);
  f->checksum = get_be32 (d->checksum);
  memcpy (f->id, d->id, sizeof f->id);
  f->saved_state = d->saved_state;
  memcpy (f->reserved, d->reserved, sizeof f->reserved);
}

static bool
checksum_ok (const struct vhd_footer_disk *d, const struct vhd_footer *f)
{
  struct vhd_footer_disk unhidden;

  if (vhd_checksum (d, sizeof *d, CHECKSUM_AT) == f->checksum)
    return true;

  /* tapdisk 0.1 and 1.1 set the hidden flag and left the checksum alone. */
  if (!vhd_creator_is_tap (f) || f->reserved[0] == 0 ||
      f->creator_major > 1 || f->creator_minor != 1)
    return false;
  unhidden = *d;
  unhidden.reserved[0] = 0;
  return vhd_checksum (&unhidden, sizeof unhidden, CHECKSUM_AT) ==
    f->checksum;
}

enum vhd_footer_state
vhd_footer_decode (const struct vhd_footer_disk *d, struct vhd_footer *ret)
{
  bool poisoned = memcmp (d->cookie, VHD_POISON_COOKIE, 8) == 0;

  if (!poisoned && memcmp (d->cookie, VHD_FOOTER_COOKIE, 8) != 0)
    return VHD_FOOTER_ABSENT;

  decode_fields (d, ret);
  if (poisoned)
    return VHD_FOOTER_POISONED;
  if (!checksum_ok (d, ret))
    return VHD_FOOTER_BAD_CHECKSUM;
  if (ret->version >> 16 != VHD_VERSION_1 >> 16)
    return VHD_FOOTER_BAD_VERSION;
  if (ret->type != VHD_FIXED && ret->type != VHD_DYNAMIC &&
      ret->type != VHD_DIFFERENCING)
    return VHD_FOOTER_BAD_TYPE;
  return VHD_FOOTER_VALID;
}

void
vhd_footer_encode (const struct vhd_footer *f, struct vhd_footer_disk *ret)
{
  memset (ret, 0, sizeof *ret);
  memcpy (ret->cookie, VHD_FOOTER_COOKIE, sizeof ret->cookie);
  ret->features = put_be32 (f->features);
  ret->version = put_be32 (f->version);
  ret->data_offset = put_be64 (f->data_offset);
  ret->timestamp = put_be32 (f->timestamp);
  memcpy (ret->creator, f->creator, sizeof ret->creator);
  ret->creator_major = put_be16 (f->creator_major);
  ret->creator_minor = put_be16 (f->creator_minor);
  memcpy (ret->creator_os, f->creator_os, sizeof ret->creator_os);
  ret->original_size = put_be64 (f->original_size);
  ret->current_size = put_be64 (f->current_size);
  ret->cylinders = put_be16 (f->cylinders);
  ret->heads = f->heads;
  ret->sectors = f->sectors;
  ret->type = put_be32 (f->type);
  memcpy (ret->id, f->id, sizeof ret->id);
  ret->saved_state = f->saved_state;
  memcpy (ret->reserved, f->reserved, sizeof ret->reserved);
  ret->checksum = put_be32 (vhd_checksum (ret, sizeof *ret, CHECKSUM_AT));
}

void
vhd_footer_init (struct vhd_footer *f, uint32_t type, uint64_t size)
{
  memset (f, 0, sizeof *f);
  f->features = VHD_FEATURE_RESERVED;
  f->version = VHD_VERSION_1;
  f->data_offset =
    type == VHD_FIXED ? VHD_NO_OFFSET : sizeof (struct vhd_footer_disk);
  /* qemu before 10.0 takes the size of unknown creators from the geometry,
   * and so cuts the disk; "win " gets its real size everywhere (1.4). */
  memcpy (f->creator, "win ", sizeof f->creator);
  f->creator_major = 6;
  f->creator_minor = 1;
  memcpy (f->creator_os, "Wi2k", sizeof f->creator_os);
  f->original_size = f->current_size = size;
  vhd_geometry (size, &f->cylinders, &f->heads, &f->sectors);
  f->type = type;
}

/* Validation.  What makes the footer useless ends it, whatever the receiver
 * of the report says: a caller that gets 0 may compute with the fields. */

#define AT(offset, field) \
  ((offset) + offsetof (struct vhd_footer_disk, field))

static uint64_t
max_size (const struct vhd_footer *f)
{
  if (f->type == VHD_FIXED)
    return INT64_MAX;
  return vhd_creator_is_tap (f) ? VHD_MAX_REACH : VHD_MAX_SIZE;
}

static int
validate_size (const struct vhd_footer *f, uint64_t offset, struct report *r)
{
  uint64_t limit = max_size (f);
  char expected[80];

  if (f->current_size != 0 && f->current_size % SECTOR_SIZE == 0 &&
      f->current_size <= limit)
    return 0;

  snprintf (expected, sizeof expected,
            "a multiple of 512 from 512 to %" PRIu64, limit);
  report (r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_INVALID_SIZE,
          "footer, current size", AT (offset, current_size), expected,
          "no disk has this size, so the image is not opened",
          "%" PRIu64 " bytes", f->current_size);
  return -1;
}

static int
validate_fixed (const struct vhd_footer *f, uint64_t offset, struct report *r)
{
  char expected[80];

  if (f->data_offset != VHD_NO_OFFSET &&
      report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT,
              "footer, data offset", AT (offset, data_offset),
              "0xffffffffffffffff in a fixed image",
              "a fixed image has no dynamic header; the field is ignored",
              "0x%016" PRIx64, f->data_offset) == -1)
    return -1;

  if (f->current_size > offset) {
    snprintf (expected, sizeof expected,
              "at most %" PRIu64 " bytes, which lie before the footer",
              offset);
    report (r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_INVALID_FILE_SIZE,
            "footer, current size", AT (offset, current_size), expected,
            "the end of the disk is missing; the file was cut, or the footer "
            "belongs to another one", "%" PRIu64 " bytes", f->current_size);
    return -1;
  }

  if (f->current_size < offset) {
    snprintf (expected, sizeof expected,
              "%" PRIu64 " bytes, which lie before the footer", offset);
    return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_INVALID_FILE_SIZE,
                   "footer, current size", AT (offset, current_size),
                   expected, "the bytes between the disk and the footer are "
                   "not part of the disk", "%" PRIu64 " bytes",
                   f->current_size);
  }
  return 0;
}

bool
vhd_footer_header_placed (const struct vhd_footer *f, uint64_t offset,
                          uint64_t file_size)
{
  const uint64_t length = sizeof (struct vhd_header_disk);

  if (f->data_offset % SECTOR_SIZE != 0 ||
      f->data_offset < sizeof (struct vhd_footer_disk) ||
      !range_within (f->data_offset, length, file_size))
    return false;
  /* Not over the footer itself, where that is the one at the end. */
  return f->data_offset + length <= offset ||
    f->data_offset >= offset + sizeof (struct vhd_footer_disk);
}

static int
validate_dynamic (const struct vhd_footer *f, uint64_t offset,
                  uint64_t file_size, struct report *r)
{
  char expected[120];

  if (vhd_footer_header_placed (f, offset, file_size))
    return 0;

  snprintf (expected, sizeof expected,
            "a multiple of 512, at least 512, with 1024 bytes of header "
            "inside the file of %" PRIu64 " bytes", file_size);
  report (r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_FOOTER_CORRUPT,
          "footer, data offset", AT (offset, data_offset), expected,
          "the dynamic header cannot be found, so no data can be",
          "%" PRIu64, f->data_offset);
  return -1;
}

/* Programs whose disks have the size of the geometry, for their own guests
 * and for qemu. */
static bool
creator_uses_chs (const struct vhd_footer *f)
{
  return memcmp (f->creator, "vpc ", 4) == 0 ||
    memcmp (f->creator, "qemu", 4) == 0;
}

int
vhd_footer_validate (const struct vhd_footer *f, uint64_t offset,
                     uint64_t file_size, struct report *r)
{
  char expected[80];

  if (!(f->features & VHD_FEATURE_RESERVED) &&
      report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT,
              "footer, features", AT (offset, features),
              "bit 1 set, as in every VHD",
              "nothing depends on it; the image is used as it is",
              "0x%08" PRIx32, f->features) == -1)
    return -1;

  if (validate_size (f, offset, r) == -1)
    return -1;
  if (f->type == VHD_FIXED) {
    if (validate_fixed (f, offset, r) == -1)
      return -1;
  }
  else if (validate_dynamic (f, offset, file_size, r) == -1)
    return -1;

  if (creator_uses_chs (f) && vhd_chs_size (f) != f->current_size) {
    snprintf (expected, sizeof expected,
              "%" PRIu64 " bytes, the current size", f->current_size);
    return report (r, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_INVALID_SIZE,
                   "footer, geometry", AT (offset, cylinders), expected,
                   "the program that made the image, and qemu, show a disk "
                   "of the size of the geometry; the current size is served",
                   "%" PRIu64 " bytes", vhd_chs_size (f));
  }
  return 0;
}
