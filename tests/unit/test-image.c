/* vhdkit tests: one image, over a memory store.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "one-image.h"

/*----------------------------------------------------------------------
 * Which footer counts (vhd-format 1.5)
 *--------------------------------------------------------------------*/

static void
fixed_image_ignores_what_the_guest_writes_at_0 (void **state)
{
  struct fixture f, forged;
  uint8_t sectors[4096];

  (void) state;
  make (&forged, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (store_pread (forged.s, sectors, size_of (&forged) < 4096
                          ? size_of (&forged) : 4096, 0));
  make (&f, VHD_FIXED, 64 * KIB, 0, false);
  poke (&f, 0, sectors, 2048);
  assert_ok (try_open (&f, true));
  assert_null (image_header (f.i));
  assert_int_equal (image_footer (f.i)->type, VHD_FIXED);
  assert_int_equal (byte_at (&f, 0), 'c');
  done (&f);
  done (&forged);
}

static void
trailing_footer_wins_over_the_copy (void **state)
{
  struct fixture f;
  be64 other = put_be64 (32 * KIB);

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  poke_footer (&f, 0, offsetof (struct vhd_footer_disk, current_size), &other,
               sizeof other);
  assert_ok (try_open (&f, false));
  assert_int_equal (image_size (f.i), 64 * KIB);
  done (&f);
}

static void
copy_wins_when_only_it_fits_the_table (void **state)
{
  struct fixture f;
  be64 other = put_be64 (640 * KIB);

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  poke_footer (&f, size_of (&f) - 512,
               offsetof (struct vhd_footer_disk, current_size), &other,
               sizeof other);
  assert_ok (try_open (&f, false));
  assert_int_equal (image_size (f.i), 64 * KIB);
  done (&f);
}

static void
missing_footer_is_served_read_only_and_restored_by_a_writer (void **state)
{
  struct fixture f;
  struct vhd_footer_disk d;
  struct vhd_footer decoded;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 3, 0x33);
  assert_ok (image_close (f.i));
  assert_ok (store_truncate (f.s, size_of (&f) - 512));

  assert_ok (try_open (&f, false));
  assert_true (image_footer_missing (f.i));
  assert_int_equal (byte_at (&f, 3 * 4 * KIB), 0x33);
  assert_ok (image_close (f.i));

  assert_ok (try_open (&f, true));
  assert_false (image_footer_missing (f.i));
  assert_ok (store_pread (f.s, &d, sizeof d, size_of (&f) - 512));
  assert_int_equal (vhd_footer_decode (&d, &decoded), VHD_FOOTER_VALID);
  assert_int_equal (byte_at (&f, 3 * 4 * KIB), 0x33);
  done (&f);
}

static void
footer_of_511_bytes_is_read (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_FIXED, 64 * KIB, 0, false);
  assert_ok (store_truncate (f.s, size_of (&f) - 1));
  assert_ok (try_open (&f, false));
  assert_int_equal (image_size (f.i), 64 * KIB);
  done (&f);
}

static void
refuse (enum vhdkit_error code, void (*damage) (struct fixture *f))
{
  struct fixture f;

  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  damage (&f);
  assert_int_equal (try_open (&f, false), -1);
  assert_last_error (code, "image");
  done (&f);
}

static void
cut_short (struct fixture *f)
{
  assert_ok (store_truncate (f->s, 100));
}

static void
no_footer_at_all (struct fixture *f)
{
  uint8_t zeros[512] = { 0 };

  poke (f, 0, zeros, 512);
  poke (f, size_of (f) - 512, zeros, 512);
}

static void
both_checksums_wrong (struct fixture *f)
{
  poke (f, 0x18, "\1\2\3\4", 4);
  poke (f, size_of (f) - 512 + 0x18, "\1\2\3\4", 4);
}

static void
poisoned (struct fixture *f)
{
  poke (f, 0, VHD_POISON_COOKIE, 8);
  poke (f, size_of (f) - 512, VHD_POISON_COOKIE, 8);
}

static void
version_2 (struct fixture *f)
{
  be32 v = put_be32 (0x00020000);

  poke_footer (f, 0, 12, &v, 4);
  poke_footer (f, size_of (f) - 512, 12, &v, 4);
}

