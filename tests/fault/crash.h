/* vhdkit tests: power cuts.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A scenario does I/O on an image whose store records every change in order.
 * Then the power is cut: at every point of the record, with the changes since
 * the last sync lost, kept, torn at 512 bytes, in any combination.  In each
 * state "check" must find no error, the image must open, and every sector must
 * be what was last flushed or what was written later (docs/write-order.md,
 * rule 2).
 */
#ifndef CRASH_H
#define CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store-wrap.h"
#include "target.h"

struct scenario {
  const char *name;
  struct image_shape shape;
  bool over_data;               /* a child of a parent that is full of data */
  bool batmap;                  /* XenServer's: all blocks are there, full, and
                                   said to be so */
  unsigned threads;             /* with sectors of their own; 0: one */
  bool own_blocks;              /* and with whole blocks, to free them */
  unsigned operations;          /* of each thread */
  unsigned cache_bytes;         /* 0: plenty */
  int commit_interval;          /* seconds; 0: none */
  /* Weights of the operations.  pause: until the timer has committed, which
   * counts as a flush. */
  unsigned write, part, zero, trim, free_block, flush, reopen, pause;
  bool sequential;              /* writes go on where the last one ended */
  bool footers;                 /* what is written is full of footers */
};

struct crash_result {
  uint64_t states;              /* tried */
  uint64_t violations;
  char first[400];              /* the first violation, in words */
};

/* Run a scenario and cut its power: chances states of survivors by chance at
 * every step-th entry of the record, besides "all lost" and "all kept". */
extern void crash_run (const struct scenario *s, uint64_t seed,
                       unsigned step, unsigned chances,
                       struct crash_result *ret);

#endif
