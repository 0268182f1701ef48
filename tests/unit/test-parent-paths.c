/* vhdkit: tests of what stored paths mean and in which order they are tried.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "disk/parents-internal.h"

static void
check_path (const char *text, enum path_kind kind, const char *rest,
            const char *tail, const char *base)
{
  struct stored_path p;

  assert_int_equal (stored_path_parse (text, &p), 1);
  assert_int_equal (p.kind, kind);
  assert_string_equal (p.rest, rest);
  assert_string_equal (p.tail, tail);
  assert_string_equal (p.base, base);
  stored_path_free (&p);
}

static void
relative_paths_of_all_writers (void **state)
{
  (void) state;
  check_path (".\\fat-parent.vhd", PATH_RELATIVE, "fat-parent.vhd",
              "fat-parent.vhd", "fat-parent.vhd");
  check_path (".\\..\\a\\b.vhd", PATH_RELATIVE, "../a/b.vhd", "../a/b.vhd",
              "b.vhd");
  check_path ("..\\b.vhd", PATH_RELATIVE, "../b.vhd", "../b.vhd", "b.vhd");
  check_path ("b.vhd", PATH_RELATIVE, "b.vhd", "b.vhd", "b.vhd");
  check_path ("./a\\../../c/b.vhd", PATH_RELATIVE, "../c/b.vhd",
              "../c/b.vhd", "b.vhd");
  check_path ("..\\..\\.\\\\a\\b", PATH_RELATIVE, "../../a/b", "../../a/b",
              "b");
}

static void
windows_absolute_paths (void **state)
{
  (void) state;
  check_path ("C:\\vm\\base.vhd", PATH_DRIVE, "vm/base.vhd", "vm/base.vhd",
              "base.vhd");
  check_path ("d:/vm/base.vhd", PATH_DRIVE, "vm/base.vhd", "vm/base.vhd",
              "base.vhd");
  check_path ("\\\\?\\C:\\x", PATH_DRIVE, "x", "x", "x");
  check_path ("\\vm\\x", PATH_DRIVE, "vm/x", "vm/x", "x");
  check_path ("\\\\?\\Volume{26a21bda-a627-11d7-9931-806e6f6e6963}\\vm\\x",
              PATH_DRIVE, "vm/x", "vm/x", "x");
  check_path ("C:\\..\\..\\vm\\.\\x", PATH_DRIVE, "vm/x", "vm/x", "x");
}

static void
unc_paths (void **state)
{
  (void) state;
  check_path ("\\\\server\\share\\d\\x.vhd", PATH_UNC, "server/share/d/x.vhd",
              "d/x.vhd", "x.vhd");
  check_path ("\\\\?\\UNC\\server\\share\\x.vhd", PATH_UNC,
              "server/share/x.vhd", "x.vhd", "x.vhd");
}

static void
posix_paths_keep_backslashes (void **state)
{
  (void) state;
  check_path ("/home/u/base.vhd", PATH_POSIX, "home/u/base.vhd",
              "home/u/base.vhd", "base.vhd");
  check_path ("/srv/a\\b/../c\\d.vhd", PATH_POSIX, "srv/c\\d.vhd",
              "srv/c\\d.vhd", "c\\d.vhd");
}

static void
text_that_names_no_file (void **state)
{
  static const char *const texts[] = {
    "", ".", "..", ".\\", "..\\..", "/", "C:", "C:\\", "\\", "\\\\",
    "\\\\server", "\\\\server\\share", "\\\\server\\share\\", "\\\\?\\",
    "\\\\?\\UNC\\", "/..", "a\\.."
  };
  struct stored_path p;
  size_t i;

  (void) state;
  for (i = 0; i < sizeof texts / sizeof texts[0]; i++)
    assert_int_equal (stored_path_parse (texts[i], &p), 0);
}

static void
check_join (const char *folder, const char *rest, const char *expected)
{
  char *path = path_join (folder, rest);

  assert_string_equal (path, expected);
  free (path);
}

static void
going_up_is_textual (void **state)
{
  (void) state;
  check_join ("/srv/vm", "b.vhd", "/srv/vm/b.vhd");
  check_join ("/srv/vm", "../b.vhd", "/srv/b.vhd");
  check_join ("/srv/vm/", "../../b.vhd", "/b.vhd");
  check_join ("/srv/vm", "../../../../b.vhd", "/b.vhd");
  check_join ("/", "../b.vhd", "/b.vhd");
  check_join ("", "a/b.vhd", "/a/b.vhd");
  /* The operator's own ".." may follow a link. */
  check_join ("/srv/x/..", "../b.vhd", "/srv/x/../../b.vhd");
}