static void
type_5 (struct fixture *f)
{
  be32 v = put_be32 (5);

  poke_footer (f, 0, 0x3c, &v, 4);
  poke_footer (f, size_of (f) - 512, 0x3c, &v, 4);
}

static void
damaged_footers_are_refused (void **state)
{
  (void) state;
  refuse (VHDKIT_ERR_NOT_VIRTUAL_DISK, cut_short);
  refuse (VHDKIT_ERR_FORMAT_UNKNOWN, no_footer_at_all);
  refuse (VHDKIT_ERR_FOOTER_CHECKSUM, both_checksums_wrong);
  refuse (VHDKIT_ERR_WRONG_STATE, poisoned);
  refuse (VHDKIT_ERR_UNSUPPORTED_VERSION, version_2);
  refuse (VHDKIT_ERR_FOOTER_CORRUPT, type_5);
}

/*----------------------------------------------------------------------
 * The table (vhd-format 9.2 point 7)
 *--------------------------------------------------------------------*/

static void
bad_entry_fails_alone_read_only_and_refuses_writers (uint32_t sector)
{
  struct fixture f;
  char c;

  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 0x11);
  assert_ok (image_close (f.i));
  poke_entry (&f, 5, sector);

  assert_ok (try_open (&f, false));
  assert_int_equal (byte_at (&f, 0), 0x11);
  assert_int_equal (byte_at (&f, 6 * 4 * KIB), 0);
  assert_int_equal (image_pread (f.i, &c, 1, 5 * 4 * KIB), -1);
  assert_last_error (VHDKIT_ERR_BAT_CORRUPT, "block 5");
  assert_int_equal (vhdkit_get_errno (), EIO);
  assert_ok (image_close (f.i));

  assert_int_equal (try_open (&f, true), -1);
  assert_last_error (VHDKIT_ERR_BAT_CORRUPT, "read-only");
  done (&f);
}

static void
entry_past_the_end (void **state)
{
  (void) state;
  bad_entry_fails_alone_read_only_and_refuses_writers (0x10000);
  bad_entry_fails_alone_read_only_and_refuses_writers (0xfffffffe);
}

static void
entry_in_the_metadata (void **state)
{
  (void) state;
  bad_entry_fails_alone_read_only_and_refuses_writers (0);
  bad_entry_fails_alone_read_only_and_refuses_writers (3);
}

/* A block 9 that shares sectors with block 1, of which each has 9. */
static void
overlap (int32_t distance)
{
  struct fixture f;
  uint32_t entry;
  char c;

  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 0x11);
  write_block (&f, 5, 5);
  write_block (&f, 1, 0x22);
  write_block (&f, 6, 6);
  write_block (&f, 2, 0x33);
  entry = image_table_entry (f.i, 1);
  /* Leave room on both sides of it. */
  assert_ok (image_zero (f.i, 8 * KIB, 5 * 4 * KIB, IMAGE_ZERO_TRIM));
  assert_ok (image_close (f.i));
  poke_entry (&f, 9, entry + distance);

  assert_ok (try_open (&f, false));
  assert_int_equal (byte_at (&f, 0), 0x11);
  assert_int_equal (byte_at (&f, 2 * 4 * KIB), 0x33);
  assert_int_equal (image_pread (f.i, &c, 1, 1 * 4 * KIB), -1);
  assert_int_equal (image_pread (f.i, &c, 1, 9 * 4 * KIB), -1);
  done (&f);
}

static void
overlapping_blocks_are_both_out_of_reach (void **state)
{
  (void) state;
  overlap (0);
  overlap (3);
  overlap (8);
  overlap (-3);
  overlap (-8);
}

/* Blocks that touch do not overlap. */
static void
neighbours_are_in_reach (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, true);
  assert_ok (try_open (&f, true));
  for (uint32_t n = 1; n < 6; n++)
    write_block (&f, n, n);
  assert_ok (image_close (f.i));
  assert_ok (try_open (&f, true));
  for (uint32_t n = 1; n < 6; n++)
    assert_int_equal (byte_at (&f, n * 4 * KIB), n);
  done (&f);
}

