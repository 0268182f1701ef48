/* vhdkit: tests of the lowest layer: errors, findings, ids, text, arithmetic.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/guid.h"
#include "base/report.h"
#include "base/text.h"

#define assert_error(c, e, text)                                        \
  do {                                                                  \
    assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_ ## c);      \
    assert_int_equal (vhdkit_get_errno (), e);                          \
    assert_string_equal (vhdkit_get_error (), text);                    \
  } while (0)

/* Arguments with which printf fails, as it does when memory is short: the C
 * locale has no bytes for this character. */
#define UNFORMATTABLE "%ls", L"\x20ac"

/*----------------------------------------------------------------------
 * Errors
 *--------------------------------------------------------------------*/

static void *
thread_without_error (void *opaque)
{
  bool *ok = opaque;

  *ok = vhdkit_get_error_code () == VHDKIT_OK && vhdkit_get_errno () == 0 &&
    strcmp (vhdkit_get_error (), "no error") == 0;
  set_error (VHDKIT_ERR_IO, EIO, "another thread's error");
  return NULL;
}

static void
error_belongs_to_its_thread (void **state)
{
  pthread_t thread;
  bool ok = false;

  (void) state;
  set_error (VHDKIT_ERR_EXISTS, EEXIST, "%s: %d", "mine", 1);
  assert_int_equal (pthread_create (&thread, NULL, thread_without_error, &ok),
                    0);
  assert_int_equal (pthread_join (thread, NULL), 0);
  assert_true (ok);
  assert_error (EXISTS, EEXIST, "mine: 1");
}

static void
setting_an_error_keeps_errno (void **state)
{
  struct saved_error saved;

  (void) state;
  errno = EXDEV;
  set_error (VHDKIT_ERR_IO, EIO, "a");
  assert_int_equal (errno, EXDEV);
  set_error_errno (ENOENT, "b");
  assert_int_equal (errno, EXDEV);
  error_prefix ("c");
  assert_int_equal (errno, EXDEV);
  error_save (&saved);
  error_restore (&saved);
  assert_int_equal (errno, EXDEV);
}

static void
sentence_may_be_long (void **state)
{
  CLEANUP_FREE char *name = malloc (20001);

  (void) state;
  assert_non_null (name);
  memset (name, 'x', 20000);
  name[20000] = '\0';
  set_error (VHDKIT_ERR_IO, EIO, "%s!", name);
  assert_int_equal (strlen (vhdkit_get_error ()), 20001);
  assert_int_equal (vhdkit_get_error ()[20000], '!');
}

static void
sentence_may_contain_the_one_before (void **state)
{
  (void) state;
  set_error (VHDKIT_ERR_IO, EIO, "inner");
  set_error (VHDKIT_ERR_CHAIN_ERROR, EIO, "outer: %s", vhdkit_get_error ());
  assert_error (CHAIN_ERROR, EIO, "outer: inner");
}

static void
system_error_has_code_and_reason (void **state)
{
  (void) state;
  set_error_errno (ENOENT, "open: %s", "a.vhd");
  assert_error (FILE_NOT_FOUND, ENOENT,
                "open: a.vhd: No such file or directory");
}

static void
prefix_goes_in_front (void **state)
{
  (void) state;
  set_error (VHDKIT_ERR_BAT_CORRUPT, EIO, "reason");
  error_prefix ("parent of %s", "b.vhd");
  assert_error (BAT_CORRUPT, EIO, "parent of b.vhd: reason");
}

static void
recode_keeps_the_sentence (void **state)
{
  (void) state;
  set_error (VHDKIT_ERR_ACCESS_DENIED, EACCES, "reason");
  error_recode (VHDKIT_ERR_PARENT_ACCESS_DENIED, EPERM);
  assert_error (PARENT_ACCESS_DENIED, EPERM, "reason");
}

