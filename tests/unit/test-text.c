/* vhdkit: tests of ids, text and arithmetic.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/guid.h"
#include "base/text.h"

/* Arguments with which printf fails, as it does when memory is short: the C
 * locale has no bytes for this character. */
#define UNFORMATTABLE "%ls", L"\x20ac"

/*----------------------------------------------------------------------
 * Ids
 *--------------------------------------------------------------------*/

/* vhd-format 10.2. */
static const uint8_t windows_id[16] = {
  0xf8, 0x4f, 0x16, 0x36, 0xcd, 0x9e, 0x90, 0x41,
  0xa6, 0x9e, 0xdc, 0xc2, 0x38, 0x0e, 0x41, 0x6a,
};

static void
id_prints_in_both_orders (void **state)
{
  char text[GUID_TEXT_SIZE];

  (void) state;
  guid_format (windows_id, true, text);
  assert_string_equal (text, "36164ff8-9ecd-4190-a69e-dcc2380e416a");
  guid_format (windows_id, false, text);
  assert_string_equal (text, "f84f1636-cd9e-9041-a69e-dcc2380e416a");
}

static void
random_id_is_version_4_in_windows_order (void **state)
{
  uint8_t a[16], b[16];

  (void) state;
  guid_random (a);
  guid_random (b);
  assert_memory_not_equal (a, b, 16);
  assert_int_equal (a[7] & 0xf0, 0x40);
  assert_int_equal (b[7] & 0xf0, 0x40);
  assert_int_equal (a[8] & 0xc0, 0x80);
  assert_false (guid_is_zero (a));
  memset (a, 0, 16);
  assert_true (guid_is_zero (a));
  a[15] = 1;
  assert_false (guid_is_zero (a));
}

/*----------------------------------------------------------------------
 * Text
 *--------------------------------------------------------------------*/

/* One character of each length in UTF-8: A, e acute, euro, grinning face. */
#define SAMPLE_UTF8 "A\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
static const uint8_t sample_le[10] =
  { 0x41, 0, 0xe9, 0, 0xac, 0x20, 0x3d, 0xd8, 0x00, 0xde };
static const uint8_t sample_be[10] =
  { 0, 0x41, 0, 0xe9, 0x20, 0xac, 0xd8, 0x3d, 0xde, 0x00 };

static void
assert_utf8 (const void *p, size_t size, bool big_endian, const char *want)
{
  CLEANUP_FREE char *text = utf16_to_utf8 (p, size, big_endian);

  assert_non_null (text);
  assert_string_equal (text, want);
}

static void
utf16_becomes_utf8 (void **state)
{
  uint8_t three_byte[64];
  size_t i;

  (void) state;
  assert_utf8 (sample_le, 10, false, SAMPLE_UTF8);
  assert_utf8 (sample_be, 10, true, SAMPLE_UTF8);
  assert_utf8 (sample_le, 0, false, "");
  /* An odd last byte is ignored. */
  assert_utf8 (sample_le, 5, false, "A\xc3\xa9");
  assert_utf8 (sample_le, 1, false, "");
  /* The longest result: three bytes for each unit. */
  for (i = 0; i < sizeof three_byte; i += 2)
    memcpy (three_byte + i, "\x20\xac", 2);
  CLEANUP_FREE char *euros = utf16_to_utf8 (three_byte, 64, true);
  assert_non_null (euros);
  assert_int_equal (strlen (euros), 96);
}

static void
embedded_nul_ends_utf16 (void **state)
{
  static const uint8_t text[] = { 'a', 0, 'b', 0, 0, 0, 0x00, 0xd8 };
  /* Zero bytes of two neighbouring units are not a NUL. */
  static const uint8_t split[] = { 0x01, 0x00, 0x00, 0x01 };

  (void) state;
  assert_utf8 (text, sizeof text, false, "ab");
  assert_utf8 (split, sizeof split, false, "\x01\xc4\x80");
}

static void
unpaired_surrogates_are_refused (void **state)
{
  static const uint8_t bad[][6] = {     /* UTF-16BE */
    { 0x00, 'a', 0xd8, 0x3d, 0x00, 'b' },       /* high, then none */
    { 0x00, 'a', 0xde, 0x00, 0x00, 'b' },       /* low alone */
    { 0x00, 'a', 0x00, 'b', 0xd8, 0x3d },       /* high at the end */
    { 0xde, 0x00, 0xd8, 0x3d, 0x00, 'b' },      /* wrong order */
    { 0xd8, 0x3d, 0xd8, 0x3d, 0xde, 0x00 },     /* high twice */
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    assert_null (utf16_to_utf8 (bad[i], 6, true));
    assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_INVALID_NAME);
    assert_int_equal (vhdkit_get_errno (), EILSEQ);
  }
}

static void
utf8_becomes_utf16 (void **state)
{
  size_t size = 0;
  CLEANUP_FREE void *le = utf8_to_utf16 (SAMPLE_UTF8, false, &size);

  (void) state;
  assert_non_null (le);
  assert_int_equal (size, 10);
  assert_memory_equal (le, sample_le, 10);
  CLEANUP_FREE void *be = utf8_to_utf16 (SAMPLE_UTF8, true, &size);
  assert_non_null (be);
  assert_int_equal (size, 10);
  assert_memory_equal (be, sample_be, 10);
  CLEANUP_FREE void *empty = utf8_to_utf16 ("", true, &size);
  assert_non_null (empty);
  assert_int_equal (size, 0);
}

