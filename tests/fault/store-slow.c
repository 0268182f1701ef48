/* vhdkit tests: a store whose calls wait at gates.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "store-wrap.h"

#define AWAIT_SECONDS 60

struct gates {
  size_t nr;
  struct gate *gate[];
};

void
gate_init (struct gate *g)
{
  memset (g, 0, sizeof *g);
  if (pthread_mutex_init (&g->lock, NULL) != 0
      || pthread_cond_init (&g->change, NULL) != 0)
    abort ();
}

void
gate_destroy (struct gate *g)
{
  assert (g->waiting == 0);
  pthread_cond_destroy (&g->change);
  pthread_mutex_destroy (&g->lock);
}

void
gate_shut (struct gate *g, enum gate_place place, uint32_t kinds,
           uint64_t offset, uint64_t length)
{
  LOCK_FOR_SCOPE (&g->lock);

  assert (!g->shut);
  g->shut = true;
  g->after = place == GATE_AFTER;
  g->kinds = kinds;
  g->offset = offset;
  g->length = length;
  g->most = 0;
  g->arrived = 0;
}

void
gate_open (struct gate *g)
{
  LOCK_FOR_SCOPE (&g->lock);

  g->shut = false;
  pthread_cond_broadcast (&g->change);
}

bool
gate_await (struct gate *g, unsigned n)
{
  struct timespec until;
  LOCK_FOR_SCOPE (&g->lock);

  clock_gettime (CLOCK_REALTIME, &until);
  until.tv_sec += AWAIT_SECONDS;
  while (g->arrived < n)
    if (pthread_cond_timedwait (&g->change, &g->lock, &until) == ETIMEDOUT)
      return false;
  return true;
}

/* Calls without a range (flush, ...) touch every range. */
static bool
concerns (const struct gate *g, const struct call *c)
{
  if (!(c->kind & g->kinds))
    return false;
  if (c->length == 0)
    return true;
  return c->offset < g->offset + g->length
    && g->offset < c->offset + c->length;
}

static void
pass_gate (struct gate *g, const struct call *c, bool after)
{
  LOCK_FOR_SCOPE (&g->lock);

  if (!g->shut || g->after != after || !concerns (g, c)
      || (g->most > 0 && g->arrived >= g->most))
    return;
  g->waiting++;
  g->arrived++;
  pthread_cond_broadcast (&g->change);
  while (g->shut)
    pthread_cond_wait (&g->change, &g->lock);
  g->waiting--;
}

static void
pass_gates (struct wrap *w, const struct call *c, bool after)
{
  struct gates *gates = w->opaque;

  for (size_t i = 0; i < gates->nr; i++)
    pass_gate (gates->gate[i], c, after);
}

static int
slow_before (struct wrap *w, const struct call *c)
{
  pass_gates (w, c, false);
  return 0;
}

static void
slow_after (struct wrap *w, const struct call *c, int r)
{
  (void) r;
  pass_gates (w, c, true);
  if (c->kind == CALL_CLOSE)
    free (w->opaque);
}

struct store *
slow_open (struct store *inner, struct gate *const *gate, size_t nr)
{
  static const struct wrap_hooks hooks = { slow_before, slow_after };
  struct gates *gates = malloc (sizeof *gates + nr * sizeof gate[0]);

  if (gates == NULL)
    abort ();
  gates->nr = nr;
  memcpy (gates->gate, gate, nr * sizeof gate[0]);
  return wrap_open (inner, &hooks, gates);
}
