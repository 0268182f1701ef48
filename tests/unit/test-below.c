/* vhdkit tests: the parents as one.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Three layers in memory, each longer or shorter than the others; what their
 * sectors are together is also kept in an array.
 */
#include <config.h>

#include "one-image.h"

#include <malloc.h>

#include "disk/disk.h"

#define LAYERS 3
#define MIB (1024u * KIB)
#define UNIT (2 * MIB)          /* resolved at once */
#define SECTORS (8 * MIB / 512) /* of the largest layer */

struct chain {
  struct layer layer[LAYERS];
  struct below_cache *cache;
  struct below below;
  uint8_t byte[SECTORS];        /* of each sector; 0: nobody holds it */
};

static const struct image_shape shapes[LAYERS] = {
  { .type = VHD_DIFFERENCING, .size = 7 * MIB + 512, .block_size = 512 * KIB },
  { .type = VHD_DIFFERENCING, .size = 3 * MIB + 3 * 512,
    .block_size = 4 * KIB },
  { .type = VHD_DYNAMIC, .size = 8 * MIB, .block_size = 64 * KIB },
};

/* Each layer has a byte of its own. */
static void
put_sectors (struct chain *c, struct image *i, int layer, uint64_t first,
             unsigned count)
{
  uint8_t buf[8 * 512];

  memset (buf, 'a' + layer, sizeof buf);
  assert_ok (image_pwrite (i, buf, count * 512, first * 512));
  memset (c->byte + first, 'a' + layer, count);
}

/* Some here and there, the last ones, and those beside the ends of units and
 * of the other layers; but none in the third unit, nor in the beginning of the
 * fourth. */
static void
fill (struct chain *c, struct image *i, int layer)
{
  uint64_t sectors = shapes[layer].size / 512, k;

  /* A layer hides what is behind its end. */
  memset (c->byte + sectors, 0, SECTORS - sectors);
  for (k = layer; k + 8 < sectors; k += 97 + 61 * layer)
    if (k + 8 < 2 * UNIT / 512 || k > 3 * UNIT / 512 + 700)
      put_sectors (c, i, layer, k, 1 + (k / 7 + layer) % 7);
  put_sectors (c, i, layer, sectors - 1, 1);
  put_sectors (c, i, layer, UNIT / 512 - 2 + layer, 2);
  put_sectors (c, i, layer, 3 * MIB / 512 + layer, 1);
}

/* damaged: the second block of the nearest layer leads nowhere. */
static void
make_chain_with (struct chain *c, uint64_t cache_bytes, bool damaged)
{
  const be32 nowhere = put_be32 (0x7fffffff);
  const struct image_options writable = { .writable = true };
  const struct image_options o = { .writable = false };
  int k;

  memset (c, 0, sizeof *c);
  for (k = LAYERS; k-- > 0; ) {
    struct image_shape shape = shapes[k];
    struct layer *l = &c->layer[k];
    struct image *i;

    l->store = store_open_memory ("layer");
    assert_non_null (l->store);
    format_image (l->store, &shape);
    assert_ok (image_open (wrap_keep (l->store), &writable, &i));
    fill (c, i, k);
    if (k == LAYERS - 1)        /* a dynamic block holds all its sectors */
      for (uint64_t s = 0; s < SECTORS; s++)
        if (image_unallocated (i, s, 1) == 0 && c->byte[s] == 0)
          c->byte[s] = 1;
    assert_ok (image_close (i));
    if (damaged && k == 0)
      assert_ok (store_pwrite (l->store, &nowhere, sizeof nowhere,
                               TABLE + 4));
    assert_ok (image_open (l->store, &o, &l->image));
    l->size = shape.size;
    l->path = l->store->name;
  }
  c->cache = below_new (c->layer, LAYERS, cache_bytes);
  assert_non_null (c->cache);
  below_interface (c->cache, &c->below);
}

static void
make_chain (struct chain *c, uint64_t cache_bytes)
{
  make_chain_with (c, cache_bytes, false);
}

static void
end_chain (struct chain *c)
{
  below_free (c->cache);
  for (int k = 0; k < LAYERS; k++)
    assert_ok (image_close (c->layer[k].image));
}

/* 1 stands for a sector that is held and zero. */
static int
content (const struct chain *c, uint64_t sector)
{
  return c->byte[sector] == 1 ? 0 : c->byte[sector];
}

