/* vhdkit: threads of the library.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_BASE_THREAD_H
#define VHDKIT_BASE_THREAD_H

#include <pthread.h>
#include <stdbool.h>

/* pthread_create for threads that the program knows nothing of: its signals go
 * to its own threads.  detached: ret_thread may be NULL.  Returns 0 or an
 * errno; the last error is the caller's to set. */
extern int thread_start (pthread_t *ret_thread, bool detached,
                         void *(*fn) (void *), void *arg);

#endif
