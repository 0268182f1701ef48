/* vhdkit tests: two things at once in one block, in chosen interleavings.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One actor is held at a gate in the store while it reads or writes; another
 * runs until it is done or sleeps, waiting for a lock or at a gate too; then
 * the gate opens.  Whatever waits for whom, what was written must be there in
 * the end, and a read must show what was there at some moment of it.
 */
#include <config.h>

#include "interleave.h"

#include <errno.h>

static int
write_bytes (struct world *w, uint8_t byte, size_t count, uint64_t offset)
{
  uint8_t buf[8192];

  memset (buf, byte, count);
  return image_pwrite (w->image, buf, count, offset);
}

static int
write_a_sector (struct world *w)
{
  return write_bytes (w, 'B', 512, 512);
}

static int
write_another_sector (struct world *w)
{
  return write_bytes (w, 'C', 512, 4 * 512);
}

static int
write_head_of_sector (struct world *w)
{
  return write_bytes (w, 'h', 100, 512);
}

static int
write_tail_of_sector (struct world *w)
{
  return write_bytes (w, 't', 50, 512 + 400);
}

static int
zero_tail_of_sector (struct world *w)
{
  return image_zero (w->image, 112, 512 + 400, 0);
}

static int
zero_that_sector (struct world *w)
{
  return image_zero (w->image, 512, 512, IMAGE_ZERO_TRIM);
}

static int
read_first_sectors (struct world *w)
{
  return image_pread (w->image, w->buf, 8 * 512, 0);
}

static int
flush_image (struct world *w)
{
  return image_flush (w->image);
}

/*----------------------------------------------------------------------
 * Over a parent
 *--------------------------------------------------------------------*/

static void
write_while_a_read_falls_through (void **state)
{
  struct world *w = new_world (VHD_DIFFERENCING);

  (void) state;
  gate_shut (&w->parent_gate, GATE_AFTER, CALL_READ, ANYWHERE);
  interleave (w, &w->parent_gate, read_first_sectors, write_a_sector);
  /* That sector was what it was or what it became. */
  for (size_t k = 0; k < 8 * 512; k++)
    if (k / 512 == 1)
      assert_true (w->buf[k] == w->buf[512]
                   && (w->buf[k] == 'B' || w->buf[k] == PARENT_BYTE));
    else
      assert_int_equal (w->buf[k], PARENT_BYTE);
  assert_reads (w, 'B', 512, 512);
  reopen (w);
  assert_reads (w, 'B', 512, 512);
  assert_reads (w, PARENT_BYTE, 512, 0);
  assert_reads (w, PARENT_BYTE, BLOCK, 1024);
  end_world (w);
}

/* While a part of a sector is written, and what completes it is being read
 * from the parent, other writes to the sector must not be lost.  present: some
 * other sector of the block is there already. */
static struct world *
complete_and (bool present, act_fn held, act_fn other)
{
  struct world *w = new_world (VHD_DIFFERENCING);

  if (present)
    put_byte (w->image, 'Q', 512, 6 * 512);
  gate_shut (&w->parent_gate, GATE_AFTER, CALL_READ, ANYWHERE);
  interleave (w, &w->parent_gate, held, other);
  return w;
}

static void
both_parts_of_a_sector_stay (void **state)
{
  (void) state;
  for (int present = 0; present < 2; present++) {
    struct world *w = complete_and (present, write_head_of_sector,
                                    write_tail_of_sector);

    for (int again = 0; again < 2; again++) {
      assert_reads (w, 'h', 100, 512);
      assert_reads (w, PARENT_BYTE, 300, 612);
      assert_reads (w, 't', 50, 912);
      assert_reads (w, PARENT_BYTE, 62, 962);
      reopen (w);
    }
    end_world (w);
  }
}

static void
zeroed_part_of_a_sector_stays (void **state)
{
  (void) state;
  for (int present = 0; present < 2; present++) {
    struct world *w = complete_and (present, write_head_of_sector,
                                    zero_tail_of_sector);

    assert_reads (w, 'h', 100, 512);
    assert_reads (w, PARENT_BYTE, 300, 612);
    assert_reads (w, 0, 112, 912);
    end_world (w);
  }
}

