/* vhdkit tests: what extents say, also while the image changes.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The host's answers are remembered, and a hole that has been written since
 * must not be called one: whoever copies by extents would lose the data.
 */
#include <config.h>

#include "unit.h"

#include <fcntl.h>

#include "format/vhd.h"
#include "new-disk.h"

#define KIB 1024u
#define BLOCK (512 * KIB)
#define SIZE (4 * BLOCK)

/* With a block that has holes. */
static vhdkit_disk *
open_disk_with_holes (void)
{
  vhdkit_disk *d = open_new_disk (SIZE, BLOCK);

  assert_ok (vhdkit_pwrite (d, "first", 5, BLOCK, 0));
  return d;
}

static vhdkit_disk *
reopen_read_only (vhdkit_disk *d)
{
  assert_ok (vhdkit_close (d));
  assert_ok (vhdkit_open (temp_path ("disk.vhd"), VHDKIT_ACCESS_ATTACH_RO, 0,
                          NULL, &d));
  return d;
}

static int
note_flags (void *opaque, const struct vhdkit_extent *e)
{
  * (uint32_t *) opaque = e->flags;
  return 0;
}

static bool
is_hole (vhdkit_disk *d, uint64_t offset)
{
  uint32_t flags = ~0u;

  assert_ok (vhdkit_extents (d, 512, offset, note_flags, &flags));
  assert_int_not_equal (flags, ~0u);
  return flags & VHDKIT_EXTENT_HOLE;
}

static void
write_into_every_hole (vhdkit_disk *d)
{
  unsigned holes = 0;

  for (uint64_t at = BLOCK + 64 * KIB; at < 2 * BLOCK; at += 64 * KIB) {
    holes += is_hole (d, at);
    assert_ok (vhdkit_pwrite (d, "x", 1, at, 0));
    assert_false (is_hole (d, at));
  }
  assert_false (is_hole (d, BLOCK));
  assert_ok (vhdkit_close (d));
  if (holes == 0)               /* a file system without */
    skip ();
}

static void
hole_that_was_written_is_data (void **state)
{
  (void) state;
  write_into_every_hole (open_disk_with_holes ());
}

static void
hole_known_before_an_upgrade_that_was_written_is_data (void **state)
{
  vhdkit_disk *d = reopen_read_only (open_disk_with_holes ());

  (void) state;
  (void) is_hole (d, BLOCK + 64 * KIB);
  assert_ok (vhdkit_upgrade (d));
  write_into_every_hole (d);
}

static int
note_extent (void *opaque, const struct vhdkit_extent *e)
{
  * (struct vhdkit_extent *) opaque = *e;
  return 0;
}

static void
place_is_that_of_the_first_byte_asked_for (void **state)
{
  vhdkit_disk *d = open_disk_with_holes ();
  struct vhdkit_extent whole, part;

  (void) state;
  assert_ok (vhdkit_extents (d, 512, BLOCK, note_extent, &whole));
  assert_ok (vhdkit_extents (d, 100, BLOCK + 5, note_extent, &part));
  assert_int_equal (part.offset, BLOCK + 5);
  assert_int_equal (part.length, 100);
  assert_int_equal (part.file_offset, whole.file_offset + 5);
  assert_ok (vhdkit_close (d));
}

/* Its place is not known, but it must not be taken for zeros. */
static void
damaged_block_is_data_without_a_place (void **state)
{
  vhdkit_disk *d = open_disk_with_holes ();
  const be32 nowhere = put_be32 (0x7fffffff);
  struct vhdkit_extent e = { 0 };
  struct store *s;

  (void) state;
  assert_ok (vhdkit_close (d));
  s = store_open_file (AT_FDCWD, temp_path ("disk.vhd"), true, false);
  assert_non_null (s);
  assert_ok (store_pwrite (s, &nowhere, sizeof nowhere, 1536 + 4));
  assert_ok (store_close (s));
  assert_ok (vhdkit_open (temp_path ("disk.vhd"), VHDKIT_ACCESS_ATTACH_RO, 0,
                          NULL, &d));
  assert_ok (vhdkit_extents (d, 1024, BLOCK + 512, note_extent, &e));
  assert_int_equal (e.offset, BLOCK + 512);
  assert_int_equal (e.length, 1024);
  assert_int_equal (e.flags, 0);
  assert_true (e.file_offset == UINT64_MAX);
  assert_ok (vhdkit_close (d));
}

/* 1: enough, a success; -1: the caller has failed. */
static int
answer (void *opaque, const struct vhdkit_extent *e)
{
  int *a = opaque, r = a[0];

  (void) e;
  a[1]++;
  return r;
}

static void
callback_ends_the_walk (void **state)
{
  vhdkit_disk *d = open_disk_with_holes ();
  int a[2] = { 1, 0 };

  (void) state;
  assert_ok (vhdkit_extents (d, SIZE, 0, answer, a));
  assert_int_equal (a[1], 1);
  a[0] = -1;
  assert_int_equal (vhdkit_extents (d, SIZE, 0, answer, a), -1);
  assert_int_equal (a[1], 2);
  assert_ok (vhdkit_close (d));
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (hole_that_was_written_is_data),
    cmocka_unit_test (hole_known_before_an_upgrade_that_was_written_is_data),
    cmocka_unit_test (place_is_that_of_the_first_byte_asked_for),
    cmocka_unit_test (damaged_block_is_data_without_a_place),
    cmocka_unit_test (callback_ends_the_walk),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
