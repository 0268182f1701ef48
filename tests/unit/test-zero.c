/* vhdkit tests: zero and trim: what is freed and kept, what the host is asked.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "one-image.h"

#define BLOCK (4 * KIB)

/* A child over a parent that is full of 'P', or over zeros. */
struct family {
  struct fixture child, parent;
  struct below below;
};

static void
make_family (struct family *m, bool over_data)
{
  make (&m->child, VHD_DIFFERENCING, 64 * KIB, BLOCK, false);
  make (&m->parent, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  assert_ok (try_open (&m->parent, true));
  for (uint32_t k = 0; over_data && k < 16; k++)
    write_block (&m->parent, k, 'P');
}

static void
open_child (struct family *m, struct store *s)
{
  assert_ok (try_open_over (&m->child, s, true));
  m->below = below_image (m->parent.i);
  image_set_below (m->child.i, &m->below);
}

static void
end_family (struct family *m)
{
  done (&m->child);
  done (&m->parent);
}

static void
assert_bytes (struct fixture *f, int byte, size_t count, uint64_t offset)
{
  while (count-- > 0)
    assert_int_equal (byte_at (f, offset++), byte);
}

/*----------------------------------------------------------------------
 * What is freed
 *--------------------------------------------------------------------*/

static void
last_block_is_freed_though_the_disk_ends_in_it (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DYNAMIC, 17 * KIB, BLOCK, false);
  assert_ok (try_open (&f, true));
  assert_ok (image_pwrite (f.i, "x", 1, 1));
  assert_ok (image_pwrite (f.i, "x", 1, 16 * KIB));
  assert_int_equal (image_blocks_allocated (f.i), 2);
  assert_ok (image_zero (f.i, 17 * KIB, 0, IMAGE_ZERO_TRIM));
  assert_int_equal (image_blocks_allocated (f.i), 0);
  done (&f);
}

/* A client that did not say that space may go wants to keep it. */
static void
zero_without_trim_frees_nothing (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 3, 0x33);
  assert_ok (image_zero (f.i, 64 * KIB, 0, 0));
  assert_int_equal (image_blocks_allocated (f.i), 1);
  assert_bytes (&f, 0, BLOCK, 3 * BLOCK);
  done (&f);
}

/* Its parent is not there, and may hold anything: the zeros must be held. */
static void
zero_of_a_child_opened_alone_is_held (void **state)
{
  struct family m;

  (void) state;
  make_family (&m, true);
  assert_ok (try_open (&m.child, true));
  assert_ok (image_zero (m.child.i, 2 * BLOCK + 100, 0, IMAGE_ZERO_TRIM));
  assert_ok (image_close (m.child.i));
  open_child (&m, wrap_keep (m.child.s));
  assert_bytes (&m.child, 0, 2 * BLOCK, 0);
  assert_bytes (&m.child, 'P', BLOCK, 3 * BLOCK);
  end_family (&m);
}

/*----------------------------------------------------------------------
 * What is asked of the host
 *--------------------------------------------------------------------*/

static int
note_zero_flags (struct wrap *w, const struct call *c)
{
  if (c->kind == CALL_ZERO)
    * (uint32_t *) w->opaque = c->flags;
  return 0;
}

static void
host_is_told_what_the_client_said (void **state)
{
  static const struct wrap_hooks hooks = { .before = note_zero_flags };
  static const uint32_t types[] = { VHD_FIXED, VHD_DYNAMIC };
  static const struct {
    uint32_t image, store;
  } flags[] = {
    { 0, 0 },
    { IMAGE_ZERO_TRIM, STORE_ZERO_PUNCH },
    { IMAGE_ZERO_FAST, STORE_ZERO_FAST },
    { IMAGE_ZERO_TRIM | IMAGE_ZERO_FAST, STORE_ZERO_PUNCH | STORE_ZERO_FAST },
  };

  (void) state;
  for (size_t k = 0; k < 8; k++) {
    struct fixture f;
    uint32_t said = ~0u;

    make (&f, types[k / 4], 64 * KIB, BLOCK, false);
    assert_ok (try_open_over (&f, wrap_open (wrap_keep (f.s), &hooks, &said),
                              true));
    assert_ok (image_pwrite (f.i, "x", 1, 0));
    assert_ok (image_zero (f.i, 1024, 512, flags[k % 4].image));
    assert_int_equal (said, flags[k % 4].store);
    done (&f);
  }
}

