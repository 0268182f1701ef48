/* vhdkit: what all fuzzers share.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef PROMISE_H
#define PROMISE_H

#include <stdio.h>
#include <stdlib.h>

#include "vhdkit.h"

/* Say what promise is not kept, and abort, which is how a fuzzer fails. */
#define require(promise)                                        \
  do {                                                          \
    if (!(promise)) {                                           \
      fprintf (stderr, "%s:%d: not kept: %s (last error: %s)\n", \
               __FILE__, __LINE__, #promise, vhdkit_get_error ()); \
      abort ();                                                 \
    }                                                           \
  } while (0)

/* A receiver of findings that looks at them and says go on. */
static inline int
go_on (void *opaque, const struct vhdkit_finding *f)
{
  (void) opaque;
  require (f->structure && f->found && f->expected && f->meaning);
  return 0;
}

#endif