static void
code_and_errno_survive_lack_of_memory (void **state)
{
  (void) state;
  set_error (VHDKIT_ERR_DISK_FULL, ENOSPC, UNFORMATTABLE);
  assert_error (DISK_FULL, ENOSPC, "an error occurred, and there was not "
                "enough memory to describe it");
  set_error_errno (EROFS, UNFORMATTABLE);
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_READ_ONLY);
  assert_non_null (strstr (vhdkit_get_error (), "not enough memory"));

  set_error (VHDKIT_ERR_IO, EIO, "kept");
  error_prefix (UNFORMATTABLE);
  assert_error (IO, EIO, "kept");
}

static void *
thread_that_saves (void *opaque)
{
  set_error (VHDKIT_ERR_DISK_FULL, ENOSPC, "from %s", "a worker");
  error_save (opaque);
  return NULL;
}

static void
saved_error_travels_between_threads (void **state)
{
  struct saved_error saved;
  pthread_t thread;

  (void) state;
  set_error (VHDKIT_ERR_IO, EIO, "older");
  assert_int_equal (pthread_create (&thread, NULL, thread_that_saves, &saved),
                    0);
  assert_int_equal (pthread_join (thread, NULL), 0);
  error_restore (&saved);
  assert_null (saved.text);
  assert_error (DISK_FULL, ENOSPC, "from a worker");

  error_save (&saved);
  error_discard (&saved);
  assert_null (saved.text);
  assert_error (DISK_FULL, ENOSPC, "from a worker");
}

static void
errno_values_have_codes (void **state)
{
  static const struct { int err; enum vhdkit_error code; } want[] = {
    { ENOENT, VHDKIT_ERR_FILE_NOT_FOUND },
    { ENOTDIR, VHDKIT_ERR_PATH_NOT_FOUND },
    { ELOOP, VHDKIT_ERR_PATH_NOT_FOUND },
    { EACCES, VHDKIT_ERR_ACCESS_DENIED },
    { EPERM, VHDKIT_ERR_ACCESS_DENIED },
    { EROFS, VHDKIT_ERR_READ_ONLY },
    { EBUSY, VHDKIT_ERR_SHARING_VIOLATION },
    { EAGAIN, VHDKIT_ERR_SHARING_VIOLATION },
    { EEXIST, VHDKIT_ERR_EXISTS },
    { ENAMETOOLONG, VHDKIT_ERR_NAME_TOO_LONG },
    { ENOSPC, VHDKIT_ERR_DISK_FULL },
    { EDQUOT, VHDKIT_ERR_DISK_FULL },
    { EILSEQ, VHDKIT_ERR_INVALID_NAME },
    { EFBIG, VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS },
    { ENOMEM, VHDKIT_ERR_NO_MEMORY },
    { EINVAL, VHDKIT_ERR_INVALID_PARAMETER },
    { ENOTSUP, VHDKIT_ERR_NOT_SUPPORTED },
    { ECANCELED, VHDKIT_ERR_CANCELLED },
    { ETIMEDOUT, VHDKIT_ERR_TIMED_OUT },
    { ESHUTDOWN, VHDKIT_ERR_SHUTTING_DOWN },
    { EIO, VHDKIT_ERR_IO },
    { EMFILE, VHDKIT_ERR_IO },
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof want / sizeof want[0]; ++i)
    assert_int_equal (error_code_of_errno (want[i].err), want[i].code);
}

/*----------------------------------------------------------------------
 * The table of codes, here and in docs/errors.md
 *--------------------------------------------------------------------*/

static void
number_of_view (uint32_t n, char ret[16])
{
  if (n == 0)
    strcpy (ret, "-");
  else
    snprintf (ret, 16, n < 0x10000 ? "%u" : "%08X", n);
}

/* The row of code as the docs should have it, but for errno and exit. */
static void
expected_row (enum vhdkit_error code, char head[80], char tail[80])
{
  char win32[16], hresult[16], vds[16];

  number_of_view (vhdkit_error_win32 (code), win32);
  number_of_view (vhdkit_error_hresult (code), hresult);
  number_of_view (vhdkit_error_hresult_vds (code), vds);
  snprintf (head, 80, "| %s | %d | ", vhdkit_error_name (code), code);
  snprintf (tail, 80, " | %s | %s | %s | %d |\n", win32, hresult, vds,
            code == VHDKIT_ERR_CANCELLED ? 3 : 1);
}