/* Behind 2 GiB, where numbers of sectors have more bits than one sorts by at a
 * time; and out of order. */
static void
overlap_far_behind_is_found (void **state)
{
  static const uint32_t at[] = { 0x2000001, 0x800000, 0x1000000, 0x800004,
                                 0x400000 };
  struct fixture f;
  uint8_t footer[512];
  char c;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (store_pread (f.s, footer, 512, 0));
  assert_ok (store_truncate (f.s, UINT64_C (0x2100000) * 512));
  poke (&f, UINT64_C (0x2100000) * 512, footer, 512);
  for (uint32_t n = 0; n < 5; n++)
    poke_entry (&f, n, at[n]);
  assert_ok (try_open (&f, false));
  for (uint32_t n = 0; n < 5; n++)
    assert_int_equal (image_pread (f.i, &c, 1, n * 4 * KIB),
                      n == 1 || n == 3 ? -1 : 0);
  done (&f);
}

/* The last sector of the block, and no more, lies where the footer is; also if
 * that is damaged and the copy counts. */
static void
block_over_the_footer_is_out_of_reach (void **state)
{
  struct fixture f;
  uint64_t end;
  char c;

  (void) state;
  for (int damaged = 0; damaged < 2; damaged++) {
    make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
    assert_ok (try_open (&f, true));
    write_block (&f, 0, 0x11);
    write_block (&f, 1, 0x22);
    assert_ok (image_close (f.i));
    end = size_of (&f) - 512;
    poke_entry (&f, 1, end / 512 - 8);
    if (damaged)
      poke (&f, end + 100, "!", 1);
    assert_ok (try_open (&f, false));
    assert_int_equal (image_footer_missing (f.i), damaged);
    assert_int_equal (byte_at (&f, 0), 0x11);
    assert_int_equal (image_pread (f.i, &c, 1, 4 * KIB), -1);
    done (&f);
  }
}

static void
last_block_cut_behind_the_disk_is_readable (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DYNAMIC, 17 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  assert_ok (image_pwrite (f.i, "x", 1, 16 * KIB));
  assert_ok (image_close (f.i));
  /* 1 KiB of the block belongs to the disk; cut the rest, footer and all. */
  assert_ok (store_truncate (f.s, size_of (&f) - 4096 - 2 * KIB));
  assert_ok (try_open (&f, false));
  assert_int_equal (byte_at (&f, 16 * KIB), 'x');
  assert_ok (image_close (f.i));
  assert_int_equal (try_open (&f, true), -1);
  assert_last_error (VHDKIT_ERR_BAT_CORRUPT, "cut short");
  done (&f);
}

static void
huge_table_is_refused_before_memory_is_taken (void **state)
{
  struct fixture f;
  be32 entries = put_be32 (0xffffffff);

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  poke_header (&f, offsetof (struct vhd_header_disk, table_entries), &entries,
               sizeof entries);
  assert_int_equal (try_open (&f, false), -1);
  assert_last_error (VHDKIT_ERR_BAT_CORRUPT, "table");
  done (&f);
}

/*----------------------------------------------------------------------
 * Bitmaps
 *--------------------------------------------------------------------*/

static void
cleared_bits_of_a_dynamic_image_read_as_zeros (void **state)
{
  struct fixture f;
  uint8_t bits = 0xbf;          /* sector 1 is not there */

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 2, 0x77);
  bits = 0xbf;
  poke (&f, (uint64_t) image_table_entry (f.i, 2) * 512, &bits, 1);
  assert_ok (image_close (f.i));

  assert_ok (try_open (&f, true));
  assert_int_equal (byte_at (&f, 8 * KIB), 0x77);
  assert_int_equal (byte_at (&f, 8 * KIB + 512), 0);
  assert_int_equal (byte_at (&f, 8 * KIB + 1024), 0x77);
  /* A part of it: the rest is zero, not what lies in the file. */
  assert_ok (image_pwrite (f.i, "y", 1, 8 * KIB + 512 + 7));
  assert_int_equal (byte_at (&f, 8 * KIB + 512), 0);
  assert_int_equal (byte_at (&f, 8 * KIB + 512 + 7), 'y');
  done (&f);
}

