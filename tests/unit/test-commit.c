/* vhdkit tests: what a commit writes, when, and what it keeps in memory.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "one-image.h"

#include <time.h>

#include "image/internal.h"

#define BLOCK (4 * KIB)

/* A child over zeros, with room for some bitmaps, over a store s. */
static void
open_child (struct fixture *f, struct store *s, uint64_t cache_bytes,
            int commit_interval)
{
  struct image_options o = { .writable = true, .cache_bytes = cache_bytes,
                             .commit_interval = commit_interval };
  struct below zeros;

  assert_ok (image_open (s, &o, &f->i));
  zeros = below_image (NULL);
  image_set_below (f->i, &zeros);
}

static void
write_sector (struct fixture *f, uint32_t block, uint32_t sector, int byte)
{
  uint8_t buf[512];

  memset (buf, byte, sizeof buf);
  assert_ok (image_pwrite (f->i, buf, sizeof buf,
                           block * BLOCK + sector * 512));
}

static int
sector_is (struct fixture *f, uint32_t block, uint32_t sector, int byte)
{
  uint8_t buf[512];

  assert_ok (image_pread (f->i, buf, sizeof buf,
                          block * BLOCK + sector * 512));
  for (size_t k = 0; k < sizeof buf; k++)
    if (buf[k] != byte)
      return false;
  return true;
}

/*----------------------------------------------------------------------
 * What is written
 *--------------------------------------------------------------------*/

/* A change of every kind, to an image all of which is committed. */
static int
change (struct fixture *f, int kind)
{
  switch (kind) {
  case 0:
    return image_pwrite (f->i, "x", 1, 7);
  case 1:
    return image_pwrite (f->i, "x", 1, 9 * BLOCK);
  case 2:
    return image_zero (f->i, 512, 512, 0);
  case 3:
    return image_zero (f->i, 1024, 1024, IMAGE_ZERO_TRIM);
  case 4:
    return image_zero (f->i, 10, 5, 0);
  default:
    return image_zero (f->i, BLOCK, 0, IMAGE_ZERO_TRIM);
  }
}
#define CHANGES 6

static void
every_change_is_synced (void **state)
{
  static const uint32_t types[] = { VHD_FIXED, VHD_DYNAMIC, VHD_DIFFERENCING };

  (void) state;
  for (int k = 0; k < 3 * CHANGES; k++) {
    struct fault syncs = { .kinds = CALL_FLUSH };
    struct fixture f;
    uint64_t before;

    make (&f, types[k / CHANGES], 64 * KIB, BLOCK, false);
    open_child (&f, fault_open (wrap_keep (f.s), &syncs), 0, 0);
    assert_ok (image_pwrite (f.i, "first", 5, 0));
    assert_ok (image_flush (f.i));
    before = syncs.calls;
    assert_ok (image_flush (f.i));
    assert_int_equal (syncs.calls, before);
    assert_ok (change (&f, k % CHANGES));
    assert_ok (image_flush (f.i));
    assert_true (syncs.calls > before);
    done (&f);
  }
}

static void
bytes_behind_the_entries_are_kept (void **state)
{
  struct fixture f;
  uint8_t keep[512 - 64], back[sizeof keep];

  (void) state;
  memset (keep, 'k', sizeof keep);
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  poke (&f, TABLE + 64, keep, sizeof keep);
  assert_ok (try_open (&f, true));
  write_block (&f, 15, 1);
  assert_ok (image_flush (f.i));
  assert_ok (store_pread (f.s, back, sizeof back, TABLE + 64));
  assert_memory_equal (keep, back, sizeof back);
  done (&f);
}

static void
failed_sync_is_an_io_error_whatever_it_was (void **state)
{
  struct fixture f;
  struct fault fault = { .kinds = CALL_FLUSH, .err = ENOSPC, .fail_at = 1 };

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
  write_block (&f, 0, 1);
  for (int again = 0; again < 2; again++) {
    assert_int_equal (image_flush (f.i), -1);
    assert_last_error (VHDKIT_ERR_IO, "");
    assert_int_equal (vhdkit_get_errno (), EIO);
  }
  assert_int_equal (image_close (f.i), -1);
  f.i = NULL;
  done (&f);
}

