/* vhdkit: tests of the search for a parent against enemies.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * An image may be written by someone who wants to read other files, to make
 * us hang, or to make us crash.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "parent-images.h"
#include "have-openat2.h"

#define W2RU(text) { VHD_PLATFORM_W2RU, text, 0 }
#define W2KU(text) { VHD_PLATFORM_W2KU, text, 0 }
#define MACX(text) { VHD_PLATFORM_MACX, text, 0 }

#define OUTSIDE "outside of the allowed directories"

/*----------------------------------------------------------------------
 * What a path may lead to
 *--------------------------------------------------------------------*/

static void
fifo_is_not_opened (void **state)
{
  (void) state;
  assert_int_equal (mkfifo ("p.vhd", 0600), 0);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "it is not a regular file");
}

static void
directory_is_no_parent (void **state)
{
  (void) state;
  make_folder ("p.vhd");
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "it is a directory");
}

static void
device_is_not_opened (void **state)
{
  (void) state;
  MAKE ("c.vhd", .parent_id = 1, .locator = { W2KU ("/dev/null") });
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "it is a device, which an image may not name");
  assert_int_equal (symlink ("/dev/zero", "z.vhd"), 0);
  MAKE ("d.vhd", .parent_id = 1, .name = "z.vhd");
  expect_error ("d.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "it is a device, which an image may not name");
}

static void
block_device_only_if_the_operator_names_it (void **state)
{
  const char *parents[] = { "raw:/dev/loop0" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1 };
  struct outcome o;
  struct stat st;

  (void) state;
  if (stat ("/dev/loop0", &st) == -1 || !S_ISBLK (st.st_mode))
    skip ();
  MAKE ("c.vhd", .parent_id = 1, .locator = { W2KU ("/dev/loop0") });
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "it is a device, which an image may not name");
  /* Whatever is in it, it is not refused for being a device. */
  o = find_parent ("c.vhd", &ps);
  assert_true (o.found || strstr (o.error, "it is a device") == NULL);
  forget (&o);
}

