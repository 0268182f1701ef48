/* vhdkit: the dynamic header.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Source: vhd-format 3 and 6.3; the checks are those of 9.2 points 5, 6, 8.
 * There is no second copy of this header, so what is wrong here is final.
 *
 * A caller that gets 0 may compute with the block size and the table: what
 * makes those useless ends the decoding, whatever the receiver of the report
 * says.  Locators are used one by one, see vhd_locator_usable.
 */
#include <config.h>

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/checked.h"
#include "format/vhd.h"

#define CHECKSUM_AT offsetof (struct vhd_header_disk, checksum)
/* What qemu of 2010 wrote, following the text of the specification. */
#define LEGACY_NO_OFFSET UINT64_C (0xffffffff)

/* What the checks of one header look at. */
struct check {
  const struct vhd_header *h;
  const struct vhd_footer *f;
  uint64_t offset;              /* of the header */
  uint64_t file_size;
  struct report *r;
};

#define AT(c, field) ((c)->offset + offsetof (struct vhd_header_disk, field))

static bool
overlap (uint64_t a, uint64_t a_length, uint64_t b, uint64_t b_length)
{
  return a < b + b_length && b < a + a_length;
}

static void
decode_fields (const struct vhd_header_disk *d, struct vhd_header *h)
{
  size_t i;

  h->next_offset = get_be64 (d->next_offset);
  h->table_offset = get_be64 (d->table_offset);
  h->version = get_be32 (d->version);
  h->table_entries = get_be32 (d->table_entries);
  h->block_size = get_be32 (d->block_size);
  h->checksum = get_be32 (d->checksum);
  memcpy (h->parent_id, d->parent_id, sizeof h->parent_id);
  h->parent_timestamp = get_be32 (d->parent_timestamp);
  h->reserved1 = get_be32 (d->reserved1);
  memcpy (h->parent_name, d->parent_name, sizeof h->parent_name);
  for (i = 0; i < VHD_LOCATORS; ++i) {
    h->locator[i].platform = get_be32 (d->locator[i].platform);
    h->locator[i].space = get_be32 (d->locator[i].space);
    h->locator[i].length = get_be32 (d->locator[i].length);
    h->locator[i].reserved = get_be32 (d->locator[i].reserved);
    h->locator[i].offset = get_be64 (d->locator[i].offset);
  }
  memcpy (h->reserved2, d->reserved2, sizeof h->reserved2);
}

/* Cookie, checksum, version: is this a header that we know? */
static int
check_identity (const struct check *c, const struct vhd_header_disk *d)
{
  uint32_t sum = vhd_checksum (d, sizeof *d, CHECKSUM_AT);
  char expected[16];
  be64 cookie;

  if (memcmp (d->cookie, VHD_HEADER_COOKIE, sizeof d->cookie) != 0) {
    memcpy (&cookie, d->cookie, sizeof cookie);
    report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_HEADER_CORRUPT,
            "dynamic header, cookie", AT (c, cookie),
            "\"" VHD_HEADER_COOKIE "\"",
            "the dynamic header was overwritten, or the footer names a wrong "
            "place; without it no data can be found",
            "0x%016" PRIx64, get_be64 (cookie));
    return -1;
  }
  if (sum != c->h->checksum) {
    snprintf (expected, sizeof expected, "0x%08" PRIx32, sum);
    if (report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_HEADER_CHECKSUM,
                "dynamic header, checksum", AT (c, checksum), expected,
                "at least one byte of the dynamic header is not what was "
                "written", "0x%08" PRIx32, c->h->checksum) == -1)
      return -1;
  }
  if (c->h->version >> 16 != VHD_VERSION_1 >> 16) {
    report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_HEADER_UNSUPPORTED_VERSION,
            "dynamic header, version", AT (c, version), "version 1",
            "the image needs a program that knows this version",
            "version %" PRIu32 ".%" PRIu32,
            c->h->version >> 16, c->h->version & 0xffff);
    return -1;
  }
  return 0;
}

static int
check_next_offset (const struct check *c)
{
  if (c->h->next_offset == VHD_NO_OFFSET)
    return 0;
  if (c->h->next_offset == LEGACY_NO_OFFSET)
    return report (c->r, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_HEADER_CORRUPT,
                   "dynamic header, next offset", AT (c, next_offset),
                   "0xffffffffffffffff",
                   "old versions of qemu wrote this for \"none\"; some "
                   "programs refuse the image", "0x%016" PRIx64,
                   c->h->next_offset);
  return report (c->r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                 "dynamic header, next offset", AT (c, next_offset),
                 "0xffffffffffffffff",
                 "the format has no further headers; the field is ignored",
                 "0x%016" PRIx64, c->h->next_offset);
}