static void
check_row (enum vhdkit_error code, const char *row)
{
  char head[80], tail[80];
  size_t n = strlen (row);
  int err;

  expected_row (code, head, tail);
  if (strncmp (row, head, strlen (head)) != 0 || n < strlen (tail) ||
      strcmp (row + n - strlen (tail), tail) != 0)
    fail_msg ("docs/errors.md has\n%sbut the code has\n%s...%s", row, head,
              tail);

  /* Every errno that leads to this code is named. */
  for (err = 1; err < 200; ++err) {
    if (error_code_of_errno (err) != code || code == VHDKIT_ERR_IO)
      continue;
    if (err == ENOTSUP)
      assert_non_null (strstr (row, "ENOTSUP"));
    else if (!strstr (row, strerrorname_np (err)))
      fail_msg ("docs/errors.md does not name %s in\n%s",
                strerrorname_np (err), row);
  }
}

static void
docs_have_the_table_of_the_code (void **state)
{
  const char *srcdir = getenv ("srcdir");
  char *line = NULL;
  size_t size = 0;
  int code = VHDKIT_OK + 1;
  FILE *fp;

  (void) state;
  if (!srcdir)
    skip ();
  CLEANUP_FREE char *path = text_format ("%s/../docs/errors.md", srcdir);
  assert_non_null (path);
  fp = fopen (path, "r");
  assert_non_null (fp);
  while (getline (&line, &size, fp) != -1) {
    if (strcmp (line, "| OK | 0 | 0 | 0 | 0 | 0 | 0 |\n") == 0)
      break;
  }
  assert_false (feof (fp));
  for (; code < VHDKIT_ERR_LAST_; ++code) {
    assert_true (getline (&line, &size, fp) > 0);
    check_row (code, line);
  }
  assert_int_equal (getline (&line, &size, fp), -1);
  free (line);
  fclose (fp);
}

static void
every_code_has_its_own_name (void **state)
{
  int a, b;

  (void) state;
  for (a = 0; a < VHDKIT_ERR_LAST_; ++a) {
    assert_non_null (vhdkit_error_name (a));
    for (b = 0; b < a; ++b)
      assert_string_not_equal (vhdkit_error_name (a), vhdkit_error_name (b));
  }
}

static void
views_of_some_codes (void **state)
{
  (void) state;
  assert_string_equal (vhdkit_error_name (VHDKIT_OK), "OK");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_OK), 0);
  assert_int_equal (vhdkit_error_hresult (VHDKIT_OK), 0);
  assert_int_equal (vhdkit_error_hresult_vds (VHDKIT_OK), 0);

  assert_string_equal (vhdkit_error_name (VHDKIT_ERR_PARENT_NOT_FOUND),
                       "PARENT_NOT_FOUND");
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_PARENT_NOT_FOUND),
                    0xc03a000d);
  assert_int_equal (vhdkit_error_hresult (VHDKIT_ERR_PARENT_NOT_FOUND),
                    0xa0040677);
  assert_int_equal (vhdkit_error_hresult_vds (VHDKIT_ERR_PARENT_NOT_FOUND), 0);
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_DISK_FULL), 112);
  assert_int_equal (vhdkit_error_hresult (VHDKIT_ERR_DISK_FULL), 0x80070070);
  assert_int_equal (vhdkit_error_hresult_vds (VHDKIT_ERR_DISK_FULL),
                    0x8004240f);
}

/* Virtual disk codes are consecutive numbers in Windows, in our order but for
 * the holes. */
static void
virtual_disk_codes_count_up (void **state)
{
  int code;

  (void) state;
  for (code = VHDKIT_ERR_FOOTER_MISSING; code <= VHDKIT_ERR_SECTOR_SIZE; ++code)
    assert_int_equal (vhdkit_error_win32 (code),
                      0xc03a0001 + (code - VHDKIT_ERR_FOOTER_MISSING));
  assert_int_equal (vhdkit_error_win32 (VHDKIT_ERR_AT_MIN_SIZE), 0xc03a0027);
}