/* The disk ends in the middle of the block.  Bits behind its end do not make up
 * for those before that are not set. */
static void
bits_behind_the_disk_do_not_count (void **state)
{
  struct fixture f;
  uint8_t bits;                 /* of its two sectors none */

  (void) state;
  make (&f, VHD_DYNAMIC, 17 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  assert_ok (image_pwrite (f.i, "garbage", 7, 16 * KIB));
  assert_ok (image_close (f.i));
  for (bits = 0x3f; bits >= 0x03; bits >>= 1) {
    assert_ok (try_open (&f, true));
    poke (&f, (uint64_t) image_table_entry (f.i, 4) * 512, &bits, 1);
    assert_int_equal (byte_at (&f, 16 * KIB), 0);
    assert_ok (image_close (f.i));
  }
  f.i = NULL;
  done (&f);
}

static void
new_block_of_a_dynamic_image_has_all_bits (void **state)
{
  struct fixture f;
  uint8_t bitmap[512], ones[512];

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  assert_ok (image_pwrite (f.i, "x", 1, 3000));
  assert_ok (store_pread (f.s, bitmap, 512,
                          (uint64_t) image_table_entry (f.i, 0) * 512));
  memset (ones, 0xff, 1);
  assert_memory_equal (bitmap, ones, 1);
  done (&f);
}

static void
new_block_of_a_child_has_exactly_the_bits_written (void **state)
{
  struct fixture f;
  uint8_t bitmap[512], expected[512] = { 0x1c };  /* sectors 3, 4, 5 */
  struct below zeros;

  (void) state;
  make (&f, VHD_DIFFERENCING, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  zeros = below_image (NULL);
  image_set_below (f.i, &zeros);
  assert_ok (image_pwrite (f.i, "xx", 2, 3 * 512 + 511));
  assert_ok (image_pwrite (f.i, "xx", 2, 5 * 512));
  assert_ok (image_flush (f.i));
  assert_ok (store_pread (f.s, bitmap, 512,
                          (uint64_t) image_table_entry (f.i, 0) * 512));
  assert_memory_equal (bitmap, expected, 512);
  done (&f);
}

/* More sectors than runs are worked out of at a time, from any sector on. */
static int
note_run (void *opaque, const struct image_run *run)
{
  uint8_t *held = opaque;

  memset (held + run->sector, run->file_offset != IMAGE_ABSENT, run->count);
  return 0;
}

static void
runs_of_a_large_block_are_exact (void **state)
{
  enum { SECTORS = 16384 };     /* 8 MiB */
  static const uint64_t written[] = { 0, 4095, 4096, 4159, 8191, 12288,
                                      SECTORS - 1 };
  uint8_t *held = malloc (SECTORS), expected[SECTORS] = { 0 };
  struct fixture f;

  (void) state;
  assert_non_null (held);
  make (&f, VHD_DIFFERENCING, SECTORS * UINT64_C (512), SECTORS * 512, false);
  assert_ok (try_open (&f, true));
  for (size_t k = 0; k < sizeof written / sizeof written[0]; k++) {
    char buf[512] = "x";

    assert_ok (image_pwrite (f.i, buf, sizeof buf, written[k] * 512));
    expected[written[k]] = 1;
  }
  for (uint64_t first = 0; first < 4100; first += 63) {
    memset (held, 0xee, SECTORS);
    assert_ok (image_runs (f.i, first, SECTORS - first, note_run, held));
    assert_memory_equal (held + first, expected + first, SECTORS - first);
  }
  done (&f);
  free (held);
}

/* In front of the first read of data, the block is trimmed and written anew. */
static struct image *raced;

static int
race (struct wrap *w, const struct call *c)
{
  struct image *i = raced;
  char bytes[512];

  (void) w;
  if (i == NULL || c->kind != CALL_READ)
    return 0;
  raced = NULL;
  memset (bytes, 'N', sizeof bytes);
  assert_ok (image_zero (i, 4 * KIB, 0, IMAGE_ZERO_TRIM));
  assert_ok (image_pwrite (i, bytes, sizeof bytes, 512));
  return 0;
}

static void
read_of_a_block_that_moves_shows_nothing_third (void **state)
{
  static const struct wrap_hooks hooks = { .before = race };
  struct image_options o = { .writable = true };
  struct fixture f;
  uint8_t bitmap[512] = { 0x80 };       /* sector 0 only; 1 holds garbage */
  char buf[1024];

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 'G');
  poke (&f, (uint64_t) image_table_entry (f.i, 0) * 512, bitmap, 512);
  assert_ok (image_close (f.i));
  assert_ok (image_open (wrap_open (wrap_keep (f.s), &hooks, NULL), &o,
                         &f.i));
  assert_ok (image_pread (f.i, buf, sizeof buf, 0));
  assert_int_equal (buf[512], 0);
  raced = f.i;
  assert_ok (image_pread (f.i, buf, sizeof buf, 0));
  assert_null (raced);
  assert_true (buf[512] == 0 || buf[512] == 'N');
  done (&f);
}

/*----------------------------------------------------------------------
 * Room for blocks
 *--------------------------------------------------------------------*/

static void
data_begins_at_4_kib (void **state)
{
  static const uint32_t sizes[] = { 4 * KIB, 512 * KIB, 2048 * KIB,
                                    4096 * KIB };
  struct fixture f;
  unsigned k, n;

  (void) state;
  for (k = 0; k < sizeof sizes / sizeof sizes[0]; k++) {
    make (&f, VHD_DYNAMIC, 8ull * sizes[k], sizes[k], false);
    assert_ok (try_open (&f, true));
    for (n = 0; n < 8; n++)
      assert_ok (image_pwrite (f.i, "x", 1, (uint64_t) n * sizes[k]));
    assert_true (image_data_aligned (f.i));
    assert_ok (image_close (f.i));
    assert_int_equal (size_of (&f) % 4096, 0);
    assert_ok (try_open (&f, false));
    done (&f);
  }
}

static void
packed_images_stay_packed (void **state)
{
  struct fixture f;
  uint32_t first, second;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, true);
  assert_ok (try_open (&f, true));
  write_block (&f, 1, 1);
  write_block (&f, 2, 2);
  first = image_table_entry (f.i, 1);
  second = image_table_entry (f.i, 2);
  assert_int_equal (first - image_table_entry (f.i, 0), 9);
  assert_int_equal (second - first, 9);
  done (&f);
}

