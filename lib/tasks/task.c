/* vhdkit: a task: one operation, how far it is, and what became of it.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * waiting -> claimed -> done.  Everything that changes is guarded by the lock
 * of the context; the result and the error are written once, before done, and
 * may be read without the lock by whoever has seen done.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "tasks/internal.h"
#include "tasks/tasks.h"
#include "vhdkit.h"

/* The limit of Virtual Server's WaitForCompletion. */
#define MAX_TIMEOUT_MS 4000000

static _Atomic uint64_t last_id;

/* What this thread is at, to know an operation that waits for itself. */
static __thread struct vhdkit_task *running;

static void
signal_fd (int fd)
{
  const uint64_t one = 1;
  ssize_t r;

  if (fd == -1)
    return;
  /* Fails only if the counter is at its end, and then it is readable. */
  r = write (fd, &one, sizeof one);
  (void) r;
}

static void
free_task (struct vhdkit_task *t)
{
  if (t->done_fd != -1)
    close (t->done_fd);
  pthread_cond_destroy (&t->completed);
  error_discard (&t->error);
  free (t->description);
  free (t->kind);
  free (t);
}

struct vhdkit_task *
task_ref_locked (struct vhdkit_task *t)
{
  t->refs++;
  return t;
}

void
task_unref (struct vhdkit_task *t)
{
  struct vhdkit_context *ctx = t->ctx;
  bool last;

  mutex_lock (&ctx->lock);
  last = --t->refs == 0;
  mutex_unlock (&ctx->lock);
  if (!last)
    return;
  free_task (t);
  context_unref (ctx);
}

/* What the operation is given. */

/* 0 to 99. */
static int
percent_of (uint64_t done, uint64_t total)
{
  if (total == 0)
    return 0;
  if (done >= total)
    return 99;
  if (total > UINT64_MAX / 100) {
    done /= 100;
    total = total / 100 + 1;
  }
  return done * 100 / total;
}

static int
on_progress (void *opaque, uint64_t done, uint64_t total)
{
  struct vhdkit_task *t = opaque;
  int percent = percent_of (done, total);

  LOCK_FOR_SCOPE (&t->ctx->lock);
  t->done_bytes = done;
  t->total_bytes = total;
  if (percent > t->percent)
    t->percent = percent;
  return t->cancel != CANCEL_NO;
}

/* Start. */

static struct vhdkit_task *
new_task (const char *kind, const char *description)
{
  struct vhdkit_task *t = calloc (1, sizeof *t);
  pthread_condattr_t attr;

  if (!t)
    goto no_memory;
  t->done_fd = -1;
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&t->completed, &attr);
  pthread_condattr_destroy (&attr);
  t->result = VHDKIT_RESULT_NONE;
  t->kind = strdup (kind);
  t->description = strdup (description && *description ? description : kind);
  if (t->kind && t->description)
    return t;
  free_task (t);
 no_memory:
  set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "no memory for a task");
  return NULL;
}

/* The context's reference, and the caller's if there is to be one. */
static int
enter_task (struct vhdkit_context *ctx, struct vhdkit_task *t, bool keep)
{
  LOCK_FOR_SCOPE (&ctx->lock);
  if (context_check_open_locked (ctx) == -1)
    return -1;
  context_add_locked (ctx, t);
  if (worker_provide_locked (ctx) == -1) {
    context_remove_locked (ctx, t);
    return -1;
  }
  context_ref_locked (ctx);
  t->ctx = ctx;
  t->refs = 1 + keep;
  /* Under the lock, so that ids grow along the list. */
  t->id = atomic_fetch_add (&last_id, 1) + 1;
  return 0;
}

int
task_start (struct vhdkit_context *ctx, const char *kind,
            const char *description, bool cancelable, task_fn run,
            void (*free_opaque) (void *), void *opaque,
            struct vhdkit_task **ret_task)
{
  struct vhdkit_task *t;

  assert (kind && *kind && run);
  ctx = context_or_default (ctx);
  if (!ctx)
    return -1;
  t = new_task (kind, description);
  if (!t)
    return -1;
  t->cancelable = cancelable;
  t->run = run;
  t->free_opaque = free_opaque;
  t->opaque = opaque;
  t->progress.fn = on_progress;
  t->progress.opaque = t;
  if (enter_task (ctx, t, ret_task != NULL) == -1) {
    free_task (t);
    return -1;
  }
  if (ret_task)
    *ret_task = t;
  return 0;
}