/* In either order, what the parent had there is gone. */
static void
whole_sector_is_not_lost_to_a_part (void **state)
{
  static const act_fn whole[] = { write_a_sector, zero_that_sector };
  static const uint8_t byte[] = { 'B', 0 };

  (void) state;
  for (int k = 0; k < 4; k++) {
    struct world *w = complete_and (k / 2, write_head_of_sector, whole[k % 2]);
    uint8_t first;

    assert_reads (w, byte[k % 2], 412, 612);
    assert_ok (image_pread (w->image, &first, 1, 512));
    assert_true (first == 'h' || first == byte[k % 2]);
    assert_reads (w, first, 100, 512);
    end_world (w);
  }
}

/*----------------------------------------------------------------------
 * Two writers, one block
 *--------------------------------------------------------------------*/

/* The image holds what write_a_sector or zero_that_sector, and
 * write_another_sector, have done, and nothing else. */
static void
assert_both_done (struct world *w, uint8_t byte)
{
  uint8_t rest = w->parent ? PARENT_BYTE : 0;

  assert_int_equal (image_blocks_allocated (w->image), 1);
  for (int again = 0; again < 2; again++) {
    assert_reads (w, rest, 512, 0);
    assert_reads (w, byte, 512, 512);
    assert_reads (w, rest, 2 * 512, 2 * 512);
    assert_reads (w, 'C', 512, 4 * 512);
    assert_reads (w, rest, BLOCK, 5 * 512);
    reopen (w);
  }
}

static void
both_on_a_new_block (uint32_t type, enum gate_place place, uint32_t kinds)
{
  static const struct {
    act_fn held, other;
    uint8_t byte;
  } pair[] = {
    { write_a_sector, write_another_sector, 'B' },
    { write_another_sector, zero_that_sector, 0 },
    { zero_that_sector, write_another_sector, 0 },
  };

  for (int k = 0; k < 3; k++) {
    struct world *w;

    if (k == 2 && type == VHD_DYNAMIC)
      continue;                 /* that zero has nothing to do */
    w = new_world (type);
    gate_shut (&w->gate, place, kinds, ANYWHERE);
    interleave (w, &w->gate, pair[k].held, pair[k].other);
    assert_both_done (w, pair[k].byte);
    end_world (w);
  }
}

static void
two_allocate_one_block (void **state)
{
  (void) state;
  both_on_a_new_block (VHD_DYNAMIC, GATE_BEFORE, CALLS_CHANGING);
  both_on_a_new_block (VHD_DYNAMIC, GATE_AFTER, CALL_WRITE);
  both_on_a_new_block (VHD_DIFFERENCING, GATE_BEFORE, CALLS_CHANGING);
  both_on_a_new_block (VHD_DIFFERENCING, GATE_AFTER, CALL_WRITE);
}

static void
two_writers_add_sectors_to_one_block (void **state)
{
  struct world *w = new_world (VHD_DIFFERENCING);
  uint64_t place;

  (void) state;
  put_byte (w->image, 'Q', 512, 6 * 512);
  place = place_of (w, 0);
  gate_shut (&w->gate, GATE_AFTER, CALL_WRITE, place, BLOCK);
  interleave (w, &w->gate, write_a_sector, write_another_sector);
  for (int again = 0; again < 2; again++) {
    assert_reads (w, 'B', 512, 512);
    assert_reads (w, PARENT_BYTE, 2 * 512, 2 * 512);
    assert_reads (w, 'C', 512, 4 * 512);
    assert_reads (w, 'Q', 512, 6 * 512);
    reopen (w);
  }
  end_world (w);
}

/*----------------------------------------------------------------------
 * Space that is given back while somebody is in it
 *--------------------------------------------------------------------*/

/* Frees block 0 and lets the next block take its place, as soon as it may. */
static int
replace_block (struct world *w)
{
  if (image_zero (w->image, BLOCK, 0, IMAGE_ZERO_TRIM) == -1
      || image_flush (w->image) == -1
      || write_bytes (w, 'N', 8192, BLOCK) == -1)
    return -1;
  return 0;
}

static void
trim_during_a_read (void **state)
{
  struct world *w = new_world (VHD_DYNAMIC);

  (void) state;
  put_byte (w->image, 'O', BLOCK, 0);
  assert_ok (image_flush (w->image));
  gate_shut (&w->gate, GATE_BEFORE, CALL_READ, place_of (w, 0), BLOCK);
  interleave (w, &w->gate, read_first_sectors, replace_block);
  for (size_t k = 0; k < 8 * 512; k++)
    if (w->buf[k] != 'O' && w->buf[k] != 0)
      fail_msg ("byte %zu is %02x, of another block", k, w->buf[k]);
  assert_reads (w, 0, BLOCK, 0);
  assert_reads (w, 'N', 8192, BLOCK);
  end_world (w);
}

