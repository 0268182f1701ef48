/* vhdkit: tests of the dynamic header: its bytes and its checks.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Numbers in comments are sections of the format notes that the numbers in
 * the code come from; "10.1" and "10.2" are real images.
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/error.h"
#include "format/vhd.h"
#include "findings.h"

#define MiB (UINT64_C (1) << 20)
#define GiB (UINT64_C (1) << 30)

/*----------------------------------------------------------------------
 * Header: bytes
 *--------------------------------------------------------------------*/

/* 10.2: Windows 10, a child of 4 MiB. */
static void
header_of_windows (struct vhd_header *h)
{
  static const uint8_t parent_id[16] = {
    0x5f, 0xa2, 0x1a, 0x55, 0xf3, 0x94, 0xaa, 0x4d,
    0x99, 0x58, 0x19, 0x51, 0xa6, 0x7d, 0x55, 0x40,
  };
  static const char name[] = "C:\\Projects\\dfvfs\\test_data\\fat-parent.vhd";
  size_t i;

  vhd_header_init (h, 4 * MiB, 2 * MiB, 0x2000);
  memcpy (h->parent_id, parent_id, 16);
  for (i = 0; name[i]; ++i)
    h->parent_name[2 * i + 1] = name[i];
  h->locator[0] = (struct vhd_locator) {
    .platform = VHD_PLATFORM_W2KU, .space = 4096, .length = 84,
    .offset = 0x1000,
  };
  h->locator[1] = (struct vhd_locator) {
    .platform = VHD_PLATFORM_W2RU, .space = 65536, .length = 32,
    .offset = 0x3000,
  };
}

#define WINDOWS_FILE_SIZE 0x215000

static void
real_header_encodes_byte_for_byte (void **state)
{
  static const uint8_t locators[48] = {
    0x57, 0x32, 0x6b, 0x75, 0x00, 0x00, 0x10, 0x00,
    0x00, 0x00, 0x00, 0x54, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10, 0x00,
    0x57, 0x32, 0x72, 0x75, 0x00, 0x01, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00,
    0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x30, 0x00,
  };
  struct vhd_header h;
  struct vhd_header_disk d;
  const uint8_t *b = (const uint8_t *) &d;

  (void) state;
  header_of_windows (&h);
  vhd_header_encode (&h, &d);
  assert_memory_equal (b, "cxsparse\xff\xff\xff\xff\xff\xff\xff\xff"
                       "\0\0\0\0\0\0\x20\0\0\1\0\0\0\0\0\2\0\x20\0\0"
                       "\xff\xff\xd9\x51\x5f\xa2\x1a\x55", 0x2c);
  assert_memory_equal (b + 0x40, "\0C\0:\0\\\0P", 8);
  assert_memory_equal (b + 0x240, locators, 48);
}

static int
decode_header (const struct vhd_header *in, const struct vhd_footer *f,
               uint64_t file_size, struct seen *s, struct vhd_header *ret)
{
  struct report r = { .fn = remember, .opaque = s, .file = "a.vhd" };
  struct vhd_header_disk d;

  memset (s, 0, sizeof *s);
  vhd_header_encode (in, &d);
  return vhd_header_decode (&d, 512, f, file_size, &r, ret);
}

static void
header_survives_decoding_and_encoding (void **state)
{
  struct vhd_footer f;
  struct vhd_header h, again;
  struct vhd_header_disk d, d2;
  struct seen s;

  (void) state;
  vhd_footer_init (&f, VHD_DIFFERENCING, 4 * MiB);
  header_of_windows (&h);
  h.parent_timestamp = 0x01020304;
  h.reserved1 = 5;
  h.locator[7].platform = VHD_PLATFORM_NONE;
  h.locator[7].reserved = 6;
  memset (h.reserved2, 7, sizeof h.reserved2);
  assert_int_equal (decode_header (&h, &f, WINDOWS_FILE_SIZE, &s, &again), 0);
  assert_int_equal (s.n, 0);
  assert_int_equal (again.next_offset, UINT64_MAX);
  assert_int_equal (again.table_offset, 0x2000);
  assert_int_equal (again.table_entries, 2);
  assert_int_equal (again.block_size, 2 * MiB);
  assert_int_equal (again.parent_timestamp, 0x01020304);
  assert_int_equal (again.locator[1].offset, 0x3000);
  vhd_header_encode (&h, &d);
  vhd_header_encode (&again, &d2);
  assert_memory_equal (&d, &d2, sizeof d);
}