static void
unknown_code_is_unexpected (void **state)
{
  (void) state;
  assert_string_equal (vhdkit_error_name (VHDKIT_ERR_LAST_), "UNEXPECTED");
  assert_string_equal (vhdkit_error_name ((enum vhdkit_error) -1),
                       "UNEXPECTED");
}

static void
version_names_the_product (void **state)
{
  (void) state;
  assert_string_equal (vhdkit_version (), "vhdkit " PACKAGE_VERSION);
}

/*----------------------------------------------------------------------
 * Findings
 *--------------------------------------------------------------------*/

struct receiver {
  int calls, answer;
  bool sets_error;
};

static int
receive (void *opaque, const struct vhdkit_finding *f)
{
  struct receiver *r = opaque;

  r->calls++;
  assert_int_equal (f->code, VHDKIT_ERR_BAT_CORRUPT);
  assert_string_equal (f->file, "a.vhd");
  assert_string_equal (f->structure, "BAT entry 3");
  assert_int_equal (f->offset, 1548);
  assert_string_equal (f->found, "sector 7");
  assert_string_equal (f->expected, "at least 8");
  assert_string_equal (f->meaning, "that is bad");
  if (r->sets_error)
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "the receiver's own");
  return r->answer;
}

static int
report_entry (struct report *r, enum vhdkit_severity severity)
{
  return report (r, severity, VHDKIT_ERR_BAT_CORRUPT, "BAT entry 3", 1548,
                 "at least 8", "that is bad", "sector %d", 7);
}

#define ENTRY_SENTENCE "BAT entry 3 at offset 1548: found sector 7, " \
  "expected at least 8; that is bad"

static void
without_receiver_an_error_stops (void **state)
{
  struct report r = { .file = "a.vhd" };

  (void) state;
  set_error (VHDKIT_ERR_EXISTS, EEXIST, "older");
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_ERROR), -1);
  assert_error (BAT_CORRUPT, EIO, "a.vhd: " ENTRY_SENTENCE);
  assert_int_equal (report_entry (NULL, VHDKIT_SEVERITY_ERROR), -1);
  assert_error (BAT_CORRUPT, EIO, ENTRY_SENTENCE);
}

static void
without_receiver_the_rest_is_dropped (void **state)
{
  struct report r = { .file = "a.vhd" };

  (void) state;
  set_error (VHDKIT_ERR_EXISTS, EEXIST, "older");
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_LEAK), 0);
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_WARNING), 0);
  assert_int_equal (report_entry (NULL, VHDKIT_SEVERITY_NOTE), 0);
  assert_error (EXISTS, EEXIST, "older");
}

static void
receiver_decides_whether_to_go_on (void **state)
{
  struct receiver w = { .answer = 0 };
  struct report r = { .fn = receive, .opaque = &w, .file = "a.vhd" };

  (void) state;
  set_error (VHDKIT_ERR_EXISTS, EEXIST, "older");
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_WARNING), 0);
  assert_int_equal (w.calls, 1);
  assert_error (EXISTS, EEXIST, "older");
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_ERROR), 0);
  assert_int_equal (w.calls, 2);
  assert_error (BAT_CORRUPT, EIO, "a.vhd: " ENTRY_SENTENCE);

  set_error (VHDKIT_ERR_EXISTS, EEXIST, "older");
  w.answer = 1;
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_NOTE), -1);
  assert_error (BAT_CORRUPT, EIO, "a.vhd: " ENTRY_SENTENCE);
  w.sets_error = true;
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_ERROR), -1);
  assert_error (NO_MEMORY, ENOMEM, "the receiver's own");
}

static void
errno_of_a_finding_is_eio_for_damage (void **state)
{
  struct vhdkit_finding f = {
    .file = "f", .structure = "s", .found = "x", .expected = "y",
    .meaning = "z",
  };

  (void) state;
  f.code = VHDKIT_ERR_HEADER_CHECKSUM;
  report_to_error (&f);
  assert_error (HEADER_CHECKSUM, EIO,
                "f: s at offset 0: found x, expected y; z");
  f.code = VHDKIT_ERR_UNSUPPORTED_VERSION;
  report_to_error (&f);
  assert_int_equal (vhdkit_get_errno (), ENOTSUP);
  f.code = VHDKIT_ERR_HEADER_UNSUPPORTED_VERSION;
  report_to_error (&f);
  assert_int_equal (vhdkit_get_errno (), ENOTSUP);
  f.code = VHDKIT_ERR_NO_MEMORY;
  report_to_error (&f);
  assert_int_equal (vhdkit_get_errno (), ENOMEM);
}