static void
text_file_is_not_served (void **state)
{
  (void) state;
  MAKE ("c.vhd", .parent_id = 1, .locator = { W2KU ("/etc/passwd") });
  expect_error ("c.vhd", NULL, VHDKIT_ERR_CHAIN_ERROR, "/etc/passwd");
  /* A raw parent, says the image: only the operator may. */
  MAKE ("d.vhd", .id = 1, .locator = { W2KU ("/etc/passwd") });
  expect_error ("d.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND, "parent=raw:FILE");
}

/*----------------------------------------------------------------------
 * Cycles
 *--------------------------------------------------------------------*/

static void
image_that_is_its_own_parent (void **state)
{
  (void) state;
  MAKE ("c.vhd", .id = 1, .parent_id = 1, .name = "c.vhd");
  expect_error ("c.vhd", NULL, VHDKIT_ERR_CHAIN_CYCLE, AT ("c.vhd"));
  /* With another id it is only not the parent. */
  MAKE ("d.vhd", .id = 2, .parent_id = 1, .name = "d.vhd");
  expect_error ("d.vhd", NULL, VHDKIT_ERR_CHAIN_CYCLE, AT ("d.vhd"));
}

static void
own_name_does_not_hide_the_parent (void **state)
{
  const char *search[] = { "s" };
  struct parent_search ps = { .search = search, .nr_search = 1 };

  (void) state;
  make_folder ("s");
  make_base ("s/disk.vhd", 1);
  MAKE ("disk.vhd", .id = 2, .parent_id = 1, .name = "disk.vhd");
  expect_parent ("disk.vhd", &ps, AT ("s/disk.vhd"));
}

static void
links_to_the_child_are_the_child (void **state)
{
  (void) state;
  MAKE ("c.vhd", .id = 1, .parent_id = 1, .name = "hard.vhd");
  assert_int_equal (link ("c.vhd", "hard.vhd"), 0);
  expect_error ("c.vhd", NULL, VHDKIT_ERR_CHAIN_CYCLE, AT ("hard.vhd"));

  MAKE ("d.vhd", .id = 1, .parent_id = 1, .name = "soft.vhd");
  assert_int_equal (symlink ("d.vhd", "soft.vhd"), 0);
  expect_error ("d.vhd", NULL, VHDKIT_ERR_CHAIN_CYCLE, AT ("soft.vhd"));
}

static void
ignoring_ids_does_not_allow_cycles (void **state)
{
  const char *parents[] = { "c.vhd" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1,
                              .ignore_id = true };

  (void) state;
  MAKE ("c.vhd", .id = 1, .parent_id = 2, .name = "c.vhd");
  expect_error ("c.vhd", &ps, VHDKIT_ERR_CHAIN_CYCLE, "c.vhd");
}

static void
two_images_that_name_each_other (void **state)
{
  struct image *a, *b;
  struct layer chain[2] = { { 0 } }, parent;
  struct parent_search ps = { .lock = true };
  struct vhdkit_candidate *c;
  size_t n;

  (void) state;
  MAKE ("a.vhd", .id = 1, .parent_id = 2, .name = "b.vhd");
  MAKE ("b.vhd", .id = 2, .parent_id = 1, .name = "a.vhd");
  a = open_child ("a.vhd");
  b = open_child ("b.vhd");
  chain[0].image = a;
  chain[1].image = b;
  assert_int_equal (store_identity (image_store (a), &chain[0].id), 0);
  assert_int_equal (store_identity (image_store (b), &chain[1].id), 0);
  assert_int_equal (parent_open (b, "b.vhd", &ps, chain, 2, &parent, &c, &n),
                    -1);
  assert_int_equal (vhdkit_get_error_code (), VHDKIT_ERR_CHAIN_CYCLE);
  assert_non_null (strstr (vhdkit_get_error (), AT ("a.vhd")));
  parent_candidates_free (c, n);
  image_close (a);
  image_close (b);
}

/*----------------------------------------------------------------------
 * Text
 *--------------------------------------------------------------------*/

static void
control_characters_do_not_reach_messages (void **state)
{
  struct vhdkit_locator *l;
  struct outcome o;
  struct image *i;
  size_t n, k;

  (void) state;
  MAKE ("c.vhd", .parent_id = 1, .name = "a\nb.vhd",
        .locator = { W2RU (".\\x\033[2Jy\r\n.vhd") });
  o = find_parent ("c.vhd", NULL);
  assert_false (o.found);
  assert_null (strpbrk (o.error, "\n\r\033"));
  assert_non_null (strstr (o.error, "a\\x0ab.vhd"));
  for (k = 0; k < o.n; k++)
    assert_null (strpbrk (o.candidates[k].path, "\n\r\033"));
  forget (&o);

  i = open_child ("c.vhd");
  assert_int_equal (parent_locators (i, &l, &n), 0);
  for (k = 0; k < n; k++)
    assert_null (strpbrk (l[k].text, "\n\r\033"));
  parent_locators_free (l, n);
  image_close (i);

  /* But such a file is found. */
  make_base ("a\nb.vhd", 1);
  o = find_parent ("c.vhd", NULL);
  assert_true (o.found);
  assert_string_equal (o.path, AT ("a\nb.vhd"));
  forget (&o);
}

static void
unpaired_surrogate_makes_a_locator_unusable (void **state)
{
  struct vhdkit_locator *l;
  struct image *i;
  size_t n;

  (void) state;
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd",
        .locator = { { VHD_PLATFORM_W2RU, "a\0\0\xd8" "b\0", 6 } });
  i = open_child ("c.vhd");
  assert_int_equal (parent_locators (i, &l, &n), 0);
  assert_null (l[0].text);
  assert_non_null (strstr (l[0].problem, "UTF-16"));
  parent_locators_free (l, n);
  image_close (i);

  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "the locator \"W2ru\" cannot be used");
  make_base ("p.vhd", 1);
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
unpaired_surrogate_in_the_header_name (void **state)
{
  uint8_t name[512] = { 0xdc, 0x00, 0x00, 'x' };

  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .raw_name = name,
        .locator = { W2RU ("p.vhd") });
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
header_name_without_terminator (void **state)
{
  uint8_t name[512];
  size_t i;

  (void) state;
  for (i = 0; i < 256; i++) {
    name[2 * i] = 0;
    name[2 * i + 1] = 'x';
  }
  MAKE ("c.vhd", .parent_id = 1, .raw_name = name);
  /* One more than a file name may have. */
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND, "too long");
}

