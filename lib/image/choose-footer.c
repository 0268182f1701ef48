/* vhdkit: which footer counts.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A VHD has its footer at the end and, unless it is fixed, a copy at the
 * start.  The one at the end decides: sector 0 of a fixed image belongs to
 * the guest, which could forge a copy there and choose which bytes of the
 * file to see.  The copy counts only when there is no valid footer at the
 * end, and only with a dynamic header behind it.  Source: vhd-format 1.5.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "image/internal.h"

struct place {
  struct vhd_footer_disk disk;
  struct vhd_footer footer;
  enum vhd_footer_state state;
  uint64_t offset;
};

static int
read_place (struct image *i, uint64_t offset, size_t size, struct place *p)
{
  memset (&p->disk, 0, sizeof p->disk);
  if (store_pread (i->store, &p->disk, size, offset) == -1) {
    error_prefix ("footer");
    error_recode (VHDKIT_ERR_METADATA_READ_FAILURE, EIO);
    return -1;
  }
  p->offset = offset;
  p->state = vhd_footer_decode (&p->disk, &p->footer);
  return 0;
}

/* The last 512 bytes, or 511 as before Virtual PC 2004. */
static int
read_trailing (struct image *i, struct place *p)
{
  size_t size = sizeof p->disk;
  struct place old;

  if (i->file_size >= size) {
    if (read_place (i, i->file_size - size, size, p) == -1)
      return -1;
    if (p->state != VHD_FOOTER_ABSENT)
      return 0;
  }
  if (i->file_size % SECTOR_SIZE != 511)
    return 0;
  if (read_place (i, i->file_size - 511, 511, &old) == -1)
    return -1;
  if (old.state != VHD_FOOTER_ABSENT)
    *p = old;
  return 0;
}

static bool
is_sparse_type (uint32_t type)
{
  return type == VHD_DYNAMIC || type == VHD_DIFFERENCING;
}

/* Does the footer lead to a header whose table covers the disk? */
static int
same_table_and_size (struct image *i, const struct place *p, bool *ret_same)
{
  struct vhd_header_disk d;
  uint64_t covered;

  *ret_same = false;
  if (p->state != VHD_FOOTER_VALID || !is_sparse_type (p->footer.type)
      || !vhd_footer_header_placed (&p->footer, p->offset, i->file_size))
    return 0;
  if (store_pread (i->store, &d, sizeof d, p->footer.data_offset) == -1) {
    error_prefix ("dynamic header");
    error_recode (VHDKIT_ERR_METADATA_READ_FAILURE, EIO);
    return -1;
  }
  *ret_same = memcmp (d.cookie, VHD_HEADER_COOKIE, 8) == 0
              && checked_mul (get_be32 (d.table_entries),
                              get_be32 (d.block_size), &covered)
              && covered >= p->footer.current_size;
  return 0;
}

