/* vhdkit tests: two things at once in one block, in chosen interleavings.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One actor is held at a gate in the store while it reads or writes; another
 * runs until it is done or sleeps, waiting for a lock or at a gate too; then
 * the gate opens.  Whatever waits for whom, what was written must be there in
 * the end, and a read must show what was there at some moment of it.
 */
#include <config.h>

#include "unit.h"

#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/syscall.h>

#include "store-wrap.h"
#include "target.h"

#define BLOCK (64u * 1024)
#define BLOCKS 8
#define DISK ((uint64_t) BLOCK * BLOCKS)
#define ANYWHERE 0, UINT64_MAX

/* An image over a slow, recorded memory store; if it is a child, its parent is
 * slow too and holds PARENT_BYTE everywhere but in the last block. */
struct world {
  struct store *memory, *parent_memory;
  struct gate gate, parent_gate;
  struct recording recording;
  struct image *image, *parent;
  uint8_t buf[2 * BLOCK];       /* of the actor that reads */
  _Atomic unsigned writers;     /* of those that have sectors of their own */
};
#define PARENT_BYTE 'P'
#define ZERO_BLOCK (BLOCKS - 1)

/*----------------------------------------------------------------------
 * The world
 *--------------------------------------------------------------------*/

static struct image *
open_over (struct store *memory, struct gate *gate, struct recording *r,
           bool writable)
{
  /* A cache that holds the bitmaps of two blocks or so, and no commits but
   * those we ask for. */
  const struct image_options o = { .writable = writable, .cache_bytes = 512 };
  struct gate *gates[] = { gate };
  struct store *s = wrap_keep (memory);
  struct image *i;

  if (r)
    s = record_open (s, r);
  s = slow_open (s, gates, 1);
  if (image_open (s, &o, &i) == -1)
    fail_msg ("%s", vhdkit_get_error ());
  return i;
}

static struct store *
new_image_in_memory (uint32_t type)
{
  struct image_shape shape = { .type = type, .size = DISK,
                               .block_size = BLOCK };
  struct store *s = store_open_memory ("image");

  assert_non_null (s);
  format_image (s, &shape);
  return s;
}

static void
put_byte (struct image *i, uint8_t byte, size_t count, uint64_t offset)
{
  uint8_t *buf = malloc (count);

  assert_non_null (buf);
  memset (buf, byte, count);
  assert_ok (image_pwrite (i, buf, count, offset));
  free (buf);
}

static void
open_image (struct world *w)
{
  struct below below;

  w->image = open_over (w->memory, &w->gate, &w->recording, true);
  if (image_footer (w->image)->type == VHD_DIFFERENCING) {
    below = below_image (w->parent);
    image_set_below (w->image, &below);
  }
}

static struct world *
new_world (uint32_t type)
{
  struct world *w = calloc (1, sizeof *w);

  assert_non_null (w);
  gate_init (&w->gate);
  gate_init (&w->parent_gate);
  recording_init (&w->recording);
  if (type == VHD_DIFFERENCING) {
    w->parent_memory = new_image_in_memory (VHD_DYNAMIC);
    w->parent = open_over (w->parent_memory, &w->parent_gate, NULL, true);
    put_byte (w->parent, PARENT_BYTE, DISK - BLOCK, 0);
    assert_ok (image_close (w->parent));
    w->parent = open_over (w->parent_memory, &w->parent_gate, NULL, false);
  }
  w->memory = new_image_in_memory (type);
  open_image (w);
  return w;
}

static void
reopen (struct world *w)
{
  assert_ok (image_close (w->image));
  open_image (w);
}

static void
end_world (struct world *w)
{
  assert_ok (image_close (w->image));
  if (w->parent)
    assert_ok (image_close (w->parent));
  assert_ok (store_close (w->memory));
  assert_ok (store_close (w->parent_memory));
  recording_destroy (&w->recording);
  gate_destroy (&w->gate);
  gate_destroy (&w->parent_gate);
  free (w);
}

