/* vhdkit: what goes away at the end of its scope.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Not for files that were written: close and fsync can report the loss of
 * data, and a scope exit swallows results.
 */
#ifndef VHDKIT_BASE_CLEANUP_H
#define VHDKIT_BASE_CLEANUP_H

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

static inline void
cleanup_free (void *p)
{
  free (* (void **) p);
}
#define CLEANUP_FREE __attribute__ ((cleanup (cleanup_free)))

static inline void
cleanup_close (int *fd)
{
  if (*fd >= 0)
    close (*fd);
}
#define CLEANUP_CLOSE __attribute__ ((cleanup (cleanup_close)))

static inline void
mutex_lock (pthread_mutex_t *m)
{
  int r = pthread_mutex_lock (m);
  assert (r == 0);
  (void) r;
}

static inline void
mutex_unlock (pthread_mutex_t *m)
{
  int r = pthread_mutex_unlock (m);
  assert (r == 0);
  (void) r;
}

static inline void
cleanup_unlock (pthread_mutex_t **m)
{
  mutex_unlock (*m);
}

#define CLEANUP_JOIN2_(a, b) a ## b
#define CLEANUP_JOIN_(a, b) CLEANUP_JOIN2_ (a, b)
#define LOCK_FOR_SCOPE(m)                                               \
  __attribute__ ((cleanup (cleanup_unlock), unused))                    \
  pthread_mutex_t *CLEANUP_JOIN_ (scope_lock_, __LINE__) =              \
    (mutex_lock (m), (m))

#endif
