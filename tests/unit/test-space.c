/* vhdkit tests: room for blocks, and the end of the file.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "one-image.h"

#define BLOCK (4 * KIB)
#define SLOT (8 * KIB)          /* of the file, with bitmap and padding */
#define FIRST (4 * KIB)         /* the end of what is before the first slot */

static uint32_t
entry (struct fixture *f, uint32_t block)
{
  return image_table_entry (f->i, block);
}

static int
try_write (struct fixture *f, uint32_t block)
{
  uint8_t buf[BLOCK];

  memset (buf, 1 + block, sizeof buf);
  return image_pwrite (f->i, buf, sizeof buf, block * BLOCK);
}

static void
assert_written (struct fixture *f, uint32_t block)
{
  uint8_t buf[BLOCK];

  assert_ok (image_pread (f->i, buf, sizeof buf, block * BLOCK));
  for (size_t k = 0; k < sizeof buf; k++)
    assert_int_equal (buf[k], 1 + block);
}

static int
free_block (struct fixture *f, uint32_t block)
{
  return image_zero (f->i, BLOCK, block * BLOCK, IMAGE_ZERO_TRIM);
}

static bool
ends_in_footer (struct store *s)
{
  struct vhd_footer_disk d;
  struct vhd_footer decoded;
  uint64_t size;

  assert_ok (store_size (s, &size));
  assert_ok (store_pread (s, &d, sizeof d, size - sizeof d));
  return vhd_footer_decode (&d, &decoded) == VHD_FOOTER_VALID;
}

/*----------------------------------------------------------------------
 * Room that is given back
 *--------------------------------------------------------------------*/

static void
freed_room_is_used_again (struct fixture *f, struct fault *fault,
                          bool commit_fails)
{
  uint32_t freed;

  make (f, VHD_DYNAMIC, 256 * KIB, BLOCK, false);
  assert_ok (try_open_over (f, fault_open (wrap_keep (f->s), fault), true));
  for (uint32_t k = 0; k < 4; k++)
    assert_ok (try_write (f, k));
  assert_ok (image_flush (f->i));
  freed = entry (f, 1);
  assert_ok (free_block (f, 1));
  if (commit_fails) {
    fault->fail_at = fault->calls + 1;
    assert_int_equal (image_flush (f->i), -1);
    fault->fail_at = 0;
  }
  assert_ok (image_flush (f->i));
  assert_ok (try_write (f, 9));
  assert_int_equal (entry (f, 9), freed);
  assert_written (f, 9);
  done (f);
}

static void
freed_room_is_used_again_after_a_commit (void **state)
{
  struct fixture f;
  struct fault fault = { 0 };

  (void) state;
  freed_room_is_used_again (&f, &fault, false);
}

static void
freed_room_is_used_again_after_a_commit_that_failed (void **state)
{
  struct fixture f;
  struct fault fault = { .kinds = CALL_WRITE, .err = EIO };

  (void) state;
  freed_room_is_used_again (&f, &fault, true);
}

static void
room_of_a_failed_write_is_used_by_the_next (void **state)
{
  struct fixture f;
  struct fault fault = { .kinds = CALL_WRITE, .err = EIO };

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, BLOCK, false);
  assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
  assert_ok (try_write (&f, 0));
  assert_ok (try_write (&f, 1));        /* and room for two more is there */
  fault.fail_at = fault.calls + 1;
  assert_int_equal (try_write (&f, 2), -1);
  assert_ok (try_write (&f, 2));
  assert_int_equal (entry (&f, 2), entry (&f, 1) + SLOT / 512);
  assert_written (&f, 2);
  done (&f);
}

static void
gap_that_cannot_be_zeroed_stays_a_gap (void **state)
{
  struct fixture f;
  struct fault fault = { .kinds = CALL_ZERO, .err = EIO };
  uint32_t freed;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, BLOCK, false);
  assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
  for (uint32_t k = 0; k < 4; k++)
    assert_ok (try_write (&f, k));
  freed = entry (&f, 1);
  assert_ok (free_block (&f, 1));
  assert_ok (image_flush (f.i));
  fault.fail_at = fault.calls + 1;
  assert_int_equal (try_write (&f, 9), -1);
  fault.fail_at = 0;
  assert_ok (try_write (&f, 9));
  assert_int_equal (entry (&f, 9), freed);
  done (&f);
}