static void
new_headers (void **state)
{
  struct vhd_header h;

  (void) state;
  vhd_header_init (&h, 2040 * GiB, 512 * 1024, 0x600);
  assert_int_equal (h.table_entries, 4177920);
  assert_int_equal (h.version, 0x10000);
  assert_int_equal (h.next_offset, UINT64_MAX);
  vhd_header_init (&h, 2 * MiB + 512, 2 * MiB, 0x600);
  assert_int_equal (h.table_entries, 2);
}

/*----------------------------------------------------------------------
 * Header: checks (9.2 points 5, 6 and 8)
 *--------------------------------------------------------------------*/

/* A good dynamic image of 10 MiB, to be spoiled in one place. */
struct spoiled {
  struct vhd_footer f;
  struct vhd_header h;
  struct seen s;
};
#define FILE_SIZE 8192

static void
prepare (struct spoiled *i, uint32_t type)
{
  vhd_footer_init (&i->f, type, 10 * MiB);
  vhd_header_init (&i->h, 10 * MiB, 2 * MiB, 0x600);
}

static int
decode_spoiled (struct spoiled *i)
{
  struct vhd_header ret;

  memset (&ret, 0x55, sizeof ret);
  if (decode_header (&i->h, &i->f, FILE_SIZE, &i->s, &ret) == 0) {
    assert_int_equal (ret.block_size, i->h.block_size);
    return 0;
  }
  /* Written only on success. */
  assert_int_equal (ret.block_size, 0x55555555);
  /* The receiver never says stop here; the error is the last finding. */
  assert_true (i->s.n > 0);
  assert_int_equal (vhdkit_get_error_code (), i->s.f[i->s.n - 1].code);
  return -1;
}

static void
cookie_of_the_header (void **state)
{
  struct spoiled i;
  struct vhd_header_disk d;
  struct vhd_header ret;
  struct report r = { .fn = remember, .opaque = &i.s };

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  vhd_header_encode (&i.h, &d);
  memcpy (d.cookie, "conectix", 8);
  memset (&i.s, 0, sizeof i.s);
  assert_int_equal (vhd_header_decode (&d, 512, &i.f, FILE_SIZE, &r, &ret),
                    -1);
  assert_int_equal (i.s.n, 1);
  assert_finding (&i.s, 0, ERROR, HEADER_CORRUPT, "dynamic header, cookie",
                  512);
  assert_string_equal (i.s.f[0].found, "0x636f6e6563746978");
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_HEADER_CORRUPT);
}

static void
every_byte_of_a_header_counts (void **state)
{
  struct spoiled i;
  struct vhd_header_disk d;
  struct vhd_header ret;
  size_t n;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  for (n = 8; n < sizeof d; ++n) {
    vhd_header_encode (&i.h, &d);
    ((uint8_t *) &d)[n] ^= 1;
    assert_int_equal (vhd_header_decode (&d, 512, &i.f, FILE_SIZE, NULL, &ret),
                      -1);
    assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_HEADER_CHECKSUM);
  }
}

static void
bad_checksum_is_an_error_that_can_be_passed (void **state)
{
  struct spoiled i;
  struct vhd_header_disk d;
  struct vhd_header ret;
  struct report r = { .fn = remember, .opaque = &i.s };

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  vhd_header_encode (&i.h, &d);
  d.checksum = put_be32 (1);
  memset (&i.s, 0, sizeof i.s);
  assert_int_equal (vhd_header_decode (&d, 512, &i.f, FILE_SIZE, &r, &ret), 0);
  assert_int_equal (i.s.n, 1);
  assert_finding (&i.s, 0, ERROR, HEADER_CHECKSUM, "dynamic header, checksum",
                  512 + 0x24);
  assert_string_equal (i.s.f[0].found, "0x00000001");
  assert_string_equal (i.s.f[0].expected, "0xfffff472");
}

