/* vhdkit: tests of finding and identifying the parent of an image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What enemies write is in test-parents-hostile.c.
 */
#include <config.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/time.h>
#include <cmocka.h>

#include "parent-images.h"

#define W2RU(text) { VHD_PLATFORM_W2RU, text, 0 }
#define W2KU(text) { VHD_PLATFORM_W2KU, text, 0 }
#define MACX(text) { VHD_PLATFORM_MACX, text, 0 }

/*----------------------------------------------------------------------
 * Locators as read
 *--------------------------------------------------------------------*/

static void
locators_are_decoded (void **state)
{
  struct vhdkit_locator *l;
  struct image *i;
  size_t n;

  (void) state;
  MAKE ("c.vhd", .parent_id = 1, .name = "gr\303\266\303\237e.vhd",
        .locator = { W2KU ("C:\\d\\p.vhd"), W2RU (".\\p.vhd"),
                     MACX ("file:///p.vhd"),
                     { VHD_PLATFORM_MAC, "alias", 5 },
                     { 0x41420a44, "x", 1 } });
  i = open_child ("c.vhd");
  assert_int_equal (parent_locators (i, &l, &n), 0);
  assert_int_equal (n, 6);
  assert_string_equal (l[0].platform, "W2ku");
  assert_string_equal (l[0].text, "C:\\d\\p.vhd");
  assert_int_equal (l[0].offset, 2048);
  assert_int_equal (l[0].length, 20);
  assert_int_equal (l[0].space, 512);
  assert_string_equal (l[1].text, ".\\p.vhd");
  assert_string_equal (l[2].text, "file:///p.vhd");
  assert_null (l[3].text);
  assert_non_null (strstr (l[3].problem, "alias"));
  assert_string_equal (l[4].platform, "AB?D");
  assert_null (l[4].text);
  assert_string_equal (l[5].platform, "name");
  assert_string_equal (l[5].text, "gr\303\266\303\237e.vhd");
  assert_int_equal (l[5].offset, 512 + 0x40);
  parent_locators_free (l, n);
  image_close (i);
}

static void
dynamic_image_has_no_locators (void **state)
{
  struct vhdkit_locator *l;
  struct image *i;
  size_t n = 1;

  (void) state;
  make_base ("p.vhd", 1);
  i = open_child ("p.vhd");
  assert_int_equal (parent_locators (i, &l, &n), 0);
  assert_int_equal (n, 0);
  parent_locators_free (l, n);
  image_close (i);
}

/*----------------------------------------------------------------------
 * Where
 *--------------------------------------------------------------------*/

static void
relative_locator_leads_to_the_parent (void **state)
{
  (void) state;
  make_folder ("base");
  make_folder ("vm");
  make_base ("base/p.vhd", 1);
  MAKE ("vm/c.vhd", .parent_id = 1, .locator = { W2RU ("..\\base\\p.vhd") });
  expect_parent ("vm/c.vhd", NULL, AT ("base/p.vhd"));
  MAKE ("vm/d.vhd", .parent_id = 1,
        .locator = { W2RU (".\\..\\base/p.vhd") });
  expect_parent ("vm/d.vhd", NULL, AT ("base/p.vhd"));
}

static void
folder_is_that_of_the_real_file_then_as_named (void **state)
{
  struct outcome o;

  (void) state;
  make_folder ("real");
  make_folder ("links");
  make_base ("real/p.vhd", 1);
  MAKE ("real/c.vhd", .parent_id = 1, .locator = { W2RU (".\\p.vhd") });
  assert_int_equal (symlink ("../real/c.vhd", "links/c.vhd"), 0);
  expect_parent ("links/c.vhd", NULL, AT ("real/p.vhd"));

  assert_int_equal (rename ("real/p.vhd", "links/p.vhd"), 0);
  o = find_parent ("links/c.vhd", NULL);
  assert_true (o.found);
  assert_string_equal (o.path, AT ("links/p.vhd"));
  expect_tried (&o, AT ("real/p.vhd"), "no such file");
  forget (&o);
}