static void
names_in_messages_are_printable (void **state)
{
  struct report r = { .file = "a\n\033[2J\xff.vhd" };

  (void) state;
  assert_int_equal (report_entry (&r, VHDKIT_SEVERITY_ERROR), -1);
  assert_memory_equal (vhdkit_get_error (), "a\\x0a\\x1b[2J\\xff.vhd: BAT",
                       strlen ("a\\x0a\\x1b[2J\\xff.vhd: BAT"));
}

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
id_parses_in_both_orders (void **state)
{
  uint8_t id[16];

  (void) state;
  assert_int_equal (guid_parse ("36164ff8-9ecd-4190-a69e-dcc2380e416a", true,
                                id), 0);
  assert_memory_equal (id, windows_id, 16);
  memset (id, 0, 16);
  assert_int_equal (guid_parse ("{36164FF8-9ECD-4190-A69E-DCC2380E416A}", true,
                                id), 0);
  assert_memory_equal (id, windows_id, 16);
  assert_int_equal (guid_parse ("f84f1636-cd9e-9041-a69e-dcc2380e416a", false,
                                id), 0);
  assert_memory_equal (id, windows_id, 16);
}

static void
text_that_is_no_id_is_refused (void **state)
{
  static const char *const bad[] = {
    "", "{}", "36164ff8",
    "{36164ff8-9ecd-4190-a69e-dcc2380e416a",
    "36164ff8-9ecd-4190-a69e-dcc2380e416a}",
    "(36164ff8-9ecd-4190-a69e-dcc2380e416a)",
    "36164ff89ecd-4190-a69e-dcc2380e416a-",
    "36164ff8-9ecd-4190-a69e-dcc2380e416g",
    "36164ff8-9ecd-4190-a69e-dcc2380e416a0",
  };
  uint8_t id[16], before[16];
  size_t i;

  (void) state;
  memset (before, 0x55, 16);
  memcpy (id, before, 16);
  for (i = 0; i < sizeof bad / sizeof bad[0]; ++i) {
    assert_int_equal (guid_parse (bad[i], true, id), -1);
    assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_INVALID_PARAMETER);
    assert_int_equal (vhdkit_get_errno (), EINVAL);
    assert_memory_equal (id, before, 16);
  }
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
    cmocka_unit_test (error_belongs_to_its_thread),
    cmocka_unit_test (setting_an_error_keeps_errno),
    cmocka_unit_test (sentence_may_be_long),
    cmocka_unit_test (sentence_may_contain_the_one_before),
    cmocka_unit_test (system_error_has_code_and_reason),
    cmocka_unit_test (prefix_goes_in_front),
    cmocka_unit_test (recode_keeps_the_sentence),
    cmocka_unit_test (code_and_errno_survive_lack_of_memory),
    cmocka_unit_test (saved_error_travels_between_threads),
    cmocka_unit_test (errno_values_have_codes),
    cmocka_unit_test (docs_have_the_table_of_the_code),
    cmocka_unit_test (every_code_has_its_own_name),
    cmocka_unit_test (views_of_some_codes),
    cmocka_unit_test (virtual_disk_codes_count_up),
    cmocka_unit_test (unknown_code_is_unexpected),
    cmocka_unit_test (version_names_the_product),
    cmocka_unit_test (without_receiver_an_error_stops),
    cmocka_unit_test (without_receiver_the_rest_is_dropped),
    cmocka_unit_test (receiver_decides_whether_to_go_on),
    cmocka_unit_test (errno_of_a_finding_is_eio_for_damage),
    cmocka_unit_test (names_in_messages_are_printable),
    cmocka_unit_test (id_prints_in_both_orders),
    cmocka_unit_test (id_parses_in_both_orders),
    cmocka_unit_test (text_that_is_no_id_is_refused),
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
