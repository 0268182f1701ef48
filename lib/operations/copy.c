/* vhdkit: copy the content of a source into a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The source is cut into units of 2 MiB.  Each of a few threads takes the next
 * unit that is not a hole, reads it, looks what of it is zero, gets places for
 * the blocks that are not, and writes them; so reads and writes of several
 * units overlap.  Places are given in the order of the disk, so that the image
 * comes out as if it had been written from front to back: who has read early
 * waits for its turn.
 *
 * The calling thread only watches: it reports progress and asks whether to go
 * on, however long a read takes.  An error, or a cancel, stops all threads.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/mman.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/thread.h"
#include "operations/copy-internal.h"

#define MAX_WORKERS 16
/* Servers are far away: the more questions are under way the better.  With
 * files it is the processors that limit. */
#define NBD_WORKERS 8
#define MIN_WORKERS 3
#define MAX_FILE_WORKERS 6
/* How often the calling thread looks up. */
#define WATCH_NS 20000000
/* A hole shorter than this costs more to leave out than to read. */
#define READ_GAP (65536u / GRANULE)

struct run {
  uint64_t start, end;
  bool zero;
};

struct copy {
  struct copy_source *source;
  struct output output;
  struct pace read_pace;
  const struct progress *progress;

  /* Guards next, tickets and run; the source is asked for its extents under
   * it. */
  pthread_mutex_t feed_lock;
  uint64_t next;                /* where the next unit begins */
  uint64_t tickets;             /* units given out */
  struct run run;               /* what is known of the source at next */

  /* Guards turn, and the places in the target.  No I/O under it. */
  pthread_mutex_t turn_lock;
  pthread_cond_t turn_changed;
  uint64_t turn;                /* the unit that gets its places next */

  /* Guards running, error. */
  pthread_mutex_t lock;
  pthread_cond_t changed;       /* something for the calling thread to see */
  unsigned running;
  struct saved_error error;     /* the first one; code 0: none */

  _Atomic bool stop;
  _Atomic uint64_t done;        /* bytes of the source */
  _Atomic uint64_t report_at;   /* when the calling thread wants to know */
};

struct worker {
  struct copy *copy;
  pthread_t thread;
  struct unit unit;
  uint64_t fresh[GRANULES / 64];
};

/* Nothing more is to be done. */
static void
stop_all (struct copy *c)
{
  c->stop = true;
  copy_source_cancel (c->source);
  mutex_lock (&c->turn_lock);
  pthread_cond_broadcast (&c->turn_changed);
  mutex_unlock (&c->turn_lock);
}

/* The last error of this thread is what the copy ends with, unless there is
 * one already. */
static void
fail (struct copy *c)
{
  mutex_lock (&c->lock);
  if (c->error.code == VHDKIT_OK)
    error_save (&c->error);
  mutex_unlock (&c->lock);
  stop_all (c);
}

static void
add_done (struct copy *c, uint64_t bytes)
{
  if (atomic_fetch_add (&c->done, bytes) + bytes < c->report_at)
    return;
  mutex_lock (&c->lock);
  pthread_cond_signal (&c->changed);
  mutex_unlock (&c->lock);
}

/*----------------------------------------------------------------------
 * Feeding
 *--------------------------------------------------------------------*/

static int
know_run (struct copy *c, uint64_t offset)
{
  struct run *r = &c->run;

  if (offset >= r->start && offset < r->end)
    return 0;
  r->start = offset;
  r->end = 0;
  if (copy_source_extent (c->source, offset, &r->end, &r->zero) == -1) {
    r->end = 0;
    return -1;
  }
  assert (r->end > offset);
  return 0;
}

/* Go to the next unit that is not within a hole.  1: there is none. */
static int
skip_holes (struct copy *c)
{
  const uint64_t size = c->source->size, from = c->next;

  while (c->next < size && !c->stop) {
    if (know_run (c, c->next) == -1)
      return -1;
    if (!c->run.zero)
      break;
    if (c->run.end < size
        && round_down (c->run.end, UNIT_BYTES) <= c->next)
      break;                    /* the hole ends within the unit */
    c->next = c->run.end < size ? round_down (c->run.end, UNIT_BYTES) : size;
  }
  if (c->next > from)
    add_done (c, c->next - from);
  return c->next >= size || c->stop;
}

/* Mark what is data in the unit. */
static int
find_data (struct copy *c, struct unit *u)
{
  const uint64_t end = u->offset + u->length;
  uint64_t at;

  memset (u->data, 0, sizeof u->data);
  for (at = u->offset; at < end; at = c->run.end) {
    if (know_run (c, at) == -1)
      return -1;
    if (!c->run.zero)
      unit_set (u, (at - u->offset) / GRANULE,
                div_round_up (MIN_OF (c->run.end, end) - u->offset, GRANULE));
  }
  return 0;
}

