/* vhdkit tests: the n-th call of a store fails, for every n.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * fault/trial.h says what must hold then.  VHDKIT_FAULT_STEP=N tries every
 * N-th call only.
 */
#include <config.h>

#include "unit.h"

#include <errno.h>

#include "trial.h"

/* A way to fail. */
static const struct {
  const char *name;
  bool parents;                 /* theirs, not the image's own store */
  struct fault f;
} faults[] = {
  { "reads", false, { .kinds = CALL_READ | CALL_SIZE | CALL_NEXT_EXTENT,
                      .err = EIO } },
  { "writes", false, { .kinds = CALL_WRITE, .err = EIO } },
  { "short writes", false, { .kinds = CALL_WRITE, .err = ENOSPC,
                             .partial = 300 } },
  { "short writes, then none", false,
    { .kinds = CALL_WRITE, .err = EDQUOT, .partial = 1500,
      .for_good = true } },
  { "zeroes", false, { .kinds = CALL_ZERO, .err = EIO } },
  { "changes, then none", false, { .kinds = CALLS_CHANGING, .err = ENOSPC,
                                   .for_good = true } },
  { "a full disk", false, { .kinds = CALLS_CHANGING, .err = ENOSPC,
                            .growing = true, .for_good = true } },
  { "a quota, in the middle of a write", false,
    { .kinds = CALLS_CHANGING, .err = EDQUOT, .growing = true,
      .partial = 200 } },
  { "truncates", false, { .kinds = CALL_TRUNCATE, .err = EIO } },
  { "syncs", false, { .kinds = CALL_FLUSH, .err = EIO } },
  { "syncs for want of space, then none", false,
    { .kinds = CALL_FLUSH, .err = ENOSPC, .for_good = true } },
  { "close", false, { .kinds = CALL_CLOSE, .err = EIO } },
  { "anything, for a while", false, { .kinds = CALLS_ALL, .err = EIO,
                                      .for_good = true } },
  { "parents' reads", true, { .kinds = CALL_READ | CALL_SIZE,
                              .err = EIO } },
  { "parents' reads, for a while", true, { .kinds = CALL_READ, .err = EIO,
                                           .for_good = true } },
};

static uint64_t wanted;         /* the call that is to fail */

static struct fault *
chosen (struct hazard *h)
{
  return h->parents.kinds ? &h->parents : &h->disk;
}

static void
arm (struct hazard *h)
{
  struct fault *f = chosen (h);

  /* Once it has failed, and the step has been made again, all is well. */
  if (f->hit && f->fail_at == 0)
    return;
  f->calls = h->calls;
  f->fail_at = wanted;
}

/* What else the test does with the store is not counted. */
static void
disarm (struct hazard *h)
{
  struct fault *f = chosen (h);

  h->calls = f->calls;
  f->fail_at = 0;
}

static bool
hit (const struct hazard *h)
{
  return h->parents.hit || h->disk.hit;
}

/* Every call of one script, and then so and so; returns how many there were.
 */
static uint64_t
fail_each (const struct script *s, size_t k, unsigned then, unsigned step)
{
  const char *why;
  uint64_t n = 0;

  for (wanted = 1; ; wanted += step) {
    struct hazard h = { .arm = arm, .disarm = disarm, .hit = hit,
                        .then = then };

    if (faults[k].parents) {
      h.parents = faults[k].f;
      h.disk.err = faults[k].f.err;
    }
    else
      h.disk = faults[k].f;
    if (!trial_run (s, &h, temp_dir, &why))
      fail_msg ("%s, call %llu, then %u: %s", faults[k].name,
                (unsigned long long) wanted, then, why);
    if (!hit (&h))
      return n;
    n++;
  }
}

static void
every_call_fails_once (void **state)
{
  const char *env = getenv ("VHDKIT_FAULT_STEP");
  unsigned step = env ? strtoul (env, NULL, 0) : 1, then;
  uint64_t total = 0;
  size_t s, k;

  (void) state;
  for (s = 0; s < trial_nr_scripts; s++) {
    uint64_t before = total;

    for (k = 0; k < sizeof faults / sizeof faults[0]; k++)
      if (!faults[k].parents || trial_scripts[s].over_data)
        for (then = RETRY; then <= GIVE_UP; then++)
          total += fail_each (&trial_scripts[s], k, then, step ? step : 1);
    assert_true (total - before >= 20);
  }
  print_message ("%llu faults\n", (unsigned long long) total);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (every_call_fails_once),
  };

  return cmocka_run_group_tests (tests, make_temp_dir, remove_temp_dir);
}
