/* vhdkit tests: what fuzzers found, one test each.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"

#include "format/vhd.h"
#include "image/image.h"
#include "store-wrap.h"
#include "target.h"

#define KIB 1024u
#define BLOCK (4 * KIB)
#define SIZE (64 * KIB)

/*----------------------------------------------------------------------
 * Images, changed by hand
 *--------------------------------------------------------------------*/

static struct store *
make_image (uint32_t type)
{
  struct image_shape shape = { .type = type, .size = SIZE,
                               .block_size = BLOCK };
  struct store *s = store_open_memory ("image");

  assert_non_null (s);
  format_image (s, &shape);
  return s;
}

static struct image *
open_writable (struct store *s)
{
  struct image_options o = { .writable = true };
  struct image *i;

  assert_ok (image_open (wrap_keep (s), &o, &i));
  return i;
}

static void
write_block (struct image *i, unsigned block, uint8_t byte)
{
  uint8_t buf[BLOCK];

  memset (buf, byte, sizeof buf);
  assert_ok (image_pwrite (i, buf, sizeof buf, block * BLOCK));
}

static void
assert_block (struct image *i, unsigned block, uint8_t byte)
{
  uint8_t buf[BLOCK], want[BLOCK];

  memset (want, byte, sizeof want);
  assert_ok (image_pread (i, buf, sizeof buf, block * BLOCK));
  assert_memory_equal (buf, want, sizeof want);
}

/* Locator 0: payload of length bytes at offset, wherever that is. */
static void
set_locator (struct store *s, uint64_t offset, uint32_t length)
{
  struct vhd_header_disk d;

  assert_ok (store_pread (s, &d, sizeof d, 512));
  d.locator[0].platform = put_be32 (VHD_PLATFORM_W2RU);
  d.locator[0].length = put_be32 (length);
  d.locator[0].space = put_be32 (512);
  d.locator[0].offset = put_be64 (offset);
  d.checksum = put_be32 (vhd_checksum (&d, sizeof d,
                                       offsetof (struct vhd_header_disk,
                                                 checksum)));
  assert_ok (store_pwrite (s, &d, sizeof d, 512));
}

static void
close_and_drop (struct image *i, struct store *s)
{
  assert_ok (image_close (i));
  store_close (s);
}

/*----------------------------------------------------------------------
 * The findings
 *--------------------------------------------------------------------*/

/* The payload of a locator lay behind the end of the file.  When the file had
 * grown it lay inside, and every block before it was taken for damage. */
static void
locator_behind_the_end_does_not_come_true (void **state)
{
  struct store *s = make_image (VHD_DIFFERENCING);
  struct image *i = open_writable (s);
  unsigned k;

  (void) state;
  write_block (i, 0, 1);
  assert_ok (image_close (i));
  set_locator (s, 32 * KIB + 5, 100);

  i = open_writable (s);
  for (k = 1; k < 12; k++)
    write_block (i, k, 1 + k);
  assert_ok (image_close (i));

  i = open_writable (s);
  for (k = 0; k < 12; k++) {
    assert_block (i, k, 1 + k);
    if (k > 0)
      assert_true (image_table_entry (i, k) * 512 >= 32 * KIB + 105);
  }
  close_and_drop (i, s);
}

/* The same with the map of a XenServer image. */
static void
batmap_behind_the_end_does_not_come_true (void **state)
{
  struct store *s = make_image (VHD_DYNAMIC);
  struct vhd_batmap_disk map = { .cookie = VHD_BATMAP_COOKIE };
  struct vhd_footer_disk d;
  struct vhd_footer f;
  struct image *i;
  uint64_t size;
  unsigned k;

  (void) state;
  assert_ok (store_size (s, &size));
  assert_ok (store_pread (s, &d, sizeof d, 0));
  vhd_footer_decode (&d, &f);
  memcpy (f.creator, "tap", 4);
  vhd_footer_encode (&f, &d);
  map.offset = put_be64 (32 * KIB);
  map.sectors = put_be32 (1);
  assert_ok (store_pwrite (s, &map, sizeof map, size - 512));
  assert_ok (store_pwrite (s, &d, sizeof d, size));
  assert_ok (store_pwrite (s, &d, sizeof d, 0));

  for (k = 0; k < 12; k++) {
    i = open_writable (s);
    write_block (i, k, 1 + k);
    assert_ok (image_close (i));
  }
  i = open_writable (s);
  for (k = 0; k < 12; k++)
    assert_block (i, k, 1 + k);
  close_and_drop (i, s);
}

/* Two blocks were freed that had a locator's payload between them, in what
 * looked like the padding of the alignment.  It went with them. */
static void
payload_between_freed_blocks_stays (void **state)
{
  static const char path[] = "b\0a\0s\0e\0";
  struct store *s = make_image (VHD_DIFFERENCING);
  struct image *i = open_writable (s);
  struct below below = below_image (NULL);
  char back[8];
  uint64_t offset;
  unsigned k;

  (void) state;
  write_block (i, 0, 1);
  write_block (i, 1, 2);
  offset = image_table_entry (i, 0) * UINT64_C (512) + 512 + BLOCK;
  assert_true (image_table_entry (i, 1) * UINT64_C (512) >= offset + 512);
  assert_ok (image_close (i));
  assert_ok (store_pwrite (s, path, sizeof back, offset));
  set_locator (s, offset, sizeof back);

  i = open_writable (s);
  image_set_below (i, &below);
  assert_ok (image_zero (i, 2 * BLOCK, 0, IMAGE_ZERO_TRIM));
  assert_ok (image_flush (i));
  assert_ok (store_pread (s, back, sizeof back, offset));
  assert_memory_equal (back, path, sizeof back);
  for (k = 4; k < 9; k++)
    write_block (i, k, k);
  assert_ok (image_flush (i));
  assert_ok (store_pread (s, back, sizeof back, offset));
  assert_memory_equal (back, path, sizeof back);
  close_and_drop (i, s);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (locator_behind_the_end_does_not_come_true),
    cmocka_unit_test (batmap_behind_the_end_does_not_come_true),
    cmocka_unit_test (payload_between_freed_blocks_stays),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