/* 0: *u is the next one to copy; 1: there are no more. */
static int
next_unit (struct copy *c, struct unit *u)
{
  LOCK_FOR_SCOPE (&c->feed_lock);
  int r;

  while ((r = skip_holes (c)) == 0) {
    u->offset = c->next;
    u->length = MIN_OF (c->source->size - c->next, (uint64_t) UNIT_BYTES);
    if (find_data (c, u) == -1)
      return -1;
    c->next += u->length;
    if (unit_any (u, 0, GRANULES)) {
      u->ticket = c->tickets++;
      return 0;
    }
    add_done (c, u->length);
  }
  return r;
}

/*----------------------------------------------------------------------
 * Copying one unit
 *--------------------------------------------------------------------*/

static int
read_range (struct copy *c, struct unit *u, uint32_t from, uint32_t end)
{
  while (from < end && !c->stop) {
    const uint32_t n = MIN_OF (end - from, (uint32_t) c->read_pace.step);
    const uint64_t start = pace_now ();

    if (copy_source_pread (c->source, u->buf + from, n, u->offset + from)
        == -1)
      return -1;
    pace_adjust (&c->read_pace, start);
    from += n;
  }
  return 0;
}

static int
read_unit (struct copy *c, struct unit *u)
{
  unsigned from, to = 0;

  while (unit_run (u, to, GRANULES, READ_GAP, &from, &to))
    if (read_range (c, u, from * GRANULE, MIN_OF (to * GRANULE, u->length))
        == -1)
      return -1;
  return 0;
}

/* Wait for the unit's turn, and give it its places. */
static int
take_turn (struct copy *c, struct worker *w)
{
  LOCK_FOR_SCOPE (&c->turn_lock);

  while (c->turn != w->unit.ticket && !c->stop)
    pthread_cond_wait (&c->turn_changed, &c->turn_lock);
  if (c->stop)
    return 0;
  if (output_place (&c->output, &w->unit, w->fresh) == -1)
    return -1;
  c->turn++;
  pthread_cond_broadcast (&c->turn_changed);
  return 0;
}

static int
copy_unit (struct copy *c, struct worker *w)
{
  struct unit *u = &w->unit;

  if (read_unit (c, u) == -1)
    return -1;
  if (c->stop)
    return 0;
  unit_find_zeros (u);
  memset (w->fresh, 0, sizeof w->fresh);
  if (c->output.target->block_size && take_turn (c, w) == -1)
    return -1;
  if (output_write (&c->output, u, w->fresh) == -1)
    return -1;
  add_done (c, u->length);
  return 0;
}

static void
ended (struct copy *c)
{
  mutex_lock (&c->lock);
  c->running--;
  pthread_cond_signal (&c->changed);
  mutex_unlock (&c->lock);
}

/* A library that reading or writing uses has ended the thread.  Nobody may wait
 * for it for ever. */
static void
died (void *opaque)
{
  struct copy *c = opaque;

  set_error (VHDKIT_ERR_UNEXPECTED, EIO,
             "%s: a thread of the copy to %s ended too early", c->source->name,
             c->output.target->store->name);
  fail (c);
  ended (c);
}

static void
copy_units (struct copy *c, struct worker *w)
{
  int r = 0;

  while (!c->stop && (r = next_unit (c, &w->unit)) == 0)
    if ((r = copy_unit (c, w)) == -1)
      break;
  if (r == -1)
    fail (c);
}

static void *
work (void *opaque)
{
  struct worker *w = opaque;

  pthread_cleanup_push (died, w->copy);
  copy_units (w->copy, w);
  pthread_cleanup_pop (0);
  ended (w->copy);
  return NULL;
}

/*----------------------------------------------------------------------
 * Threads
 *--------------------------------------------------------------------*/

static void
free_worker (struct worker *w)
{
  if (w->unit.buf)
    munmap (w->unit.buf, UNIT_BYTES);
  w->unit.buf = NULL;
}