static void
version_of_the_header (void **state)
{
  struct spoiled i;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  i.h.version = 0x20000;
  assert_int_equal (decode_spoiled (&i), -1);
  assert_finding (&i.s, 0, ERROR, HEADER_UNSUPPORTED_VERSION,
                  "dynamic header, version", 512 + 0x18);
  assert_int_equal (vhdkit_get_errno (), ENOTSUP);
  i.h.version = 0x10001;
  assert_int_equal (decode_spoiled (&i), 0);
}

static void
next_offset_is_never_followed (void **state)
{
  struct spoiled i;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  i.h.next_offset = 0xffffffff;
  assert_int_equal (decode_spoiled (&i), 0);
  assert_finding (&i.s, 0, NOTE, HEADER_CORRUPT, "dynamic header, next offset",
                  512 + 8);
  i.h.next_offset = 512;
  assert_int_equal (decode_spoiled (&i), 0);
  assert_finding (&i.s, 0, WARNING, HEADER_CORRUPT,
                  "dynamic header, next offset", 512 + 8);
}

static void
block_sizes (void **state)
{
  static const uint32_t bad[] = {
    0, 1, 512, 2048, 4095, 4097, 3 << 20, 512u << 20, 1u << 31, UINT32_MAX,
  };
  struct spoiled i;
  size_t n;
  uint32_t size;

  (void) state;
  for (n = 0; n < sizeof bad / sizeof bad[0]; ++n) {
    prepare (&i, VHD_DYNAMIC);
    i.h.block_size = bad[n];
    i.h.table_entries = 1000;
    assert_int_equal (decode_spoiled (&i), -1);
    assert_finding (&i.s, 0, ERROR, INVALID_BLOCK_SIZE,
                    "dynamic header, block size", 512 + 0x20);
  }
  for (size = 4096; size <= 256 * MiB; size *= 2) {
    vhd_footer_init (&i.f, VHD_DYNAMIC, MiB);
    vhd_header_init (&i.h, MiB, size, 0x600);
    assert_int_equal (decode_spoiled (&i), 0);
    assert_int_equal (i.s.n, 0);
  }
}

static void
small_blocks_are_refused_with_the_reason (void **state)
{
  struct spoiled i;
  struct vhd_header_disk d;
  struct vhd_header ret;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  i.h.block_size = 2048;
  vhd_header_encode (&i.h, &d);
  assert_int_equal (vhd_header_decode (&d, 512, &i.f, FILE_SIZE, NULL, &ret),
                    -1);
  assert_non_null (strstr (vhdkit_get_error (), "disagree"));
}

static void
table_must_cover_the_disk (void **state)
{
  struct spoiled i;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  i.h.table_entries = 4;
  assert_int_equal (decode_spoiled (&i), -1);
  assert_finding (&i.s, 0, ERROR, BAT_CORRUPT,
                  "dynamic header, number of table entries", 512 + 0x1c);
  assert_string_equal (i.s.f[0].found, "4");
  i.h.table_entries = 6;
  assert_int_equal (decode_spoiled (&i), 0);
  assert_int_equal (i.s.n, 1);
  assert_finding (&i.s, 0, NOTE, BAT_CORRUPT,
                  "dynamic header, number of table entries", 512 + 0x1c);
}

static void
table_must_be_inside_the_file (void **state)
{
  static const struct { uint64_t offset; uint32_t entries; } bad[] = {
    { FILE_SIZE, 5 }, { FILE_SIZE - 512, 129 }, { UINT64_MAX - 511, 5 },
    { UINT64_MAX, 5 }, { 0x600, UINT32_MAX }, { 0x600, 0x80000000 },
  };
  struct spoiled i;
  size_t n;

  (void) state;
  for (n = 0; n < sizeof bad / sizeof bad[0]; ++n) {
    prepare (&i, VHD_DYNAMIC);
    i.h.table_offset = bad[n].offset;
    i.h.table_entries = bad[n].entries;
    assert_int_equal (decode_spoiled (&i), -1);
    assert_finding (&i.s, i.s.n - 1, ERROR, BAT_CORRUPT,
                    "dynamic header, table offset", 512 + 0x10);
  }
  i.h.table_offset = FILE_SIZE - 512;
  i.h.table_entries = 128;
  assert_int_equal (decode_spoiled (&i), 0);
}