/* Between the metadata and block 0 there is room for a block, but not for one
 * whose data begins at 4 KiB: it would reach one sector into block 0. */
static void
gap_that_is_a_sector_short_is_not_used (void **state)
{
  struct fixture f;
  uint8_t ones[512];
  uint8_t footer[512];

  (void) state;
  memset (ones, 0xff, sizeof ones);
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  assert_ok (store_pread (f.s, footer, 512, size_of (&f) - 512));
  assert_ok (store_truncate (f.s, 12 * KIB));
  poke (&f, 12 * KIB, footer, 512);
  poke (&f, 15 * 512, ones, 512);
  poke_entry (&f, 0, 15);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 0x11);
  write_block (&f, 1, 0x22);
  assert_true (entry (&f, 1) >= 15 + 9);
  assert_int_equal (byte_at (&f, 0), 0x11);
  done (&f);
}

/* What a block does not hold yet must be zero, whatever was left between the
 * last block and the footer. */
static void
what_lies_before_the_footer_never_shows (void **state)
{
  static const uint32_t lengths[] = { 512, 2 * KIB, 4 * KIB, 8 * KIB };
  uint8_t junk[8 * KIB], footer[512], buf[BLOCK];

  (void) state;
  memset (junk, 'J', sizeof junk);
  for (size_t k = 0; k < 8; k++) {
    struct fixture f;
    uint64_t end;

    make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, k % 2);
    end = size_of (&f) - 512;
    assert_ok (store_pread (f.s, footer, 512, end));
    poke (&f, end, junk, lengths[k / 2]);
    poke (&f, end + lengths[k / 2], footer, 512);
    assert_ok (try_open (&f, true));
    assert_ok (image_pwrite (f.i, "x", 1, 5 * BLOCK));
    assert_ok (image_pread (f.i, buf, sizeof buf, 5 * BLOCK));
    assert_int_equal (buf[0], 'x');
    for (size_t n = 1; n < sizeof buf; n++)
      assert_int_equal (buf[n], 0);
    done (&f);
  }
}

/*----------------------------------------------------------------------
 * Growing
 *--------------------------------------------------------------------*/

static void
commits_bound_how_far_the_file_is_ahead (void **state)
{
  struct fixture f;
  uint32_t k;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, BLOCK, false);
  assert_ok (try_open (&f, true));
  for (k = 0; k < 32; k++) {
    assert_ok (try_write (&f, k));
    assert_ok (image_flush (f.i));
    assert_in_range (size_of (&f), FIRST + (k + 1) * SLOT,
                     FIRST + (k + 2) * SLOT);
  }
  done (&f);
}

/* A host that lets a file become only so long, and writes some bytes before it
 * says no; if it is stuck, it cannot cut the file either. */
struct host {
  uint64_t limit;
  int err;
  size_t junk;
  bool stuck;
};

static int
host_before (struct wrap *w, const struct call *c)
{
  static const uint8_t junk[512] = "junk";
  const struct host *h = w->opaque;
  uint64_t size;

  if (c->kind == CALL_WRITE && c->offset + c->length > h->limit) {
    if (h->junk)
      assert_ok (store_pwrite (w->inner, junk, h->junk, c->offset));
    set_error_errno (h->err, "%s: the host says no", w->base.name);
    return -1;
  }
  assert_ok (store_size (w->inner, &size));
  if (c->kind == CALL_TRUNCATE && h->stuck && c->offset < size) {
    set_error_errno (EIO, "%s: the host is stuck", w->base.name);
    return -1;
  }
  return 0;
}

static void
open_on_host (struct fixture *f, struct host *h)
{
  static const struct wrap_hooks hooks = { .before = host_before };

  make (f, VHD_DYNAMIC, 512 * KIB, BLOCK, false);
  assert_ok (try_open_over (f, wrap_open (wrap_keep (f->s), &hooks, h),
                            true));
}

static void
host_recovers (struct host *h)
{
  h->limit = UINT64_MAX;
  h->stuck = false;
}

/* All the room that the host gives is used, though the file grows by many
 * blocks at a time. */