static int
start_worker (struct copy *c, struct worker *w)
{
  void *p = mmap (NULL, UNIT_BYTES, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  int err;

  if (p == MAP_FAILED) {
    set_error_errno (ENOMEM, "%s", c->source->name);
    return -1;
  }
  w->copy = c;
  w->unit.buf = p;
  mutex_lock (&c->lock);
  c->running++;
  mutex_unlock (&c->lock);
  err = thread_start (&w->thread, false, work, w);
  if (err == 0)
    return 0;
  mutex_lock (&c->lock);
  c->running--;
  mutex_unlock (&c->lock);
  free_worker (w);
  set_error_errno (err, "%s: starting a thread", c->source->name);
  return -1;
}

static unsigned
wanted_workers (const struct copy *c)
{
  const uint64_t units = div_round_up (c->source->size, UNIT_BYTES);
  long n = sysconf (_SC_NPROCESSORS_ONLN) + 1;

  n = MIN_OF (MAX_OF (n, MIN_WORKERS), MAX_FILE_WORKERS);
  if (c->source->kind == COPY_FROM_NBD)
    n = NBD_WORKERS;
  return MAX_OF (MIN_OF ((uint64_t) n, units), 1);
}

/* How many were started; none: -1.  A few less do the same work. */
static int
start_workers (struct copy *c, struct worker *w, unsigned wanted,
               unsigned *ret_n)
{
  unsigned n;

  for (n = 0; n < wanted; n++)
    if (start_worker (c, &w[n]) == -1)
      break;
  *ret_n = n;
  return n > 0 ? 0 : -1;
}

static int
tell (struct copy *c, uint64_t done)
{
  const struct progress *p = c->progress;

  if (!p || !p->fn || p->fn (p->opaque, done, c->source->size) == 0)
    return 0;
  set_error (VHDKIT_ERR_CANCELLED, ECANCELED, "%s: copying to %s was cancelled",
             c->source->name, c->output.target->store->name);
  return -1;
}

/* Wait for a change, but not long.  lock is held. */
static void
wait_a_moment (struct copy *c)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  t.tv_nsec += WATCH_NS;
  if (t.tv_nsec >= 1000000000) {
    t.tv_sec++;
    t.tv_nsec -= 1000000000;
  }
  pthread_cond_timedwait (&c->changed, &c->lock, &t);
}

/* Until all threads have ended.  The end itself is told by the caller. */
static void
watch (struct copy *c)
{
  uint64_t done;

  mutex_lock (&c->lock);
  while (c->running > 0) {
    done = c->done;
    mutex_unlock (&c->lock);
    if (!c->stop && tell (c, done) == -1)
      fail (c);
    mutex_lock (&c->lock);
    c->report_at = done + c->source->size / 100 + 1;
    if (c->running > 0 && c->done < c->report_at)
      wait_a_moment (c);
  }
  mutex_unlock (&c->lock);
}

static int
run_workers (struct copy *c)
{
  struct worker *w = calloc (MAX_WORKERS, sizeof *w);
  unsigned n = 0, i;

  if (w == NULL) {
    set_error_errno (ENOMEM, "%s", c->source->name);
    return -1;
  }
  if (start_workers (c, w, wanted_workers (c), &n) == -1) {
    free (w);
    return -1;
  }
  watch (c);
  for (i = 0; i < n; i++) {
    pthread_join (w[i].thread, NULL);
    free_worker (&w[i]);
  }
  free (w);
  if (c->error.code == VHDKIT_OK)
    return 0;
  error_restore (&c->error);
  return -1;
}

static void
init_locks (struct copy *c)
{
  pthread_condattr_t attr;

  pthread_mutex_init (&c->feed_lock, NULL);
  pthread_mutex_init (&c->turn_lock, NULL);
  pthread_cond_init (&c->turn_changed, NULL);
  pthread_mutex_init (&c->lock, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&c->changed, &attr);
  pthread_condattr_destroy (&attr);
}

static void
destroy_locks (struct copy *c)
{
  pthread_cond_destroy (&c->changed);
  pthread_mutex_destroy (&c->lock);
  pthread_cond_destroy (&c->turn_changed);
  pthread_mutex_destroy (&c->turn_lock);
  pthread_mutex_destroy (&c->feed_lock);
}

int
copy_run (struct copy_source *s, struct copy_target *t,
          const struct progress *progress)
{
  struct copy c = {
    .source = s, .progress = progress, .read_pace = { UNIT_BYTES }
  };
  int r = -1, cancellable;

  assert (t->block_size == 0
          || t->table_entries >= div_round_up (s->size, t->block_size));
  /* Whoever ends this thread waits: the others use what it has on its stack. */
  pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, &cancellable);
  init_locks (&c);
  if (output_init (&c.output, t, &c.stop) == 0
      && tell (&c, 0) == 0
      && run_workers (&c) == 0
      && tell (&c, s->size) == 0) {
    output_finish (&c.output);
    r = 0;
  }
  output_free (&c.output);
  destroy_locks (&c);
  pthread_setcancelstate (cancellable, NULL);
  return r;
}