static int
check_block_size (const struct check *c)
{
  uint32_t size = c->h->block_size;
  const char *meaning = "the table cannot be understood without it";

  if (is_power_of_2 (size) &&
      size >= VHD_MIN_BLOCK_SIZE && size <= VHD_MAX_BLOCK_SIZE)
    return 0;
  if (is_power_of_2 (size) && size >= SECTOR_SIZE && size < VHD_MIN_BLOCK_SIZE)
    meaning = "programs disagree on where the data of such small blocks is, "
      "so there is no telling which of them wrote this image";
  report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_INVALID_BLOCK_SIZE,
          "dynamic header, block size", AT (c, block_size),
          "a power of two from 4096 to 268435456", meaning,
          "%" PRIu32 " bytes", size);
  return -1;
}

/* Bytes of the file that the table takes, the padding to sectors included. */
static uint64_t
table_bytes (const struct vhd_header *h)
{
  return round_up ((uint64_t) h->table_entries * 4, SECTOR_SIZE);
}

static int
check_table_entries (const struct check *c)
{
  uint64_t needed = div_round_up (c->f->current_size, c->h->block_size);
  char expected[120];

  if (c->h->table_entries < needed) {
    snprintf (expected, sizeof expected, "at least %" PRIu64 ", for %" PRIu64
              " bytes of disk in blocks of %" PRIu32, needed,
              c->f->current_size, c->h->block_size);
    report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT,
            "dynamic header, number of table entries", AT (c, table_entries),
            expected, "the end of the disk has no place in the block table",
            "%" PRIu32, c->h->table_entries);
    return -1;
  }
  if (needed > VHD_MAX_TABLE_BYTES / 4) {
    snprintf (expected, sizeof expected, "blocks so large that the table has "
              "at most %u entries", VHD_MAX_TABLE_BYTES / 4);
    report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_INVALID_BLOCK_SIZE,
            "dynamic header, block size", AT (c, block_size), expected,
            "the block table would take more memory than is given to one "
            "image", "%" PRIu32 " bytes, which makes %" PRIu64 " entries",
            c->h->block_size, needed);
    return -1;
  }
  if (c->h->table_entries > needed) {
    snprintf (expected, sizeof expected, "%" PRIu64, needed);
    return report (c->r, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_BAT_CORRUPT,
                   "dynamic header, number of table entries",
                   AT (c, table_entries), expected,
                   "the entries beyond the disk are not used",
                   "%" PRIu32, c->h->table_entries);
  }
  return 0;
}

static int
check_table_place (const struct check *c)
{
  uint64_t offset = c->h->table_offset, bytes = table_bytes (c->h);
  char expected[120];

  if (!range_within (offset, bytes, c->file_size)) {
    snprintf (expected, sizeof expected, "a place where %" PRIu64 " bytes of "
              "table fit into the file of %" PRIu64, bytes, c->file_size);
    report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_BAT_CORRUPT,
            "dynamic header, table offset", AT (c, table_offset), expected,
            "the block table is not in the file, so no data can be found",
            "%" PRIu64, offset);
    return -1;
  }
  if (offset % SECTOR_SIZE != 0 || offset < sizeof (struct vhd_footer_disk) ||
      overlap (offset, bytes, c->offset, sizeof (struct vhd_header_disk))) {
    report (c->r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_HEADER_CORRUPT,
            "dynamic header, table offset", AT (c, table_offset),
            "a multiple of 512 that keeps the table clear of the footer copy "
            "and of the dynamic header",
            "the block table would be a part of other structures",
            "%" PRIu64, offset);
    return -1;
  }
  return 0;
}

uint64_t
vhd_locator_space (const struct vhd_locator *l)
{
  /* Sectors by the specification, bytes in practice (6.3). */
  uint64_t space =
    l->space < SECTOR_SIZE ? (uint64_t) l->space * SECTOR_SIZE : l->space;

  return MAX_OF (space, (uint64_t) l->length);
}

bool
vhd_locator_usable (const struct vhd_locator *l, uint64_t file_size)
{
  return l->platform != VHD_PLATFORM_NONE && l->length != 0 &&
    l->length <= VHD_MAX_LOCATOR_BYTES &&
    range_within (l->offset, l->length, file_size);
}