static void
table_must_be_clear_of_the_headers (void **state)
{
  static const uint64_t bad[] = { 0, 256, 512, 1024, 0x601, 0x600 + 256 };
  struct spoiled i;
  size_t n;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  for (n = 0; n < sizeof bad / sizeof bad[0]; ++n) {
    i.h.table_offset = bad[n];
    assert_int_equal (decode_spoiled (&i), -1);
    assert_finding (&i.s, 0, ERROR, HEADER_CORRUPT,
                    "dynamic header, table offset", 512 + 0x10);
  }
}

/* A header elsewhere leaves room for the table right after the copy. */
static void
table_may_lie_before_the_header (void **state)
{
  struct spoiled i;
  struct vhd_header_disk d;
  struct vhd_header ret;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  i.h.table_offset = 512;
  vhd_header_encode (&i.h, &d);
  assert_int_equal (vhd_header_decode (&d, 1024, &i.f, FILE_SIZE, NULL, &ret),
                    0);
  i.h.table_entries = 129;      /* one more than fits in between */
  vhd_header_encode (&i.h, &d);
  assert_int_equal (vhd_header_decode (&d, 1024, &i.f, FILE_SIZE, NULL, &ret),
                    -1);
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_HEADER_CORRUPT);
}

static void
table_has_a_largest_size (void **state)
{
  struct spoiled i;
  struct vhd_header ret;

  (void) state;
  vhd_footer_init (&i.f, VHD_DYNAMIC, 2040 * GiB);
  vhd_header_init (&i.h, 2040 * GiB, 128 << 10, 0x600);
  assert_int_equal (decode_header (&i.h, &i.f, GiB, &i.s, &ret), 0);
  /* Exactly 64 MiB of table. */
  vhd_footer_init (&i.f, VHD_DYNAMIC, 2048 * GiB);
  vhd_header_init (&i.h, 2048 * GiB, 128 << 10, 0x600);
  assert_int_equal (decode_header (&i.h, &i.f, GiB, &i.s, &ret), 0);
  assert_int_equal (i.s.n, 0);
  vhd_header_init (&i.h, 2048 * GiB, 64 << 10, 0x600);
  assert_int_equal (decode_header (&i.h, &i.f, GiB, &i.s, &ret), -1);
  assert_finding (&i.s, 0, ERROR, INVALID_BLOCK_SIZE,
                  "dynamic header, block size", 512 + 0x20);
}

/*----------------------------------------------------------------------
 * Locators
 *--------------------------------------------------------------------*/

#define LOCATOR_AT(n) (512 + 0x240 + 24 * (n))

static void
payloads_must_be_paths_in_the_file (void **state)
{
  static const struct { uint32_t length; uint64_t offset; } bad[] = {
    { 65538, 4096 },            /* no path is that long */
    { UINT32_MAX, 4096 },
    { 32, FILE_SIZE - 30 },     /* not in the file */
    { 32, UINT64_MAX - 7 },
    { 32, 0 },                  /* over the footer copy */
    { 32, 480 },
    { 32, 1024 },               /* over the header */
    { 32, 0x600 - 2 },
    { 32, 0x600 },              /* over the table */
    { 32, 0x7fe },
  };
  struct spoiled i;
  size_t n;

  (void) state;
  for (n = 0; n < sizeof bad / sizeof bad[0]; ++n) {
    prepare (&i, VHD_DIFFERENCING);
    i.h.locator[6] = (struct vhd_locator) {
      .platform = VHD_PLATFORM_W2RU, .length = bad[n].length,
      .offset = bad[n].offset,
    };
    /* Not the end of it: another locator, or the name, may be good. */
    assert_int_equal (decode_spoiled (&i), 0);
    assert_int_equal (i.s.n, 1);
    assert_finding (&i.s, 0, WARNING, HEADER_CORRUPT,
                    "dynamic header, parent locator 6", LOCATOR_AT (6));
    assert_int_equal (n < 2, strcmp (i.s.f[0].expected, "a path of at most "
                                     "65536 bytes") == 0);
  }
}

