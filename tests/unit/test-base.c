/* vhdkit: tests of the lowest layer: errors and findings.
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

#include "base/cleanup.h"
#include "base/error.h"
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
  set_error (VHDKIT_ERR_IO, EIO, UNFORMATTABLE);
  assert_int_equal (errno, EXDEV);
  set_error_errno (EIO, UNFORMATTABLE);
  assert_int_equal (errno, EXDEV);
  error_prefix (UNFORMATTABLE);
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
  assert_true (getline (&line, &size, fp) == -1 || line[0] != '|');
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
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
