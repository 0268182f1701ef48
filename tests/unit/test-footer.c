/* vhdkit: tests of the footer: its bytes and its checks.
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
 * Footer: bytes
 *--------------------------------------------------------------------*/

/* 10.1: qemu-img, 5 MiB, force_size. */
static const struct { uint8_t b[0x55]; } qemu_footer = { {
  0x63, 0x6f, 0x6e, 0x65, 0x63, 0x74, 0x69, 0x78,
  0x00, 0x00, 0x00, 0x02, 0x00, 0x01, 0x00, 0x00,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x02, 0x00,
  0x32, 0x92, 0x7b, 0x77, 0x71, 0x65, 0x6d, 0x32,
  0x00, 0x05, 0x00, 0x03, 0x57, 0x69, 0x32, 0x6b,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x50, 0x00, 0x00,
  0x00, 0x00, 0x00, 0x00, 0x00, 0x50, 0x00, 0x00,
  0xff, 0xff, 0x10, 0xff, 0x00, 0x00, 0x00, 0x03,
  0xff, 0xff, 0xec, 0xe4, 0xdb, 0xe0, 0x21, 0x72,
  0xae, 0x3f, 0x49, 0x2b, 0x81, 0x31, 0xcd, 0x7e,
  0x24, 0xfd, 0x1c, 0x90, 0x00,
} };

static void
footer_of_qemu (struct vhd_footer_disk *d)
{
  memset (d, 0, sizeof *d);
  memcpy (d, qemu_footer.b, sizeof qemu_footer.b);
}

static void
real_footer_decodes (void **state)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;

  (void) state;
  footer_of_qemu (&d);
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_VALID);
  assert_int_equal (f.features, 2);
  assert_int_equal (f.version, 0x10000);
  assert_int_equal (f.data_offset, 0x200);
  assert_int_equal (f.timestamp, 0x32927b77);
  assert_memory_equal (f.creator, "qem2", 4);
  assert_int_equal (f.creator_major, 5);
  assert_int_equal (f.creator_minor, 3);
  assert_memory_equal (f.creator_os, "Wi2k", 4);
  assert_int_equal (f.original_size, 5 * MiB);
  assert_int_equal (f.current_size, 5 * MiB);
  assert_int_equal (f.cylinders, 65535);
  assert_int_equal (f.heads, 16);
  assert_int_equal (f.sectors, 255);
  assert_int_equal (vhd_chs_size (&f), UINT64_C (136899993600));
  assert_int_equal (f.type, VHD_DYNAMIC);
  assert_int_equal (f.checksum, 0xffffece4);
  assert_memory_equal (f.id, qemu_footer.b + 0x44, 16);
  assert_int_equal (f.saved_state, 0);
}

static void
real_footer_encodes_to_the_same_bytes (void **state)
{
  struct vhd_footer_disk d, again;
  struct vhd_footer f;

  (void) state;
  footer_of_qemu (&d);
  vhd_footer_decode (&d, &f);
  f.checksum = 0;               /* computed, not copied */
  vhd_footer_encode (&f, &again);
  assert_memory_equal (&again, &d, sizeof d);
}

static void
unknown_bytes_survive_a_rewrite (void **state)
{
  struct vhd_footer_disk d, again;
  struct vhd_footer f;
  size_t i;

  (void) state;
  footer_of_qemu (&d);
  for (i = 0; i < sizeof d.reserved; ++i)
    d.reserved[i] = i * 7 + 1;
  d.saved_state = 1;
  d.checksum = put_be32 (vhd_checksum (&d, 512, 0x40));
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_VALID);
  vhd_footer_encode (&f, &again);
  assert_memory_equal (&again, &d, sizeof d);
}

static void
every_byte_of_a_footer_counts (void **state)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof d; ++i) {
    footer_of_qemu (&d);
    ((uint8_t *) &d)[i] ^= 1;
    assert_int_equal (vhd_footer_decode (&d, &f),
                      i < 8 ? VHD_FOOTER_ABSENT : VHD_FOOTER_BAD_CHECKSUM);
  }
}

