/* vhdkit tests: stores that stand in front of a real one.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Each passes every call on to an inner store, which it closes with itself,
 * and does one thing besides: fail, wait, or record.  They can be stacked:
 * slow_open (fault_open (record_open (store_open_memory ("m"), r), f), ...).
 * What a test sets and asks (struct fault, gate, recording) belongs to the
 * test and must outlive the store, which is often closed by an image.
 *
 * None of the functions below fails; they abort if memory is short.
 */
#ifndef STORE_WRAP_H
#define STORE_WRAP_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store/store.h"

/* Kinds of call, as bits, so that several can be chosen. */
enum call_kind {
  CALL_READ = 1 << 0,
  CALL_WRITE = 1 << 1,
  CALL_ZERO = 1 << 2,
  CALL_SIZE = 1 << 3,
  CALL_TRUNCATE = 1 << 4,
  CALL_FLUSH = 1 << 5,
  CALL_NEXT_EXTENT = 1 << 6,
  CALL_PREFETCH = 1 << 7,
  CALL_LOCK = 1 << 8,
  CALL_MAKE_WRITABLE = 1 << 9,
  CALL_IDENTITY = 1 << 10,
  CALL_USAGE = 1 << 11,
  CALL_CLOSE = 1 << 12,
};
#define CALLS_CHANGING (CALL_WRITE | CALL_ZERO | CALL_TRUNCATE)
#define CALLS_ALL (CALL_CLOSE * 2 - 1)

/*----------------------------------------------------------------------
 * store-wrap.c: passing calls on
 *--------------------------------------------------------------------*/

/* A call on its way.  offset and length are 0 where a call has none; for
 * truncate, offset is the new size. */
struct call {
  enum call_kind kind;
  uint64_t offset, length;
  const struct iovec *iov;      /* read, write */
  int n;
  uint32_t flags;               /* zero */
};

struct wrap;
struct wrap_hooks {
  /* Before the inner call; -1 (and the last error) makes the call fail without
   * it.  May be NULL. */
  int (*before) (struct wrap *w, const struct call *c);
  /* After it; r is its result.  Runs also if before failed.  May be NULL. */
  void (*after) (struct wrap *w, const struct call *c, int r);
};

struct wrap {
  struct store base;
  struct store *inner;
  bool keep_inner;
  const struct wrap_hooks *hooks;
  void *opaque;
};

extern struct store *wrap_open (struct store *inner,
                                const struct wrap_hooks *hooks, void *opaque);

/* Passes on all but close: the inner store stays open, for looking at it or
 * opening it again. */
extern struct store *wrap_keep (struct store *inner);

/* All of from into to, which is empty; holes stay holes.  0, or -1 with the
 * last error. */
extern int store_copy (struct store *from, struct store *to);

/*----------------------------------------------------------------------
 * store-fault.c: failing
 *--------------------------------------------------------------------*/

/* Zero it, set what is needed, always while no thread makes calls (the timer
 * that commits is one).  The n-th call of the chosen kinds fails:
 *
 *   for (n = 1, hit = true; hit; n++) {
 *     struct fault f = { .kinds = CALLS_CHANGING, .fail_at = n, .err = EIO };
 *     ... the operation over fault_open (store, &f) ...
 *     hit = f.hit;
 *   }
 */
struct fault {
  uint32_t kinds;
  bool growing;                 /* only writes past the end, and truncates
                                   that lengthen: how a full disk behaves */
  uint64_t fail_at;             /* from 1; 0: never */
  bool for_good;                /* all later ones too, until fail_at is 0 */
  int err;                      /* errno of the failure */
  size_t partial;               /* a write that fails does so many bytes of
                                   its work first */
  _Atomic uint64_t calls;       /* of these kinds, so far */
  _Atomic bool hit;             /* a call was made to fail */
  enum call_kind hit_kind;      /* the first one; to be read when the threads
                                   that make calls have been waited for */
};
extern struct store *fault_open (struct store *inner, struct fault *f);

/*----------------------------------------------------------------------
 * store-slow.c: waiting
 *--------------------------------------------------------------------*/

/* While a gate is shut, calls of its kinds that touch its range wait in front
 * of it.  The test shuts it, starts a thread, sees it arrive, does something
 * else, opens the gate: an interleaving without sleeping. */
struct gate {
  pthread_mutex_t lock;         /* guards the rest */
  pthread_cond_t change;
  bool shut;
  bool after;                   /* wait when the inner call has been made */
  uint32_t kinds;
  uint64_t offset, length;
  unsigned most;                /* only so many wait, later ones pass; set it
                                   after shutting; 0: all wait */
  unsigned waiting;             /* how many do now */
  unsigned arrived;             /* how many have, since it was shut */
};

enum gate_place { GATE_BEFORE, GATE_AFTER };

extern void gate_init (struct gate *g);
extern void gate_destroy (struct gate *g);
extern void gate_shut (struct gate *g, enum gate_place place, uint32_t kinds,
                       uint64_t offset, uint64_t length);
extern void gate_open (struct gate *g);
/* Until n calls have arrived; false after a minute without. */
extern bool gate_await (struct gate *g, unsigned n);

/* The same place may be guarded by several gates; a call waits at one after
 * the other. */
extern struct store *slow_open (struct store *inner, struct gate *const *gates,
                                size_t nr_gates);

/*----------------------------------------------------------------------
 * store-record.c: recording, for power cuts
 *--------------------------------------------------------------------*/

/* One call that changed something, or a flush.  Failed calls are not recorded.
 * The order is that in which the inner store was changed: changes and flushes
 * are let through one at a time.  So everything before a flush is durable. */
struct recorded {
  enum call_kind kind;          /* WRITE, ZERO, TRUNCATE or FLUSH */
  uint64_t offset, length;      /* truncate: offset is the size */
  uint8_t *data;                /* write; owned */
};

struct recording {
  pthread_mutex_t lock;         /* guards the rest; calls are made under it */
  struct store *base;           /* what was there when recording began */
  struct recorded *entry;
  size_t nr, max;
};

extern void recording_init (struct recording *r);
extern void recording_destroy (struct recording *r);
/* Begins anew if r has been used: what inner holds now is the base. */
extern struct store *record_open (struct store *inner, struct recording *r);
/* Entries so far; safe while recording, the entries themselves are not. */
extern size_t recording_nr (struct recording *r);
/* How many of the entries [0, end) are durable: all up to the last flush. */
extern size_t recording_durable (struct recording *r, size_t end);

/* What becomes of a piece (512 bytes of the file, or less, that begin at
 * offset; a truncate is one piece) of an entry that is not durable. */
typedef bool (*survives_fn) (void *opaque, size_t entry, uint64_t offset);

/* The state after a power cut, as a new memory store: of the entries [0, end)
 * those before durable are there, and the pieces of the others for which
 * survives says so, in order.  NULL means all; with durable = end it is not
 * asked. */
extern struct store *recording_cut (struct recording *r, size_t durable,
                                    size_t end, survives_fn survives,
                                    void *opaque);

/* A survives_fn: opaque is a uint64_t *seed.  Of the entries, by turns of
 * chance, some are lost, some whole, some torn. */
extern bool survives_by_chance (void *opaque, size_t entry, uint64_t offset);

#endif
