/* vhdkit tests: the scripts in which something goes wrong.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "trial.h"

#define KIB 1024u
#define BLOCK (4 * KIB)
#define ALL (64 * KIB)

#define STEPS(name) .step = name, .nr_steps = sizeof name / sizeof name[0]

static const struct step writes[] = {
  { STEP_OPEN, 0, 0 },
  { STEP_WRITE, 0, 512 },               /* first writes, forward */
  { STEP_WRITE, BLOCK, BLOCK },
  { STEP_WRITE, 3 * BLOCK - 700, 1000 },        /* two blocks, in parts */
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 100, 300 },             /* overwrites */
  { STEP_WRITE, 9 * BLOCK + 1, 5 },     /* a part of one sector */
  { STEP_WRITE, 9 * BLOCK + 600, 20 },  /* of the next */
  { STEP_WRITE, 9 * BLOCK + 10, 700 },
  { STEP_READ, 0, ALL },
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 4 * BLOCK, 5 * BLOCK + 77 },    /* many at once */
  { STEP_RUNS, 0, ALL },
  { STEP_WRITE, BLOCK, 2 * BLOCK },
  { STEP_CLOSE, 0, 0 },
  { STEP_OPEN, 0, 0 },
  { STEP_READ, 0, ALL },
  { STEP_WRITE, 15 * BLOCK, BLOCK },
  { STEP_WRITE, 0, ALL },
  { STEP_FLUSH, 0, 0 },
  { STEP_CLOSE, 0, 0 },
};

static const struct step zeroes[] = {
  { STEP_OPEN, 0, 0 },
  { STEP_WRITE, 0, 6 * BLOCK },
  { STEP_ZERO, 100, 3000 },             /* in parts */
  { STEP_ZERO, BLOCK, BLOCK },
  { STEP_ZERO, 8 * BLOCK + 512, 1024 }, /* what is not there */
  { STEP_FLUSH, 0, 0 },
  { STEP_DISCARD, 2 * BLOCK, BLOCK },   /* frees */
  { STEP_TRIM, 3 * BLOCK + 5, 2 * BLOCK },
  { STEP_TRIM, 9 * BLOCK, 3 * BLOCK },
  { STEP_WRITE, 2 * BLOCK + 512, 512 }, /* before the commit: elsewhere */
  { STEP_READ, 0, ALL },
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 10 * BLOCK, 100 },      /* after it: in freed space */
  { STEP_WRITE, 11 * BLOCK + 1000, 2000 },
  { STEP_READ, 0, ALL },
  { STEP_DISCARD, 0, ALL },
  { STEP_RUNS, 0, ALL },
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 5 * BLOCK, 6 * BLOCK },
  { STEP_CLOSE, 0, 0 },
  { STEP_OPEN, 0, 0 },
  { STEP_WRITE, 12 * BLOCK + 9, 9 },    /* into gaps found at open */
  { STEP_TRIM, 5 * BLOCK, 9 * BLOCK },
  { STEP_CLOSE, 0, 0 },
};

static const struct step upgrade[] = {
  { STEP_OPEN_READ_ONLY, 0, 0 },
  { STEP_READ, 0, ALL },
  { STEP_UPGRADE, 0, 0 },
  { STEP_READ, 1000, 5000 },
  { STEP_WRITE, 3 * BLOCK, 512 },
  { STEP_WRITE, 7, 7 },
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 5 * BLOCK, 3 * BLOCK },
  { STEP_CLOSE, 0, 0 },
  { STEP_OPEN_READ_ONLY, 0, 0 },
  { STEP_RUNS, 0, ALL },
  { STEP_READ, 0, ALL },
  { STEP_CLOSE, 0, 0 },
};

/* One sector here, one there: bitmaps that fill up slowly. */
static const struct step scattered[] = {
  { STEP_OPEN, 0, 0 },
  { STEP_WRITE, 0 * BLOCK, 512 }, { STEP_WRITE, 1 * BLOCK, 512 },
  { STEP_WRITE, 2 * BLOCK, 512 }, { STEP_WRITE, 3 * BLOCK, 512 },
  { STEP_WRITE, 4 * BLOCK, 512 }, { STEP_WRITE, 5 * BLOCK, 512 },
  { STEP_WRITE, 6 * BLOCK, 512 }, { STEP_WRITE, 7 * BLOCK, 512 },
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 0 * BLOCK + 900, 100 }, { STEP_WRITE, 1 * BLOCK + 900, 100 },
  { STEP_WRITE, 2 * BLOCK + 900, 200 }, { STEP_WRITE, 3 * BLOCK + 900, 200 },
  { STEP_WRITE, 4 * BLOCK + 900, 300 }, { STEP_WRITE, 5 * BLOCK + 900, 300 },
  { STEP_WRITE, 6 * BLOCK + 900, 999 }, { STEP_WRITE, 7 * BLOCK + 900, 999 },
  { STEP_READ, 0, ALL },
  { STEP_FLUSH, 0, 0 },
  { STEP_WRITE, 0, 8 * BLOCK },
  { STEP_CLOSE, 0, 0 },
};

