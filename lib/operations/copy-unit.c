/* vhdkit: the pieces that a copy is made of.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "operations/copy-internal.h"

static inline bool
is_data (const struct unit *u, unsigned g)
{
  return u->data[g / 64] >> g % 64 & 1;
}

/* The first granule from g on, at most end, that is data or is not. */
static unsigned
find (const struct unit *u, unsigned g, unsigned end, bool data)
{
  while (g < end) {
    uint64_t word = data ? u->data[g / 64] : ~u->data[g / 64];

    word >>= g % 64;
    if (word != 0)
      return MIN_OF (end, g + (unsigned) __builtin_ctzll (word));
    g += 64 - g % 64;
  }
  return end;
}

void
unit_set (struct unit *u, unsigned first, unsigned end)
{
  for (; first < end; first++)
    u->data[first / 64] |= UINT64_C (1) << first % 64;
}

bool
unit_any (const struct unit *u, unsigned first, unsigned end)
{
  return find (u, first, end, true) < end;
}

bool
unit_run (const struct unit *u, unsigned from, unsigned end, unsigned gap,
          unsigned *ret_first, unsigned *ret_end)
{
  unsigned first = find (u, from, end, true), stop = first, next = first;

  if (first == end)
    return false;
  while (next < end && next - stop <= gap) {
    stop = find (u, next, end, false);
    next = find (u, stop, end, true);
  }
  *ret_first = first;
  *ret_end = stop;
  return true;
}

/* The C library compares with the widest registers there are, and data mostly
 * differs at once. */
static bool
is_zero (const uint8_t *p, size_t n)
{
  return p[0] == 0 && memcmp (p, p + 1, n - 1) == 0;
}

void
unit_find_zeros (struct unit *u)
{
  unsigned end = div_round_up (u->length, GRANULE), g;

  for (g = 0; g < end; g++) {
    const size_t at = (size_t) g * GRANULE;

    if (is_data (u, g)
        && is_zero (u->buf + at, MIN_OF (u->length - at, (size_t) GRANULE)))
      u->data[g / 64] &= ~(UINT64_C (1) << g % 64);
  }
}

/*----------------------------------------------------------------------*/

/* A transfer that takes longer is too long; one much shorter may grow. */
#define SLOW_NS UINT64_C (40000000)
#define FAST_NS UINT64_C (10000000)

uint64_t
pace_now (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return (uint64_t) t.tv_sec * 1000000000 + t.tv_nsec;
}

/* Several threads may do this at once: each result is as good as another. */
void
pace_adjust (struct pace *p, uint64_t since)
{
  const uint64_t taken = pace_now () - since;
  const uint32_t step = p->step;

  if (taken > SLOW_NS && step > PACE_MIN)
    p->step = step / 2;
  else if (taken < FAST_NS && step < UNIT_BYTES)
    p->step = step * 2;
}
