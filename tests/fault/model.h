/* vhdkit tests: random operations against a plain array.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Reads, writes, zeros, trims, flushes, extents and reopens of a target, each
 * compared with what an array of bytes says.  What is wrong goes to stderr
 * with the seed that repeats it.
 */
#ifndef MODEL_H
#define MODEL_H

#include <stdbool.h>
#include <stdint.h>

#include "store-wrap.h"
#include "target.h"

/* What a disk must read as. */
struct model {
  const char *name;             /* for messages */
  uint8_t *data;
  uint64_t size;
};

/* New bytes are zeros.  Abort if memory is short. */
extern void model_resize (struct model *m, uint64_t size);
extern void model_free (struct model *m);

/* Make so many random operations on t and m, then compare all of it, reopen it
 * and compare again.  Returns whether all was right.
 *
 * fault, if not NULL, belongs to a fault store beneath t, its kinds are set
 * but not CALL_FLUSH: a change that was made to fail must leave the old or the
 * new, and must succeed when it is made again (write order, rule 5). */
extern bool play_alone (struct target *t, struct model *m, uint64_t seed,
                        unsigned steps, struct fault *fault);

/* The same by several threads at once, each in stripes of its own of so many
 * bytes, one thread's beside the other's. */
extern bool play_together (struct target *t, struct model *m, uint64_t seed,
                           unsigned steps, uint32_t stripe_bytes);

#endif
