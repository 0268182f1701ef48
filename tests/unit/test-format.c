/* vhdkit: tests of the arithmetic of the format.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Numbers in comments are sections of the format notes that the numbers in
 * the code come from; "10.1" and "10.2" are real images.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "format/vhd.h"

#define MiB (UINT64_C (1) << 20)
#define GiB (UINT64_C (1) << 30)

static void
checksum_is_the_complement_of_the_byte_sum (void **state)
{
  uint8_t b[8] = { 1, 2, 3, 4, 5, 6, 7, 255 };

  (void) state;
  assert_int_equal (vhd_checksum (b, 8, 8), ~UINT32_C (283));
  assert_int_equal (vhd_checksum (b, 8, 4), ~UINT32_C (10));
  assert_int_equal (vhd_checksum (b, 0, 0), UINT32_MAX);
}

static void
checksums_of_headers_of_real_images (void **state)
{
  static const struct { uint32_t entries, sum; } want[] = {
    { 1, 0xfffff476 }, { 2, 0xfffff475 }, { 3, 0xfffff474 },
    { 20, 0xfffff463 }, { 256, 0xfffff476 }, { 512, 0xfffff475 },
    { 65024, 0xfffff379 },
  };
  struct vhd_header h;
  struct vhd_header_disk d;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof want / sizeof want[0]; ++i) {
    vhd_header_init (&h, want[i].entries * 2 * MiB, 2 * MiB, 0x600);
    assert_int_equal (h.table_entries, want[i].entries);
    vhd_header_encode (&h, &d);
    assert_int_equal (get_be32 (d.checksum), want[i].sum);
  }
}

static void
geometry_of_sizes (void **state)
{
  static const struct { uint64_t size; int c, h, s; } want[] = {
    { 0, 0, 4, 17 },
    { 512, 0, 4, 17 },
    { 1048576, 30, 4, 17 },
    { 3145728, 90, 4, 17 },
    { 4194304, 120, 4, 17 },
    { 8388608, 240, 4, 17 },
    { 10485760, 301, 4, 17 },
    { 41943040, 963, 5, 17 },
    { 104857600, 1003, 12, 17 },
    { 528482304, 1024, 16, 63 },
    { 536870912, 1040, 16, 63 },
    { 1073741824, 2080, 16, 63 },
    { 2147483648, 4161, 16, 63 },
    { 33822350848, 65534, 16, 63 },
    { 33822351360, 16191, 16, 255 },
    { 34359738368, 16448, 16, 255 },
    { 136365211648, 65278, 16, 255 },
    { 136899993600, 65535, 16, 255 },
    { 136899993600 + 512, 65535, 16, 255 },
    { VHD_MAX_SIZE, 65535, 16, 255 },
    { UINT64_MAX, 65535, 16, 255 },
    /* Where 17 sectors with 16 heads end, and where 31 sectors do. */
    { UINT64_C (16) * 1024 * 17 * 512 - 512, 1023, 16, 17 },
    { UINT64_C (16) * 1024 * 17 * 512, 561, 16, 31 },
    { UINT64_C (16) * 1024 * 31 * 512 - 512, 1023, 16, 31 },
    { UINT64_C (16) * 1024 * 31 * 512, 503, 16, 63 },
  };
  uint16_t c;
  uint8_t h, s;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof want / sizeof want[0]; ++i) {
    vhd_geometry (want[i].size, &c, &h, &s);
    if (c != want[i].c || h != want[i].h || s != want[i].s)
      fail_msg ("%llu bytes: found %d/%d/%d, expected %d/%d/%d",
                (unsigned long long) want[i].size, c, h, s,
                want[i].c, want[i].h, want[i].s);
  }
}

static void
creators (void **state)
{
  struct vhd_footer f = { .creator = "tap" };

  (void) state;
  assert_true (vhd_creator_is_tap (&f));
  memcpy (f.creator, "win ", 4);
  assert_false (vhd_creator_is_tap (&f));
  assert_true (vhd_creator_windows_order ((const uint8_t *) "win "));
  assert_true (vhd_creator_windows_order ((const uint8_t *) "d2v\0"));
  assert_true (vhd_creator_windows_order ((const uint8_t *) "vbox"));
  assert_false (vhd_creator_windows_order ((const uint8_t *) "vpc "));
  assert_false (vhd_creator_windows_order ((const uint8_t *) "qemu"));
  assert_false (vhd_creator_windows_order ((const uint8_t *) "tap\0"));
}

static void
bitmaps_take_whole_sectors (void **state)
{
  (void) state;
  assert_int_equal (vhd_bitmap_bytes (4096), 512);
  assert_int_equal (vhd_bitmap_bytes (512 * 1024), 512);
  assert_int_equal (vhd_bitmap_bytes (2 * MiB), 512);
  assert_int_equal (vhd_bitmap_bytes (4 * MiB), 1024);
  assert_int_equal (vhd_bitmap_bytes (256 * MiB), 65536);
}

static void
space_is_sectors_or_bytes (void **state)
{
  struct vhd_locator l = { .platform = VHD_PLATFORM_W2RU, .length = 20 };

  (void) state;
  l.space = 1;
  assert_int_equal (vhd_locator_space (&l), 512);
  l.space = 511;
  assert_int_equal (vhd_locator_space (&l), 511 * 512);
  l.space = 512;
  assert_int_equal (vhd_locator_space (&l), 512);
  l.space = 65536;
  assert_int_equal (vhd_locator_space (&l), 65536);
  l.length = 70000;
  assert_int_equal (vhd_locator_space (&l), 70000);
  l.space = 0;
  l.length = 20;
  assert_int_equal (vhd_locator_space (&l), 20);
}

static void
usable_locators (void **state)
{
  struct vhd_locator l = {
    .platform = VHD_PLATFORM_W2RU, .length = 20, .offset = 4096,
  };

  (void) state;
  assert_true (vhd_locator_usable (&l, 4116));
  assert_false (vhd_locator_usable (&l, 4115));
  l.length = 0;
  assert_false (vhd_locator_usable (&l, 8192));
  l.length = 65536;
  assert_true (vhd_locator_usable (&l, MiB));
  l.length = 65537;
  assert_false (vhd_locator_usable (&l, MiB));
  l.length = 20;
  l.platform = VHD_PLATFORM_NONE;
  assert_false (vhd_locator_usable (&l, MiB));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (checksum_is_the_complement_of_the_byte_sum),
    cmocka_unit_test (checksums_of_headers_of_real_images),
    cmocka_unit_test (geometry_of_sizes),
    cmocka_unit_test (creators),
    cmocka_unit_test (bitmaps_take_whole_sectors),
    cmocka_unit_test (space_is_sectors_or_bytes),
    cmocka_unit_test (usable_locators),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
