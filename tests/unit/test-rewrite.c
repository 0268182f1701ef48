/* vhdkit tests: another parent and another id, with power cuts and failures.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * At every point of the change, whatever of it reached the disk, the image
 * opens and says the old thing or the new one, and nothing of both.
 */
#include <config.h>

#include "unit.h"
#include "create-calls.h"
#include "store-wrap.h"

#include "disk/disk.h"
#include "format/vhd.h"

/* What is recorded: new paths, one long, one short. */
static uint8_t absolute[1400], relative[40];

static const struct image_options writable = { .writable = true };

static struct image_parent
new_parent (size_t absolute_bytes)
{
  struct image_parent p = {
    .id = "new parent's id", .timestamp = 42,
    .path = {
      { VHD_PLATFORM_W2KU, absolute, absolute_bytes },
      { VHD_PLATFORM_W2RU, relative, sizeof relative },
    },
  };
  size_t i;

  for (i = 0; i < sizeof absolute; i += 2)
    absolute[i] = i == 0 ? '/' : 'n';
  for (i = 0; i < sizeof relative; i += 2)
    relative[i] = i == 0 ? '.' : i == 2 ? '\\' : 'n';
  for (i = 0; i < 20; i += 2)
    p.name[i + 1] = 'n';
  return p;
}

/* A child with some data in it, as a file of its own in memory. */
static struct store *
child_in_memory (void)
{
  struct store *file, *s = store_open_memory ("child");
  struct vhdkit_create_parameters p = parameters ();
  char parent[300];
  vhdkit_disk *disk;

  create_ok ("parent.vhd", &p);
  snprintf (parent, sizeof parent, "%s", temp_path ("parent.vhd"));
  p = child_parameters (parent);
  disk = create_open ("child.vhd", &p);
  assert_ok (vhdkit_pwrite (disk, "data", 4, 3 * MiB, 0));
  assert_ok (vhdkit_close (disk));
  file = store_open_file (AT_FDCWD, temp_path ("child.vhd"), false, false);
  assert_non_null (file);
  assert_non_null (s);
  assert_ok (store_copy (file, s));
  assert_ok (store_close (file));
  return s;
}

static bool
has_new_path (struct image *i)
{
  struct vhdkit_locator *l;
  size_t n, k;
  bool found = false, old = false;

  assert_ok (parent_locators (i, &l, &n));
  for (k = 0; k < n; k++) {
    assert_non_null (l[k].text);
    if (strcmp (l[k].platform, "W2ru") != 0)
      continue;
    found |= strstr (l[k].text, "nnnn") != NULL;
    old |= strcmp (l[k].text, ".\\parent.vhd") == 0;
  }
  parent_locators_free (l, n);
  assert_true (found != old);
  return found;
}

/* Opens, holds its data, and says all of the old or all of the new parent:
 * which of them. */
static bool
says_new_parent (struct store *s)
{
  const struct image_options read_only = { .writable = false };
  const struct vhd_header *h;
  struct image *i;
  char data[4];
  bool is_new;

  assert_ok (image_open (s, &read_only, &i));
  h = image_header (i);
  is_new = memcmp (h->parent_id, "new parent's id", 16) == 0;
  assert_true ((h->parent_timestamp == 42) == is_new);
  assert_true ((h->parent_name[1] == 'n') == is_new);
  assert_true (has_new_path (i) == is_new);
  assert_ok (image_pread (i, data, 4, 3 * MiB));
  assert_memory_equal (data, "data", 4);
  assert_ok (image_close (i));
  return is_new;
}

/* Also for writing, as the next session would. */
static void
still_writable (struct store *s)
{
  struct image *i;

  assert_ok (image_open (s, &writable, &i));
  assert_ok (image_pwrite (i, "more", 4, 0));
  assert_ok (image_flush (i));
  assert_ok (image_close (i));
}

static struct store *
copy_of (struct store *s)
{
  struct store *copy = store_open_memory ("copy");

  assert_non_null (copy);
  assert_ok (store_copy (s, copy));
  return copy;
}

/*----------------------------------------------------------------------
 * Power cuts
 *--------------------------------------------------------------------*/

typedef void (*cut_fn) (struct store *s, bool *ret_new);

static void
cut_says_parent (struct store *s, bool *ret_new)
{
  struct store *copy = copy_of (s);

  *ret_new = says_new_parent (s);
  still_writable (copy);
}

