/* vhdkit tests: two things at once in one block, one of them held in front of
 * each of its instructions.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * test-lost-write holds actors where they read and write the file.  But a look
 * at a table entry and the act that relies on it may be a few instructions
 * apart, with no call between.  Here the other actor comes in at every place
 * there is: in front of every instruction of ours that the first runs through.
 */
#include <config.h>

#include "interleave.h"

#include <errno.h>

#include "pause.h"

#define Z ((uint64_t) ZERO_BLOCK * BLOCK)

struct pair {
  void (*prepare) (struct world *w);
  act_fn held, other;
  void (*check) (struct world *w);
};

struct visit {
  struct world *w;
  act_fn act;
  struct actor actor;
};

static void
act_once (void *opaque)
{
  struct visit *t = opaque;

  assert_ok (t->act (t->w));
}

static size_t
instructions_of (const struct pair *p, uintptr_t **ret_address)
{
  struct world *w = new_world (VHD_DIFFERENCING);
  struct visit t = { .w = w, .act = p->held };
  size_t n;

  p->prepare (w);
  n = pause_trace (act_once, &t, ret_address);
  assert_ok (p->other (w));
  p->check (w);
  end_world (w);
  return n;
}

static void
let_other_act (void *opaque)
{
  struct visit *v = opaque;

  start (&v->actor, v->w, v->act);
  let_go_on (&v->actor);
}

/* Did the first actor come there? */
static bool
at_instruction (const struct pair *p, uintptr_t address)
{
  struct world *w = new_world (VHD_DIFFERENCING);
  struct visit other = { .w = w, .act = p->other };
  bool come;

  p->prepare (w);
  pause_at (address, let_other_act, &other);
  assert_ok (p->held (w));
  come = pause_over ();
  if (!come)
    let_other_act (&other);
  finish (&other.actor);
  p->check (w);
  end_world (w);
  return come;
}

static void
at_every_instruction (const struct pair *p)
{
  uintptr_t *address;
  size_t n, k, held = 0;

  if (!pause_possible ())
    skip ();
  n = instructions_of (p, &address);
  for (k = 0; k < n; k++)
    held += at_instruction (p, address[k]);
  free (address);
  print_message ("%zu instructions\n", held);
  assert_true (held > 30);
}

static int
write_bytes (struct world *w, uint8_t byte, size_t count, uint64_t offset)
{
  uint8_t buf[BLOCK];

  memset (buf, byte, count);
  return image_pwrite (w->image, buf, count, offset);
}

/*----------------------------------------------------------------------
 * A block that is taken away and made anew elsewhere
 *--------------------------------------------------------------------*/

/* Half of the sectors are there; in the place of the others the file has what
 * nobody must see. */
static void
prepare_block_over_garbage (struct world *w)
{
  uint8_t garbage[8 * 512];
  uint64_t old;

  put_byte (w->image, 'O', 8 * 512, Z);
  old = place_of (w, ZERO_BLOCK);
  reopen (w);
  memset (garbage, 'G', sizeof garbage);
  assert_ok (store_pwrite (w->memory, garbage, sizeof garbage,
                           old + 8 * 512));
}

static void
prepare_with_its_bits (struct world *w)
{
  uint8_t byte;

  prepare_block_over_garbage (w);
  assert_ok (image_pread (w->image, &byte, 1, Z));
}

static int
read_across (struct world *w)
{
  return image_pread (w->image, w->buf, 4 * 512, Z + 6 * 512);
}

static int
make_anew_whole (struct world *w)
{
  if (image_zero (w->image, BLOCK, Z, IMAGE_ZERO_TRIM) == -1)
    return -1;
  return write_bytes (w, 'N', BLOCK, Z);
}

static int
make_anew_in_part (struct world *w)
{
  if (image_zero (w->image, BLOCK, Z, IMAGE_ZERO_TRIM) == -1)
    return -1;
  return write_bytes (w, 'N', 9 * 512, Z);
}

/* The block is trimmed, committed, and another takes its place. */
static int
give_place_away (struct world *w)
{
  if (image_zero (w->image, BLOCK, Z, IMAGE_ZERO_TRIM) == -1
      || image_flush (w->image) == -1)
    return -1;
  return write_bytes (w, 'X', BLOCK, 0);
}

/* Each sector is as it was, zeros, or as it became. */
static void
check_nothing_third_read (struct world *w)
{
  for (size_t k = 0; k < 4 * 512; k++)
    if (w->buf[k] != (k < 2 * 512 ? 'O' : 0) && w->buf[k] != 0
        && w->buf[k] != 'N')
      fail_msg ("byte %zu is %02x", k, w->buf[k]);
}

