/* vhdkit: a bounded cache that is read without a lock.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Entries are found by a 64-bit key.  Finding takes no lock but must happen
 * within a section of the grace period given at initialisation, and what was
 * found may be used until that section ends.  Adding takes the cache's lock
 * and pushes out old entries (second chance), which are freed a grace period
 * later by cache_reap.
 */
#ifndef VHDKIT_BASE_CACHE_H
#define VHDKIT_BASE_CACHE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/grace.h"

/* First member of what is cached; entries are malloced. */
struct cache_entry {
  _Atomic (struct cache_entry *) next;  /* in the bucket */
  struct cache_entry *ring_next, *ring_prev;
  uint64_t key;
  size_t bytes;                         /* all the memory it takes */
  _Atomic bool referenced;
};

struct cache {
  struct grace *grace;
  /* May this entry go?  Called with the lock held; if it says yes, evicted is
   * called after the entry has been unlinked. */
  bool (*may_evict) (void *opaque, struct cache_entry *e);
  void (*evicted) (void *opaque, struct cache_entry *e);
  void *opaque;

  size_t limit;
  _Atomic size_t used;

  /* Guards everything below, and all changes to the buckets.  Innermost lock;
   * no I/O under it. */
  pthread_mutex_t lock;
  _Atomic (struct cache_entry *) *bucket;
  size_t buckets;                       /* a power of two */
  struct cache_entry *hand;             /* of the clock */
  struct cache_entry *dead;             /* by ring_next; wait for a grace
                                           period */
  _Atomic size_t dead_bytes;
};

/* The buckets are allocated with the first entry.  The callbacks may be NULL:
 * everything may go. */
extern void cache_init (struct cache *c, struct grace *g, size_t limit);
/* Frees all entries; nobody may be using the cache. */
extern void cache_destroy (struct cache *c);

/* Within a section.  NULL if it is not there. */
extern struct cache_entry *cache_find (struct cache *c, uint64_t key);

/* Add e, unless its key is there already: returns e, or the one that is there
 * (then e still belongs to the caller), or NULL (NO_MEMORY). */
extern struct cache_entry *cache_add (struct cache *c, struct cache_entry *e);

/* Free what was pushed out, if that is worth waiting for a grace period.
 * Outside of sections. */
extern void cache_reap_slow (struct cache *c);

static inline void
cache_reap (struct cache *c)
{
  if (atomic_load_explicit (&c->dead_bytes, memory_order_relaxed)
      > c->limit / 16)
    cache_reap_slow (c);
}

#endif