static void
file_ends_behind_the_last_block (void **state)
{
  struct fixture f;
  unsigned n;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  for (n = 0; n < 20; n++)
    write_block (&f, n, n);
  assert_ok (image_close (f.i));
  /* Padding, bitmap and data of a block take 8 KiB; the metadata end within
   * the first padding, and the footer is in the place of the next bitmap. */
  assert_int_equal (size_of (&f), 20 * 8 * KIB + 4 * KIB);
  assert_ok (try_open (&f, false));
  for (n = 0; n < 20; n++)
    assert_int_equal (byte_at (&f, n * 4 * KIB), n);
  done (&f);
}

static void
gaps_are_used_after_reopening (void **state)
{
  struct fixture f;
  uint64_t size;
  unsigned n;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  for (n = 0; n < 20; n++)
    write_block (&f, n, n);
  for (n = 3; n < 9; n++)
    assert_ok (image_zero (f.i, 4 * KIB, n * 4 * KIB, IMAGE_ZERO_TRIM));
  assert_ok (image_close (f.i));
  size = size_of (&f);

  assert_ok (try_open (&f, true));
  for (n = 30; n < 36; n++) {
    assert_ok (image_pwrite (f.i, "x", 1, n * 4 * KIB));
    assert_int_equal (byte_at (&f, n * 4 * KIB + 1), 0);
  }
  assert_ok (image_close (f.i));
  assert_int_equal (size_of (&f), size);
  assert_ok (try_open (&f, false));
  for (n = 9; n < 20; n++)
    assert_int_equal (byte_at (&f, n * 4 * KIB), n);
  done (&f);
}