static void
embedded_nul_ends_the_text (void **state)
{
  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .locator = {
        { VHD_PLATFORM_W2RU, "p\0.\0v\0h\0d\0\0\0x\0y\0", 16 } });
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
eight_locators_of_64_kib (void **state)
{
  static char dots[65536], letters[65536];
  struct test_image t = { .parent_id = 1, .name = "p.vhd" };
  struct outcome o;
  size_t i;

  (void) state;
  for (i = 0; i + 6 <= sizeof dots; i += 6)
    memcpy (dots + i, ".\0.\0\\\0", 6);
  for (i = 0; i < sizeof letters; i += 2)
    memcpy (letters + i, "a", 2);
  for (i = 0; i < VHD_LOCATORS; i++)
    t.locator[i] = (struct test_locator) { i % 2 ? VHD_PLATFORM_W2RU
                                                 : VHD_PLATFORM_W2KU,
                                           i % 4 ? dots : letters, 65536 };
  make_image ("c.vhd", &t);
  o = find_parent ("c.vhd", NULL);
  assert_false (o.found);
  assert_int_equal (o.code, VHDKIT_ERR_PARENT_NOT_FOUND);
  assert_non_null (strstr (o.error, "the name is too long"));
  assert_true (strlen (o.error) < 20000);
  forget (&o);
  make_base ("p.vhd", 1);
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
url_with_an_encoded_nul (void **state)
{
  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .locator = { MACX ("file://p.vhd%00.txt") });
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND, "p.vhd%00.txt");
}

/*----------------------------------------------------------------------
 * Confinement: jail/ is the directory of the images
 *--------------------------------------------------------------------*/

static void
confine (struct parent_search *ps)
{
  if (!have_openat2 ())
    skip ();
  memset (ps, 0, sizeof *ps);
  ps->confine = true;
  ps->confine_dir = AT ("jail");
}

static void
confined_parent_beneath_the_directory (void **state)
{
  struct parent_search ps;

  (void) state;
  make_folder ("jail");
  make_folder ("jail/a");
  make_folder ("jail/b");
  make_base ("jail/b/p.vhd", 1);
  MAKE ("jail/a/c.vhd", .parent_id = 1,
        .locator = { W2RU (".\\..\\b\\p.vhd") });
  confine (&ps);
  expect_parent (AT ("jail/a/c.vhd"), &ps, AT ("jail/b/p.vhd"));
  MAKE ("jail/a/abs.vhd", .parent_id = 1,
        .locator = { W2KU (AT ("jail/b/p.vhd")) });
  expect_parent (AT ("jail/a/abs.vhd"), &ps, AT ("jail/b/p.vhd"));
  MAKE ("jail/a/case.vhd", .parent_id = 1,
        .locator = { W2RU ("..\\B\\P.VHD") });
  expect_parent (AT ("jail/a/case.vhd"), &ps, AT ("jail/b/p.vhd"));
}

static void
confined_without_a_directory_means_that_of_the_child (void **state)
{
  struct parent_search ps;

  (void) state;
  confine (&ps);
  ps.confine_dir = NULL;
  make_folder ("jail");
  make_base ("jail/p.vhd", 1);
  make_base ("p.vhd", 1);
  MAKE ("jail/c.vhd", .parent_id = 1, .locator = { W2RU ("..\\p.vhd") });
  expect_parent ("jail/c.vhd", &ps, AT ("jail/p.vhd"));
}

