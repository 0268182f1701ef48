/* vhdkit tests: random operations against a plain array.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * VHDKIT_SEED=N repeats a run, VHDKIT_STEPS=N makes it longer (operations for
 * each kind of disk and, with threads, for each thread).
 */
#include <config.h>

#include "unit.h"

#include <time.h>

#include "base/checked.h"
#include "model.h"

#define KiB 1024u
#define MiB (1024u * KiB)

static uint64_t seed;
static unsigned steps;

/*----------------------------------------------------------------------
 * Images over memory
 *--------------------------------------------------------------------*/

/* With a cache so small that bitmaps come and go all the time. */
static const struct image_options options = {
  .writable = true, .commit_interval = 1, .cache_bytes = 16 * KiB
};

/* For each block size, a size that is no multiple of it. */
static const struct {
  uint32_t block_size;
  uint64_t size;
} sizes[] = {
  { 4 * KiB, 300 * KiB + 3 * 512 },
  { 512 * KiB, 5 * MiB + 7 * 512 },
  { 2 * MiB, 9 * MiB + 512 },
};
#define NR_SIZES (sizeof sizes / sizeof sizes[0])

static struct target *
open_faulty_image (uint32_t type, size_t k, bool packed, struct target *over,
                   struct fault *fault)
{
  struct image_shape shape = {
    .type = type, .size = sizes[k].size, .block_size = sizes[k].block_size,
    .packed = packed
  };
  struct store *s = store_open_memory ("image");
  struct image_options o = options;
  struct target *t;

  assert_non_null (s);
  format_image (s, &shape);
  if (fault) {
    /* They are for the player's calls, and not for those of a thread that
     * nobody waits for. */
    o.commit_interval = 0;
    s = fault_open (s, fault);
  }
  t = target_image (s, over, &o);
  if (t == NULL)
    fail_msg ("%s", vhdkit_get_error ());
  return t;
}

static struct target *
open_image (uint32_t type, size_t k, bool packed, struct target *over)
{
  return open_faulty_image (type, k, packed, over, NULL);
}

static void
close_target (struct target *t)
{
  assert_ok (t->ops->close (t));
}

static void
fixed_image (void **state)
{
  struct target *t = open_image (VHD_FIXED, 0, false, NULL);
  struct model m = { .name = "fixed" };

  (void) state;
  model_resize (&m, t->size);
  assert_true (play_alone (t, &m, seed, steps, NULL));
  close_target (t);
  model_free (&m);
}

static void
dynamic_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < NR_SIZES * 2; k++) {
    struct target *t = open_image (VHD_DYNAMIC, k / 2, k % 2, NULL);
    struct model m = { .name = k % 2 ? "dynamic packed" : "dynamic" };

    model_resize (&m, t->size);
    assert_true (play_alone (t, &m, seed, steps, NULL));
    close_target (t);
    model_free (&m);
  }
}

/* Fresh children over a parent that holds much; its blocks have another size.
 * It is while a child holds little that most can go wrong. */
static void
play_children (struct target *parent, size_t k, const struct model *of_parent)
{
  enum { CHILDREN = 4 };

  for (unsigned n = 0; n < CHILDREN; n++) {
    struct target *child = open_image (VHD_DIFFERENCING, k / 2, k % 2, parent);
    struct model m = { .name = k % 2 ? "child packed" : "child" };

    model_resize (&m, of_parent->size);
    memcpy (m.data, of_parent->data, m.size);
    model_resize (&m, child->size);
    assert_true (play_alone (child, &m, seed + n, steps / CHILDREN, NULL));
    close_target (child);
    model_free (&m);
  }
}

static void
differencing_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < NR_SIZES * 2; k++) {
    struct target *parent = open_image (VHD_DIFFERENCING,
                                        (k / 2 + k % 2) % NR_SIZES, false,
                                        NULL);
    struct model m = { .name = "parent" };

    model_resize (&m, parent->size);
    assert_true (play_alone (parent, &m, seed, 250, NULL));
    play_children (parent, k, &m);
    close_target (parent);
    model_free (&m);
  }
}

/* A change that fails half way leaves the old or the new, harms nothing else,
 * and succeeds when it is made again (write order, rule 5). */
static void
images_that_cannot_be_written_now_and_then (void **state)
{
  (void) state;
  for (size_t k = 0; k < NR_SIZES * 4; k++) {
    struct fault fault = { .kinds = CALL_READ | CALLS_CHANGING };
    uint32_t type = k % 2 ? VHD_DIFFERENCING : VHD_DYNAMIC;
    struct target *parent = open_image (VHD_DYNAMIC, (k + 1) % NR_SIZES,
                                        false, NULL);
    struct model m = { .name = k % 2 ? "child, faults" : "dynamic, faults" };
    struct target *t;

    if (k % 2) {
      model_resize (&m, parent->size);
      assert_true (play_alone (parent, &m, seed, 50, NULL));
    }
    t = open_faulty_image (type, k / 4, k / 2 % 2, k % 2 ? parent : NULL,
                           &fault);
    model_resize (&m, t->size);
    assert_true (play_alone (t, &m, seed, steps, &fault));
    close_target (t);
    close_target (parent);
    model_free (&m);
  }
}

/* Stripes of some sectors, of parts of sectors, and of whole blocks. */
static const uint32_t stripes[] = { 3 * 512, 700, 4 * KiB, 5 };

static void
threads_on_dynamic_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < sizeof stripes / sizeof stripes[0]; k++)
    for (size_t size = 0; size < 2; size++) {
      struct target *t = open_image (VHD_DYNAMIC, size, k % 2, NULL);
      struct model m = { .name = "dynamic, threads" };

      model_resize (&m, t->size);
      assert_true (play_together (t, &m, seed, steps, stripes[k]));
      close_target (t);
      model_free (&m);
    }
}