static void
old_footer_never_shows_as_data (void **state)
{
  struct fixture f;
  uint8_t data[4096], zeros[4096] = { 0 };
  unsigned n;

  (void) state;
  make (&f, VHD_DYNAMIC, 256 * KIB, 4 * KIB, true);
  for (n = 1; n < 20; n++) {
    assert_ok (try_open (&f, true));
    assert_ok (image_pwrite (f.i, "x", 1, n * 4 * KIB));
    assert_ok (image_pread (f.i, data, sizeof data, n * 4 * KIB));
    assert_int_equal (data[0], 'x');
    assert_memory_equal (data + 1, zeros, 4095);
    assert_ok (image_close (f.i));
  }
  f.i = NULL;
  done (&f);
}

static void
room_kept_by_locators_stays_theirs (void **state)
{
  struct fixture f;
  struct vhd_locator_disk l = {
    .platform = put_be32 (VHD_PLATFORM_W2RU), .space = put_be32 (65536),
    .length = put_be32 (20), .offset = put_be64 (4096)
  };
  uint8_t payload[20], back[20];

  (void) state;
  memset (payload, 'p', sizeof payload);
  make (&f, VHD_DIFFERENCING, 64 * KIB, 4 * KIB, false);
  /* The footer moves behind the room. */
  assert_ok (store_truncate (f.s, 4096 + 65536));
  poke (&f, 4096, payload, sizeof payload);
  poke_header (&f, offsetof (struct vhd_header_disk, locator), &l, sizeof l);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 1);
  assert_true ((uint64_t) image_table_entry (f.i, 0) * 512 >= 4096 + 65536);
  assert_ok (store_pread (f.s, back, sizeof back, 4096));
  assert_memory_equal (payload, back, sizeof back);
  done (&f);
}

static void
fields_of_other_creators_are_kept (void **state)
{
  struct fixture f;
  struct vhd_footer_disk before, after;
  uint64_t end;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  for (end = 0;; end = size_of (&f) - 512) {
    poke_footer (&f, end, 0x1c, "odd!", 4);
    poke_footer (&f, end, 0x54, "\1\1reserved", 10);
    if (end)
      break;
  }
  assert_ok (store_pread (f.s, &before, 512, 0));
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 1);
  assert_ok (image_close (f.i));
  assert_ok (store_pread (f.s, &after, 512, size_of (&f) - 512));
  assert_memory_equal (&before, &after, 512);
  f.i = NULL;
  done (&f);
}

static void
copy_is_made_right_before_the_footer_moves (void **state)
{
  struct fixture f;
  struct vhd_footer_disk copy, end;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  poke (&f, 0, "damaged!", 8);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 1);
  assert_ok (image_close (f.i));
  assert_ok (store_pread (f.s, &copy, 512, 0));
  assert_ok (store_pread (f.s, &end, 512, size_of (&f) - 512));
  assert_memory_equal (&copy, &end, 512);
  f.i = NULL;
  done (&f);
}

/*----------------------------------------------------------------------
 * XenServer's batmap
 *--------------------------------------------------------------------*/

static void
batmap_is_emptied_before_a_block_is_freed (void **state)
{
  struct fixture f;
  struct vhd_batmap_disk d;
  uint64_t at = 2048;           /* behind one sector of table */
  uint8_t map[512] = { 0x80 }, zeros[512] = { 0 }, footer[512];

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (store_pread (f.s, footer, 512, size_of (&f) - 512));
  memset (&d, 0, sizeof d);
  memcpy (d.cookie, VHD_BATMAP_COOKIE, 8);
  d.offset = put_be64 (at + 512);
  d.sectors = put_be32 (1);
  d.version = put_be32 (0x00010002);
  d.checksum = put_be32 (~0x80u);
  poke (&f, at, &d, sizeof d);
  poke (&f, at + 512, map, 512);
  poke (&f, at + 1024, footer, 512);
  poke_footer (&f, 0, 0x1c, "tap\0\0\1\0\3", 8);
  poke_footer (&f, at + 1024, 0x1c, "tap\0\0\1\0\3", 8);

  assert_ok (try_open (&f, true));
  assert_true (image_has_batmap (f.i));
  write_block (&f, 0, 1);
  assert_true ((uint64_t) image_table_entry (f.i, 0) * 512 >= at + 1024);
  assert_ok (image_flush (f.i));
  assert_ok (store_pread (f.s, map, 512, at + 512));
  assert_int_equal (map[0], 0x80);      /* writing leaves it alone */
  assert_ok (image_zero (f.i, 4 * KIB, 0, IMAGE_ZERO_TRIM));
  assert_ok (image_flush (f.i));
  assert_ok (store_pread (f.s, map, 512, at + 512));
  assert_memory_equal (map, zeros, 512);
  assert_ok (store_pread (f.s, &d, sizeof d, at));
  assert_int_equal (get_be32 (d.checksum), 0xffffffff);
  done (&f);
}