static void
failed_close_is_told (void **state)
{
  static const uint32_t types[] = { VHD_FIXED, VHD_DYNAMIC };

  (void) state;
  for (int k = 0; k < 2; k++) {
    struct fault fault = { .kinds = CALL_CLOSE, .err = EIO, .fail_at = 1 };
    struct fixture f;

    make (&f, types[k], 64 * KIB, BLOCK, false);
    assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
    assert_ok (image_pwrite (f.i, "x", 1, 0));
    assert_int_equal (image_close (f.i), -1);
    assert_last_error (VHDKIT_ERR_IO, "fault made");
    f.i = NULL;
    done (&f);
  }
}

/*----------------------------------------------------------------------
 * Blocks that come again
 *--------------------------------------------------------------------*/

/* Bits of a block that was freed before they were written must not be written
 * to its next place. */
static void
bits_of_a_freed_block_are_forgotten (void **state)
{
  struct fixture f;

  (void) state;
  for (int flush = 0; flush < 2; flush++) {
    make (&f, VHD_DIFFERENCING, 64 * KIB, BLOCK, false);
    open_child (&f, wrap_keep (f.s), 0, 0);
    write_sector (&f, 3, 0, 'a');
    write_sector (&f, 3, 1, 'b');
    assert_ok (image_zero (f.i, BLOCK, 3 * BLOCK, IMAGE_ZERO_TRIM));
    if (flush)
      assert_ok (image_flush (f.i));
    write_block (&f, 3, 'N');
    assert_ok (image_close (f.i));
    open_child (&f, wrap_keep (f.s), 0, 0);
    for (uint32_t s = 0; s < 8; s++)
      assert_true (sector_is (&f, 3, s, 'N'));
    done (&f);
  }
}

static void
bits_added_to_a_block_made_anew_are_written (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DIFFERENCING, 64 * KIB, BLOCK, false);
  open_child (&f, wrap_keep (f.s), 0, 0);
  write_sector (&f, 3, 0, 'a');
  write_sector (&f, 3, 1, 'b');         /* its bit is to be written */
  assert_ok (image_zero (f.i, BLOCK, 3 * BLOCK, IMAGE_ZERO_TRIM));
  assert_ok (image_flush (f.i));
  write_sector (&f, 3, 4, 'c');
  write_sector (&f, 3, 1, 'd');
  assert_ok (image_close (f.i));
  open_child (&f, wrap_keep (f.s), 0, 0);
  assert_true (sector_is (&f, 3, 0, 0));
  assert_true (sector_is (&f, 3, 1, 'd'));
  assert_true (sector_is (&f, 3, 4, 'c'));
  done (&f);
}

/* It had 7 of 8 sectors.  Made anew it is not full before it has all again. */
static void
block_made_anew_is_not_full_too_early (void **state)
{
  struct fixture f;
  uint32_t k;

  (void) state;
  make (&f, VHD_DIFFERENCING, 64 * KIB, BLOCK, false);
  open_child (&f, wrap_keep (f.s), 0, 0);
  for (k = 0; k < 7; k++)
    write_sector (&f, 3, k, 'a');
  assert_ok (image_zero (f.i, BLOCK, 3 * BLOCK, IMAGE_ZERO_TRIM));
  for (k = 0; k < 5; k++)
    write_sector (&f, 3, k, 'b' + k);
  assert_ok (image_close (f.i));
  open_child (&f, wrap_keep (f.s), 0, 0);
  for (k = 0; k < 8; k++)
    assert_true (sector_is (&f, 3, k, k < 5 ? 'b' + k : 0));
  done (&f);
}

/*----------------------------------------------------------------------
 * Memory
 *--------------------------------------------------------------------*/

#define CACHE (8 * KIB)
#define MANY 64

static void
make_many_blocks (struct fixture *f)
{
  make (f, VHD_DIFFERENCING, MANY * BLOCK, BLOCK, false);
  open_child (f, wrap_keep (f->s), CACHE, 0);
  for (uint32_t k = 0; k < MANY; k++)
    write_sector (f, k, 0, 'Q');
  assert_ok (image_close (f->i));
}

static void
assert_bounded (struct fixture *f)
{
  assert_in_range (f->i->bitmaps.used, 0, CACHE);
  assert_in_range (f->i->bitmaps.dead_bytes, 0, CACHE / 16);
}

