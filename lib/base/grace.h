/* vhdkit: grace periods: when nobody can be using what was just unlinked.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The data path looks things up (where is block 17?  which sectors does it
 * hold?) and acts on them (pread there) without any lock.  What it found must
 * stay what it was until it is done: memory must not be freed, and space in
 * the file must not get a new owner.  So each request is a section:
 *
 *     struct grace_section s;
 *     grace_enter (g, &s); ... look up, do I/O ...; grace_leave (g, &s);
 *
 * and whoever unlinks something waits with grace_wait before reusing it: it
 * returns when every section that was open at the call has ended.
 *
 * The loads that find something in a section, and the stores that unlink it,
 * are sequentially consistent: with less a processor may load before it is seen
 * to have entered, and be overlooked with what was unlinked in its hands.  (On
 * x86 such a load costs no more than any other.)
 *
 * This is sleepable RCU with counters striped over processors: entering and
 * leaving are one atomic addition each, on a cache line that other processors
 * rarely touch.  Striped over threads, the lines would move with them.
 */
#ifndef VHDKIT_BASE_GRACE_H
#define VHDKIT_BASE_GRACE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#define GRACE_STRIPES 16

/* So far apart that no two share a cache line, wherever the first begins. */
struct grace_stripe {
  _Atomic uint64_t entered[2];
  _Atomic uint64_t left[2];
  char pad[128 - 4 * sizeof (uint64_t)];
};

struct grace {
  struct grace_stripe stripe[GRACE_STRIPES];
  _Atomic unsigned phase;       /* which of the two counters is current */
  pthread_mutex_t wait_lock;    /* one waiter at a time; no I/O under it, but
                                   it is held while sections finish */
};

struct grace_section {
  unsigned stripe, phase;
};

extern void grace_init (struct grace *g);
extern void grace_destroy (struct grace *g);
/* Of the processor that runs this, at this moment. */
extern unsigned grace_my_stripe (void);

static inline void
grace_enter (struct grace *g, struct grace_section *s)
{
  s->stripe = grace_my_stripe ();
  s->phase = atomic_load (&g->phase) & 1;
  atomic_fetch_add (&g->stripe[s->stripe].entered[s->phase], 1);
}

static inline void
grace_leave (struct grace *g, const struct grace_section *s)
{
  atomic_fetch_add (&g->stripe[s->stripe].left[s->phase], 1);
}

/* Wait until every section open now has ended.  Must not be called from
 * within a section. */
extern void grace_wait (struct grace *g);

#endif
