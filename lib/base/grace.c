/* vhdkit: grace periods.  See grace.h for what they are for.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The model is SRCU's.  A section adds 1 to entered[p] of its stripe, p being
 * the phase it read just before, and later 1 to left[p].  A waiter flips the
 * phase and waits until, over all stripes, left[old] equals entered[old]:
 * then no section of the old phase is open.  left is summed before entered,
 * so that a section seen leaving was also seen entering.
 *
 * One flip is not enough: a section may read the phase, be held up, and add
 * to entered[old] only after the sums were equal.  It then counts in a phase
 * that the next waiter believes drained.  Flipping twice, each time draining
 * the phase that becomes old, closes that gap: the late section is either
 * waited for by the second flip or began after the call.
 */
#include <config.h>

#include <sched.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/grace.h"

unsigned
grace_my_stripe (void)
{
  /* If it fails, -1: any stripe is right, this one is only not the fastest. */
  return (unsigned) sched_getcpu () % GRACE_STRIPES;
}

void
grace_init (struct grace *g)
{
  memset (g, 0, sizeof *g);
  pthread_mutex_init (&g->wait_lock, NULL);
}

void
grace_destroy (struct grace *g)
{
  pthread_mutex_destroy (&g->wait_lock);
}

static bool
drained (struct grace *g, unsigned phase)
{
  uint64_t entered = 0, left = 0;
  unsigned i;

  for (i = 0; i < GRACE_STRIPES; i++)
    left += atomic_load (&g->stripe[i].left[phase]);
  for (i = 0; i < GRACE_STRIPES; i++)
    entered += atomic_load (&g->stripe[i].entered[phase]);
  return left == entered;
}

static void
wait_drained (struct grace *g, unsigned phase)
{
  const struct timespec nap = { 0, 50 * 1000 };
  unsigned tries;

  /* Sections last as long as an I/O: often microseconds. */
  for (tries = 0; !drained (g, phase); tries++) {
    if (tries < 20)
      sched_yield ();
    else
      nanosleep (&nap, NULL);
  }
}

void
grace_wait (struct grace *g)
{
  LOCK_FOR_SCOPE (&g->wait_lock);
  unsigned flip;

  for (flip = 0; flip < 2; flip++) {
    unsigned old = atomic_load (&g->phase) & 1;

    wait_drained (g, old ^ 1);
    atomic_fetch_xor (&g->phase, 1);
    wait_drained (g, old);
  }
}