/* What [offset, offset + count) reads as. */
static void
assert_image_reads (struct image *i, uint8_t byte, size_t count,
                    uint64_t offset)
{
  uint8_t *buf = malloc (count);

  assert_non_null (buf);
  assert_ok (image_pread (i, buf, count, offset));
  for (size_t k = 0; k < count; k++)
    if (buf[k] != byte)
      fail_msg ("byte %zu from %zu on is %02x, must be %02x", k,
                (size_t) offset, buf[k], byte);
  free (buf);
}

static void
assert_reads (struct world *w, uint8_t byte, size_t count, uint64_t offset)
{
  assert_image_reads (w->image, byte, count, offset);
}

/* Where the data of a block lies in the file. */
static uint64_t
place_of (struct world *w, uint32_t block)
{
  return (uint64_t) image_table_entry (w->image, block) * SECTOR_SIZE
         + vhd_bitmap_bytes (BLOCK);
}

/*----------------------------------------------------------------------
 * Actors
 *--------------------------------------------------------------------*/

typedef int (*act_fn) (struct world *w);

struct actor {
  struct world *w;
  act_fn act;
  int result;
  char error[300];
  pthread_t thread;
  _Atomic pid_t tid;
  _Atomic bool done;
};

static void *
run_actor (void *opaque)
{
  struct actor *a = opaque;

  a->tid = syscall (SYS_gettid);
  a->result = a->act (a->w);
  if (a->result == -1)
    snprintf (a->error, sizeof a->error, "%s", vhdkit_get_error ());
  a->done = true;
  return NULL;
}

static void
start (struct actor *a, struct world *w, act_fn act)
{
  memset (a, 0, sizeof *a);
  a->w = w;
  a->act = act;
  assert_int_equal (pthread_create (&a->thread, NULL, run_actor, a), 0);
}

static bool
sleeps (struct actor *a)
{
  char path[64], line[256] = "", *p;
  FILE *f;

  snprintf (path, sizeof path, "/proc/self/task/%d/stat", (int) a->tid);
  f = fopen (path, "r");
  if (f == NULL)
    return false;
  if (fgets (line, sizeof line, f) == NULL)
    line[0] = '\0';
  fclose (f);
  p = strrchr (line, ')');
  return p && p[1] && p[2] == 'S';
}

/* As far as it comes while all others wait. */
static void
let_go_on (struct actor *a)
{
  while (!a->done && (a->tid == 0 || !sleeps (a)))
    sched_yield ();
}

static void
finish (struct actor *a)
{
  assert_int_equal (pthread_join (a->thread, NULL), 0);
  if (a->result == -1)
    fail_msg ("%s", a->error);
}

/* The first actor is held at the gate, then the second, which is not, goes on
 * as far as it can, then both to the end. */
static void
interleave (struct world *w, struct gate *g, act_fn held, act_fn other)
{
  struct actor a, b;

  g->most = 1;
  start (&a, w, held);
  assert_true (gate_await (g, 1));
  start (&b, w, other);
  let_go_on (&b);
  gate_open (g);
  finish (&a);
  finish (&b);
}

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

/*----------------------------------------------------------------------
 * Commits
 *--------------------------------------------------------------------*/

/* What would be there if the power went now. */
static void
assert_reads_after_a_cut (struct world *w, uint8_t byte, size_t count,
                          uint64_t offset)
{
  size_t nr = recording_nr (&w->recording);
  size_t durable = recording_durable (&w->recording, nr);
  struct store *after = recording_cut (&w->recording, durable, durable, NULL,
                                       NULL);
  struct image *i = open_over (after, &w->gate, NULL, false);
  struct below below = below_image (w->parent);

  if (w->parent)
    image_set_below (i, &below);
  assert_image_reads (i, byte, count, offset);
  assert_ok (image_close (i));
  assert_ok (store_close (after));
}

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
    cmocka_unit_test (sector_added_during_a_commit_is_committed_next),
    cmocka_unit_test (flush_during_a_flush_covers_its_own),
    cmocka_unit_test (flushes_that_meet_join),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