static void
trim_during_a_write (void **state)
{
  struct world *w = new_world (VHD_DYNAMIC);
  uint8_t byte;

  (void) state;
  put_byte (w->image, 'O', BLOCK, 0);
  assert_ok (image_flush (w->image));
  gate_shut (&w->gate, GATE_BEFORE, CALL_WRITE, place_of (w, 0), BLOCK);
  interleave (w, &w->gate, write_a_sector, replace_block);
  for (int again = 0; again < 2; again++) {
    assert_reads (w, 'N', 8192, BLOCK);
    assert_reads (w, 0, BLOCK - 8192, BLOCK + 8192);
    assert_reads (w, 0, 512, 0);
    assert_ok (image_pread (w->image, &byte, 1, 512));
    assert_true (byte == 'B' || byte == 0);
    assert_reads (w, byte, 512, 512);
    assert_reads (w, 0, BLOCK - 1024, 1024);
    reopen (w);
  }
  end_world (w);
}

/* The same without a commit in between: the block comes back elsewhere, with
 * other sectors.  Bits that were read from the old place are of no use. */
#define Z ((uint64_t) ZERO_BLOCK * BLOCK)

static int
read_zero_block (struct world *w)
{
  return image_pread (w->image, w->buf, 16 * 512, Z);
}

static int
make_zero_block_anew (struct world *w)
{
  if (image_zero (w->image, BLOCK, Z, IMAGE_ZERO_TRIM) == -1)
    return -1;
  return write_bytes (w, 'N', 8 * 512, Z + 8 * 512);
}

static void
block_is_made_anew_while_its_bits_are_read (void **state)
{
  (void) state;
  for (int place = 0; place < 2; place++) {
    struct world *w = new_world (VHD_DIFFERENCING);
    uint64_t old;

    put_byte (w->image, 'O', 8 * 512, Z);
    reopen (w);                 /* forgets the bits */
    old = place_of (w, ZERO_BLOCK);
    gate_shut (&w->gate, place ? GATE_AFTER : GATE_BEFORE, CALL_READ,
               old - vhd_bitmap_bytes (BLOCK), vhd_bitmap_bytes (BLOCK));
    interleave (w, &w->gate, read_zero_block, make_zero_block_anew);
    for (size_t k = 0; k < 16 * 512; k++)
      assert_true (w->buf[k] == (k < 8 * 512 ? 'O' : 'N') || w->buf[k] == 0);
    for (int again = 0; again < 2; again++) {
      assert_reads (w, 0, 8 * 512, Z);
      assert_reads (w, 'N', 8 * 512, Z + 8 * 512);
      assert_reads (w, 0, BLOCK - 16 * 512, Z + 16 * 512);
      reopen (w);
    }
    end_world (w);
  }
}

/* A read that waits for the parent in the middle of a block, while the bits of
 * other blocks push those of this one out of the cache. */
static int
use_bits_of_other_blocks (struct world *w)
{
  uint8_t byte;

  for (int round = 0; round < 3; round++)
    for (uint64_t b = 1; b < BLOCKS; b++)
      if (image_pread (w->image, &byte, 1, b * BLOCK) == -1)
        return -1;
  return 0;
}

static void
bits_stay_while_they_are_used (void **state)
{
  struct world *w = new_world (VHD_DIFFERENCING);

  (void) state;
  for (uint64_t b = 0; b < BLOCKS; b++)
    for (uint64_t s = 0; s < 8; s += 2)
      put_byte (w->image, 'Q', 512, b * BLOCK + s * 512);
  reopen (w);
  gate_shut (&w->parent_gate, GATE_BEFORE, CALL_READ, ANYWHERE);
  interleave (w, &w->parent_gate, read_first_sectors,
              use_bits_of_other_blocks);
  for (size_t k = 0; k < 8 * 512; k++)
    assert_int_equal (w->buf[k], k / 512 % 2 ? PARENT_BYTE : 'Q');
  end_world (w);
}