static void
last_block_that_the_host_allows_is_written (void **state)
{
  static const int errs[] = { ENOSPC, EFBIG };
  uint32_t n;

  (void) state;
  for (n = 0; n < 20; n++) {
    struct host h = { .limit = FIRST + (11 + n / 2) * SLOT,
                      .err = errs[n % 2] };
    struct fixture f;
    uint32_t k;

    open_on_host (&f, &h);
    for (k = 0; try_write (&f, k) == 0; k++)
      ;
    assert_last_error (VHDKIT_ERR_DISK_FULL, "room for a new block");
    assert_int_equal (vhdkit_get_errno (), ENOSPC);
    assert_int_equal (k, 11 + n / 2);
    host_recovers (&h);
    assert_ok (try_write (&f, k));
    while (k > 0)
      assert_written (&f, k--);
    done (&f);
  }
}

/* What the host wrote before it said no, and could not take back, is cut off
 * as soon as it can be: every commit leaves a file that ends in a footer. */
static void
junk_behind_the_footer_is_cut (void **state)
{
  struct fixture f;
  struct host h = { .limit = UINT64_MAX, .err = ENOSPC, .junk = 300 };
  uint32_t k;

  (void) state;
  open_on_host (&f, &h);
  for (k = 0; k < 8; k++)
    assert_ok (try_write (&f, k));
  h.limit = size_of (&f);
  h.stuck = true;
  while (try_write (&f, k) == 0)
    k++;
  assert_int_equal (vhdkit_get_errno (), ENOSPC);
  assert_false (ends_in_footer (f.s));
  assert_ok (image_flush (f.i));        /* and the file grows slowly again */
  host_recovers (&h);
  assert_ok (image_flush (f.i));
  assert_true (ends_in_footer (f.s));
  assert_ok (try_write (&f, k));
  assert_ok (image_flush (f.i));
  assert_true (ends_in_footer (f.s));
  done (&f);
}

static void
junk_behind_the_footer_is_cut_at_the_end (void **state)
{
  struct fixture f;
  struct host h = { .err = ENOSPC, .junk = 300, .stuck = true };

  (void) state;
  open_on_host (&f, &h);
  assert_int_equal (try_write (&f, 0), -1);
  assert_false (ends_in_footer (f.s));
  host_recovers (&h);
  assert_ok (image_close (f.i));
  assert_true (ends_in_footer (f.s));
  f.i = NULL;
  done (&f);
}

/* There would be room for one block, but not for the many that were wanted;
 * the junk that this has left cannot be cut. */
static void
no_block_is_put_before_junk (void **state)
{
  struct fixture f;
  struct host h = { .limit = UINT64_MAX, .err = ENOSPC, .junk = 300 };
  uint32_t k;

  (void) state;
  open_on_host (&f, &h);
  for (k = 0; k < 8; k++)
    assert_ok (try_write (&f, k));
  h.limit = size_of (&f) + SLOT;
  h.stuck = true;
  for (; try_write (&f, k) == 0; k++)
    assert_true (ends_in_footer (f.s));
  host_recovers (&h);
  assert_ok (try_write (&f, k));
  assert_ok (image_flush (f.i));
  assert_true (ends_in_footer (f.s));
  done (&f);
}

/* Blocks lie so far apart that the last ends near 2 TiB, and so near to each
 * other that none fits between. */
static void
block_that_would_end_behind_2_tib_is_refused (void **state)
{
  const uint64_t bs = VHD_MAX_BLOCK_SIZE, size = UINT64_C (2040) << 30;
  const uint64_t stride = (bs + vhd_bitmap_bytes (bs)) / 512 * 2 - 1;
  struct fixture f;
  uint8_t footer[512];
  uint64_t sector;
  uint32_t n = 0;

  (void) state;
  make (&f, VHD_DYNAMIC, size, bs, true);
  assert_ok (store_pread (f.s, footer, 512, size_of (&f) - 512));
  assert_ok (try_open (&f, false));
  sector = entry (&f, 0);
  assert_ok (image_close (f.i));
  while (sector < VHD_BAT_UNUSED - stride) {
    poke_entry (&f, n++, sector);
    sector += stride;
  }
  assert_true (n < size / bs);
  assert_ok (store_truncate (f.s, (sector + stride) * 512));
  poke (&f, (sector + stride) * 512, footer, 512);
  assert_ok (try_open (&f, true));
  while (sector < VHD_BAT_UNUSED && n < size / bs) {
    assert_int_equal (image_pwrite (f.i, "x", 1, n * bs), 0);
    sector = entry (&f, n++) + stride / 2 + 1;
  }
  assert_int_equal (image_pwrite (f.i, "x", 1, n * bs), -1);
  assert_last_error (VHDKIT_ERR_DISK_FULL, "2 TiB");
  assert_int_equal (entry (&f, n), VHD_BAT_UNUSED);
  done (&f);
}