static void
virtualbox_stores_posix_paths (void **state)
{
  (void) state;
  make_folder ("a");
  make_base ("a/p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .locator = { W2KU (AT ("a/p.vhd")) });
  expect_parent ("c.vhd", NULL, AT ("a/p.vhd"));
}

static void
tap_stores_relative_paths_in_w2ku (void **state)
{
  (void) state;
  make_folder ("a");
  make_base ("a/p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .locator = { W2KU (".\\a\\p.vhd") });
  expect_parent ("c.vhd", NULL, AT ("a/p.vhd"));
}

static void
mac_url_is_percent_decoded (void **state)
{
  char url[2 * PATH_MAX];

  (void) state;
  make_folder ("my disks");
  make_base ("my disks/p.vhd", 1);
  snprintf (url, sizeof url, "file://localhost%s/my%%20disks/p.vhd", folder);
  MAKE ("c.vhd", .parent_id = 1, .locator = { MACX (url) });
  expect_parent ("c.vhd", NULL, AT ("my disks/p.vhd"));
}

static void
tap_url_is_literal_first (void **state)
{
  (void) state;
  make_base ("a%20b.vhd", 1);
  make_base ("a b.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .creator = "tap",
        .locator = { MACX ("file://./a%20b.vhd") });
  expect_parent ("c.vhd", NULL, AT ("a%20b.vhd"));
  assert_int_equal (unlink ("a%20b.vhd"), 0);
  expect_parent ("c.vhd", NULL, AT ("a b.vhd"));
}

static void
header_name_is_looked_for_beside_the_child (void **state)
{
  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "C:\\Projects\\p.vhd");
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
base_name_of_a_locator_beside_the_child (void **state)
{
  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1,
        .locator = { W2KU ("\\\\?\\UNC\\server\\share\\p.vhd") });
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
search_directories_come_last_in_their_order (void **state)
{
  const char *search[] = { "s1", "s2" };
  struct parent_search ps = { .search = search, .nr_search = 2 };

  (void) state;
  make_folder ("s1");
  make_folder ("s2");
  make_base ("s2/p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND, "p.vhd");
  expect_parent ("c.vhd", &ps, AT ("s2/p.vhd"));
  make_base ("s1/p.vhd", 1);
  expect_parent ("c.vhd", &ps, AT ("s1/p.vhd"));
  make_base ("p.vhd", 1);
  expect_parent ("c.vhd", &ps, AT ("p.vhd"));
}

static void
windows_path_below_a_search_directory (void **state)
{
  const char *search[] = { folder };
  struct parent_search ps = { .search = search, .nr_search = 1 };

  (void) state;
  make_folder ("vm");
  make_folder ("bases");
  make_base ("bases/p.vhd", 1);
  MAKE ("vm/drive.vhd", .parent_id = 1,
        .locator = { W2KU ("D:\\bases\\p.vhd") });
  MAKE ("vm/unc.vhd", .parent_id = 1,
        .locator = { W2KU ("\\\\server\\share\\bases\\p.vhd") });
  expect_parent ("vm/drive.vhd", &ps, AT ("bases/p.vhd"));
  expect_parent ("vm/unc.vhd", &ps, AT ("bases/p.vhd"));
}

static void
explicit_parent_goes_first (void **state)
{
  const char *parents[] = { "copy.vhd" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1 };

  (void) state;
  make_base ("p.vhd", 1);
  make_base ("copy.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_parent ("c.vhd", &ps, "copy.vhd");
}

static void
explicit_parent_that_is_not_taken_is_reported (void **state)
{
  const char *parents[] = { "typo.vhd" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1 };
  struct outcome o;

  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  o = find_parent ("c.vhd", &ps);
  assert_true (o.found);
  assert_true (has_finding (&o, VHDKIT_ERR_PARENT_NOT_FOUND));
  expect_tried (&o, "typo.vhd", "no such file");
  forget (&o);
}

static void
another_case_is_found_if_it_is_the_only_one (void **state)
{
  (void) state;
  make_folder ("Disks");
  make_base ("Disks/Parent.VHD", 1);
  MAKE ("c.vhd", .parent_id = 1, .locator = { W2RU (".\\disks\\PARENT.vhd") });
  expect_parent ("c.vhd", NULL, AT ("Disks/Parent.VHD"));

  make_base ("Disks/parent.vhd", 1);
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "several whose names differ only in case");
}

static void
exact_name_goes_before_another_case (void **state)
{
  (void) state;
  make_base ("P.vhd", 1);
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_parent ("c.vhd", NULL, AT ("p.vhd"));
}

static void
case_of_letters_beyond_ascii (void **state)
{
  (void) state;
  make_base ("GR\303\226SSE.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "gr\303\266sse.vhd");
  expect_parent ("c.vhd", NULL, AT ("GR\303\226SSE.vhd"));
}

static void
every_path_tried_is_listed (void **state)
{
  const char *search[] = { "/nowhere" };
  struct parent_search ps = { .search = search, .nr_search = 1 };
  struct outcome o;

  (void) state;
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd",
        .locator = { W2RU (".\\sub\\q.vhd") });
  o = find_parent ("c.vhd", &ps);
  assert_false (o.found);
  assert_int_equal (o.code, VHDKIT_ERR_PARENT_NOT_FOUND);
  assert_int_equal (o.n, 6);
  assert_string_equal (o.candidates[0].path, AT ("sub/q.vhd"));
  assert_string_equal (o.candidates[0].source, "W2ru");
  assert_int_equal (o.candidates[0].state, VHDKIT_CANDIDATE_ABSENT);
  assert_string_equal (o.candidates[1].source, "name");
  assert_string_equal (o.candidates[5].path, "/nowhere/sub/q.vhd");
  assert_non_null (strstr (o.error, AT ("sub/q.vhd")));
  assert_non_null (strstr (o.error, AT ("p.vhd")));
  assert_non_null (strstr (o.error, "/nowhere/p.vhd (search=): no such file"));
  assert_non_null (strstr (o.error, "parent=FILE"));
  assert_non_null (strstr (o.error, "search=DIRECTORY"));
  forget (&o);
}

/*----------------------------------------------------------------------
 * Which
 *--------------------------------------------------------------------*/

static void
another_id_goes_on_to_the_next (void **state)
{
  const char *search[] = { "s" };
  struct parent_search ps = { .search = search, .nr_search = 1 };
  struct outcome o;

  (void) state;
  make_folder ("s");
  make_base ("p.vhd", 9);
  make_base ("s/p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  o = find_parent ("c.vhd", &ps);
  assert_true (o.found);
  assert_string_equal (o.path, AT ("s/p.vhd"));
  expect_tried (&o, AT ("p.vhd"), "it has another id, 09090909-0909-");
  forget (&o);
}

static void
only_other_ids_is_a_mismatch (void **state)
{
  (void) state;
  make_base ("p.vhd", 9);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_ID_MISMATCH,
                "its parent has the id 01010101-0101-0101-0101-010101010101");
}

static void
ignored_id_is_a_warning (void **state)
{
  struct parent_search ps = { .ignore_id = true };
  struct outcome o;

  (void) state;
  make_base ("p.vhd", 9);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  o = find_parent ("c.vhd", &ps);
  assert_true (o.found);
  assert_true (has_finding (&o, VHDKIT_ERR_PARENT_ID_MISMATCH));
  forget (&o);
}

static void
ignoring_ids_still_prefers_the_right_one (void **state)
{
  const char *search[] = { "s" }, *parents[] = { "p.vhd" };
  struct parent_search ps = { .search = search, .nr_search = 1,
                              .ignore_id = true };

  (void) state;
  make_folder ("s");
  make_base ("p.vhd", 9);
  make_base ("s/p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_parent ("c.vhd", &ps, AT ("s/p.vhd"));
  /* But what the operator names is taken. */
  ps.explicit_parents = parents;
  ps.nr_explicit = 1;
  expect_parent ("c.vhd", &ps, "p.vhd");
}

static void
fixed_and_differencing_parents (void **state)
{
  (void) state;
  MAKE ("f.vhd", .id = 1, .type = VHD_FIXED);
  MAKE ("d.vhd", .id = 2, .parent_id = 1, .name = "f.vhd");
  MAKE ("c.vhd", .id = 3, .parent_id = 2, .name = "d.vhd");
  expect_parent ("c.vhd", NULL, AT ("d.vhd"));
  expect_parent ("d.vhd", NULL, AT ("f.vhd"));
}

static void
time_stamp_only_warns (void **state)
{
  const struct timeval then[2] = { { VHD_EPOCH + 1000, 0 },
                                   { VHD_EPOCH + 1000, 0 } };
  struct outcome o;

  (void) state;
  make_base ("p.vhd", 1);
  assert_int_equal (utimes ("p.vhd", then), 0);
  MAKE ("unrecorded.vhd", .parent_id = 1, .name = "p.vhd");
  MAKE ("same.vhd", .parent_id = 1, .name = "p.vhd", .parent_timestamp = 1000);
  MAKE ("other.vhd", .parent_id = 1, .name = "p.vhd", .parent_timestamp = 999);

  o = find_parent ("unrecorded.vhd", NULL);
  assert_true (o.found && o.nr_findings == 0);
  forget (&o);
  o = find_parent ("same.vhd", NULL);
  assert_true (o.found && o.nr_findings == 0);
  forget (&o);
  o = find_parent ("other.vhd", NULL);
  assert_true (o.found);
  assert_true (has_finding (&o, VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH));
  forget (&o);
}

static void
size_only_warns (void **state)
{
  struct outcome o;

  (void) state;
  MAKE ("p.vhd", .id = 1, .size = IMAGE_BYTES / 2);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  o = find_parent ("c.vhd", NULL);
  assert_true (o.found);
  assert_int_equal (o.size, IMAGE_BYTES / 2);
  assert_true (has_finding (&o, VHDKIT_ERR_PARENT_SIZE_MISMATCH));
  forget (&o);
}

static void
damaged_parent_with_the_right_id_ends_the_search (void **state)
{
  const char *search[] = { "s" };
  struct parent_search ps = { .search = search, .nr_search = 1 };
  int fd;

  (void) state;
  make_folder ("s");
  make_base ("p.vhd", 1);
  make_base ("s/p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  /* Cookie of the dynamic header. */
  fd = open ("p.vhd", O_WRONLY | O_CLOEXEC);
  assert_int_equal (pwrite (fd, "?", 1, 512), 1);
  close (fd);
  expect_error ("c.vhd", &ps, VHDKIT_ERR_CHAIN_ERROR, AT ("p.vhd"));
}

static void
file_that_is_no_vhd_is_passed_over (void **state)
{
  const char *search[] = { "s" };
  struct parent_search ps = { .search = search, .nr_search = 1 };

  (void) state;
  make_folder ("s");
  make_file ("p.vhd", "hello", 5);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  expect_error ("c.vhd", &ps, VHDKIT_ERR_CHAIN_ERROR, AT ("p.vhd"));
  make_base ("s/p.vhd", 1);
  expect_parent ("c.vhd", &ps, AT ("s/p.vhd"));
}

static void
parent_that_may_not_be_read (void **state)
{
  bool root = geteuid () == 0;

  (void) state;
  make_base ("p.vhd", 1);
  assert_int_equal (chmod ("p.vhd", 0), 0);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  /* root may read all: be someone else, who may read the child. */
  assert_int_equal (chmod (folder, 0755), 0);
  assert_int_equal (chmod ("c.vhd", 0644), 0);
  if (root && seteuid (65534) == -1)
    skip ();
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_ACCESS_DENIED, AT ("p.vhd"));
  if (root)
    assert_int_equal (seteuid (0), 0);
}

static void
parent_in_use_by_a_writer (void **state)
{
  struct parent_search no_locks = { .lock = false };
  struct store *s;

  (void) state;
  make_base ("p.vhd", 1);
  MAKE ("c.vhd", .parent_id = 1, .name = "p.vhd");
  s = store_open_file (AT_FDCWD, "p.vhd", true, false);
  assert_non_null (s);
  assert_int_equal (store_lock (s, STORE_LOCK_WRITE), 0);
  expect_error ("c.vhd", NULL, VHDKIT_ERR_SHARING_VIOLATION, AT ("p.vhd"));
  expect_parent ("c.vhd", &no_locks, AT ("p.vhd"));
  assert_int_equal (store_close (s), 0);
}

static void
image_without_parent_is_the_wrong_type (void **state)
{
  (void) state;
  make_base ("p.vhd", 1);
  expect_error ("p.vhd", NULL, VHDKIT_ERR_WRONG_TYPE, "p.vhd");
}

/*----------------------------------------------------------------------
 * Raw parents
 *--------------------------------------------------------------------*/

static void
raw_parent_only_if_named (void **state)
{
  const char *parents[] = { "raw:base.img" }, *wrong[] = { "base.img" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1 };
  struct outcome o;

  (void) state;
  make_file ("base.img", "", 0);
  assert_int_equal (truncate ("base.img", IMAGE_BYTES), 0);
  MAKE ("c.vhd", .id = 1, .name = "base.img");
  expect_error ("c.vhd", NULL, VHDKIT_ERR_PARENT_NOT_FOUND,
                "parent=raw:FILE");
  o = find_parent ("c.vhd", &ps);
  assert_true (o.found && o.raw);
  assert_int_equal (o.size, IMAGE_BYTES);
  assert_int_equal (o.nr_findings, 0);
  forget (&o);
  ps.explicit_parents = wrong;
  expect_error ("c.vhd", &ps, VHDKIT_ERR_CHAIN_ERROR, "base.img");
}

static void
raw_parent_of_a_child_with_an_id_warns (void **state)
{
  const char *parents[] = { "raw:base.img" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1 };
  struct outcome o;

  (void) state;
  make_file ("base.img", "", 0);
  assert_int_equal (truncate ("base.img", IMAGE_BYTES), 0);
  MAKE ("c.vhd", .parent_id = 1, .name = "base.vhd");
  o = find_parent ("c.vhd", &ps);
  assert_true (o.found && o.raw);
  assert_true (has_finding (&o, VHDKIT_ERR_PARENT_ID_MISMATCH));
  forget (&o);
}

static void
raw_parent_must_be_whole_sectors (void **state)
{
  const char *parents[] = { "raw:base.img" };
  struct parent_search ps = { .explicit_parents = parents, .nr_explicit = 1 };

  (void) state;
  make_file ("base.img", "hello", 5);
  MAKE ("c.vhd", .id = 1, .name = "base.img");
  expect_error ("c.vhd", &ps, VHDKIT_ERR_CHAIN_ERROR, "5 bytes");
}

/*----------------------------------------------------------------------
 * What a layer says of itself
 *--------------------------------------------------------------------*/

static struct layer
open_layer (const char *path)
{
  struct layer l = { 0 };

  l.image = open_child (path);
  l.store = image_store (l.image);
  l.size = image_size (l.image);
  l.path = (char *) path;
  return l;
}

static void
close_layer (struct layer *l)
{
  parent_locators_free (l->locators, l->nr_locators);
  image_close (l->image);
}

static void
info_of_a_differencing_layer (void **state)
{
  struct layer layer[2];
  struct vhdkit_disk d = { .layer = layer, .nr_layers = 2 };
  const struct vhdkit_layer_info *i;
  struct stat st;

  (void) state;
  MAKE ("p.vhd", .id = 1, .creator = "vp\n");
  MAKE ("c.vhd", .id = 2, .parent_id = 1, .name = "p.vhd",
        .parent_timestamp = 77);
  layer[0] = open_layer ("c.vhd");
  layer[1] = open_layer ("p.vhd");

  i = disk_layer_info (&d, 0);
  assert_non_null (i);
  assert_string_equal (i->path, "c.vhd");
  assert_int_equal (i->type, VHDKIT_TYPE_DIFFERENCING);
  assert_int_equal (i->virtual_size, IMAGE_BYTES);
  assert_int_equal (i->original_size, IMAGE_BYTES);
  assert_int_equal (i->cylinders * i->heads * i->sectors * 512u, i->chs_size);
  assert_int_equal (stat ("c.vhd", &st), 0);
  assert_int_equal (i->file_size, st.st_size);
  assert_int_equal (i->allocated_size, st.st_blocks * 512u);
  assert_string_equal (i->creator, "win");
  assert_string_equal (i->id_text, "02020202-0202-0202-0202-020202020202");
  assert_string_equal (i->parent_id_text,
                       "01010101-0101-0101-0101-010101010101");
  assert_int_equal (i->parent_timestamp, 77);
  assert_int_equal (i->header_offset, 512);
  assert_int_equal (i->table_offset, 1536);
  assert_int_equal (i->table_entries, 2);
  assert_int_equal (i->block_size, VHD_DEFAULT_BLOCK_SIZE);
  assert_int_equal (i->nr_locators, 1);
  assert_string_equal (i->locators[0].text, "p.vhd");

  i = disk_layer_info (&d, 1);
  assert_non_null (i);
  assert_int_equal (i->type, VHDKIT_TYPE_DYNAMIC);
  assert_string_equal (i->creator, "vp?");
  assert_int_equal (i->nr_locators, 0);
  assert_null (disk_layer_info (&d, 2));
  close_layer (&layer[0]);
  close_layer (&layer[1]);
}

static void
info_of_a_raw_layer (void **state)
{
  struct layer layer = { .path = (char *) "base.img", .size = 1024 };
  struct vhdkit_disk d = { .layer = &layer, .nr_layers = 1 };
  const struct vhdkit_layer_info *i;

  (void) state;
  make_file ("base.img", "", 0);
  assert_int_equal (truncate ("base.img", 1024), 0);
  layer.store = store_open_file (AT_FDCWD, "base.img", false, false);
  assert_non_null (layer.store);
  i = disk_layer_info (&d, 0);
  assert_non_null (i);
  assert_int_equal (i->type, VHDKIT_TYPE_RAW);
  assert_int_equal (i->virtual_size, 1024);
  assert_int_equal (i->file_size, 1024);
  assert_int_equal (store_close (layer.store), 0);
}

#define TEST(fn) cmocka_unit_test_setup_teardown (fn, setup, teardown)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    TEST (locators_are_decoded),
    TEST (dynamic_image_has_no_locators),
    TEST (relative_locator_leads_to_the_parent),
    TEST (folder_is_that_of_the_real_file_then_as_named),
    TEST (virtualbox_stores_posix_paths),
    TEST (tap_stores_relative_paths_in_w2ku),
    TEST (mac_url_is_percent_decoded),
    TEST (tap_url_is_literal_first),
    TEST (header_name_is_looked_for_beside_the_child),
    TEST (base_name_of_a_locator_beside_the_child),
    TEST (search_directories_come_last_in_their_order),
    TEST (windows_path_below_a_search_directory),
    TEST (explicit_parent_goes_first),
    TEST (explicit_parent_that_is_not_taken_is_reported),
    TEST (another_case_is_found_if_it_is_the_only_one),
    TEST (exact_name_goes_before_another_case),
    TEST (case_of_letters_beyond_ascii),
    TEST (every_path_tried_is_listed),
    TEST (another_id_goes_on_to_the_next),
    TEST (only_other_ids_is_a_mismatch),
    TEST (ignored_id_is_a_warning),
    TEST (ignoring_ids_still_prefers_the_right_one),
    TEST (fixed_and_differencing_parents),
    TEST (time_stamp_only_warns),
    TEST (size_only_warns),
    TEST (damaged_parent_with_the_right_id_ends_the_search),
    TEST (file_that_is_no_vhd_is_passed_over),
    TEST (parent_that_may_not_be_read),
    TEST (parent_in_use_by_a_writer),
    TEST (image_without_parent_is_the_wrong_type),
    TEST (raw_parent_only_if_named),
    TEST (raw_parent_of_a_child_with_an_id_warns),
    TEST (raw_parent_must_be_whole_sectors),
    TEST (info_of_a_differencing_layer),
    TEST (info_of_a_raw_layer),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