static void
reads_right (struct chain *c, uint64_t sector, unsigned count)
{
  static uint8_t buf[64 * 512];

  memset (buf, 0xee, sizeof buf);
  assert_ok (c->below.pread (c->below.opaque, buf, count * 512,
                             sector * 512));
  for (unsigned k = 0; k < count * 512; k++)
    if (buf[k] != content (c, sector + k / 512))
      fail_msg ("sector %llu: found %02x, expected %02x",
                (unsigned long long) sector + k / 512, buf[k],
                content (c, sector + k / 512));
}

static void
nearest_layer_that_holds_a_sector_has_it (void **state)
{
  static const unsigned counts[] = { 64, 1, 13 };
  struct chain *c = calloc (1, sizeof *c);

  (void) state;
  for (int k = 0; k < 6; k++) {
    unsigned n = counts[k % 3];

    make_chain (c, k < 3 ? 1 * MIB : 512);
    for (uint64_t s = 0; s + n <= SECTORS; s += n)
      reads_right (c, s, n);
    for (uint64_t s = SECTORS - n; s >= n; s -= n)
      reads_right (c, s, n);
    end_chain (c);
  }
  free (c);
}

struct seen {
  const struct chain *c;
  uint64_t next;
};

static int
check_run (void *opaque, const struct below_run *run)
{
  struct seen *s = opaque;

  assert_int_equal (run->sector, s->next);
  for (uint64_t k = 0; k < run->count; k++) {
    uint8_t byte = s->c->byte[run->sector + k], found;

    assert_int_equal (run->layer == -1, byte == 0);
    if (run->layer == -1)
      continue;
    assert_ok (store_pread (s->c->layer[run->layer].store, &found, 1,
                            run->file_offset + k * 512));
    assert_int_equal (found, content (s->c, run->sector + k));
  }
  s->next += run->count;
  return 0;
}

static void
runs_lead_to_the_data (void **state)
{
  struct chain *c = calloc (1, sizeof *c);
  uint64_t s;

  (void) state;
  make_chain (c, 1 * MIB);
  for (s = 0; s < SECTORS; s += 1017) {
    struct seen seen = { c, s };
    uint64_t count = MIN_OF (1500, SECTORS - s);

    assert_ok (below_runs (c->cache, s, count, check_run, &seen));
    assert_int_equal (seen.next, s + count);
  }
  end_chain (c);
  free (c);
}

static void
zero_is_what_nobody_holds (void **state)
{
  struct chain *c = calloc (1, sizeof *c);

  (void) state;
  make_chain (c, 1 * MIB);
  for (uint64_t s = 0; s + 3 <= SECTORS; s++) {
    bool zero, expected = !c->byte[s] && !c->byte[s + 1] && !c->byte[s + 2];

    assert_ok (c->below.is_zero (c->below.opaque, s, 3, &zero));
    assert_int_equal (zero, expected);
  }
  end_chain (c);
  free (c);
}

/* As many runs as there can be, in a cache that holds those of few units. */
static void
cache_of_units_is_bounded (void **state)
{
  struct chain *c = calloc (1, sizeof *c);
  struct mallinfo2 before, after;

  (void) state;
  make_chain (c, 4 * KIB);
  reads_right (c, 0, 1);
  before = mallinfo2 ();
  for (unsigned k = 0; k < 300; k++)
    reads_right (c, k % 2 * (UNIT / 512) + 900 + k, 1);
  after = mallinfo2 ();
  assert_true (after.uordblks < before.uordblks + 256 * KIB);
  end_chain (c);
  free (c);
}

static int
note_run (void *opaque, const struct below_run *run)
{
  * (struct below_run *) opaque = *run;
  return 0;
}

static void
damaged_block_of_a_parent_is_an_error (void **state)
{
  struct chain *c = calloc (1, sizeof *c);
  struct below_run run;
  bool zero;
  char byte;

  (void) state;
  make_chain_with (c, 1 * MIB, true);
  assert_int_equal (c->below.pread (c->below.opaque, &byte, 1,
                                    512 * KIB + 5), -1);
  assert_last_error (VHDKIT_ERR_BAT_CORRUPT, "parent", "damaged");
  assert_ok (below_runs (c->cache, 1024 + 7, 3, note_run, &run));
  assert_true (run.layer == 0 && run.file_offset == IMAGE_BAD);
  assert_ok (c->below.is_zero (c->below.opaque, 1024, 1, &zero));
  assert_false (zero);
  reads_right (c, 0, 64);
  end_chain (c);
  free (c);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (nearest_layer_that_holds_a_sector_has_it),
    cmocka_unit_test (runs_lead_to_the_data),
    cmocka_unit_test (zero_is_what_nobody_holds),
    cmocka_unit_test (cache_of_units_is_bounded),
    cmocka_unit_test (damaged_block_of_a_parent_is_an_error),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