/*----------------------------------------------------------------------
 * Footers
 *--------------------------------------------------------------------*/

static void
record (struct fixture *f, struct recording *r)
{
  recording_init (r);
  assert_ok (try_open_over (f, record_open (wrap_keep (f->s), r), true));
}

/* The copy must be able to stand in before the footer moves. */
static void
copy_is_durable_before_the_footer_moves (void **state)
{
  struct fixture f;
  struct recording r;
  size_t k;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  poke (&f, 0, "damaged!", 8);
  record (&f, &r);
  assert_ok (try_write (&f, 0));
  for (k = 0; r.entry[k].kind != CALL_WRITE || r.entry[k].offset != 0; k++)
    assert_true (k + 1 < r.nr && r.entry[k].kind != CALL_WRITE);
  assert_int_equal (r.entry[k + 1].kind, CALL_FLUSH);
  done (&f);
  recording_destroy (&r);
}

static void
copy_that_could_not_be_repaired_is_repaired_next_time (void **state)
{
  struct fixture f;
  struct fault fault = { .kinds = CALL_WRITE, .fail_at = 1, .err = EIO };
  struct vhd_footer_disk d;
  struct vhd_footer decoded;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  poke (&f, 0, "damaged!", 8);
  assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
  assert_int_equal (try_write (&f, 0), -1);
  assert_ok (try_write (&f, 0));
  assert_ok (store_pread (f.s, &d, sizeof d, 0));
  assert_int_equal (vhd_footer_decode (&d, &decoded), VHD_FOOTER_VALID);
  done (&f);
}

/* Of what is not durable, only that the file became shorter has survived. */
static bool
only_truncates (void *opaque, size_t k, uint64_t offset)
{
  const struct recording *r = opaque;

  (void) offset;
  return r->entry[k].kind == CALL_TRUNCATE;
}

static void
footer_is_durable_before_the_file_is_cut (void **state)
{
  struct fixture f;
  struct recording r;
  unsigned truncates = 0;
  uint64_t length = 0;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, BLOCK, false);
  record (&f, &r);
  for (uint32_t k = 0; k < 5; k++)
    assert_ok (try_write (&f, k));
  assert_ok (image_close (f.i));
  for (size_t k = 0; k < r.nr; k++) {
    if (r.entry[k].kind != CALL_TRUNCATE)
      continue;
    if (r.entry[k].offset < length) {
      struct store *s = recording_cut (&r, recording_durable (&r, k), k + 1,
                                       only_truncates, &r);

      assert_true (ends_in_footer (s));
      assert_ok (store_close (s));
      truncates++;
    }
    length = r.entry[k].offset;
  }
  assert_int_equal (truncates, 1);
  f.i = NULL;
  done (&f);
  recording_destroy (&r);
}

struct losses {
  const struct recording *r;
  bool truncates;
};

/* Of what is not durable the footers are lost, perhaps the length as well. */
static bool
all_but_footers (void *opaque, size_t k, uint64_t offset)
{
  const struct losses *l = opaque;
  const struct recorded *e = &l->r->entry[k];

  (void) offset;
  if (e->kind == CALL_TRUNCATE)
    return !l->truncates;
  return e->kind != CALL_WRITE || e->length != SECTOR_SIZE
         || memcmp (e->data, VHD_FOOTER_COOKIE, 8) != 0;
}

/* A block in which each sector could be the footer of another disk. */
static int
write_footers (struct fixture *f, uint32_t block)
{
  uint8_t buf[BLOCK];
  struct vhd_footer other;

  vhd_footer_init (&other, VHD_FIXED, SECTOR_SIZE);
  for (size_t k = 0; k < sizeof buf; k += SECTOR_SIZE)
    vhd_footer_encode (&other, (struct vhd_footer_disk *) (buf + k));
  return image_pwrite (f->i, buf, sizeof buf, block * BLOCK);
}

static void
assert_not_another_disk (struct store *s)
{
  struct image_options o = { 0 };
  struct image *i;

  assert_ok (image_open (s, &o, &i));
  assert_int_equal (image_footer (i)->type, VHD_DYNAMIC);
  assert_ok (image_close (i));
}

