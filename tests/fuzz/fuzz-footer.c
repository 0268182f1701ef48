/* vhdkit: fuzzing the footer.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: one byte of choices, offset and file size of 8 bytes each, then the
 * footer (zeros where the input ends).  By choice the input is what differs
 * from a good footer, and the checksum is made right: few bytes then reach
 * every check.
 */
#include <config.h>

#include <stdlib.h>

#include "base/checked.h"
#include "format/vhd.h"
#include "promise.h"

#define CHOOSE_CHANGES 1
#define CHOOSE_STRICT 2

extern int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
encode_is_the_inverse (const struct vhd_footer *f,
                       const struct vhd_footer_disk *d)
{
  struct vhd_footer_disk again;

  vhd_footer_encode (f, &again);
  again.checksum = d->checksum; /* old tapdisks left it wrong */
  require (memcmp (&again, d, sizeof again) == 0);
}

static void
validate_keeps_its_promises (const struct vhd_footer *f, uint64_t offset,
                             uint64_t file_size, bool strict)
{
  struct report r = { .fn = strict ? NULL : go_on, .file = "fuzz" };

  if (vhd_footer_validate (f, offset, file_size, &r) == -1)
    return;
  require (f->current_size > 0 && f->current_size % SECTOR_SIZE == 0);
  if (f->type == VHD_FIXED)
    require (f->current_size <= offset);
  else {
    require (f->current_size <= VHD_MAX_REACH);
    require (f->data_offset % SECTOR_SIZE == 0);
    require (range_within (f->data_offset, sizeof (struct vhd_header_disk),
                           file_size));
  }
}

static void
change_good_footer (struct vhd_footer_disk *d)
{
  struct vhd_footer_disk good;
  struct vhd_footer f;
  size_t i;

  vhd_footer_init (&f, VHD_DYNAMIC, UINT64_C (10) << 20);
  vhd_footer_encode (&f, &good);
  for (i = 0; i < sizeof good; ++i)
    ((uint8_t *) d)[i] ^= ((uint8_t *) &good)[i];
  d->checksum =
    put_be32 (vhd_checksum (d, sizeof *d,
                            offsetof (struct vhd_footer_disk, checksum)));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct {
    uint8_t choice[1];
    be64 offset, file_size;
    struct vhd_footer_disk d;
  } in = { 0 };
  struct vhd_footer f;
  uint64_t offset, file_size;

  memcpy (&in, data, MIN_OF (size, sizeof in));
  if (in.choice[0] & CHOOSE_CHANGES)
    change_good_footer (&in.d);
  if (vhd_footer_decode (&in.d, &f) != VHD_FOOTER_VALID)
    return 0;
  encode_is_the_inverse (&f, &in.d);

  /* A footer was read at offset, so it lies in the file. */
  file_size = get_be64 (in.file_size) >> 1;
  offset = get_be64 (in.offset) >> 1;
  if (!range_within (offset, sizeof in.d, file_size))
    offset = file_size > sizeof in.d ? file_size - sizeof in.d : 0;
  validate_keeps_its_promises (&f, offset, file_size,
                               in.choice[0] & CHOOSE_STRICT);
  return 0;
}