/* End. */

/* e is taken over. */
static void
complete (struct vhdkit_task *t, enum vhdkit_task_result result,
          const struct saved_error *e)
{
  struct vhdkit_context *ctx = t->ctx;

  /* Complete means that nothing is in use any more. */
  if (t->free_opaque)
    t->free_opaque (t->opaque);

  mutex_lock (&ctx->lock);
  t->result = result;
  t->error = *e;
  if (result == VHDKIT_RESULT_SUCCESS)
    t->percent = 100;
  t->done = true;
  context_remove_locked (ctx, t);
  pthread_cond_broadcast (&t->completed);
  signal_fd (t->done_fd);
  mutex_unlock (&ctx->lock);
  task_unref (t);
}

static bool
is_cancelled_by_shutdown (struct vhdkit_task *t)
{
  LOCK_FOR_SCOPE (&t->ctx->lock);
  return t->cancel == CANCEL_SHUTDOWN;
}

static void __attribute__ ((noinline))
succeeded (struct vhdkit_task *t)
{
  complete (t, VHDKIT_RESULT_SUCCESS,
            &(struct saved_error) { .code = VHDKIT_OK });
}

/* The thread's last error says why. */
static void __attribute__ ((noinline))
failed (struct vhdkit_task *t)
{
  struct saved_error e;

  if (vhdkit_get_error_code () == VHDKIT_ERR_CANCELLED
      && is_cancelled_by_shutdown (t))
    set_error (VHDKIT_ERR_SHUTTING_DOWN, ESHUTDOWN,
               "%s: ended because the context was shut down", t->description);
  error_save (&e);
  complete (t, result_of_error (e.code), &e);
}

/* When a thread is cancelled in here, nothing unwinds this stack frame for
 * AddressSanitizer: no variables with an address, not by inlining either. */
void
task_run (struct vhdkit_task *t)
{
  int r;

  /* Not what an earlier task of this thread left behind. */
  set_error (VHDKIT_ERR_UNEXPECTED, EIO,
             "%s: the operation failed and did not say why", t->description);
  running = t;
  pthread_setcancelstate (PTHREAD_CANCEL_ENABLE, NULL);
  r = t->run (t->opaque, &t->progress);
  pthread_setcancelstate (PTHREAD_CANCEL_DISABLE, NULL);
  running = NULL;

  if (r == 0)
    succeeded (t);
  else
    failed (t);
}

/* The error of a task that the calling thread did not run: its own last error
 * stays what it was. */
static void
make_error (struct saved_error *ret_e, const struct vhdkit_task *t,
            enum vhdkit_error code, int err, const char *what)
{
  ret_e->code = code;
  ret_e->err = err;
  if (asprintf (&ret_e->text, "%s: %s", t->description, what) == -1)
    ret_e->text = NULL;
}

void
task_crashed (struct vhdkit_task *t)
{
  struct saved_error e;

  make_error (&e, t, VHDKIT_ERR_UNEXPECTED, EIO,
              "the thread ended inside the operation");
  complete (t, VHDKIT_RESULT_THREAD_CRASH, &e);
}

void
task_drop (struct vhdkit_task *t, enum vhdkit_error code, int err,
           const char *what)
{
  struct saved_error e;

  make_error (&e, t, code, err, what);
  complete (t, result_of_error (code), &e);
}

/* What others do with it. */

void
task_ask_to_end_locked (struct vhdkit_task *t, enum cancel_state how)
{
  if (t->cancel == CANCEL_NO)
    t->cancel = how;
}

/* -1 with why it cannot be cancelled. */
static int
check_cancel_locked (struct vhdkit_task *t)
{
  bool asked = t->done ? t->result == VHDKIT_RESULT_CANCELLED
                         || t->result == VHDKIT_RESULT_SHUTDOWN_ABORT
                       : t->cancel != CANCEL_NO;

  if (asked)
    set_error (VHDKIT_ERR_CANCELLED, ECANCELED, "%s: was already cancelled",
               t->description);
  else if (t->done)
    set_error (VHDKIT_ERR_CANCEL_TOO_LATE, EALREADY,
               "%s: is complete and can no longer be cancelled",
               t->description);
  else if (!t->cancelable)
    set_error (VHDKIT_ERR_NOT_CANCELABLE, ENOTSUP, "%s: cannot be cancelled",
               t->description);
  else
    return 0;
  return -1;
}