static void
cache_is_bounded (void **state)
{
  struct fixture f;
  uint32_t k;

  (void) state;
  make_many_blocks (&f);
  open_child (&f, wrap_keep (f.s), CACHE, 0);
  for (k = 0; k < MANY; k++) {
    assert_true (sector_is (&f, k, 1, 0));
    assert_bounded (&f);
  }
  for (k = 0; k < MANY; k++) {
    write_sector (&f, k, 1, 'R');
    assert_bounded (&f);
  }
  done (&f);
}

/* So much may be dirty; then a writer commits, and all may be dirty again. */
static void
writers_commit_now_and_then (void **state)
{
  struct fault syncs = { .kinds = CALL_FLUSH };
  struct fixture f;

  (void) state;
  make_many_blocks (&f);
  open_child (&f, fault_open (wrap_keep (f.s), &syncs), CACHE, 0);
  for (uint32_t k = 0; k < MANY; k++)
    write_sector (&f, k, 1, 'R');
  assert_in_range (syncs.calls, 2 * 4, MANY / 2);
  done (&f);
}

/* A bitmap that a failed commit held on to can leave the cache later. */
static void
failed_commit_lets_go_of_bitmaps (void **state)
{
  struct fault fault = { .kinds = CALL_WRITE, .err = EIO };
  struct fixture f;

  (void) state;
  make_many_blocks (&f);
  open_child (&f, fault_open (wrap_keep (f.s), &fault), CACHE, 0);
  write_sector (&f, 0, 1, 'R');
  fault.fail_at = fault.calls + 1;
  assert_int_equal (image_flush (f.i), -1);
  assert_ok (image_flush (f.i));
  for (uint32_t k = 1; k < MANY; k++)
    assert_true (sector_is (&f, k, 1, 0));
  assert_null (cache_find (&f.i->bitmaps, 0));
  assert_true (sector_is (&f, 0, 1, 'R'));
  done (&f);
}

/*----------------------------------------------------------------------
 * The timer
 *--------------------------------------------------------------------*/

/* Without any flush it commits a bit that was added, and a block freed. */
static void
timer_commits (void **state)
{
  const struct timespec nap = { 0, 10 * 1000 * 1000 };

  (void) state;
  for (int kind = 0; kind < 2; kind++) {
    struct fault syncs = { .kinds = CALL_FLUSH };
    struct fixture f;
    uint64_t before;
    unsigned k;

    make (&f, VHD_DIFFERENCING, 64 * KIB, BLOCK, false);
    open_child (&f, fault_open (wrap_keep (f.s), &syncs), 0, 1);
    write_sector (&f, 0, 0, 'a');
    assert_ok (image_flush (f.i));
    before = syncs.calls;
    if (kind == 0)
      write_sector (&f, 0, 1, 'b');
    else
      assert_ok (image_zero (f.i, BLOCK, 0, IMAGE_ZERO_TRIM));
    for (k = 0; k < 1000 && syncs.calls < before + 2; k++)
      nanosleep (&nap, NULL);
    assert_int_equal (syncs.calls, before + 2);
    done (&f);
  }
}

static void
close_does_not_wait_for_the_timer (void **state)
{
  const struct timespec nap = { 0, 100 * 1000 * 1000 };
  struct fixture f;
  time_t began = time (NULL);

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  open_child (&f, wrap_keep (f.s), 0, 60);
  nanosleep (&nap, NULL);               /* until it sleeps */
  done (&f);
  assert_in_range (time (NULL) - began, 0, 30);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (every_change_is_synced),
    cmocka_unit_test (bytes_behind_the_entries_are_kept),
    cmocka_unit_test (failed_sync_is_an_io_error_whatever_it_was),
    cmocka_unit_test (failed_close_is_told),
    cmocka_unit_test (bits_of_a_freed_block_are_forgotten),
    cmocka_unit_test (bits_added_to_a_block_made_anew_are_written),
    cmocka_unit_test (block_made_anew_is_not_full_too_early),
    cmocka_unit_test (cache_is_bounded),
    cmocka_unit_test (writers_commit_now_and_then),
    cmocka_unit_test (failed_commit_lets_go_of_bitmaps),
    cmocka_unit_test (timer_commits),
    cmocka_unit_test (close_does_not_wait_for_the_timer),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