/* A batmap that is said to lie in a block, far from the table: freeing another
 * block must not write there. */
static void
batmap_in_a_block_refuses_writers (void **state)
{
  struct fixture f;
  struct vhd_batmap_disk d;
  uint32_t n;

  (void) state;
  make (&f, VHD_DYNAMIC, 8192 * KIB, 1024 * KIB, false);
  assert_ok (store_truncate (f.s, 4096 + 3584));
  {
    struct vhd_footer_disk footer;

    assert_ok (store_pread (f.s, &footer, sizeof footer, 0));
    memcpy ((char *) &footer + 0x1c, "tap\0\0\1\0\3", 8);
    poke (&f, 0, &footer, sizeof footer);
    poke_footer (&f, 0, 0x1c, "tap\0", 4);
    assert_ok (store_pread (f.s, &footer, sizeof footer, 0));
    assert_ok (store_truncate (f.s, 8192));
    poke (&f, 8192 - 512, &footer, sizeof footer);
  }
  assert_ok (try_open (&f, true));
  for (n = 0; n < 4; n++)
    write_block (&f, n, 0x10 + n);
  n = image_table_entry (f.i, 3);
  assert_ok (image_close (f.i));
  memset (&d, 0, sizeof d);
  memcpy (d.cookie, VHD_BATMAP_COOKIE, 8);
  d.offset = put_be64 ((uint64_t) n * 512 + 64 * KIB);
  d.sectors = put_be32 (1);
  d.version = put_be32 (0x00010002);
  poke (&f, 2048, &d, sizeof d);

  assert_int_equal (try_open (&f, true), -1);
  assert_last_error (VHDKIT_ERR_BAT_CORRUPT, "damaged");
  assert_ok (try_open (&f, false));
  assert_int_equal (byte_at (&f, 0), 0x10);
  done (&f);
}

/*----------------------------------------------------------------------
 * Zero and trim
 *--------------------------------------------------------------------*/

static void
trim_of_a_whole_block_frees_it (void **state)
{
  struct fixture f;
  uint64_t before, after;
  int64_t mtime;
  unsigned n;

  (void) state;
  make (&f, VHD_DYNAMIC, 4096 * KIB, 512 * KIB, false);
  assert_ok (try_open (&f, true));
  for (n = 0; n < 8; n++)
    write_block (&f, n, 1);
  assert_ok (image_flush (f.i));
  assert_ok (store_usage (f.s, &before, &mtime));
  assert_ok (image_zero (f.i, 4096 * KIB, 0,
                         IMAGE_ZERO_TRIM | IMAGE_ZERO_WHOLE));
  assert_ok (image_flush (f.i));
  assert_int_equal (image_blocks_allocated (f.i), 0);
  assert_ok (store_usage (f.s, &after, &mtime));
  assert_true (after < before / 10);
  done (&f);
}

static void
trim_leaves_sectors_it_only_touches (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 0x11);
  assert_ok (image_zero (f.i, 1000, 100, IMAGE_ZERO_TRIM | IMAGE_ZERO_WHOLE));
  assert_int_equal (byte_at (&f, 0), 0x11);
  assert_int_equal (byte_at (&f, 511), 0x11);
  assert_int_equal (byte_at (&f, 512), 0);
  assert_int_equal (byte_at (&f, 1023), 0);
  assert_int_equal (byte_at (&f, 1024), 0x11);
  done (&f);
}