int
task_cancel (struct vhdkit_task *t)
{
  struct vhdkit_context *ctx = t->ctx;
  bool waiting;
  int r;

  mutex_lock (&ctx->lock);
  r = check_cancel_locked (t);
  waiting = !t->claimed;
  if (r == 0) {
    task_ask_to_end_locked (t, CANCEL_ASKED);
    if (waiting)
      context_claim_task_locked (ctx, t);
  }
  mutex_unlock (&ctx->lock);
  if (r == 0 && waiting)
    task_drop (t, VHDKIT_ERR_CANCELLED, ECANCELED,
               "cancelled before it began");
  return r;
}

static struct timespec
after_ms (int ms)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  t.tv_sec += ms / 1000;
  t.tv_nsec += ms % 1000 * 1000000L;
  if (t.tv_nsec >= 1000000000L) {
    t.tv_sec++;
    t.tv_nsec -= 1000000000L;
  }
  return t;
}

/* Is it complete after that time? */
static bool
wait_done (struct vhdkit_task *t, int timeout_ms)
{
  pthread_mutex_t *lock = &t->ctx->lock;
  struct timespec end = after_ms (timeout_ms > 0 ? timeout_ms : 0);
  int r = timeout_ms == 0 ? ETIMEDOUT : 0;

  LOCK_FOR_SCOPE (lock);
  while (!t->done && r == 0)
    r = timeout_ms < 0 ? pthread_cond_wait (&t->completed, lock)
                       : pthread_cond_timedwait (&t->completed, lock, &end);
  return t->done;
}

int
task_wait (struct vhdkit_task *t, int timeout_ms)
{
  struct saved_error e;

  if (timeout_ms < -1 || timeout_ms > MAX_TIMEOUT_MS) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: cannot wait %d ms: from 0 to %d, or -1 for ever",
               t->description, timeout_ms, MAX_TIMEOUT_MS);
    return -1;
  }
  if (t == running) {
    set_error (VHDKIT_ERR_WRONG_STATE, EBUSY,
               "%s: an operation cannot wait for its own end",
               t->description);
    return -1;
  }
  if (!wait_done (t, timeout_ms)) {
    set_error (VHDKIT_ERR_TIMED_OUT, ETIMEDOUT,
               "%s: not complete after %d ms; it goes on", t->description,
               timeout_ms);
    return -1;
  }
  if (t->error.code != VHDKIT_OK) {
    e = t->error;
    e.text = e.text ? strdup (e.text) : NULL;
    error_restore (&e);
  }
  return 0;
}

int
task_fd (struct vhdkit_task *t)
{
  LOCK_FOR_SCOPE (&t->ctx->lock);
  if (t->done_fd != -1)
    return t->done_fd;
  /* Of one that is done it is readable from the beginning. */
  t->done_fd = eventfd (t->done, EFD_CLOEXEC | EFD_NONBLOCK);
  if (t->done_fd == -1)
    set_error_errno (errno, "%s: eventfd", t->description);
  return t->done_fd;
}

void
task_get_status (struct vhdkit_task *t, struct vhdkit_task_info *ret_status)
{
  LOCK_FOR_SCOPE (&t->ctx->lock);
  *ret_status = (struct vhdkit_task_info) {
    .struct_size = sizeof *ret_status,
    .id = t->id,
    .kind = t->kind,
    .description = t->description,
    .state = t->done ? VHDKIT_TASK_DONE : VHDKIT_TASK_RUNNING,
    .percent = t->percent,
    .cancelable = t->cancelable,
    .done_bytes = t->done_bytes,
    .total_bytes = t->total_bytes,
    .result = t->result,
    .error = t->done ? t->error.code : VHDKIT_ERR_PENDING,
    .error_errno = t->done ? t->error.err : EINPROGRESS,
    /* Without memory for a sentence, the name of the code. */
    .error_text = t->error.text ? t->error.text
      : t->error.code != VHDKIT_OK ? vhdkit_error_name (t->error.code) : "",
  };
}