static void
read_of_a_block_that_is_made_anew (void **state)
{
  static const act_fn others[] = {
    make_anew_whole, make_anew_in_part, give_place_away
  };

  (void) state;
  for (int k = 0; k < 6; k++) {
    const struct pair p = {
      k % 2 ? prepare_with_its_bits : prepare_block_over_garbage,
      read_across, others[k / 2], check_nothing_third_read
    };

    at_every_instruction (&p);
  }
}

/* What the runs lead to, into buf; '-' where they say that there is nothing. */
static int
note_run (void *opaque, const struct image_run *run)
{
  struct world *w = opaque;
  uint64_t at = (run->sector - Z / 512) * 512 - 6 * 512;

  if (run->file_offset == IMAGE_ABSENT)
    memset (w->buf + at, '-', run->count * 512);
  else if (store_pread (w->memory, w->buf + at, run->count * 512,
                        run->file_offset) == -1)
    return -1;
  return 0;
}

static int
runs_across (struct world *w)
{
  return image_runs (w->image, Z / 512 + 6, 4, note_run, w);
}

static void
check_nothing_third_told (struct world *w)
{
  for (size_t k = 0; k < 4 * 512; k++)
    if (w->buf[k] == '-')
      w->buf[k] = 0;
  check_nothing_third_read (w);
}

static void
runs_of_a_block_that_is_made_anew (void **state)
{
  static const act_fn others[] = {
    make_anew_whole, make_anew_in_part, give_place_away
  };

  (void) state;
  for (int k = 0; k < 3; k++) {
    const struct pair p = {
      k % 2 ? prepare_with_its_bits : prepare_block_over_garbage,
      runs_across, others[k], check_nothing_third_told
    };

    at_every_instruction (&p);
  }
}

static int
write_there (struct world *w)
{
  return write_bytes (w, 'B', 512, Z + 512);
}

static void
check_written_there (struct world *w)
{
  uint8_t byte;

  for (int again = 0; again < 2; again++) {
    assert_ok (image_pread (w->image, &byte, 1, Z + 512));
    /* The write came before the trim, or behind. */
    assert_true (byte == 'B' || byte == 0);
    assert_reads (w, byte, 512, Z + 512);
    assert_reads (w, 0, 512, Z);
    assert_reads (w, 0, BLOCK - 2 * 512, Z + 2 * 512);
    assert_reads (w, 'X', BLOCK, 0);
    reopen (w);
  }
}

static void
write_to_a_block_that_gives_its_place_away (void **state)
{
  (void) state;
  for (int k = 0; k < 2; k++) {
    const struct pair p = {
      k % 2 ? prepare_with_its_bits : prepare_block_over_garbage,
      write_there, give_place_away, check_written_there
    };

    at_every_instruction (&p);
  }
}

/*----------------------------------------------------------------------
 * Sectors that are added beside a commit
 *--------------------------------------------------------------------*/

static void
prepare_committed (struct world *w)
{
  put_byte (w->image, 'Q', 512, 6 * 512);
  assert_ok (image_flush (w->image));
}

static void
prepare_dirty_bits (struct world *w)
{
  prepare_committed (w);
  put_byte (w->image, 'Q', 512, 7 * 512);
}

static int
write_a_sector (struct world *w)
{
  return write_bytes (w, 'B', 512, 512);
}

static int
flush_image (struct world *w)
{
  return image_flush (w->image);
}

static void
check_committed_next (struct world *w)
{
  assert_ok (image_flush (w->image));
  assert_reads_after_a_cut (w, 'Q', 512, 6 * 512);
  assert_reads_after_a_cut (w, 'B', 512, 512);
}

static void
sector_added_beside_a_commit (void **state)
{
  static const struct pair added = {
    prepare_dirty_bits, flush_image, write_a_sector, check_committed_next
  };
  static const struct pair committed = {
    prepare_committed, write_a_sector, flush_image, check_committed_next
  };

  (void) state;
  at_every_instruction (&added);
  at_every_instruction (&committed);
}

/*----------------------------------------------------------------------
 * Bits that are pushed out of the cache
 *--------------------------------------------------------------------*/

/* Of the first two blocks they are in the cache, and block 0 is to go next. */
static void
prepare_bits_of_blocks (struct world *w)
{
  uint8_t byte;

  put_byte (w->image, 'Q', 512, 6 * 512);
  put_byte (w->image, 'Q', 512, 1 * BLOCK);
  put_byte (w->image, 'Q', 512, 2 * BLOCK);
  reopen (w);
  assert_ok (image_pread (w->image, &byte, 1, 0));
  assert_ok (image_pread (w->image, &byte, 1, BLOCK));
}