/* Why there is no footer that counts. */
static int
explain (struct image *i, const struct place *end, const struct place *copy)
{
  const struct place *p = end->state != VHD_FOOTER_ABSENT ? end : copy;
  const char *name = i->store->name;
  unsigned long long at = p->offset;

  switch (p->state) {
  case VHD_FOOTER_ABSENT:
  case VHD_FOOTER_VALID:        /* a copy of a fixed disk's footer */
    if (p->state == VHD_FOOTER_VALID)
      set_error (VHDKIT_ERR_FOOTER_MISSING, EIO,
                 "%s: no footer in the last 512 bytes (offset %llu), and what "
                 "is at offset 0 cannot stand in for it; expected \"conectix\" "
                 "there: the file was cut short, or is not a VHD image", name,
                 (unsigned long long) end->offset);
    else
      set_error (VHDKIT_ERR_FORMAT_UNKNOWN, EIO,
                 "%s: not a VHD image: found no \"conectix\" at the end "
                 "(offset %llu) nor at offset 0", name,
                 (unsigned long long) end->offset);
    return -1;
  case VHD_FOOTER_POISONED:
    set_error (VHDKIT_ERR_WRONG_STATE, EIO,
               "%s: found \"v_poison\" at offset %llu, expected \"conectix\": "
               "a resize by vhd-util was interrupted; run vhd-util revert "
               "with its journal", name, at);
    return -1;
  case VHD_FOOTER_BAD_CHECKSUM:
    set_error (VHDKIT_ERR_FOOTER_CHECKSUM, EIO,
               "%s: footer at offset %llu: found checksum %08x, expected %08x, "
               "and no valid copy: the image is damaged", name, at,
               p->footer.checksum,
               vhd_checksum (&p->disk, sizeof p->disk,
                             offsetof (struct vhd_footer_disk, checksum)));
    return -1;
  case VHD_FOOTER_BAD_VERSION:
    set_error (VHDKIT_ERR_UNSUPPORTED_VERSION, ENOTSUP,
               "%s: footer at offset %llu: found version %u.%u, expected 1.x",
               name, at, p->footer.version >> 16, p->footer.version & 0xffff);
    return -1;
  case VHD_FOOTER_BAD_TYPE:
    set_error (VHDKIT_ERR_FOOTER_CORRUPT, EIO,
               "%s: footer at offset %llu: found disk type %u, expected 2 "
               "(fixed), 3 (dynamic) or 4 (differencing)", name, at,
               p->footer.type);
    return -1;
  }
  return -1;
}

static int
report_missing (const struct place *end, struct report *r)
{
  bool filler = end->disk.cookie[0] == 0xc7 && end->disk.cookie[7] == 0xc7;

  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_MISSING,
                 "footer", end->offset, "a valid footer",
                 "the copy at the start is used instead; the image was in "
                 "use when its last user was killed; opening it for writing "
                 "puts the footer back",
                 filler ? "bytes C7, as tapdisk leaves in a disk in use"
                 : end->state == VHD_FOOTER_ABSENT ? "no footer"
                 : "a damaged footer");
}

static int
report_differ (const struct place *copy, struct report *r)
{
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_CORRUPT,
                 "footer copy", copy->offset, "the same bytes as the footer",
                 "the footer at the end is used; programs that read the copy "
                 "(qemu) may refuse the image or see another size",
                 copy->state == VHD_FOOTER_VALID ? "a valid footer that differs"
                 : copy->state == VHD_FOOTER_ABSENT ? "no footer"
                 : "a damaged footer");
}

int
choose_footer (struct image *i, struct report *r)
{
  struct place end = { .state = VHD_FOOTER_ABSENT };
  struct place copy = { .state = VHD_FOOTER_ABSENT };
  bool copy_good, end_good;

  if (i->file_size < 511) {
    set_error (VHDKIT_ERR_NOT_VIRTUAL_DISK, EIO,
               "%s: not a VHD image: found %llu bytes, expected a footer of "
               "512", i->store->name, (unsigned long long) i->file_size);
    return -1;
  }
  if (read_trailing (i, &end) == -1)
    return -1;
  if (end.state == VHD_FOOTER_VALID && end.footer.type == VHD_FIXED) {
    i->footer = end.footer;
    i->data_end = end.offset;
    return 0;
  }
  if (i->file_size >= sizeof copy.disk
      && read_place (i, 0, sizeof copy.disk, &copy) == -1)
    return -1;
  if (same_table_and_size (i, &copy, &copy_good) == -1
      || same_table_and_size (i, &end, &end_good) == -1)
    return -1;

  if (end.state == VHD_FOOTER_VALID && (end_good || !copy_good)) {
    i->footer = end.footer;
    i->data_end = end.offset;
    i->copy_differs = memcmp (&end.disk, &copy.disk, sizeof end.disk) != 0;
    return i->copy_differs ? report_differ (&copy, r) : 0;
  }
  if (!copy_good)
    return explain (i, &end, &copy);

  i->footer = copy.footer;
  i->footer_missing = true;
  i->data_end = end.state == VHD_FOOTER_ABSENT
                ? round_down (i->file_size, SECTOR_SIZE) : end.offset;
  return report_missing (&end, r);
}