static void
threads_on_differencing_images (void **state)
{
  (void) state;
  for (size_t k = 0; k < sizeof stripes / sizeof stripes[0]; k++)
    for (size_t size = 0; size < 2; size++) {
      struct target *parent = open_image (VHD_DIFFERENCING, 1 - size, false,
                                          NULL);
      struct target *child;
      struct model m = { .name = "parent" };

      model_resize (&m, parent->size);
      assert_true (play_alone (parent, &m, seed, 50, NULL));
      child = open_image (VHD_DIFFERENCING, size, k % 2, parent);
      m.name = "child, threads";
      model_resize (&m, child->size);
      assert_true (play_together (child, &m, seed, steps, stripes[k]));
      close_target (child);
      close_target (parent);
      model_free (&m);
    }
}

/*----------------------------------------------------------------------
 * Disks over files
 *--------------------------------------------------------------------*/

static void
format_file (const char *path, struct image_shape *shape)
{
  struct store *s = store_create_file (path, 0600);

  assert_non_null (s);
  format_image (s, shape);
  assert_ok (store_close (s));
}

static struct target *
open_disk (const char *const *path, size_t n)
{
  struct target *t = target_disk (path, n);

  if (t == NULL)
    fail_msg ("%s", vhdkit_get_error ());
  return t;
}

/* A chain that grows at its top: each layer is played with while it is the
 * top.  The sizes grow on the way, the block sizes change. */
enum { DEPTH = 4 };

static void
play_chain (const char *const *path, uint32_t stripe_bytes)
{
  static const struct image_shape layer[DEPTH] = {
    { .type = VHD_DIFFERENCING, .size = 4 * MiB + 5 * 512,
      .block_size = 512 * KiB },
    { .type = VHD_DIFFERENCING, .size = 4 * MiB, .block_size = 4 * KiB },
    { .type = VHD_DIFFERENCING, .size = 3 * MiB + 512, .block_size = 2 * MiB,
      .packed = true },
    { .type = VHD_DYNAMIC, .size = 2 * MiB + 512, .block_size = 512 * KiB },
  };
  struct model m = { .name = "chain of files" };
  uint8_t parent_id[16] = { 0 };

  for (size_t k = DEPTH; k-- > 0; ) {
    struct image_shape shape = layer[k];
    struct target *t;

    unlink (path[k]);           /* a test that failed leaves it */
    memcpy (shape.parent_id, parent_id, sizeof parent_id);
    format_file (path[k], &shape);
    memcpy (parent_id, shape.id, sizeof parent_id);
    t = open_disk (path + k, DEPTH - k);
    model_resize (&m, t->size);
    if (stripe_bytes && k == 0)
      assert_true (play_together (t, &m, seed, steps, stripe_bytes));
    else
      assert_true (play_alone (t, &m, seed,
                               k == 0 ? steps : MIN_OF (steps, 100), NULL));
    close_target (t);
  }
  model_free (&m);
}

static void
make_chain_paths (const char *ret_path[DEPTH])
{
  static const char *const names[DEPTH] = { "top", "middle", "low", "base" };

  for (size_t k = 0; k < DEPTH; k++)
    ret_path[k] = temp_path (names[k]);
}

static void
chain_of_files (void **state)
{
  const char *path[DEPTH];

  (void) state;
  make_chain_paths (path);
  play_chain (path, 0);
}

static void
threads_on_a_chain_of_files (void **state)
{
  const char *path[DEPTH];

  (void) state;
  make_chain_paths (path);
  play_chain (path, 3 * 512);
  play_chain (path, 700);
}

static void
child_of_a_raw_file (void **state)
{
  char raw[300];
  const char *path[2] = { temp_path ("child"), raw };
  struct image_shape shape = { .type = VHD_DIFFERENCING, .size = 2 * MiB + 512,
                               .block_size = 512 * KiB };
  struct model m = { .name = "child of a raw file" };
  struct store *s = store_create_file (temp_path ("raw"), 0600);
  struct target *t;

  (void) state;
  snprintf (raw, sizeof raw, "raw:%s", temp_path ("raw"));
  model_resize (&m, 1 * MiB + 512);
  for (uint64_t k = 0; k < m.size; k++)
    m.data[k] = k / 512 % 3 == 0 ? 0 : k % 251;
  assert_ok (store_pwrite (s, m.data, m.size, 0));
  assert_ok (store_close (s));
  format_file (path[0], &shape);

  t = open_disk (path, 2);
  model_resize (&m, t->size);
  assert_true (play_alone (t, &m, seed, steps, NULL));
  close_target (t);
  model_free (&m);
}

static uint64_t
number_from (const char *variable, uint64_t otherwise)
{
  const char *value = getenv (variable);

  return value ? strtoull (value, NULL, 0) : otherwise;
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (fixed_image),
    cmocka_unit_test (dynamic_images),
    cmocka_unit_test (differencing_images),
    cmocka_unit_test (images_that_cannot_be_written_now_and_then),
    cmocka_unit_test (threads_on_dynamic_images),
    cmocka_unit_test (threads_on_differencing_images),
    cmocka_unit_test (chain_of_files),
    cmocka_unit_test (threads_on_a_chain_of_files),
    cmocka_unit_test (child_of_a_raw_file),
  };

  seed = number_from ("VHDKIT_SEED", time (NULL) * 1000 + getpid ());
  steps = number_from ("VHDKIT_STEPS", 1000);
  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