static enum vhd_footer_state
state_with (uint32_t version, uint32_t type)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;

  footer_of_qemu (&d);
  d.version = put_be32 (version);
  d.type = put_be32 (type);
  d.checksum = put_be32 (vhd_checksum (&d, 512, 0x40));
  return vhd_footer_decode (&d, &f);
}

static void
states_of_a_footer (void **state)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;
  uint32_t type;

  (void) state;
  assert_int_equal (state_with (0x10000, 2), VHD_FOOTER_VALID);
  assert_int_equal (state_with (0x10001, 3), VHD_FOOTER_VALID);
  assert_int_equal (state_with (0x10000, 4), VHD_FOOTER_VALID);
  assert_int_equal (state_with (0x00000, 3), VHD_FOOTER_BAD_VERSION);
  assert_int_equal (state_with (0x20000, 3), VHD_FOOTER_BAD_VERSION);
  for (type = 0; type < 8; ++type)
    if (type < 2 || type > 4)
      assert_int_equal (state_with (0x10000, type), VHD_FOOTER_BAD_TYPE);

  footer_of_qemu (&d);
  memcpy (d.cookie, "v_poison", 8);
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_POISONED);
  assert_int_equal (f.current_size, 5 * MiB);
}

/* tapdisk set the hidden flag behind the back of the checksum (1.2). */
static enum vhd_footer_state
state_of_hidden (const char *creator, uint16_t major, uint16_t minor)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;

  footer_of_qemu (&d);
  memcpy (d.creator, creator, 4);
  d.creator_major = put_be16 (major);
  d.creator_minor = put_be16 (minor);
  d.checksum = put_be32 (vhd_checksum (&d, 512, 0x40));
  d.reserved[0] = 1;
  return vhd_footer_decode (&d, &f);
}

static void
old_tapdisk_may_hide_without_checksum (void **state)
{
  (void) state;
  assert_int_equal (state_of_hidden ("tap", 0, 1), VHD_FOOTER_VALID);
  assert_int_equal (state_of_hidden ("tap", 1, 1), VHD_FOOTER_VALID);
  assert_int_equal (state_of_hidden ("tap", 1, 3), VHD_FOOTER_BAD_CHECKSUM);
  assert_int_equal (state_of_hidden ("tap", 2, 1), VHD_FOOTER_BAD_CHECKSUM);
  assert_int_equal (state_of_hidden ("qemu", 1, 1), VHD_FOOTER_BAD_CHECKSUM);
}

static void
new_footers (void **state)
{
  struct vhd_footer f;
  struct vhd_footer_disk d;

  (void) state;
  vhd_footer_init (&f, VHD_FIXED, 10 * MiB);
  assert_int_equal (f.data_offset, UINT64_MAX);
  assert_int_equal (f.type, 2);
  vhd_footer_init (&f, VHD_DIFFERENCING, 10 * MiB);
  assert_int_equal (f.data_offset, 512);
  assert_int_equal (f.type, 4);
  assert_int_equal (f.features, 2);
  assert_int_equal (f.original_size, 10 * MiB);
  assert_int_equal (f.current_size, 10 * MiB);
  assert_int_equal (f.cylinders, 301);
  assert_int_equal (f.heads, 4);
  assert_int_equal (f.sectors, 17);
  vhd_footer_encode (&f, &d);
  assert_memory_equal (d.cookie, "conectix\0\0\0\2\0\1\0\0", 16);
  assert_memory_equal (d.creator, "win \0\6\0\1Wi2k", 12);
  assert_int_equal (vhd_footer_decode (&d, &f), VHD_FOOTER_VALID);
}

/*----------------------------------------------------------------------
 * Footer: checks (9.2 points 3 and 4)
 *--------------------------------------------------------------------*/

static int
validate_footer (const struct vhd_footer *f, uint64_t offset,
                 uint64_t file_size, struct seen *s)
{
  struct report r = { .fn = remember, .opaque = s, .file = "a.vhd" };

  memset (s, 0, sizeof *s);
  return vhd_footer_validate (f, offset, file_size, &r);
}