static void
odd_utf16_and_empty_paths_are_warnings (void **state)
{
  struct spoiled i;

  (void) state;
  prepare (&i, VHD_DIFFERENCING);
  i.h.locator[0] = (struct vhd_locator) {
    .platform = VHD_PLATFORM_W2KU, .length = 33, .offset = 4096,
  };
  i.h.locator[1] = i.h.locator[0];
  i.h.locator[1].platform = VHD_PLATFORM_MACX;
  i.h.locator[3].platform = VHD_PLATFORM_W2RU;
  assert_int_equal (decode_spoiled (&i), 0);
  assert_int_equal (i.s.n, 2);
  assert_finding (&i.s, 0, WARNING, HEADER_CORRUPT,
                  "dynamic header, parent locator 0", LOCATOR_AT (0));
  assert_string_equal (i.s.f[0].found, "33 bytes");
  assert_finding (&i.s, 1, WARNING, HEADER_CORRUPT,
                  "dynamic header, parent locator 3", LOCATOR_AT (3));
}

static void
unknown_and_unused_locators_are_fine (void **state)
{
  struct spoiled i;

  (void) state;
  prepare (&i, VHD_DIFFERENCING);
  i.h.locator[0] = (struct vhd_locator) { .length = 7, .offset = 3 };
  i.h.locator[1] = (struct vhd_locator) {
    .platform = 0x12345678, .length = 7, .offset = 4096,
  };
  assert_int_equal (decode_spoiled (&i), 0);
  assert_int_equal (i.s.n, 0);
}

static void
dynamic_image_should_have_no_locators (void **state)
{
  struct spoiled i;

  (void) state;
  prepare (&i, VHD_DYNAMIC);
  i.h.locator[2].platform = VHD_PLATFORM_W2RU;
  i.h.locator[3].offset = 1;
  assert_int_equal (decode_spoiled (&i), 0);
  assert_int_equal (i.s.n, 1);
  assert_finding (&i.s, 0, NOTE, HEADER_CORRUPT,
                  "dynamic header, parent locators", LOCATOR_AT (0));
  assert_string_equal (i.s.f[0].found, "locator 2 in use");
}

static void
receiver_that_says_stop_is_obeyed_everywhere (void **state)
{
  struct spoiled i;
  struct report r = { .fn = stop_at_once, .opaque = &i.s };
  struct vhd_header_disk d;
  struct vhd_header ret;
  int n;

  (void) state;
  for (n = 0; n < 6; ++n) {
    prepare (&i, n < 3 ? VHD_DYNAMIC : VHD_DIFFERENCING);
    switch (n) {
    case 0: i.h.next_offset = 0xffffffff; break;
    case 1: i.h.next_offset = 1; break;
    case 2: i.h.locator[0].platform = 1; break;
    case 3: i.h.locator[0].platform = 1; break;
    case 4: i.h.table_entries = 6; break;
    case 5:
      i.h.locator[0].platform = VHD_PLATFORM_W2RU;
      i.h.locator[0].length = 1;
      i.h.locator[0].offset = 4096;
      break;
    }
    memset (&i.s, 0, sizeof i.s);
    vhd_header_encode (&i.h, &d);
    assert_int_equal (vhd_header_decode (&d, 512, &i.f, FILE_SIZE, &r, &ret),
                      -1);
    assert_int_equal (i.s.n, 1);
    assert_int_equal (vhdkit_get_error_code (), i.s.f[0].code);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (real_header_encodes_byte_for_byte),
    cmocka_unit_test (header_survives_decoding_and_encoding),
    cmocka_unit_test (new_headers),
    cmocka_unit_test (cookie_of_the_header),
    cmocka_unit_test (every_byte_of_a_header_counts),
    cmocka_unit_test (bad_checksum_is_an_error_that_can_be_passed),
    cmocka_unit_test (version_of_the_header),
    cmocka_unit_test (next_offset_is_never_followed),
    cmocka_unit_test (block_sizes),
    cmocka_unit_test (small_blocks_are_refused_with_the_reason),
    cmocka_unit_test (table_must_cover_the_disk),
    cmocka_unit_test (table_must_be_inside_the_file),
    cmocka_unit_test (table_must_be_clear_of_the_headers),
    cmocka_unit_test (table_may_lie_before_the_header),
    cmocka_unit_test (table_has_a_largest_size),
    cmocka_unit_test (payloads_must_be_paths_in_the_file),
    cmocka_unit_test (odd_utf16_and_empty_paths_are_warnings),
    cmocka_unit_test (unknown_and_unused_locators_are_fine),
    cmocka_unit_test (dynamic_image_should_have_no_locators),
    cmocka_unit_test (receiver_that_says_stop_is_obeyed_everywhere),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