/* To the root, however deep we are. */
#define UP "..\\..\\..\\..\\..\\..\\..\\..\\"

static void
confined_parent_elsewhere_is_refused (void **state)
{
  struct parent_search ps;
  struct outcome o;

  (void) state;
  make_folder ("jail");
  make_folder ("jail-2");
  make_base ("p.vhd", 1);
  make_base ("jail-2/q.vhd", 1);
  MAKE ("jail/c.vhd", .parent_id = 1,
        .locator = { W2RU ("..\\p.vhd"), W2KU (AT ("jail-2/q.vhd")),
                     W2RU ("x\\..\\..\\p.vhd"),
                     W2RU (UP UP UP UP "etc\\passwd") });
  confine (&ps);
  o = find_parent (AT ("jail/c.vhd"), &ps);
  assert_false (o.found);
  assert_int_equal (o.code, VHDKIT_ERR_PARENT_NOT_FOUND);
  expect_tried (&o, AT ("p.vhd"), OUTSIDE);
  expect_tried (&o, AT ("jail-2/q.vhd"), OUTSIDE);
  expect_tried (&o, "/etc/passwd", OUTSIDE);
  forget (&o);
  /* Not confined, the same image has a parent. */
  expect_parent (AT ("jail/c.vhd"), NULL, AT ("p.vhd"));
}

static void
confined_links_may_not_lead_out (void **state)
{
  struct parent_search ps;
  struct outcome o;

  (void) state;
  make_folder ("jail");
  make_folder ("out");
  make_base ("out/p.vhd", 1);
  assert_int_equal (symlink ("../out", "jail/folder"), 0);
  assert_int_equal (symlink ("../out/p.vhd", "jail/relative.vhd"), 0);
  assert_int_equal (symlink (AT ("out/p.vhd"), "jail/absolute.vhd"), 0);
  MAKE ("jail/c.vhd", .parent_id = 1,
        .locator = { W2RU ("folder\\p.vhd"), W2RU ("relative.vhd"),
                     W2RU ("absolute.vhd"), W2RU ("FOLDER\\P.vhd"),
                     W2RU ("RELATIVE.vhd") });
  confine (&ps);
  o = find_parent (AT ("jail/c.vhd"), &ps);
  assert_false (o.found);
  expect_tried (&o, AT ("jail/folder/p.vhd"), OUTSIDE);
  expect_tried (&o, AT ("jail/relative.vhd"), OUTSIDE);
  expect_tried (&o, AT ("jail/absolute.vhd"), OUTSIDE);
  expect_tried (&o, AT ("jail/RELATIVE.vhd"), OUTSIDE);
  forget (&o);
}

static void
confined_links_may_lead_about_inside (void **state)
{
  struct parent_search ps;

  (void) state;
  make_folder ("jail");
  make_folder ("jail/b");
  make_base ("jail/b/p.vhd", 1);
  assert_int_equal (symlink ("b/p.vhd", "jail/relative.vhd"), 0);
  assert_int_equal (symlink (AT ("jail/b/p.vhd"), "jail/absolute.vhd"), 0);
  MAKE ("jail/c.vhd", .parent_id = 1, .name = "relative.vhd");
  MAKE ("jail/d.vhd", .parent_id = 1, .name = "absolute.vhd");
  confine (&ps);
  expect_parent (AT ("jail/c.vhd"), &ps, AT ("jail/relative.vhd"));
  expect_parent (AT ("jail/d.vhd"), &ps, AT ("jail/b/p.vhd"));
}