static void
good_footers_have_no_findings (void **state)
{
  struct vhd_footer f;
  struct seen s;

  (void) state;
  vhd_footer_init (&f, VHD_FIXED, 10 * MiB);
  assert_int_equal (validate_footer (&f, 10 * MiB, 10 * MiB + 512, &s), 0);
  assert_int_equal (s.n, 0);
  vhd_footer_init (&f, VHD_DYNAMIC, 10 * MiB);
  assert_int_equal (validate_footer (&f, 2048, 2560, &s), 0);
  assert_int_equal (validate_footer (&f, 0, 2048, &s), 0);
  assert_int_equal (s.n, 0);
}

static void
size_must_be_whole_sectors (void **state)
{
  struct vhd_footer f;
  struct seen s;

  (void) state;
  vhd_footer_init (&f, VHD_DYNAMIC, 0);
  assert_int_equal (validate_footer (&f, 4096, 4608, &s), -1);
  assert_int_equal (s.n, 1);
  assert_finding (&s, 0, ERROR, INVALID_SIZE, "footer, current size",
                  4096 + 0x30);
  assert_string_equal (s.f[0].found, "0 bytes");
  assert_string_equal (s.f[0].expected,
                       "a multiple of 512 from 512 to 2190433320960");
  /* The receiver said go on; all the same the error is there. */
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_INVALID_SIZE);
  assert_int_equal (vhdkit_get_errno (), EIO);

  vhd_footer_init (&f, VHD_FIXED, 1000);
  assert_int_equal (validate_footer (&f, 4096, 4608, &s), -1);
  assert_finding (&s, 0, ERROR, INVALID_SIZE, "footer, current size",
                  4096 + 0x30);
}

static int
validate_size_of (uint32_t type, const char *creator, uint64_t size,
                  struct seen *s)
{
  struct vhd_footer f;

  vhd_footer_init (&f, type, size);
  memcpy (f.creator, creator, 4);
  return validate_footer (&f, UINT64_MAX / 2, UINT64_MAX / 2 + 512, s);
}

static void
largest_sizes (void **state)
{
  struct seen s;

  (void) state;
  assert_int_equal (validate_size_of (VHD_DYNAMIC, "win ", 2040 * GiB, &s), 0);
  assert_int_equal (validate_size_of (VHD_DYNAMIC, "win ", 2040 * GiB + 512,
                                      &s), -1);
  assert_finding (&s, 0, ERROR, INVALID_SIZE, "footer, current size",
                  UINT64_MAX / 2 + 0x30);
  assert_int_equal (validate_size_of (VHD_DIFFERENCING, "tap", 2048 * GiB,
                                      &s), 0);
  assert_int_equal (validate_size_of (VHD_DIFFERENCING, "tap",
                                      2048 * GiB + 512, &s), -1);
  /* A fixed image has no table to limit it. */
  assert_int_equal (validate_size_of (VHD_FIXED, "win ", 32768 * GiB, &s), 0);
  assert_int_equal (validate_size_of (VHD_FIXED, "win ",
                                      UINT64_C (1) << 63, &s), -1);
  assert_int_equal (s.f[s.n - 1].code, VHDKIT_ERR_INVALID_SIZE);
}

static void
fixed_disk_must_lie_before_its_footer (void **state)
{
  struct vhd_footer f;
  struct seen s;

  (void) state;
  vhd_footer_init (&f, VHD_FIXED, 10 * MiB);
  assert_int_equal (validate_footer (&f, 10 * MiB - 512, 10 * MiB, &s), -1);
  assert_finding (&s, 0, ERROR, INVALID_FILE_SIZE, "footer, current size",
                  10 * MiB - 512 + 0x30);
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_INVALID_FILE_SIZE);

  assert_int_equal (validate_footer (&f, 10 * MiB + 512, 10 * MiB + 1024, &s),
                    0);
  assert_int_equal (s.n, 1);
  assert_finding (&s, 0, WARNING, INVALID_FILE_SIZE, "footer, current size",
                  10 * MiB + 512 + 0x30);
}

static void
fixed_image_has_no_header (void **state)
{
  struct vhd_footer f;
  struct seen s;

  (void) state;
  vhd_footer_init (&f, VHD_FIXED, MiB);
  f.data_offset = 0xffffffff;
  assert_int_equal (validate_footer (&f, MiB, MiB + 512, &s), 0);
  assert_int_equal (s.n, 1);
  assert_finding (&s, 0, WARNING, FOOTER_CORRUPT, "footer, data offset",
                  MiB + 0x10);
}

