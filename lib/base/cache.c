/* vhdkit: a bounded cache that is read without a lock.  See cache.h.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A hash table with chains.  Readers walk a chain with atomic loads (grace.h
 * says of which kind) while others insert at its head or unlink from its
 * middle: an unlinked entry keeps its next pointer until it is freed, so a
 * reader standing on it finds the rest of the chain.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>

#include "base/cache.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"

void
cache_init (struct cache *c, struct grace *g, size_t limit)
{
  c->grace = g;
  c->may_evict = NULL;
  c->evicted = NULL;
  c->opaque = NULL;
  c->limit = limit;
  atomic_init (&c->used, 0);
  pthread_mutex_init (&c->lock, NULL);
  c->bucket = NULL;
  c->buckets = 0;
  c->hand = NULL;
  c->dead = NULL;
  atomic_init (&c->dead_bytes, 0);
}

static void
free_dead (struct cache_entry *e)
{
  struct cache_entry *next;

  for (; e; e = next) {
    next = e->ring_next;
    free (e);
  }
}

void
cache_destroy (struct cache *c)
{
  struct cache_entry *e, *next;

  if (c->hand) {
    c->hand->ring_prev->ring_next = NULL;
    for (e = c->hand; e; e = next) {
      next = e->ring_next;
      free (e);
    }
  }
  free_dead (c->dead);
  free (c->bucket);
  pthread_mutex_destroy (&c->lock);
}

static size_t
hash (const struct cache *c, uint64_t key)
{
  return (key * UINT64_C (0x9e3779b97f4a7c15) >> 32) & (c->buckets - 1);
}

struct cache_entry *
cache_find (struct cache *c, uint64_t key)
{
  struct cache_entry *e;

  /* used is raised after the buckets exist. */
  if (atomic_load_explicit (&c->used, memory_order_acquire) == 0)
    return NULL;
  for (e = atomic_load (&c->bucket[hash (c, key)]);
       e && e->key != key;
       e = atomic_load (&e->next))
    ;
  if (e && !atomic_load_explicit (&e->referenced, memory_order_relaxed))
    atomic_store_explicit (&e->referenced, true, memory_order_relaxed);
  return e;
}

/* The lock is held for the functions from here on. */

static int
make_buckets (struct cache *c)
{
  /* About one bucket for each KiB of the limit. */
  c->buckets = 64;
  while (c->buckets < c->limit / 1024 && c->buckets < 65536)
    c->buckets *= 2;
  c->bucket = calloc (c->buckets, sizeof c->bucket[0]);
  if (c->bucket == NULL) {
    set_error_errno (ENOMEM, "metadata cache");
    return -1;
  }
  return 0;
}

static void
ring_insert (struct cache *c, struct cache_entry *e)
{
  if (c->hand == NULL) {
    e->ring_next = e->ring_prev = e;
    c->hand = e;
    return;
  }
  /* Just behind the hand: the last to be looked at. */
  e->ring_next = c->hand;
  e->ring_prev = c->hand->ring_prev;
  e->ring_prev->ring_next = e;
  c->hand->ring_prev = e;
}

static void
unlink_entry (struct cache *c, struct cache_entry *e)
{
  _Atomic (struct cache_entry *) *p;
  struct cache_entry *q;

  for (p = &c->bucket[hash (c, e->key)];
       (q = atomic_load_explicit (p, memory_order_relaxed)) != e;
       p = &q->next)
    ;
  atomic_store (p, atomic_load_explicit (&e->next, memory_order_relaxed));

  if (e->ring_next == e)
    c->hand = NULL;
  else {
    e->ring_prev->ring_next = e->ring_next;
    e->ring_next->ring_prev = e->ring_prev;
    if (c->hand == e)
      c->hand = e->ring_next;
  }
  atomic_fetch_sub (&c->used, e->bytes);
  e->ring_next = c->dead;
  c->dead = e;
  atomic_fetch_add (&c->dead_bytes, e->bytes);
}

/* Push out old entries until need more bytes fit, as far as may_evict lets
 * us.  A few dozen steps at the most: the owner of entries that must stay
 * keeps their number down. */
static void
evict (struct cache *c, size_t need)
{
  unsigned steps;

  for (steps = 0; steps < 64 && c->hand
         && atomic_load (&c->used) + need > c->limit; steps++) {
    struct cache_entry *e = c->hand;

    c->hand = e->ring_next;
    if (atomic_exchange (&e->referenced, false))
      continue;
    if (c->may_evict && !c->may_evict (c->opaque, e))
      continue;
    unlink_entry (c, e);
    if (c->evicted)
      c->evicted (c->opaque, e);
  }
}

struct cache_entry *
cache_add (struct cache *c, struct cache_entry *e)
{
  LOCK_FOR_SCOPE (&c->lock);
  _Atomic (struct cache_entry *) *p;
  struct cache_entry *q;

  if (c->bucket == NULL && make_buckets (c) == -1)
    return NULL;
  p = &c->bucket[hash (c, e->key)];
  for (q = atomic_load (p); q; q = atomic_load (&q->next))
    if (q->key == e->key)
      return q;

  evict (c, e->bytes);
  atomic_init (&e->referenced, true);
  ring_insert (c, e);
  atomic_store_explicit (&e->next, atomic_load (p), memory_order_relaxed);
  atomic_store_explicit (p, e, memory_order_release);
  atomic_fetch_add (&c->used, e->bytes);
  return e;
}

void
cache_reap_slow (struct cache *c)
{
  struct cache_entry *dead;

  mutex_lock (&c->lock);
  dead = c->dead;
  c->dead = NULL;
  atomic_store (&c->dead_bytes, 0);
  mutex_unlock (&c->lock);

  if (dead) {
    grace_wait (c->grace);
    free_dead (dead);
  }
}