static const char *const not_utf8[] = {
  "a\x80", "\xc3", "\xc3(", "\xc0\x80", "\xe0\x80\x80", "\xe2\x82",
  "\xed\xa0\x80", "\xf0\x80\x80\x80", "\xf4\x90\x80\x80", "\xff",
};

static void
what_is_not_utf8_is_refused (void **state)
{
  size_t i, size = 4711;

  (void) state;
  for (i = 0; i < sizeof not_utf8 / sizeof not_utf8[0]; ++i) {
    assert_null (utf8_to_utf16 (not_utf8[i], false, &size));
    assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_INVALID_NAME);
    assert_int_equal (vhdkit_get_errno (), EILSEQ);
    assert_int_equal (size, 4711);
  }
}

static void
assert_printable (const char *text, const char *want)
{
  CLEANUP_FREE char *shown = text_printable (text);

  assert_non_null (shown);
  assert_string_equal (shown, want);
}

static void
printable_text_has_no_control_characters (void **state)
{
  size_t i;

  (void) state;
  assert_printable (SAMPLE_UTF8, SAMPLE_UTF8);
  assert_printable ("", "");
  assert_printable ("C:\\x y~", "C:\\x y~");
  assert_printable ("a\nb\tc\x7f", "a\\x0ab\\x09c\\x7f");
  /* C1 control characters, as UTF-8, and their first neighbour. */
  assert_printable ("\xc2\x80\xc2\x9f\xc2\xa0",
                    "\\xc2\\x80\\xc2\\x9f\xc2\xa0");
  assert_printable ("\xc3(", "\\xc3(");
  assert_printable ("\xed\xa0\x80", "\\xed\\xa0\\x80");
  assert_printable ("\xed\x9f\xbf\xf4\x8f\xbf\xbf\xf0\x90\x80\x80",
                    "\xed\x9f\xbf\xf4\x8f\xbf\xbf\xf0\x90\x80\x80");
  for (i = 0; i < sizeof not_utf8 / sizeof not_utf8[0]; ++i) {
    CLEANUP_FREE char *shown = text_printable (not_utf8[i]);
    assert_non_null (strstr (shown, "\\x"));
  }
}

static void
formatted_text_or_no_memory (void **state)
{
  CLEANUP_FREE char *text = text_format ("%s-%d", "a", 7);

  (void) state;
  assert_string_equal (text, "a-7");
  assert_null (text_format (UNFORMATTABLE));
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_NO_MEMORY);
  assert_int_equal (vhdkit_get_errno (), ENOMEM);
}

/*----------------------------------------------------------------------
 * Arithmetic
 *--------------------------------------------------------------------*/

static void
arithmetic_notices_overflow (void **state)
{
  uint64_t r;

  (void) state;
  assert_true (checked_add (UINT64_MAX - 1, 1, &r));
  assert_int_equal (r, UINT64_MAX);
  assert_false (checked_add (UINT64_MAX, 1, &r));
  assert_true (checked_mul (UINT64_C (1) << 32, UINT32_MAX, &r));
  assert_false (checked_mul (UINT64_C (1) << 32, UINT64_C (1) << 32, &r));

  assert_true (range_within (0, 10, 10));
  assert_true (range_within (10, 0, 10));
  assert_false (range_within (1, 10, 10));
  assert_false (range_within (11, 0, 10));
  assert_false (range_within (UINT64_MAX, 2, 10));
  assert_false (range_within (2, UINT64_MAX, 10));
}

static void
rounding (void **state)
{
  (void) state;
  assert_int_equal (div_round_up (0, 512), 0);
  assert_int_equal (div_round_up (1, 512), 1);
  assert_int_equal (div_round_up (512, 512), 1);
  assert_int_equal (div_round_up (UINT64_MAX, 2), UINT64_C (1) << 63);
  assert_int_equal (round_up (513, 512), 1024);
  assert_int_equal (round_up (512, 512), 512);
  assert_int_equal (round_down (1023, 512), 512);
  assert_true (is_power_of_2 (1));
  assert_false (is_power_of_2 (0));
  assert_false (is_power_of_2 (3));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (id_prints_in_both_orders),
    cmocka_unit_test (random_id_is_version_4_in_windows_order),
    cmocka_unit_test (utf16_becomes_utf8),
    cmocka_unit_test (embedded_nul_ends_utf16),
    cmocka_unit_test (unpaired_surrogates_are_refused),
    cmocka_unit_test (utf8_becomes_utf16),
    cmocka_unit_test (what_is_not_utf8_is_refused),
    cmocka_unit_test (printable_text_has_no_control_characters),
    cmocka_unit_test (formatted_text_or_no_memory),
    cmocka_unit_test (arithmetic_notices_overflow),
    cmocka_unit_test (rounding),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