/* Bits are read from the file; meanwhile others are set, written, and pushed
 * out of the cache again.  What was read before must not take their place. */
static int
write_and_push_out (struct world *w)
{
  uint8_t byte;

  if (write_a_sector (w) == -1 || image_flush (w->image) == -1)
    return -1;
  for (uint64_t b = 1; b <= 2; b++)     /* as many as there is room for */
    if (image_pread (w->image, &byte, 1, b * BLOCK) == -1)
      return -1;
  return 0;
}

static void
bits_read_too_early_are_not_kept (void **state)
{
  struct world *w = new_world (VHD_DIFFERENCING);

  (void) state;
  for (uint64_t b = 0; b < BLOCKS; b++)
    put_byte (w->image, 'Q', 512, b * BLOCK);
  reopen (w);
  gate_shut (&w->gate, GATE_AFTER, CALL_READ,
             place_of (w, 0) - vhd_bitmap_bytes (BLOCK),
             vhd_bitmap_bytes (BLOCK));
  interleave (w, &w->gate, read_first_sectors, write_and_push_out);
  for (int again = 0; again < 2; again++) {
    assert_reads (w, 'Q', 512, 0);
    assert_reads (w, 'B', 512, 512);
    assert_reads (w, PARENT_BYTE, 512, 2 * 512);
    reopen (w);
  }
  end_world (w);
}

/*----------------------------------------------------------------------
 * Commits
 *--------------------------------------------------------------------*/

/* A sector that is added while a commit is under way belongs to the next one,
 * which must not take it for done. */
static void
sector_added (enum gate_place place, uint32_t kinds, act_fn add)
{
  struct world *w = new_world (VHD_DIFFERENCING);

  put_byte (w->image, 'Q', 512, 6 * 512);
  gate_shut (&w->gate, place, kinds, ANYWHERE);
  interleave (w, &w->gate, flush_image, add);
  assert_ok (image_flush (w->image));
  assert_reads_after_a_cut (w, 'Q', 512, 6 * 512);
  assert_reads_after_a_cut (w, 'B', 512, 512);
  end_world (w);
}

static void
sector_added_during_a_commit_is_committed_next (void **state)
{
  (void) state;
  sector_added (GATE_BEFORE, CALL_FLUSH, write_a_sector);
  sector_added (GATE_AFTER, CALL_FLUSH, write_a_sector);
  sector_added (GATE_BEFORE, CALL_WRITE, write_a_sector);
  sector_added (GATE_AFTER, CALL_WRITE, write_a_sector);
}

/* A write that is under way when a flush begins may not be covered by it; then
 * it is by the next. */
static void
write_beside_a_flush_is_synced_by_the_next (void **state)
{
  static const uint32_t types[] = { VHD_DYNAMIC, VHD_DIFFERENCING, VHD_FIXED };

  (void) state;
  for (int k = 0; k < 3; k++) {
    struct world *w = new_world (types[k]);

    put_byte (w->image, 'Q', 512, 512);
    assert_ok (image_flush (w->image));
    gate_shut (&w->gate, GATE_BEFORE, CALL_WRITE, ANYWHERE);
    interleave (w, &w->gate, write_a_sector, flush_image);
    assert_ok (image_flush (w->image));
    assert_reads_after_a_cut (w, 'B', 512, 512);
    end_world (w);
  }
}

/* A flush that comes during another covers what was written before it came,
 * not only what the other one had seen. */
static int
write_and_flush (struct world *w)
{
  return write_a_sector (w) == -1 ? -1 : image_flush (w->image);
}

static void
flush_during_a_flush (enum gate_place place, uint32_t kinds, uint32_t type)
{
  struct world *w = new_world (type);

  put_byte (w->image, 'Q', 512, 6 * 512);
  gate_shut (&w->gate, place, kinds, ANYWHERE);
  interleave (w, &w->gate, flush_image, write_and_flush);
  assert_reads_after_a_cut (w, 'Q', 512, 6 * 512);
  assert_reads_after_a_cut (w, 'B', 512, 512);
  end_world (w);
}

static void
flush_during_a_flush_covers_its_own (void **state)
{
  static const uint32_t types[] = { VHD_DYNAMIC, VHD_DIFFERENCING, VHD_FIXED };

  (void) state;
  for (int k = 0; k < 3; k++) {
    flush_during_a_flush (GATE_BEFORE, CALL_FLUSH, types[k]);
    flush_during_a_flush (GATE_AFTER, CALL_FLUSH, types[k]);
  }
}