static void
check_url (const char *url, bool decode, const char *expected)
{
  char *path = NULL;
  int r = url_path (url, decode, &path);

  assert_int_equal (r, expected != NULL);
  if (expected)
    assert_string_equal (path, expected);
  free (path);
}

static void
urls (void **state)
{
  (void) state;
  check_url ("file://localhost/dir/p.vhd", true, "/dir/p.vhd");
  check_url ("FILE://LOCALHOST/dir/p.vhd", true, "/dir/p.vhd");
  check_url ("file:///dir/my%20p%2e.vhd", true, "/dir/my p..vhd");
  check_url ("file:///dir/my%20p.vhd", false, "/dir/my%20p.vhd");
  check_url ("file://./base.vhd", false, "./base.vhd");
  check_url ("base.vhd", false, "base.vhd");
  check_url ("file://localhostess/x", true, "localhostess/x");
  check_url ("file:///a%", true, NULL);
  check_url ("file:///a%2", true, NULL);
  check_url ("file:///a%zz", true, NULL);
  check_url ("file:///a%00b", true, NULL);
  check_url ("file://", true, NULL);
}

/*----------------------------------------------------------------------
 * The order
 *--------------------------------------------------------------------*/

#define NO_SEARCH ((struct parent_search) { .lock = false })

static struct stored_name
name (uint32_t platform, const char *text)
{
  return (struct stored_name) { .platform = platform, .text = (char *) text };
}

/* expected: "SOURCE PATH", in order. */
static void
check_list (const char *child, bool tap, const struct stored_name *names,
            size_t n, const struct parent_search *ps,
            const char *const *expected, size_t nr_expected)
{
  struct parent_paths l;
  char line[600];
  size_t i;

  assert_int_equal (parent_paths_list (child, tap, names, n, ps, &l), 0);
  for (i = 0; i < l.n && i < nr_expected; i++) {
    snprintf (line, sizeof line, "%s %s%s", l.p[i].source,
              l.p[i].raw ? "raw " : "", l.p[i].path);
    assert_string_equal (line, expected[i]);
  }
  assert_int_equal (l.n, nr_expected);
  parent_paths_free (&l);
}

#define CHECK_LIST(child, tap, names, ps, ...)                          \
  do {                                                                  \
    static const char *const expected_[] = { __VA_ARGS__ };             \
    check_list (child, tap, names, sizeof names / sizeof names[0], ps,  \
                expected_, sizeof expected_ / sizeof expected_[0]);     \
  } while (0)

static void
candidates_come_in_order (void **state)
{
  static const char *const parents[] = { "given.vhd", "next.vhd" };
  static const char *const search[] = { "/no/s1", "/no/s2" };
  const struct stored_name names[] = {
    name (VHD_PLATFORM_MACX, "file:///mac/m.vhd"),
    name (VHD_PLATFORM_W2KU, "/posix/k.vhd"),
    name (VHD_PLATFORM_W2RU, "..\\r\\r.vhd"),
    name (0, "C:\\dir\\n.vhd"),
  };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  ps.explicit_parents = parents;
  ps.nr_explicit = 2;
  ps.search = search;
  ps.nr_search = 2;
  CHECK_LIST ("/no/vm/child.vhd", false, names, &ps,
              "parent= given.vhd",
              "W2ru /no/r/r.vhd",
              "W2ku /posix/k.vhd",
              "MacX /mac/m.vhd",
              "name /no/vm/n.vhd",
              "MacX /no/vm/m.vhd",
              "W2ku /no/vm/k.vhd",
              "W2ru /no/vm/r.vhd",
              "search= /no/s1/n.vhd",
              "search= /no/s1/m.vhd",
              "search= /no/s1/k.vhd",
              "search= /no/s1/r.vhd",
              "search= /no/s1/dir/n.vhd",
              "search= /no/s2/n.vhd",
              "search= /no/s2/m.vhd",
              "search= /no/s2/k.vhd",
              "search= /no/s2/r.vhd",
              "search= /no/s2/dir/n.vhd");
}