/* A power cut makes a footer of what the file then ends in, if it looks like
 * one.  spare: the old footer lies where the first new block has its data. */
static void
never_ends_in_data (bool spare)
{
  struct fixture f;
  struct recording r;

  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, spare);
  if (spare)
    format_add_spare (f.s);
  record (&f, &r);
  for (uint32_t k = 1; k < 6; k++)
    assert_ok (write_footers (&f, k));
  for (size_t k = 1; k <= r.nr; k++)
    for (int truncates = 0; truncates < 2; truncates++) {
      struct losses l = { &r, truncates };

      assert_not_another_disk (recording_cut (&r, recording_durable (&r, k),
                                              k, all_but_footers, &l));
    }
  done (&f);
  recording_destroy (&r);
}

static void
file_that_was_cut_never_ends_in_data (void **state)
{
  (void) state;
  never_ends_in_data (false);
  never_ends_in_data (true);
}

/* What is left of another program's session may be longer than its blocks. */
static void
restored_footer_is_the_end_of_the_file (void **state)
{
  struct fixture f;
  uint8_t c7[512];

  (void) state;
  memset (c7, 0xc7, sizeof c7);
  make (&f, VHD_DYNAMIC, 64 * KIB, BLOCK, false);
  assert_ok (try_open (&f, true));
  assert_ok (try_write (&f, 0));
  assert_ok (image_close (f.i));
  poke (&f, size_of (&f) - 512, c7, 512);
  poke (&f, size_of (&f) + 5 * SLOT, c7, 512);
  assert_ok (try_open (&f, true));
  assert_true (ends_in_footer (f.s));
  assert_written (&f, 0);
  done (&f);
}

/* An id of which only one footer has been written: before the other moves, the
 * copy must be able to stand in for it again (rule 4). */
static void
growth_repairs_the_copy_of_a_half_written_id (void **state)
{
  struct fixture f;
  struct fault fault = { .kinds = CALL_WRITE, .err = EIO };
  struct vhd_footer_disk copy, end;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, BLOCK, false);
  assert_ok (try_open_over (&f, fault_open (wrap_keep (f.s), &fault), true));
  assert_ok (try_write (&f, 0));        /* the copy has been looked at */
  assert_ok (image_flush (f.i));
  fault.fail_at = fault.calls + 2;
  assert_int_equal (image_set_id (f.i, (const uint8_t *) "another disk id"),
                    -1);
  fault.fail_at = 0;
  for (uint32_t k = 1; k < 8; k++)
    assert_ok (try_write (&f, k));
  assert_ok (store_pread (f.s, &copy, sizeof copy, 0));
  assert_ok (store_pread (f.s, &end, sizeof end, size_of (&f) - sizeof end));
  assert_memory_equal (&copy, &end, sizeof copy);
  done (&f);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (freed_room_is_used_again_after_a_commit),
    cmocka_unit_test (freed_room_is_used_again_after_a_commit_that_failed),
    cmocka_unit_test (room_of_a_failed_write_is_used_by_the_next),
    cmocka_unit_test (gap_that_cannot_be_zeroed_stays_a_gap),
    cmocka_unit_test (gap_that_is_a_sector_short_is_not_used),
    cmocka_unit_test (what_lies_before_the_footer_never_shows),
    cmocka_unit_test (commits_bound_how_far_the_file_is_ahead),
    cmocka_unit_test (last_block_that_the_host_allows_is_written),
    cmocka_unit_test (junk_behind_the_footer_is_cut),
    cmocka_unit_test (junk_behind_the_footer_is_cut_at_the_end),
    cmocka_unit_test (no_block_is_put_before_junk),
    cmocka_unit_test (block_that_would_end_behind_2_tib_is_refused),
    cmocka_unit_test (copy_is_durable_before_the_footer_moves),
    cmocka_unit_test (copy_that_could_not_be_repaired_is_repaired_next_time),
    cmocka_unit_test (footer_is_durable_before_the_file_is_cut),
    cmocka_unit_test (file_that_was_cut_never_ends_in_data),
    cmocka_unit_test (restored_footer_is_the_end_of_the_file),
    cmocka_unit_test (growth_repairs_the_copy_of_a_half_written_id),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