/* Sectors that the child does not hold are holes under bits, and stay holes. */
static void
zeros_over_data_are_holes (void **state)
{
  static const struct wrap_hooks hooks = { .before = note_zero_flags };
  struct family m;
  uint32_t said = ~0u;

  (void) state;
  make_family (&m, true);
  open_child (&m, wrap_open (wrap_keep (m.child.s), &hooks, &said));
  assert_ok (image_pwrite (m.child.i, "x", 1, 0));
  assert_ok (image_zero (m.child.i, 1024, 1024, 0));
  assert_int_equal (said, STORE_ZERO_PUNCH);
  assert_bytes (&m.child, 'P', 512, 512);
  assert_bytes (&m.child, 0, 1024, 1024);
  assert_bytes (&m.child, 'P', 512, 2048);
  end_family (&m);
}

/*----------------------------------------------------------------------
 * What fails
 *--------------------------------------------------------------------*/

/* In the place of a sector that the child does not hold the file may have
 * anything.  A zero that fails must not make it show. */
static void
zero_that_fails_shows_nothing_third (void **state)
{
  struct fault fault = { .kinds = CALL_ZERO, .err = EIO };
  struct family m;

  (void) state;
  make_family (&m, true);
  open_child (&m, wrap_keep (m.child.s));
  assert_ok (image_pwrite (m.child.i, "x", 1, 0));
  poke (&m.child, (uint64_t) image_table_entry (m.child.i, 0) * 512 + 3 * 512,
        "garbage", 7);
  assert_ok (image_close (m.child.i));
  open_child (&m, fault_open (wrap_keep (m.child.s), &fault));
  fault.fail_at = fault.calls + 1;
  assert_int_equal (image_zero (m.child.i, 512, 1024, 0), -1);
  assert_bytes (&m.child, 'P', 512, 1024);
  assert_ok (image_zero (m.child.i, 512, 1024, 0));
  assert_bytes (&m.child, 0, 512, 1024);
  end_family (&m);
}

/* As long as XenServer's map says that a block is full it must be there. */
static void
block_stays_until_the_batmap_is_cleared (void **state)
{
  struct fault fault = { .kinds = CALL_ZERO | CALL_WRITE, .err = EIO };
  uint8_t map[2];
  unsigned n, failures = 0;

  (void) state;
  for (n = 1; n < 4; n++) {
    struct fixture f;

    make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
    format_add_batmap (f.s);
    assert_ok (try_open (&f, true));
    write_block (&f, 0, 1);
    write_block (&f, 1, 2);
    assert_ok (image_close (f.i));
    format_fill_batmap (f.s, 2);
    assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
    fault.fail_at = fault.calls + n;
    if (image_zero (f.i, BLOCK, 0, IMAGE_ZERO_TRIM) == -1) {
      failures++;
      assert_int_equal (image_blocks_allocated (f.i), 2);
      assert_bytes (&f, 1, BLOCK, 0);
    }
    fault.fail_at = 0;
    assert_ok (image_zero (f.i, BLOCK, 0, IMAGE_ZERO_TRIM));
    assert_int_equal (image_blocks_allocated (f.i), 1);
    assert_ok (image_flush (f.i));
    assert_ok (store_pread (f.s, map, sizeof map, 2048 + 512));
    assert_int_equal (map[0], 0);
    done (&f);
  }
  assert_int_equal (failures, 2);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (last_block_is_freed_though_the_disk_ends_in_it),
    cmocka_unit_test (zero_without_trim_frees_nothing),
    cmocka_unit_test (zero_of_a_child_opened_alone_is_held),
    cmocka_unit_test (host_is_told_what_the_client_said),
    cmocka_unit_test (zeros_over_data_are_holes),
    cmocka_unit_test (zero_that_fails_shows_nothing_third),
    cmocka_unit_test (block_stays_until_the_batmap_is_cleared),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