static void
same_path_is_tried_once (void **state)
{
  const struct stored_name names[] = {
    name (VHD_PLATFORM_MACX, "file://./b.vhd"),
    name (VHD_PLATFORM_W2KU, ".\\b.vhd"),
    name (VHD_PLATFORM_W2RU, ".\\b.vhd"),
    name (0, "b.vhd"),
  };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  CHECK_LIST ("/no/vm/child.vhd", true, names, &ps, "W2ru /no/vm/b.vhd");
}

static void
windows_paths_hang_below_search_directories (void **state)
{
  static const char *const search[] = { "/no/s" };
  const struct stored_name names[] = {
    name (VHD_PLATFORM_W2KU, "\\\\srv\\vol\\d\\b.vhd"),
    name (VHD_PLATFORM_W2KU, "D:\\e\\b.vhd"),
  };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  ps.search = search;
  ps.nr_search = 1;
  CHECK_LIST ("/no/vm/child.vhd", false, names, &ps,
              "W2ku /no/vm/b.vhd",
              "search= /no/s/b.vhd",
              "search= /no/s/srv/vol/d/b.vhd",
              "search= /no/s/d/b.vhd",
              "search= /no/s/e/b.vhd");
}

static void
tap_urls_are_literal_first (void **state)
{
  const struct stored_name names[] = {
    name (VHD_PLATFORM_MACX, "file://./a%20b.vhd"),
  };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  CHECK_LIST ("/no/vm/c.vhd", true, names, &ps,
              "MacX /no/vm/a%20b.vhd", "MacX /no/vm/a b.vhd");
  CHECK_LIST ("/no/vm/c.vhd", false, names, &ps,
              "MacX /no/vm/a b.vhd", "MacX /no/vm/a%20b.vhd");
}

static void
deprecated_locators_go_with_their_successors (void **state)
{
  const struct stored_name names[] = {
    name (VHD_PLATFORM_WI2K, "/abs/k.vhd"),
    name (VHD_PLATFORM_WI2R, ".\\r.vhd"),
  };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  CHECK_LIST ("/no/vm/c.vhd", false, names, &ps,
              "Wi2r /no/vm/r.vhd", "Wi2k /abs/k.vhd", "Wi2k /no/vm/k.vhd");
}

static void
raw_prefix_means_a_raw_file (void **state)
{
  static const char *const parents[] = { "raw:/srv/base.img" };
  const struct stored_name names[] = { name (0, "base.img") };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  ps.explicit_parents = parents;
  ps.nr_explicit = 1;
  CHECK_LIST ("/srv/c.vhd", false, names, &ps,
              "parent= raw /srv/base.img", "name /srv/base.img");
}

static void
locators_that_cannot_be_read_are_passed_over (void **state)
{
  const struct stored_name names[] = {
    { .platform = VHD_PLATFORM_W2RU, .problem = "it is empty" },
    name (0, "b.vhd"),
  };
  struct parent_search ps = NO_SEARCH;

  (void) state;
  CHECK_LIST ("/no/c.vhd", false, names, &ps, "name /no/b.vhd");
}

static void
very_long_paths_are_no_trouble (void **state)
{
  size_t n = 10000, i;
  char *text = malloc (3 * n + 2);
  struct stored_path p;

  (void) state;
  for (i = 0; i < n; i++)
    memcpy (text + 3 * i, "..\\", 3);
  strcpy (text + 3 * n, "b");
  assert_int_equal (stored_path_parse (text, &p), 1);
  check_join ("/a/b/c", p.rest, "/b");
  stored_path_free (&p);
  free (text);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (relative_paths_of_all_writers),
    cmocka_unit_test (windows_absolute_paths),
    cmocka_unit_test (unc_paths),
    cmocka_unit_test (posix_paths_keep_backslashes),
    cmocka_unit_test (text_that_names_no_file),
    cmocka_unit_test (going_up_is_textual),
    cmocka_unit_test (urls),
    cmocka_unit_test (candidates_come_in_order),
    cmocka_unit_test (same_path_is_tried_once),
    cmocka_unit_test (windows_paths_hang_below_search_directories),
    cmocka_unit_test (tap_urls_are_literal_first),
    cmocka_unit_test (deprecated_locators_go_with_their_successors),
    cmocka_unit_test (raw_prefix_means_a_raw_file),
    cmocka_unit_test (locators_that_cannot_be_read_are_passed_over),
    cmocka_unit_test (very_long_paths_are_no_trouble),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
