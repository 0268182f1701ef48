/* vhdkit: the threads of a context.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Threads are started when more tasks wait than threads are idle, up to the
 * limit, and end with the context.
 *
 * A thread may also end where it should not: an operation, or a library it
 * uses, calls pthread_exit, or someone cancels the thread.  Then a cleanup
 * handler completes the task, so that no one waits for ever, and starts
 * another thread if there is work for it.  Cancellation is let in only while
 * an operation runs.
 *
 * A thread that ends as it should is joined by worker_join_all; one that died
 * detaches itself.  Who may do which is decided by ctx->joining.
 */
#include <config.h>

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/thread.h"
#include "tasks/internal.h"

static void *worker_main (void *arg);

static int
start_locked (struct vhdkit_context *ctx)
{
  struct worker *w = calloc (1, sizeof *w);
  int r;

  if (!w) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "no memory for a thread");
    return -1;
  }
  w->ctx = ctx;
  r = thread_start (&w->thread, false, worker_main, w);
  if (r != 0) {
    free (w);
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "cannot start a thread: %s",
               strerror (r));
    return -1;
  }
  w->next = ctx->workers;
  ctx->workers = w;
  ctx->nr_workers++;
  return 0;
}

int
worker_provide_locked (struct vhdkit_context *ctx)
{
  /* Failing to start one more does not matter while there are others. */
  if (ctx->nr_waiting > ctx->nr_idle && ctx->nr_workers < ctx->max_workers
      && start_locked (ctx) == -1 && ctx->nr_workers == 0)
    return -1;
  pthread_cond_signal (&ctx->work);
  return 0;
}

static void
forget_locked (struct worker *w)
{
  struct worker **p = &w->ctx->workers;

  while (*p != w)
    p = &(*p)->next;
  *p = w->next;
}

/* The thread is ending where it should not. */
static void
worker_died (void *arg)
{
  struct worker *w = arg;
  struct vhdkit_context *ctx = w->ctx;
  struct vhdkit_task *t = w->task;
  bool nobody;

  mutex_lock (&ctx->lock);
  ctx->nr_workers--;
  nobody = worker_provide_locked (ctx) == -1;
  if (!ctx->joining) {
    forget_locked (w);
    pthread_detach (pthread_self ());
    free (w);
  }
  if (nobody)
    context_ref_locked (ctx);
  mutex_unlock (&ctx->lock);

  /* From here on the context lives only as long as someone counts. */
  if (nobody) {
    context_drop_waiting (ctx, VHDKIT_ERR_NO_MEMORY, ENOMEM,
                          "did not begin, because no thread could be started");
    context_unref (ctx);
  }
  if (t)
    task_crashed (t);
}

/* NULL: time to end.  What still waits then is dropped by who shuts down. */
static struct vhdkit_task *
next_task (struct vhdkit_context *ctx)
{
  struct vhdkit_task *t;

  LOCK_FOR_SCOPE (&ctx->lock);
  while (!ctx->shutting_down) {
    t = context_claim_locked (ctx);
    if (t)
      return t;
    ctx->nr_idle++;
    pthread_cond_wait (&ctx->work, &ctx->lock);
    ctx->nr_idle--;
  }
  return NULL;
}

/* A cancellation that arrived too late for one task is not for the next. */
static void
let_cancellation_act (void)
{
  pthread_setcancelstate (PTHREAD_CANCEL_ENABLE, NULL);
  pthread_testcancel ();
  pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, NULL);
}

static void *
worker_main (void *arg)
{
  struct worker *w = arg;

  pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, NULL);
  pthread_cleanup_push (worker_died, w);
  while ((w->task = next_task (w->ctx)) != NULL) {
    task_run (w->task);
    w->task = NULL;
    let_cancellation_act ();
  }
  pthread_cleanup_pop (0);
  return NULL;
}

void
worker_join_all (struct vhdkit_context *ctx)
{
  struct worker *w, *all;

  mutex_lock (&ctx->lock);
  ctx->joining = true;
  all = ctx->workers;
  ctx->workers = NULL;
  mutex_unlock (&ctx->lock);

  while ((w = all) != NULL) {
    all = w->next;
    pthread_join (w->thread, NULL);
    free (w);
  }
}