/*----------------------------------------------------------------------
 * Images that are not as we make them
 *--------------------------------------------------------------------*/

static void
must (int r)
{
  if (r == 0)
    return;
  fprintf (stderr, "trial: %s\n", vhdkit_get_error ());
  abort ();
}

static uint64_t
size_of (struct store *s)
{
  uint64_t size;

  must (store_size (s, &size));
  return size;
}

/* The last writer was killed before the footer was there. */
static void
lose_footer (struct store *s)
{
  must (store_truncate (s, size_of (s) - SECTOR_SIZE));
}

/* The copy at the start is of another time. */
static void
change_copy (struct store *s)
{
  static const char garbage[] = "not a footer";

  must (store_pwrite (s, garbage, sizeof garbage, 0));
}

const struct script trial_scripts[] = {
  { .name = "writes, dynamic",
    .shape = { VHD_DYNAMIC, ALL, BLOCK, false, { 0 }, { 0 } },
    STEPS (writes) },
  { .name = "writes, fixed",
    .shape = { VHD_FIXED, ALL, 0, false, { 0 }, { 0 } }, STEPS (writes) },
  { .name = "writes, child",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, false, { 0 }, { 0 } },
    .over_data = true, STEPS (writes) },
  { .name = "writes, child without data below",
    .shape = { VHD_DIFFERENCING, ALL, 4 * BLOCK, false, { 0 }, { 0 } },
    STEPS (writes) },
  { .name = "writes, child, 512 KiB blocks",
    .shape = { VHD_DIFFERENCING, ALL, 512 * KIB, false, { 0 }, { 0 } },
    .over_data = true, STEPS (writes) },
  { .name = "writes, packed",
    .shape = { VHD_DYNAMIC, ALL, BLOCK, true, { 0 }, { 0 } },
    STEPS (writes) },
  { .name = "writes, the copy of the footer is damaged",
    .shape = { VHD_DYNAMIC, ALL, BLOCK, false, { 0 }, { 0 } },
    .prepare = change_copy, STEPS (writes) },
  { .name = "writes, the footer is missing",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, false, { 0 }, { 0 } },
    .over_data = true, .prepare = lose_footer, STEPS (writes) },
  { .name = "zeroes, dynamic",
    .shape = { VHD_DYNAMIC, ALL, BLOCK, false, { 0 }, { 0 } },
    STEPS (zeroes) },
  { .name = "zeroes, fixed",
    .shape = { VHD_FIXED, ALL, 0, false, { 0 }, { 0 } }, STEPS (zeroes) },
  { .name = "zeroes, child",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, false, { 0 }, { 0 } },
    .over_data = true, STEPS (zeroes) },
  { .name = "zeroes, packed child without data below",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, true, { 0 }, { 0 } },
    STEPS (zeroes) },
  { .name = "zeroes, with a batmap",
    .shape = { VHD_DYNAMIC, ALL, BLOCK, false, { 0 }, { 0 } },
    .prepare = format_add_batmap, STEPS (zeroes) },
  { .name = "upgrade, dynamic",
    .shape = { VHD_DYNAMIC, ALL, 2 * BLOCK, false, { 0 }, { 0 } },
    STEPS (upgrade) },
  { .name = "upgrade, child",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, false, { 0 }, { 0 } },
    .over_data = true, STEPS (upgrade) },
  { .name = "upgrade, the footer is missing",
    .shape = { VHD_DYNAMIC, ALL, BLOCK, true, { 0 }, { 0 } },
    .prepare = lose_footer, STEPS (upgrade) },
  { .name = "bitmaps, small cache",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, false, { 0 }, { 0 } },
    .over_data = true, .cache_bytes = 4 * KIB, STEPS (scattered) },
  { .name = "bitmaps, committed by the writers",
    .shape = { VHD_DIFFERENCING, ALL, BLOCK, false, { 0 }, { 0 } },
    .over_data = true, .cache_bytes = 1 * KIB, STEPS (scattered) },
};
const size_t trial_nr_scripts = sizeof trial_scripts / sizeof trial_scripts[0];