static int
use_bits_of_another_block (struct world *w)
{
  uint8_t byte;

  return image_pread (w->image, &byte, 1, 2 * BLOCK);
}

static int
note_bits (void *opaque, const struct image_run *run)
{
  struct world *w = opaque;

  memset (w->buf + run->sector, run->file_offset != IMAGE_ABSENT, run->count);
  return 0;
}

static int
runs_of_first_sectors (struct world *w)
{
  return image_runs (w->image, 0, 8, note_bits, w);
}

static void
check_runs_of_first_sectors (struct world *w)
{
  for (size_t k = 0; k < 8; k++)
    assert_int_equal (w->buf[k], k == 6);
}

static void
check_sector_is_there (struct world *w)
{
  for (int again = 0; again < 2; again++) {
    assert_reads (w, 'B', 512, 512);
    assert_reads (w, 'Q', 512, 6 * 512);
    reopen (w);
  }
}

/* A commit has taken over the bits of block 0, is about to write them, and will
 * find that it cannot: then they are dirty again, and must stay. */
static struct actor committer;

static void
prepare_failing_commit (struct world *w)
{
  prepare_bits_of_blocks (w);
  put_byte (w->image, 'B', 512, 512);
  w->fault = (struct fault) { .kinds = CALL_WRITE, .err = ENOSPC,
                              .fail_at = 1 };
  gate_shut (&w->gate, GATE_BEFORE, CALL_WRITE, ANYWHERE);
  start (&committer, w, flush_image);
  assert_true (gate_await (&w->gate, 1));
}

static int
let_commit_fail (struct world *w)
{
  gate_open (&w->gate);
  return pthread_join (committer.thread, NULL);
}

static void
check_written_by_the_next (struct world *w)
{
  assert_int_equal (committer.result, -1);
  assert_reads (w, 'B', 512, 512);
  assert_ok (image_flush (w->image));
  assert_reads_after_a_cut (w, 'B', 512, 512);
}

static void
bits_stay_when_their_commit_fails (void **state)
{
  static const struct pair pair = {
    prepare_failing_commit, use_bits_of_another_block, let_commit_fail,
    check_written_by_the_next
  };

  (void) state;
  at_every_instruction (&pair);
}

static void
bits_pushed_out_while_they_are_used (void **state)
{
  static const struct pair pushed = {
    prepare_bits_of_blocks, write_a_sector, use_bits_of_another_block,
    check_sector_is_there
  };
  static const struct pair written = {
    prepare_bits_of_blocks, use_bits_of_another_block, write_a_sector,
    check_sector_is_there
  };
  static const struct pair told = {
    prepare_bits_of_blocks, runs_of_first_sectors, use_bits_of_another_block,
    check_runs_of_first_sectors
  };

  (void) state;
  at_every_instruction (&pushed);
  at_every_instruction (&written);
  at_every_instruction (&told);
}

/* The file has the old bits until the commit has written the new ones. */
static int
push_out_and_read (struct world *w)
{
  if (use_bits_of_another_block (w) == -1)
    return -1;
  return image_pread (w->image, w->buf, 512, 512);
}

static void
prepare_bits_to_be_committed (struct world *w)
{
  prepare_bits_of_blocks (w);
  put_byte (w->image, 'B', 512, 512);
}

static void
check_read_and_there (struct world *w)
{
  for (size_t k = 0; k < 512; k++)
    assert_int_equal (w->buf[k], 'B');
  check_sector_is_there (w);
}

/* Its bitmap cannot be written: it stays dirty. */
static int
flush_in_vain (struct world *w)
{
  int r;

  w->fault = (struct fault) { .kinds = CALL_WRITE, .err = EIO,
                              .fail_at = 1 };
  r = image_flush (w->image);
  w->fault.fail_at = 0;
  return r == -1 ? 0 : -1;
}

static void
bits_pushed_out_beside_a_commit (void **state)
{
  static const struct pair pushed = {
    prepare_bits_to_be_committed, flush_image, push_out_and_read,
    check_read_and_there
  };
  static const struct pair in_vain = {
    prepare_bits_to_be_committed, flush_in_vain, push_out_and_read,
    check_read_and_there
  };

  (void) state;
  at_every_instruction (&pushed);
  at_every_instruction (&in_vain);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (read_of_a_block_that_is_made_anew),
    cmocka_unit_test (runs_of_a_block_that_is_made_anew),
    cmocka_unit_test (write_to_a_block_that_gives_its_place_away),
    cmocka_unit_test (sector_added_beside_a_commit),
    cmocka_unit_test (bits_pushed_out_while_they_are_used),
    cmocka_unit_test (bits_stay_when_their_commit_fails),
    cmocka_unit_test (bits_pushed_out_beside_a_commit),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