static void
confined_search_directory_is_allowed_too (void **state)
{
  const char *search[] = { NULL, "/nowhere" };
  struct parent_search ps;
  struct outcome o;

  (void) state;
  make_folder ("jail");
  make_folder ("bases");
  make_base ("bases/p.vhd", 1);
  confine (&ps);
  search[0] = AT ("bases");
  ps.search = search;
  ps.nr_search = 2;
  MAKE ("jail/c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_parent (AT ("jail/c.vhd"), &ps, AT ("bases/p.vhd"));
  /* Also when the image itself, or a link, leads there. */
  MAKE ("jail/d.vhd", .parent_id = 1,
        .locator = { W2RU ("..\\bases\\p.vhd") });
  expect_parent (AT ("jail/d.vhd"), &ps, AT ("bases/p.vhd"));
  assert_int_equal (symlink ("../bases/p.vhd", "jail/l.vhd"), 0);
  MAKE ("jail/e.vhd", .parent_id = 1, .name = "l.vhd");
  expect_parent (AT ("jail/e.vhd"), &ps, AT ("bases/p.vhd"));
  MAKE ("jail/f.vhd", .parent_id = 1, .name = "missing.vhd");
  o = find_parent (AT ("jail/f.vhd"), &ps);
  expect_tried (&o, "/nowhere/missing.vhd", "no such file");
  forget (&o);
}

static void
confined_directory_named_by_a_link (void **state)
{
  struct parent_search ps;

  (void) state;
  make_folder ("jail");
  make_base ("jail/p.vhd", 1);
  assert_int_equal (symlink ("jail", "link"), 0);
  MAKE ("jail/c.vhd", .parent_id = 1, .locator = { W2KU (AT ("link/p.vhd")) });
  confine (&ps);
  ps.confine_dir = AT ("link");
  expect_parent (AT ("link/c.vhd"), &ps, AT ("jail/p.vhd"));
}

static void
confinement_does_not_bind_the_operator (void **state)
{
  const char *parents[] = { NULL };
  struct parent_search ps;

  (void) state;
  make_folder ("jail");
  make_base ("p.vhd", 1);
  MAKE ("jail/c.vhd", .parent_id = 1, .name = "q.vhd");
  confine (&ps);
  parents[0] = AT ("p.vhd");
  ps.explicit_parents = parents;
  ps.nr_explicit = 1;
  expect_parent (AT ("jail/c.vhd"), &ps, AT ("p.vhd"));
}

static void
confined_fifo_is_not_opened (void **state)
{
  struct parent_search ps;

  (void) state;
  make_folder ("jail");
  assert_int_equal (mkfifo ("jail/p.vhd", 0600), 0);
  MAKE ("jail/c.vhd", .parent_id = 1, .name = "p.vhd");
  confine (&ps);
  expect_error (AT ("jail/c.vhd"), &ps, VHDKIT_ERR_PARENT_NOT_FOUND,
                "it is not a regular file");
}

#define TEST(fn) cmocka_unit_test_setup_teardown (fn, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (fifo_is_not_opened),
    TEST (directory_is_no_parent),
    TEST (device_is_not_opened),
    TEST (block_device_only_if_the_operator_names_it),
    TEST (text_file_is_not_served),
    TEST (image_that_is_its_own_parent),
    TEST (own_name_does_not_hide_the_parent),
    TEST (links_to_the_child_are_the_child),
    TEST (ignoring_ids_does_not_allow_cycles),
    TEST (two_images_that_name_each_other),
    TEST (control_characters_do_not_reach_messages),
    TEST (unpaired_surrogate_makes_a_locator_unusable),
    TEST (unpaired_surrogate_in_the_header_name),
    TEST (header_name_without_terminator),
    TEST (embedded_nul_ends_the_text),
    TEST (eight_locators_of_64_kib),
    TEST (url_with_an_encoded_nul),
    TEST (confined_parent_beneath_the_directory),
    TEST (confined_without_a_directory_means_that_of_the_child),
    TEST (confined_parent_elsewhere_is_refused),
    TEST (confined_links_may_not_lead_out),
    TEST (confined_links_may_lead_about_inside),
    TEST (confined_search_directory_is_allowed_too),
    TEST (confined_directory_named_by_a_link),
    TEST (confinement_does_not_bind_the_operator),
    TEST (confined_fifo_is_not_opened),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
