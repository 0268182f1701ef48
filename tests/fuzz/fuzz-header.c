/* vhdkit: fuzzing the dynamic header.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: one byte of choices, the file size (8 bytes), the footer, the header
 * (zeros where the input ends).  Type and disk size of the footer are made
 * acceptable, as they are when a header is looked at.  By choice the input is
 * what differs from a good header and a file size that fits, and the checksum
 * is made right: few bytes then reach every check.
 */
#include <config.h>

#include <stdlib.h>

#include "base/checked.h"
#include "format/vhd.h"
#include "promise.h"

#define CHOOSE_CHANGES 1
#define CHOOSE_STRICT 2
#define GOOD_FILE_SIZE 8192

extern int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

static void
encode_is_the_inverse (const struct vhd_header *h,
                       const struct vhd_header_disk *d)
{
  struct vhd_header_disk again;

  vhd_header_encode (h, &again);
  again.checksum = d->checksum;
  require (memcmp (&again, d, sizeof again) == 0);
}

/* What the opener builds on without looking again. */
static void
decode_keeps_its_promises (const struct vhd_header *h,
                           const struct vhd_footer *f, uint64_t file_size)
{
  uint64_t needed, bytes = (uint64_t) h->table_entries * 4;
  size_t i;

  require (is_power_of_2 (h->block_size));
  require (h->block_size >= VHD_MIN_BLOCK_SIZE &&
           h->block_size <= VHD_MAX_BLOCK_SIZE);
  needed = div_round_up (f->current_size, h->block_size);
  require (h->table_entries >= needed);
  require (needed * 4 <= VHD_MAX_TABLE_BYTES);
  require (h->table_offset % SECTOR_SIZE == 0 && h->table_offset >= 512);
  require (range_within (h->table_offset, bytes, file_size));
  for (i = 0; i < VHD_LOCATORS; ++i) {
    require (vhd_locator_space (&h->locator[i]) >= h->locator[i].length);
    if (vhd_locator_usable (&h->locator[i], file_size))
      require (range_within (h->locator[i].offset, h->locator[i].length,
                             file_size));
  }
}

static void
change_good_header (struct vhd_header_disk *d)
{
  struct vhd_header_disk good;
  struct vhd_header h;
  size_t i;

  vhd_header_init (&h, 1, VHD_DEFAULT_BLOCK_SIZE, 0x600);
  vhd_header_encode (&h, &good);
  for (i = 0; i < sizeof good; ++i)
    ((uint8_t *) d)[i] ^= ((uint8_t *) &good)[i];
  d->checksum =
    put_be32 (vhd_checksum (d, sizeof *d,
                            offsetof (struct vhd_header_disk, checksum)));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct {
    uint8_t choice[1];
    be64 file_size;
    struct vhd_footer_disk footer;
    struct vhd_header_disk d;
  } in = { 0 };
  struct report r = { .file = "fuzz" };
  struct vhd_footer f;
  struct vhd_header h;
  uint64_t file_size;

  memcpy (&in, data, MIN_OF (size, sizeof in));
  memcpy (in.footer.cookie, VHD_FOOTER_COOKIE, sizeof in.footer.cookie);
  vhd_footer_decode (&in.footer, &f);
  f.type = in.footer.type.b[3] & 1 ? VHD_DIFFERENCING : VHD_DYNAMIC;
  f.current_size %= VHD_MAX_REACH + 1;
  f.current_size = MAX_OF (round_down (f.current_size, SECTOR_SIZE),
                           (uint64_t) SECTOR_SIZE);
  file_size = get_be64 (in.file_size) >> 1;
  if (in.choice[0] & CHOOSE_CHANGES) {
    change_good_header (&in.d);
    file_size ^= GOOD_FILE_SIZE;
  }
  if (!(in.choice[0] & CHOOSE_STRICT))
    r.fn = go_on;

  /* The header was read at 512, so it lies in the file. */
  file_size = MAX_OF (file_size, UINT64_C (1536));
  if (vhd_header_decode (&in.d, 512, &f, file_size, &r, &h) == 0) {
    encode_is_the_inverse (&h, &in.d);
    decode_keeps_its_promises (&h, &f, file_size);
  }
  return 0;
}