/* A payload must be in the file, and must be nothing else. */
static int
check_payload (const struct check *c, const struct vhd_locator *l,
               const char *name, uint64_t at)
{
  bool utf16 = l->platform == VHD_PLATFORM_W2RU ||
    l->platform == VHD_PLATFORM_W2KU;
  char expected[120];

  if (l->length > VHD_MAX_LOCATOR_BYTES)
    return report (c->r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                   name, at, "a path of at most 65536 bytes",
                   "this place does not name the parent",
                   "%" PRIu32 " bytes", l->length);

  if (!range_within (l->offset, l->length, c->file_size)) {
    snprintf (expected, sizeof expected,
              "a path inside the file of %" PRIu64 " bytes", c->file_size);
    return report (c->r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                   name, at, expected, "this place does not name the parent",
                   "%" PRIu32 " bytes at %" PRIu64, l->length, l->offset);
  }

  if (l->offset < sizeof (struct vhd_footer_disk) ||
      overlap (l->offset, l->length, c->offset,
               sizeof (struct vhd_header_disk)) ||
      overlap (l->offset, l->length, c->h->table_offset, table_bytes (c->h)))
    return report (c->r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                   name, at, "a path clear of the footer copy, the dynamic "
                   "header and the block table",
                   "this place does not name the parent, and writing it "
                   "would destroy the image",
                   "%" PRIu32 " bytes at %" PRIu64, l->length, l->offset);

  if (utf16 && l->length % 2 != 0)
    return report (c->r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                   name, at, "an even number of bytes, the path being UTF-16",
                   "the last byte is ignored", "%" PRIu32 " bytes",
                   l->length);
  return 0;
}

static int
check_locator (const struct check *c, size_t i)
{
  const struct vhd_locator *l = &c->h->locator[i];
  uint64_t at = AT (c, locator) + i * sizeof (struct vhd_locator_disk);
  char name[48];

  if (l->platform == VHD_PLATFORM_NONE)
    return 0;
  snprintf (name, sizeof name, "dynamic header, parent locator %zu", i);

  if (l->length == 0)
    return report (c->r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_HEADER_CORRUPT,
                   name, at, "the path of the parent",
                   "this place does not name the parent", "an empty path");
  return check_payload (c, l, name, at);
}

static int
check_locators (const struct check *c)
{
  static const struct vhd_locator unused;
  size_t i;

  for (i = 0; i < VHD_LOCATORS; ++i) {
    if (c->f->type == VHD_DIFFERENCING) {
      if (check_locator (c, i) == -1)
        return -1;
    }
    else if (memcmp (&c->h->locator[i], &unused, sizeof unused) != 0)
      return report (c->r, VHDKIT_SEVERITY_NOTE, VHDKIT_ERR_HEADER_CORRUPT,
                     "dynamic header, parent locators", AT (c, locator),
                     "none, the image being dynamic",
                     "a dynamic image has no parent; they are ignored",
                     "locator %zu in use", i);
  }
  return 0;
}

int
vhd_header_decode (const struct vhd_header_disk *d, uint64_t offset,
                   const struct vhd_footer *f, uint64_t file_size,
                   struct report *r, struct vhd_header *ret)
{
  struct vhd_header h;
  const struct check c = {
    .h = &h, .f = f, .offset = offset, .file_size = file_size, .r = r,
  };

  decode_fields (d, &h);
  if (check_identity (&c, d) == -1 ||
      check_next_offset (&c) == -1 ||
      check_block_size (&c) == -1 ||
      check_table_entries (&c) == -1 ||
      check_table_place (&c) == -1 ||
      check_locators (&c) == -1)
    return -1;
  *ret = h;
  return 0;
}

void
vhd_header_encode (const struct vhd_header *h, struct vhd_header_disk *ret)
{
  size_t i;

  memset (ret, 0, sizeof *ret);
  memcpy (ret->cookie, VHD_HEADER_COOKIE, sizeof ret->cookie);
  ret->next_offset = put_be64 (h->next_offset);
  ret->table_offset = put_be64 (h->table_offset);
  ret->version = put_be32 (h->version);
  ret->table_entries = put_be32 (h->table_entries);
  ret->block_size = put_be32 (h->block_size);
  memcpy (ret->parent_id, h->parent_id, sizeof ret->parent_id);
  ret->parent_timestamp = put_be32 (h->parent_timestamp);
  ret->reserved1 = put_be32 (h->reserved1);
  memcpy (ret->parent_name, h->parent_name, sizeof ret->parent_name);
  for (i = 0; i < VHD_LOCATORS; ++i) {
    ret->locator[i].platform = put_be32 (h->locator[i].platform);
    ret->locator[i].space = put_be32 (h->locator[i].space);
    ret->locator[i].length = put_be32 (h->locator[i].length);
    ret->locator[i].reserved = put_be32 (h->locator[i].reserved);
    ret->locator[i].offset = put_be64 (h->locator[i].offset);
  }
  memcpy (ret->reserved2, h->reserved2, sizeof ret->reserved2);
  ret->checksum = put_be32 (vhd_checksum (ret, sizeof *ret, CHECKSUM_AT));
}

void
vhd_header_init (struct vhd_header *h, uint64_t size, uint32_t block_size,
                 uint64_t table_offset)
{
  assert (is_power_of_2 (block_size));
  assert (div_round_up (size, block_size) < VHD_BAT_UNUSED);

  memset (h, 0, sizeof *h);
  h->next_offset = VHD_NO_OFFSET;
  h->table_offset = table_offset;
  h->version = VHD_VERSION_1;
  h->table_entries = div_round_up (size, block_size);
  h->block_size = block_size;
}