/* A flush that has nothing new to write still waits for a commit that is under
 * way: what that one has taken over is not there before it ends. */
static void
flush_waits_for_the_commit_of_another (void **state)
{
  static const uint32_t types[] = { VHD_DYNAMIC, VHD_DIFFERENCING, VHD_FIXED };

  (void) state;
  for (int k = 0; k < 3; k++) {
    struct world *w = new_world (types[k]);
    struct actor first, second;

    put_byte (w->image, 'Q', 512, 6 * 512);
    gate_shut (&w->gate, GATE_BEFORE, CALL_FLUSH, ANYWHERE);
    w->gate.most = 1;
    start (&first, w, flush_image);
    assert_true (gate_await (&w->gate, 1));
    start (&second, w, flush_image);
    let_go_on (&second);
    assert_false (second.done);
    gate_open (&w->gate);
    finish (&first);
    finish (&second);
    assert_reads_after_a_cut (w, 'Q', 512, 6 * 512);
    end_world (w);
  }
}

/* Two flushes are served by one commit, which fails: both are told. */
static void
failed_commit_is_told_to_all_it_served (void **state)
{
  struct world *w = new_world (VHD_DIFFERENCING);
  struct actor first, other[2];

  (void) state;
  w->fault = (struct fault) { .kinds = CALL_WRITE, .err = ENOSPC,
                              .for_good = true };
  put_byte (w->image, 'Q', 512, 6 * 512);
  gate_shut (&w->gate, GATE_BEFORE, CALL_FLUSH, ANYWHERE);
  w->gate.most = 1;
  start (&first, w, flush_image);
  assert_true (gate_await (&w->gate, 1));
  assert_ok (write_another_sector (w));
  for (int k = 0; k < 2; k++) {
    start (&other[k], w, flush_image);
    let_go_on (&other[k]);
  }
  /* The first still writes its table, and then comes their bitmap. */
  w->fault.calls = 0;
  w->fault.fail_at = 2;
  gate_open (&w->gate);
  finish (&first);
  for (int k = 0; k < 2; k++) {
    assert_int_equal (pthread_join (other[k].thread, NULL), 0);
    assert_int_equal (other[k].result, -1);
    assert_non_null (strstr (other[k].error, "sector bitmap"));
  }
  w->fault.fail_at = 0;
  assert_ok (image_flush (w->image));
  assert_reads_after_a_cut (w, 'C', 512, 4 * 512);
  end_world (w);
}

/* A sync fails, and the system forgets that with telling it once: the next one
 * would succeed.  Who waits for it meanwhile must not believe that (rule 6). */
static void
flush_behind_a_failed_sync (uint32_t type)
{
  struct world *w = new_world (type);
  struct actor first, second;

  put_byte (w->image, 'Q', 512, 6 * 512);
  w->fault = (struct fault) { .kinds = CALL_FLUSH, .err = EIO, .fail_at = 1 };
  gate_shut (&w->gate, GATE_BEFORE, CALL_FLUSH, ANYWHERE);
  w->gate.most = 1;
  start (&first, w, flush_image);
  assert_true (gate_await (&w->gate, 1));
  start (&second, w, write_and_flush);
  let_go_on (&second);
  gate_open (&w->gate);
  assert_int_equal (pthread_join (first.thread, NULL), 0);
  assert_int_equal (pthread_join (second.thread, NULL), 0);
  assert_int_equal (first.result, -1);
  assert_int_equal (second.result, -1);
  assert_non_null (strstr (second.error, "earlier sync failed"));
  assert_int_equal (image_flush (w->image), -1);
  assert_int_equal (image_close (w->image), -1);
  open_image (w);
  end_world (w);
}

static void
flush_that_waits_for_a_failed_sync_fails (void **state)
{
  (void) state;
  flush_behind_a_failed_sync (VHD_DYNAMIC);
  flush_behind_a_failed_sync (VHD_DIFFERENCING);
  flush_behind_a_failed_sync (VHD_FIXED);
}

/* The first growth of an image repairs the copy of the footer, and syncs that,
 * while a flush is about to sync: both are told if that fails, whoever of the
 * two the system tells. */
static int
write_to_another_block (struct world *w)
{
  return write_bytes (w, 'N', 512, 3 * BLOCK);
}

