/* vhdkit: arithmetic on numbers that come from outside.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_BASE_CHECKED_H
#define VHDKIT_BASE_CHECKED_H

#include <stdbool.h>
#include <stdint.h>

/* true and *ret = the result, or false on overflow (then *ret is not to be
 * used). */
static inline bool
checked_add (uint64_t a, uint64_t b, uint64_t *ret)
{
  return !__builtin_add_overflow (a, b, ret);
}

static inline bool
checked_mul (uint64_t a, uint64_t b, uint64_t *ret)
{
  return !__builtin_mul_overflow (a, b, ret);
}

/* Does [offset, offset+length) lie within [0, end)? */
static inline bool
range_within (uint64_t offset, uint64_t length, uint64_t end)
{
  return offset <= end && length <= end - offset;
}

static inline uint64_t
div_round_up (uint64_t n, uint64_t d)
{
  return n / d + (n % d != 0);
}

/* To powers of two only; the caller knows that n + a does not overflow. */
static inline uint64_t
round_up (uint64_t n, uint64_t a)
{
  return (n + a - 1) & ~(a - 1);
}

static inline uint64_t
round_down (uint64_t n, uint64_t a)
{
  return n & ~(a - 1);
}

static inline bool
is_power_of_2 (uint64_t n)
{
  return n != 0 && (n & (n - 1)) == 0;
}

#define MIN_OF(a, b) ((a) < (b) ? (a) : (b))
#define MAX_OF(a, b) ((a) > (b) ? (a) : (b))

#endif