static void
zero_of_a_part_is_exact (void **state)
{
  struct fixture f;

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (try_open (&f, true));
  write_block (&f, 0, 0x11);
  assert_ok (image_zero (f.i, 1000, 100, 0));
  assert_int_equal (byte_at (&f, 99), 0x11);
  assert_int_equal (byte_at (&f, 100), 0);
  assert_int_equal (byte_at (&f, 1099), 0);
  assert_int_equal (byte_at (&f, 1100), 0x11);
  /* Where nothing is, nothing is made. */
  assert_ok (image_zero (f.i, 3000, 5 * 4 * KIB + 100, 0));
  assert_int_equal (image_blocks_allocated (f.i), 1);
  done (&f);
}

/*----------------------------------------------------------------------
 * Limits
 *--------------------------------------------------------------------*/

static void
block_behind_2_tib_is_refused (void **state)
{
  struct fixture f;
  uint64_t end = (UINT64_C (1) << 41) - 4096;
  uint8_t footer[512];

  (void) state;
  make (&f, VHD_DYNAMIC, 64 * KIB, 4 * KIB, false);
  assert_ok (store_pread (f.s, footer, 512, size_of (&f) - 512));
  assert_ok (store_truncate (f.s, end + 4096));
  /* One block right at the end of what the table can reach. */
  poke_entry (&f, 0, (end - 8192) / 512 + 7);
  poke (&f, end + 4096 - 512, footer, 512);
  assert_ok (try_open (&f, true));
  /* There are gaps enough before it. */
  write_block (&f, 1, 1);
  assert_true (image_table_entry (f.i, 1) < image_table_entry (f.i, 0));
  done (&f);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (fixed_image_ignores_what_the_guest_writes_at_0),
    cmocka_unit_test (trailing_footer_wins_over_the_copy),
    cmocka_unit_test (copy_wins_when_only_it_fits_the_table),
    cmocka_unit_test
      (missing_footer_is_served_read_only_and_restored_by_a_writer),
    cmocka_unit_test (footer_of_511_bytes_is_read),
    cmocka_unit_test (damaged_footers_are_refused),
    cmocka_unit_test (entry_past_the_end),
    cmocka_unit_test (entry_in_the_metadata),
    cmocka_unit_test (overlapping_blocks_are_both_out_of_reach),
    cmocka_unit_test (neighbours_are_in_reach),
    cmocka_unit_test (overlap_far_behind_is_found),
    cmocka_unit_test (block_over_the_footer_is_out_of_reach),
    cmocka_unit_test (last_block_cut_behind_the_disk_is_readable),
    cmocka_unit_test (huge_table_is_refused_before_memory_is_taken),
    cmocka_unit_test (cleared_bits_of_a_dynamic_image_read_as_zeros),
    cmocka_unit_test (bits_behind_the_disk_do_not_count),
    cmocka_unit_test (new_block_of_a_dynamic_image_has_all_bits),
    cmocka_unit_test (new_block_of_a_child_has_exactly_the_bits_written),
    cmocka_unit_test (runs_of_a_large_block_are_exact),
    cmocka_unit_test (read_of_a_block_that_moves_shows_nothing_third),
    cmocka_unit_test (data_begins_at_4_kib),
    cmocka_unit_test (packed_images_stay_packed),
    cmocka_unit_test (file_ends_behind_the_last_block),
    cmocka_unit_test (gaps_are_used_after_reopening),
    cmocka_unit_test (old_footer_never_shows_as_data),
    cmocka_unit_test (room_kept_by_locators_stays_theirs),
    cmocka_unit_test (fields_of_other_creators_are_kept),
    cmocka_unit_test (copy_is_made_right_before_the_footer_moves),
    cmocka_unit_test (batmap_is_emptied_before_a_block_is_freed),
    cmocka_unit_test (batmap_in_a_block_refuses_writers),
    cmocka_unit_test (trim_of_a_whole_block_frees_it),
    cmocka_unit_test (trim_leaves_sectors_it_only_touches),
    cmocka_unit_test (zero_of_a_part_is_exact),
    cmocka_unit_test (block_behind_2_tib_is_refused),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