static void
flush_beside_a_failed_repair_fails (void **state)
{
  struct world *w = new_world (VHD_DYNAMIC);
  struct actor flush, grow;

  (void) state;
  put_byte (w->image, 'Q', 512, 6 * 512);
  assert_ok (image_close (w->image));
  assert_ok (store_pwrite (w->memory, "x", 1,
                           offsetof (struct vhd_footer_disk, id)));
  open_image (w);
  assert_ok (write_a_sector (w));
  w->fault = (struct fault) { .kinds = CALL_FLUSH, .err = EIO, .fail_at = 1 };
  gate_shut (&w->gate, GATE_BEFORE, CALL_FLUSH, ANYWHERE);
  w->gate.most = 1;
  start (&flush, w, flush_image);
  assert_true (gate_await (&w->gate, 1));
  start (&grow, w, write_to_another_block);
  let_go_on (&grow);
  gate_open (&w->gate);
  assert_int_equal (pthread_join (flush.thread, NULL), 0);
  assert_int_equal (pthread_join (grow.thread, NULL), 0);
  assert_int_equal (flush.result, -1);
  assert_int_equal (grow.result, -1);
  assert_int_equal (image_close (w->image), -1);
  open_image (w);
  end_world (w);
}

/* Flushes that come while a commit runs are all served by one more. */
#define FLUSHERS 8

static int
write_own_and_flush (struct world *w)
{
  unsigned sector = 8 + w->writers++;

  return write_bytes (w, 'B', 512, sector * 512) == -1
         ? -1 : image_flush (w->image);
}

static unsigned
syncs_so_far (struct world *w)
{
  unsigned n = 0;

  for (size_t k = 0; k < w->recording.nr; k++)
    n += w->recording.entry[k].kind == CALL_FLUSH;
  return n;
}

static void
flushes_that_meet_join (void **state)
{
  struct world *w = new_world (VHD_DIFFERENCING);
  struct actor first, other[FLUSHERS];
  unsigned before = syncs_so_far (w), k;

  (void) state;
  put_byte (w->image, 'Q', 512, 6 * 512);
  gate_shut (&w->gate, GATE_BEFORE, CALL_FLUSH, ANYWHERE);
  w->gate.most = 1;
  start (&first, w, flush_image);
  assert_true (gate_await (&w->gate, 1));
  for (k = 0; k < FLUSHERS; k++) {
    start (&other[k], w, write_own_and_flush);
    let_go_on (&other[k]);
  }
  gate_open (&w->gate);
  finish (&first);
  for (k = 0; k < FLUSHERS; k++)
    finish (&other[k]);
  /* Two syncs for the first commit and two for theirs; and two more if one of
   * them, asleep for another reason, came late. */
  assert_in_range (syncs_so_far (w) - before, 4, 6);
  assert_reads_after_a_cut (w, 'Q', 512, 6 * 512);
  assert_reads_after_a_cut (w, 'B', FLUSHERS * 512, 8 * 512);
  end_world (w);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (write_while_a_read_falls_through),
    cmocka_unit_test (both_parts_of_a_sector_stay),
    cmocka_unit_test (zeroed_part_of_a_sector_stays),
    cmocka_unit_test (whole_sector_is_not_lost_to_a_part),
    cmocka_unit_test (two_allocate_one_block),
    cmocka_unit_test (two_writers_add_sectors_to_one_block),
    cmocka_unit_test (trim_during_a_read),
    cmocka_unit_test (trim_during_a_write),
    cmocka_unit_test (block_is_made_anew_while_its_bits_are_read),
    cmocka_unit_test (bits_stay_while_they_are_used),
    cmocka_unit_test (bits_read_too_early_are_not_kept),
    cmocka_unit_test (sector_added_during_a_commit_is_committed_next),
    cmocka_unit_test (write_beside_a_flush_is_synced_by_the_next),
    cmocka_unit_test (flush_during_a_flush_covers_its_own),
    cmocka_unit_test (flush_waits_for_the_commit_of_another),
    cmocka_unit_test (failed_commit_is_told_to_all_it_served),
    cmocka_unit_test (flush_that_waits_for_a_failed_sync_fails),
    cmocka_unit_test (flush_beside_a_failed_repair_fails),
    cmocka_unit_test (flushes_that_meet_join),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
