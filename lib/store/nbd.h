/* vhdkit: the connections of an NBD store.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to nbd-connection.c, nbd-open.c and store-nbd.c.
 *
 * Every connection has a thread that does nothing but move bytes: it polls the
 * socket and lets libnbd make progress.  Whoever wants something queues a
 * command on a connection, wakes its thread, and sleeps until the command has
 * been answered.  So any number of threads have commands under way at once,
 * and none of them is tied to a socket: a cancel wakes them all.
 *
 * Locks, in the order they are taken:
 *   1. status_lock    what is known of the extents; waits for the server
 *   2. issue_lock     (of a connection) while a command is queued, and to end
 *                     the connection: after that libnbd is not called again
 *                     for it, so that it does not touch buffers of callers who
 *                     have been sent away
 *   3. libnbd's own lock of the handle
 *   4. lock           (of a connection) the list of commands; no I/O
 */
#ifndef VHDKIT_STORE_NBD_H
#define VHDKIT_STORE_NBD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "store/libnbd-calls.h"
#include "store/store.h"

#define MAX_CONNECTIONS 4
/* How many answers about extents are kept. */
#define STATUS_ENTRIES 4096u

struct command;

struct connection {
  struct nbd_handle *h;
  pthread_t thread;
  bool running;                 /* there is a thread */
  int wake;                     /* eventfd */
  _Atomic bool quit;
  pthread_mutex_t issue_lock;
  bool dead;                    /* issue_lock: nothing can be queued */
  pthread_mutex_t lock;
  struct command *pending;
};

struct extent {
  uint64_t end;
  bool zero;
};

struct nbd_store {
  struct store base;            /* first: a store is cast to it */
  uint64_t size;
  uint32_t max_request, alignment;
  _Atomic bool cancelled;
  struct connection conn[MAX_CONNECTIONS];
  unsigned nr_conns;
  _Atomic unsigned next_conn;   /* commands go round */
  /* Guards what follows: the latest answer about extents. */
  pthread_mutex_t status_lock;
  bool status;                  /* the server has base:allocation */
  uint64_t status_start;
  struct extent extent[STATUS_ENTRIES];
  unsigned nr_extents;
};

/* Set the last error to libnbd's of this thread; -1. */
extern int remote_failed (const char *name, const char *doing);
extern int remote_cancelled (const char *name);

/* store_open_nbd, in this thread: cancelled, which may be NULL, is asked only
 * while the server does not answer. */
extern struct store *nbd_store_open (const char *uri,
                                     int (*cancelled) (void *opaque),
                                     void *opaque);

/* Open one more connection, as conn[nr_conns++]; counted also on failure, for
 * connection_end. */
extern int connection_start (struct nbd_store *n,
                             int (*cancelled) (void *opaque), void *opaque);
extern void connection_end (struct nbd_store *n, struct connection *c);
/* Send away everybody who waits, and close.  Any thread. */
extern void connection_quit (struct connection *c);

/* What queues a command: a function of libnbd with its arguments. */
typedef int64_t (*issue_fn) (struct nbd_handle *h, void *args,
                             nbd_completion_callback done);
/* Queue a command on one of the connections and wait until it is answered. */
extern int remote_command (struct nbd_store *n, issue_fn issue, void *args,
                           const char *doing);

#endif