/* Every state that a power cut can leave. */
static void
cut_power (struct recording *r, cut_fn look)
{
  const size_t n = recording_nr (r);
  uint64_t seed = 1;
  bool is_new = false;
  unsigned chance;
  size_t end;

  for (end = 0; end <= n; end++)
    for (chance = 0; chance < 20; chance++)
      look (recording_cut (r, recording_durable (r, end), end,
                           survives_by_chance, &seed), &is_new);
  assert_true (is_new);         /* the last one is complete */
}

static void
power_cut_while_reparenting (size_t absolute_bytes)
{
  const struct image_parent p = new_parent (absolute_bytes);
  struct store *s = child_in_memory ();
  struct recording r;
  struct image *i;

  recording_init (&r);
  assert_ok (image_open (record_open (wrap_keep (s), &r), &writable, &i));
  assert_ok (image_set_parent (i, &p));
  cut_power (&r, cut_says_parent);
  assert_ok (image_close (i));
  recording_destroy (&r);
  store_close (s);
}

static void
a_power_cut_leaves_the_old_parent_or_the_new (void **state)
{
  (void) state;
  power_cut_while_reparenting (200);
  power_cut_while_reparenting (sizeof absolute);
}

static void
cut_says_id (struct store *s, bool *ret_new)
{
  const struct image_options read_only = { .writable = false };
  struct store *copy = copy_of (s);
  struct image *i;

  assert_ok (image_open (s, &read_only, &i));
  *ret_new = memcmp (image_footer (i)->id, "another disk id", 16) == 0;
  assert_ok (image_close (i));
  still_writable (copy);
}

static void
a_power_cut_leaves_the_old_id_or_the_new (void **state)
{
  struct store *s = child_in_memory ();
  struct recording r;
  struct image *i;

  (void) state;
  recording_init (&r);
  assert_ok (image_open (record_open (wrap_keep (s), &r), &writable, &i));
  assert_ok (image_set_id (i, (const uint8_t *) "another disk id"));
  cut_power (&r, cut_says_id);
  assert_ok (image_close (i));
  recording_destroy (&r);
  store_close (s);
}

/*----------------------------------------------------------------------
 * Failures
 *--------------------------------------------------------------------*/

static void
each_failure_leaves_an_image (void **state)
{
  const struct image_parent p = new_parent (200);
  struct store *s = child_in_memory ();
  bool hit = true;
  unsigned n;
  int r;

  (void) state;
  for (n = 1; hit; n++) {
    struct fault f = { .kinds = CALLS_CHANGING | CALL_FLUSH, .err = EIO,
                       .partial = 512 * (n % 2) };
    struct store *copy = copy_of (s), *kept;
    struct image *i;

    kept = wrap_keep (copy);
    assert_ok (image_open (fault_open (kept, &f), &writable, &i));
    f.calls = 0;
    f.fail_at = n;
    r = image_set_parent (i, &p);
    assert_int_equal (r, f.hit ? -1 : 0);
    if (f.hit)
      assert_last_error (VHDKIT_ERR_IO, "");
    hit = f.hit;
    f.fail_at = 0;
    image_close (i);
    says_new_parent (copy);
  }
  assert_true (n > 10);
  store_close (s);
}

/* Room for one path only, then for none. */
static void
paths_that_do_not_fit (void **state)
{
  static uint8_t huge[20000];
  struct image_parent p = new_parent (200);
  struct store *s = child_in_memory ();
  struct image *i;
  size_t k;

  (void) state;
  for (k = 0; k < sizeof huge; k += 2)
    huge[k] = 'h';
  assert_ok (image_open (wrap_keep (s), &writable, &i));
  p.path[0].payload = p.path[1].payload = huge;
  p.path[0].length = p.path[1].length = sizeof huge;
  assert_int_equal (image_set_parent (i, &p), -1);
  assert_last_error (VHDKIT_ERR_NAME_TOO_LONG, "20000");
  p.path[1].payload = relative;
  p.path[1].length = sizeof relative;
  assert_ok (image_set_parent (i, &p));
  assert_ok (image_close (i));
  assert_true (says_new_parent (s));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (a_power_cut_leaves_the_old_parent_or_the_new),
    cmocka_unit_test (a_power_cut_leaves_the_old_id_or_the_new),
    cmocka_unit_test (each_failure_leaves_an_image),
    cmocka_unit_test (paths_that_do_not_fit),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
