/* vhdkit tests: coming in between any two instructions.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Between a look and the act that relies on it there may be no call at which a
 * gate in the store could hold a thread, but only a few instructions.  First
 * see which instructions a function runs through:
 *
 *   n = pause_trace (fn, opaque, &address);
 *
 * then, for each of them, let something else happen in front of it:
 *
 *   pause_at (address[k], let_others_act, opaque);
 *   fn (opaque);
 *   held = pause_over ();
 */
#ifndef PAUSE_H
#define PAUSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef void (*pause_fn) (void *opaque);

/* Can it be done here?  On x86-64, if the program's code may be written. */
extern bool pause_possible (void);

/* Calls fn (opaque); *ret_address: the instructions of this program, not of
 * shared libraries, that it ran through and that may have to do with other
 * threads, each once; malloced. */
extern size_t pause_trace (pause_fn fn, void *opaque,
                           uintptr_t **ret_address);

/* Whoever comes to address first calls between (opaque) before going on. */
extern void pause_at (uintptr_t address, pause_fn between, void *opaque);
/* No more; has anyone come there? */
extern bool pause_over (void);

#endif
