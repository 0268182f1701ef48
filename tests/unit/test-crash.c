/* vhdkit tests: power cuts at every point of many scenarios.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * VHDKIT_CRASH_ROUNDS (1) and VHDKIT_SEED (1) make it longer and different.
 */
#include <config.h>

#include "unit.h"
#include "crash.h"

#define KIB 1024u

static const struct scenario scenarios[] = {
  { .name = "first writes, dynamic",
    .shape = { VHD_DYNAMIC, 128 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .operations = 60, .write = 6, .part = 2, .flush = 2 },
  { .name = "first writes, sequential, dynamic",
    .shape = { VHD_DYNAMIC, 128 * KIB, 16 * KIB, false, { 0 }, { 0 } },
    .operations = 60, .write = 8, .flush = 1, .sequential = true },
  { .name = "first writes, differencing",
    .shape = { VHD_DIFFERENCING, 128 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .operations = 60, .write = 6, .part = 3, .flush = 2 },
  { .name = "overwrites, 512 KiB blocks",
    .shape = { VHD_DIFFERENCING, 40 * KIB, 512 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .operations = 80, .write = 6, .part = 3, .flush = 2 },
  { .name = "zero and trim, dynamic",
    .shape = { VHD_DYNAMIC, 64 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .operations = 80, .write = 5, .part = 1, .zero = 3, .trim = 3,
    .flush = 2 },
  { .name = "zero and trim over data",
    .shape = { VHD_DIFFERENCING, 64 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .operations = 80, .write = 5, .part = 1, .zero = 3,
    .trim = 3, .free_block = 1, .flush = 2 },
  { .name = "freed space used again",
    .shape = { VHD_DYNAMIC, 64 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .operations = 100, .write = 6, .part = 2, .free_block = 5, .flush = 3 },
  { .name = "freed space used again, child without data below",
    .shape = { VHD_DIFFERENCING, 64 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .operations = 100, .write = 6, .part = 2, .free_block = 5, .flush = 3 },
  { .name = "foreign layout, packed",
    .shape = { VHD_DYNAMIC, 64 * KIB, 4 * KIB, true, { 0 }, { 0 } },
    .operations = 100, .write = 6, .part = 2, .free_block = 3, .flush = 2,
    .reopen = 1 },
  { .name = "foreign layout, packed, child",
    .shape = { VHD_DIFFERENCING, 64 * KIB, 4 * KIB, true, { 0 }, { 0 } },
    .over_data = true, .operations = 100, .write = 6, .part = 2,
    .free_block = 3, .flush = 2, .reopen = 1 },
  { .name = "closed and opened again",
    .shape = { VHD_DYNAMIC, 64 * KIB, 8 * KIB, false, { 0 }, { 0 } },
    .operations = 80, .write = 6, .part = 1, .zero = 1, .free_block = 3,
    .flush = 1, .reopen = 2 },
  { .name = "disk ends inside a block",
    .shape = { VHD_DIFFERENCING, 50 * KIB, 16 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .operations = 80, .write = 6, .part = 2, .zero = 1,
    .trim = 1, .flush = 2 },
  { .name = "two connections, flushes between each other",
    .shape = { VHD_DIFFERENCING, 64 * KIB, 16 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .threads = 2, .operations = 50, .write = 6, .part = 2,
    .zero = 1, .trim = 1, .flush = 3 },
  { .name = "four connections, dynamic",
    .shape = { VHD_DYNAMIC, 128 * KIB, 16 * KIB, false, { 0 }, { 0 } },
    .threads = 4, .operations = 30, .write = 6, .part = 2, .flush = 2 },
  { .name = "three connections that free blocks and use the space again",
    .shape = { VHD_DYNAMIC, 96 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .threads = 3, .own_blocks = true, .operations = 60, .write = 6, .part = 2,
    .free_block = 5, .flush = 3 },
  { .name = "the same in a child without data below",
    .shape = { VHD_DIFFERENCING, 96 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .threads = 3, .own_blocks = true, .operations = 60, .write = 6, .part = 3,
    .zero = 1, .trim = 1, .free_block = 5, .flush = 3 },
  { .name = "bitmaps pushed out of a small cache",
    .shape = { VHD_DIFFERENCING, 256 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .operations = 150, .cache_bytes = 8 * KIB,
    .write = 6, .part = 4, .zero = 1, .flush = 1 },
  { .name = "XenServer's batmap, dynamic",
    .shape = { VHD_DYNAMIC, 64 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .batmap = true, .operations = 80, .write = 6, .part = 2, .zero = 1,
    .free_block = 4, .flush = 2, .reopen = 1 },
  { .name = "XenServer's batmap, child",
    .shape = { VHD_DIFFERENCING, 64 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .batmap = true, .operations = 80, .write = 6, .part = 2, .trim = 1,
    .free_block = 4, .flush = 2 },
  { .name = "images in the disk, dynamic",
    .shape = { VHD_DYNAMIC, 128 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .footers = true, .operations = 60, .write = 8, .zero = 1, .flush = 1 },
  { .name = "images in the disk, foreign layout",
    .shape = { VHD_DYNAMIC, 128 * KIB, 4 * KIB, true, { 0 }, { 0 } },
    .footers = true, .operations = 60, .write = 8, .free_block = 1,
    .flush = 1, .reopen = 1 },
  { .name = "the timer commits, nobody flushes",
    .shape = { VHD_DIFFERENCING, 128 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .over_data = true, .operations = 60, .commit_interval = 1, .write = 12,
    .part = 4, .zero = 2, .pause = 1 },
  { .name = "the timer commits among flushes of two connections",
    .shape = { VHD_DYNAMIC, 128 * KIB, 4 * KIB, false, { 0 }, { 0 } },
    .threads = 2, .operations = 50, .commit_interval = 1, .write = 12,
    .part = 4, .zero = 2, .trim = 2, .flush = 2, .pause = 1 },
};

static unsigned
number (const char *name, unsigned otherwise)
{
  const char *s = getenv (name);

  return s ? strtoul (s, NULL, 0) : otherwise;
}

static void
every_state_is_as_flushed_or_later (void **state)
{
  unsigned rounds = number ("VHDKIT_CRASH_ROUNDS", 1);
  unsigned seed = number ("VHDKIT_SEED", 1), k, n;
  uint64_t total = 0;

  (void) state;
  for (k = 0; k < sizeof scenarios / sizeof scenarios[0]; k++) {
    for (n = 0; n < rounds; n++) {
      struct crash_result r;

      crash_run (&scenarios[k], seed + n, 1, 5, &r);
      total += r.states;
      if (r.violations)
        print_error ("seed %u: %llu of %llu states: %s\n", seed + n,
                     (unsigned long long) r.violations,
                     (unsigned long long) r.states, r.first);
      assert_int_equal (r.violations, 0);
      assert_true (r.states > 100);
    }
  }
  print_message ("%llu crash states\n", (unsigned long long) total);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (every_state_is_as_flushed_or_later),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
