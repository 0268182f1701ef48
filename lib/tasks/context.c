/* vhdkit: a context: the tasks of one user, and the threads that run them.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A task is in its context's list from its start until it is complete.  One
 * that waits for a thread is claimed by whoever completes it: a worker that
 * runs it, or someone who drops it unrun.
 *
 * Every task counts as a user of the context, so that the handle of a task
 * that is complete stays good when the context is freed.
 */
#include <config.h>

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "tasks/internal.h"
#include "tasks/tasks.h"
#include "vhdkit.h"

#define DEFAULT_MAX_THREADS 4

/* Never freed.  In the child of a fork, where its threads are not, a new one
 * takes its place. */
static struct vhdkit_context *_Atomic default_context;

static unsigned
default_threads (void)
{
  long n = sysconf (_SC_NPROCESSORS_ONLN);

  return n < 1 ? 1 : n > DEFAULT_MAX_THREADS ? DEFAULT_MAX_THREADS : n;
}

int
context_new (unsigned threads, struct vhdkit_context **ret_ctx)
{
  struct vhdkit_context *ctx = calloc (1, sizeof *ctx);

  if (!ctx) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "no memory for a context");
    return -1;
  }
  pthread_mutex_init (&ctx->lock, NULL);
  pthread_cond_init (&ctx->work, NULL);
  pthread_cond_init (&ctx->empty, NULL);
  ctx->refs = 1;
  ctx->pid = getpid ();
  ctx->max_workers = threads ? threads : default_threads ();
  *ret_ctx = ctx;
  return 0;
}

void
context_ref_locked (struct vhdkit_context *ctx)
{
  ctx->refs++;
}

void
context_unref (struct vhdkit_context *ctx)
{
  bool last;

  mutex_lock (&ctx->lock);
  last = --ctx->refs == 0;
  mutex_unlock (&ctx->lock);
  if (!last)
    return;
  pthread_cond_destroy (&ctx->empty);
  pthread_cond_destroy (&ctx->work);
  pthread_mutex_destroy (&ctx->lock);
  free (ctx);
}

struct vhdkit_context *
context_or_default (struct vhdkit_context *ctx)
{
  struct vhdkit_context *old, *new;

  if (ctx)
    return ctx;
  old = atomic_load (&default_context);
  if (old && old->pid == getpid ())
    return old;
  if (context_new (0, &new) == -1)
    return NULL;
  if (atomic_compare_exchange_strong (&default_context, &old, new))
    return new;
  /* Another thread was faster. */
  context_unref (new);
  return old;
}

int
context_check_open_locked (struct vhdkit_context *ctx)
{
  if (ctx->pid != getpid ()) {
    set_error (VHDKIT_ERR_WRONG_STATE, EBUSY,
               "the context was made before this process was forked: its "
               "threads are in the parent process");
    return -1;
  }
  if (ctx->shutting_down) {
    set_error (VHDKIT_ERR_SHUTTING_DOWN, ESHUTDOWN,
               "the context is being shut down and takes no new tasks");
    return -1;
  }
  return 0;
}

int
context_check_open (struct vhdkit_context *ctx)
{
  ctx = context_or_default (ctx);
  if (!ctx)
    return -1;
  LOCK_FOR_SCOPE (&ctx->lock);
  return context_check_open_locked (ctx);
}

/* The list. */

void
context_add_locked (struct vhdkit_context *ctx, struct vhdkit_task *t)
{
  t->prev = ctx->last;
  t->next = NULL;
  if (ctx->last)
    ctx->last->next = t;
  else
    ctx->first = t;
  ctx->last = t;
  ctx->nr_tasks++;
  ctx->nr_waiting++;
}

void
context_remove_locked (struct vhdkit_context *ctx, struct vhdkit_task *t)
{
  if (t->prev)
    t->prev->next = t->next;
  else
    ctx->first = t->next;
  if (t->next)
    t->next->prev = t->prev;
  else
    ctx->last = t->prev;
  t->prev = t->next = NULL;
  if (!t->claimed)
    ctx->nr_waiting--;
  if (--ctx->nr_tasks == 0)
    pthread_cond_broadcast (&ctx->empty);
}

void
context_claim_task_locked (struct vhdkit_context *ctx, struct vhdkit_task *t)
{
  t->claimed = true;
  ctx->nr_waiting--;
}

struct vhdkit_task *
context_claim_locked (struct vhdkit_context *ctx)
{
  struct vhdkit_task *t;

  /* Before the first that waits there are at most as many as threads. */
  for (t = ctx->first; t; t = t->next)
    if (!t->claimed) {
      context_claim_task_locked (ctx, t);
      break;
    }
  return t;
}

size_t
context_count (struct vhdkit_context *ctx)
{
  LOCK_FOR_SCOPE (&ctx->lock);
  return ctx->nr_tasks;
}

int
context_item (struct vhdkit_context *ctx, size_t index,
              struct vhdkit_task **ret_task)
{
  struct vhdkit_task *t;
  size_t n;

  LOCK_FOR_SCOPE (&ctx->lock);
  for (n = 0, t = ctx->first; t && n < index; n++)
    t = t->next;
  if (!t) {
    set_error (VHDKIT_ERR_BAD_INDEX, EINVAL,
               "there is no running task %zu: %zu run, counted from 0", index,
               ctx->nr_tasks);
    return -1;
  }
  *ret_task = task_ref_locked (t);
  return 0;
}

int
context_list (struct vhdkit_context *ctx, struct vhdkit_task ***ret_tasks,
              size_t *ret_count)
{
  struct vhdkit_task *t, **tasks;
  size_t n = 0;

  LOCK_FOR_SCOPE (&ctx->lock);
  /* One more: malloc of nothing may give NULL. */
  tasks = malloc ((ctx->nr_tasks + 1) * sizeof *tasks);
  if (!tasks) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "no memory for a list of tasks");
    return -1;
  }
  for (t = ctx->first; t; t = t->next)
    tasks[n++] = task_ref_locked (t);
  *ret_tasks = tasks;
  *ret_count = n;
  return 0;
}

/* The end. */

void
context_drop_waiting (struct vhdkit_context *ctx, enum vhdkit_error code,
                      int err, const char *what)
{
  struct vhdkit_task *t;

  for (;;) {
    mutex_lock (&ctx->lock);
    t = context_claim_locked (ctx);
    mutex_unlock (&ctx->lock);
    if (!t)
      return;
    task_drop (t, code, err, what);
  }
}

void
context_shutdown (struct vhdkit_context *ctx)
{
  struct vhdkit_task *t;

  mutex_lock (&ctx->lock);
  ctx->shutting_down = true;
  for (t = ctx->first; t; t = t->next)
    if (t->cancelable && t->claimed)
      task_ask_to_end_locked (t, CANCEL_SHUTDOWN);
  pthread_cond_broadcast (&ctx->work);
  mutex_unlock (&ctx->lock);
  context_drop_waiting (ctx, VHDKIT_ERR_SHUTTING_DOWN, ESHUTDOWN,
                        "did not begin, because the context was shut down");
}

void
context_free (struct vhdkit_context *ctx)
{
  /* In the child of a fork there is no one to wait for, and the lock may be
   * held by a thread that does not exist. */
  if (ctx->pid != getpid ())
    return;
  context_shutdown (ctx);
  mutex_lock (&ctx->lock);
  while (ctx->nr_tasks > 0)
    pthread_cond_wait (&ctx->empty, &ctx->lock);
  mutex_unlock (&ctx->lock);
  worker_join_all (ctx);
  if (ctx != atomic_load (&default_context))
    context_unref (ctx);
}