static void
reserved_feature_is_always_set (void **state)
{
  struct vhd_footer f;
  struct seen s;
  struct report r = { .fn = stop_at_once, .opaque = &s };

  (void) state;
  vhd_footer_init (&f, VHD_FIXED, MiB);
  f.features = VHD_FEATURE_TEMPORARY;
  assert_int_equal (validate_footer (&f, MiB, MiB + 512, &s), 0);
  assert_int_equal (s.n, 1);
  assert_finding (&s, 0, WARNING, FOOTER_CORRUPT, "footer, features", MiB + 8);

  /* A receiver that says stop is obeyed. */
  memset (&s, 0, sizeof s);
  assert_int_equal (vhd_footer_validate (&f, MiB, MiB + 512, &r), -1);
  assert_int_equal (s.n, 1);
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_FOOTER_CORRUPT);
}

static void
header_must_be_inside_the_file (void **state)
{
  static const uint64_t bad[] = {
    0, 256, 513, 2048, 1536 + 512, 4096, UINT64_MAX, UINT64_MAX - 511,
    1536,                       /* runs over the footer at 2048 */
  };
  struct vhd_footer f;
  struct seen s;
  size_t i;

  (void) state;
  vhd_footer_init (&f, VHD_DYNAMIC, MiB);
  for (i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    f.data_offset = bad[i];
    assert_int_equal (validate_footer (&f, 2048, 2560, &s), -1);
    assert_finding (&s, 0, ERROR, FOOTER_CORRUPT, "footer, data offset",
                    2048 + 0x10);
    assert_false (vhd_footer_header_placed (&f, 2048, 2560));
  }
  f.data_offset = 1024;
  assert_int_equal (validate_footer (&f, 2048, 2560, &s), 0);
  assert_true (vhd_footer_header_placed (&f, 2048, 2560));
  /* With the copy at 0, the header may be the last thing. */
  f.data_offset = 1536;
  assert_int_equal (validate_footer (&f, 0, 2560, &s), 0);
}

static void
geometry_is_noted_where_it_is_the_size (void **state)
{
  static const char *const creator[] = { "vpc ", "qemu", "win ", "vbox" };
  struct vhd_footer f;
  struct seen s;
  size_t i;

  (void) state;
  for (i = 0; i < 4; ++i) {
    vhd_footer_init (&f, VHD_DYNAMIC, 41943040);
    memcpy (f.creator, creator[i], 4);
    assert_int_equal (validate_footer (&f, 4096, 4608, &s), 0);
    if (i >= 2)
      assert_int_equal (s.n, 0);
    else {
      assert_finding (&s, 0, NOTE, INVALID_SIZE, "footer, geometry",
                      4096 + 0x38);
      assert_string_equal (s.f[0].found, "41909760 bytes");
    }
  }
  /* The original size is nobody's business. */
  vhd_footer_init (&f, VHD_DYNAMIC, 528482304);
  memcpy (f.creator, "qemu", 4);
  f.original_size = 1;
  assert_int_equal (validate_footer (&f, 4096, 4608, &s), 0);
  assert_int_equal (s.n, 0);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (real_footer_decodes),
    cmocka_unit_test (real_footer_encodes_to_the_same_bytes),
    cmocka_unit_test (unknown_bytes_survive_a_rewrite),
    cmocka_unit_test (every_byte_of_a_footer_counts),
    cmocka_unit_test (states_of_a_footer),
    cmocka_unit_test (old_tapdisk_may_hide_without_checksum),
    cmocka_unit_test (new_footers),
    cmocka_unit_test (good_footers_have_no_findings),
    cmocka_unit_test (size_must_be_whole_sectors),
    cmocka_unit_test (largest_sizes),
    cmocka_unit_test (fixed_disk_must_lie_before_its_footer),
    cmocka_unit_test (fixed_image_has_no_header),
    cmocka_unit_test (reserved_feature_is_always_set),
    cmocka_unit_test (header_must_be_inside_the_file),
    cmocka_unit_test (geometry_is_noted_where_it_is_the_size),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
