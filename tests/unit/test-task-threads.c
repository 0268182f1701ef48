/* vhdkit tests: contexts, the threads behind tasks, their deaths, and many
 * callers at once.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"

#include <dirent.h>
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "task-ops.h"
#include "tasks/internal.h"

#if defined __SANITIZE_THREAD__
#define TSAN 1
#elif defined __has_feature
#if __has_feature (thread_sanitizer)
#define TSAN 1
#endif
#endif
#ifndef TSAN
#define TSAN 0
#endif

/* The program's own function goes before that of the C library. */
static atomic_bool no_threads;  /* none can be started */

int
pthread_create (pthread_t *thread, const pthread_attr_t *attr,
                void *(*main_fn) (void *), void *arg)
{
  static int (*real) (pthread_t *, const pthread_attr_t *, void *(*) (void *),
                      void *);

  if (no_threads)
    return EAGAIN;
  if (!real)
    *(void **) &real = dlsym (RTLD_NEXT, "pthread_create");
  return real (thread, attr, main_fn, arg);
}

static int
nothing (void *opaque, const struct progress *progress)
{
  (void) opaque;
  (void) progress;
  return 0;
}

static int
count_threads (void)
{
  DIR *d = opendir ("/proc/self/task");
  int n = 0;

  assert_non_null (d);
  while (readdir (d))
    n++;
  closedir (d);
  return n - 2;
}

/* The kernel shows a thread for a moment after it was joined. */
static void
assert_threads (int expected)
{
  int i;

  for (i = 0; count_threads () != expected && i < 100000; i++)
    usleep (1000);
  assert_int_equal (count_threads (), expected);
}

/* Threads. */

/* A sanitizer may start a thread of its own with the first of ours. */
static void *
no_work (void *opaque)
{
  return opaque;
}

static int
warm_up (void **state)
{
  pthread_t thread;

  (void) state;
  if (pthread_create (&thread, NULL, no_work, NULL) != 0)
    return -1;
  pthread_join (thread, NULL);
  usleep (50000);
  return 0;
}

static void
threads_start_when_needed (void **state)
{
  enum { THREADS = 3, TASKS = 5 };
  int before = count_threads (), i, running;
  vhdkit_context *ctx = new_context (THREADS);
  struct gate g[TASKS] = { { .open = false } };
  vhdkit_task *t[TASKS];

  (void) state;
  assert_threads (before);
  for (i = 0; i < TASKS; i++) {
    t[i] = start_gate (ctx, &g[i], true);
    if (i < THREADS)
      assert_threads (before + i + 1);
  }
  for (i = 0; i < THREADS; i++)
    wait_until (&g[i].started, 1);
  assert_threads (before + THREADS);
  usleep (20000);
  for (i = running = 0; i < TASKS; i++)
    running += g[i].started;
  assert_int_equal (running, THREADS);

  /* Those that wait get their turn, in order. */
  g[1].open = true;
  wait_until (&g[THREADS].started, 1);
  assert_int_equal (g[TASKS - 1].started, 0);
  for (i = 0; i < TASKS; i++)
    g[i].open = true;
  for (i = 0; i < TASKS; i++) {
    assert_ended (t[i], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
    vhdkit_task_free (t[i]);
  }
  vhdkit_context_free (ctx);
  assert_threads (before);
}

static unsigned
count_idle (vhdkit_context *ctx)
{
  LOCK_FOR_SCOPE (&ctx->lock);

  return ctx->nr_idle;
}

static void
an_idle_thread_is_used_again (void **state)
{
  vhdkit_context *ctx = new_context (4);
  int before = count_threads (), i;

  (void) state;
  for (i = 0; i < 20; i++) {
    vhdkit_task *t = start (ctx, nothing);

    assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
    vhdkit_task_free (t);
    while (count_idle (ctx) == 0)
      usleep (1000);
  }
  assert_threads (before + 1);
  vhdkit_context_free (ctx);
}

static int
look_at_signals (void *opaque, const struct progress *progress)
{
  sigset_t *set = opaque;

  (void) progress;
  return pthread_sigmask (SIG_SETMASK, NULL, set);
}

static void
signals_are_for_the_program (void **state)
{
  vhdkit_context *ctx = new_context (1);
  vhdkit_task *t;
  sigset_t set;

  (void) state;
  sigemptyset (&set);
  assert_ok (task_start (ctx, "test", "a test", true, look_at_signals, NULL,
                         &set, &t));
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_true (sigismember (&set, SIGINT));
  assert_true (sigismember (&set, SIGTERM));
  assert_true (sigismember (&set, SIGCHLD));
  assert_true (sigismember (&set, SIGUSR1));
  assert_false (sigismember (&set, SIGSEGV));
  vhdkit_task_free (t);
  vhdkit_context_free (ctx);
  /* Ours are as they were. */
  assert_int_equal (pthread_sigmask (SIG_SETMASK, NULL, &set), 0);
  assert_false (sigismember (&set, SIGINT));
}

/* A thread that ends inside an operation. */

static int
exit_thread (void *opaque, const struct progress *progress)
{
  (void) opaque;
  progress->fn (progress->opaque, 30, 100);
  pthread_exit (NULL);
}

static int
be_cancelled (void *opaque, const struct progress *progress)
{
  (void) opaque;
  progress->fn (progress->opaque, 30, 100);
  pthread_cancel (pthread_self ());
  /* Not in a system call: ThreadSanitizer loses its way there. */
  pthread_testcancel ();
  return 0;
}

static void
death_of (task_fn run)
{
  vhdkit_context *ctx = new_context (1);
  struct gate g = { .open = true }, doomed = { .open = false };
  vhdkit_task *dead, *next, *later;
  struct pollfd p = { .events = POLLIN };

  assert_ok (task_start (ctx, "test", "a doomed one", true, run, gate_free,
                         &doomed, &dead));
  p.fd = vhdkit_task_fd (dead);
  /* It waits behind the one that dies. */
  next = start_gate (ctx, &g, true);
  assert_ended (dead, VHDKIT_RESULT_THREAD_CRASH, VHDKIT_ERR_UNEXPECTED);
  assert_last_error (VHDKIT_ERR_UNEXPECTED, "a doomed one", "thread ended");
  assert_int_equal (doomed.freed, 1);
  assert_int_equal (poll (&p, 1, 0), 1);
  assert_int_equal (vhdkit_task_percent (dead), 30);
  assert_ended (next, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_int_equal (g.freed, 1);

  /* And the pool is as good as new. */
  later = start (ctx, nothing);
  assert_ended (later, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_int_equal (vhdkit_tasks_count (ctx), 0);
  vhdkit_task_free (dead);
  vhdkit_task_free (next);
  vhdkit_task_free (later);
  vhdkit_context_free (ctx);
}

static void
a_thread_that_exits_is_replaced (void **state)
{
  int i;

  (void) state;
  for (i = 0; i < 20; i++)
    death_of (exit_thread);
}

static void
a_thread_that_is_cancelled_is_replaced (void **state)
{
  int i;

  (void) state;
  for (i = 0; i < 20; i++)
    death_of (be_cancelled);
}

/* The cancellation arrives when there is nothing left to interrupt. */
static int
be_cancelled_too_late (void *opaque, const struct progress *progress)
{
  (void) opaque;
  (void) progress;
  pthread_cancel (pthread_self ());
  return 0;
}

static int
look_for_cancellation (void *opaque, const struct progress *progress)
{
  (void) opaque;
  (void) progress;
  pthread_testcancel ();
  return 0;
}

static void
a_late_cancellation_hurts_no_other_task (void **state)
{
  vhdkit_context *ctx = new_context (1);
  vhdkit_task *t[2];
  int i;

  (void) state;
  for (i = 0; i < 10; i++) {
    t[0] = start (ctx, be_cancelled_too_late);
    t[1] = start (ctx, look_for_cancellation);
    assert_ended (t[0], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
    assert_ended (t[1], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
    vhdkit_task_free (t[0]);
    vhdkit_task_free (t[1]);
  }
  vhdkit_context_free (ctx);
}

/* When no thread can be started. */

static void
without_threads_nothing_starts (void **state)
{
  vhdkit_context *ctx = new_context (2);
  struct gate g[2] = { { .open = false } };
  vhdkit_task *t[2] = { NULL };

  (void) state;
  no_threads = true;
  assert_int_equal (task_start (ctx, "gate", NULL, true, gate_run, gate_free,
                                &g[0], &t[0]), -1);
  assert_last_error (VHDKIT_ERR_NO_MEMORY, "thread");
  assert_null (t[0]);
  assert_int_equal (g[0].freed, 0);
  assert_int_equal (vhdkit_tasks_count (ctx), 0);

  /* One thread is enough. */
  no_threads = false;
  t[0] = start_gate (ctx, &g[0], true);
  no_threads = true;
  t[1] = start_gate (ctx, &g[1], true);
  g[0].open = g[1].open = true;
  assert_ended (t[0], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_ended (t[1], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  no_threads = false;
  vhdkit_task_free (t[0]);
  vhdkit_task_free (t[1]);
  vhdkit_context_free (ctx);
}

static int
exit_when_open (void *opaque, const struct progress *progress)
{
  gate_run (opaque, progress);
  pthread_exit (NULL);
}

static void
the_last_thread_dies_without_a_successor (void **state)
{
  vhdkit_context *ctx = new_context (1);
  struct gate g[3] = { { .open = false } };
  vhdkit_task *t[4];
  int i;

  (void) state;
  assert_ok (task_start (ctx, "test", "a doomed one", true, exit_when_open,
                         gate_free, &g[0], &t[0]));
  for (i = 1; i < 3; i++)
    t[i] = start_gate (ctx, &g[i], false);
  no_threads = true;
  g[0].open = true;
  assert_ended (t[0], VHDKIT_RESULT_THREAD_CRASH, VHDKIT_ERR_UNEXPECTED);
  for (i = 1; i < 3; i++) {
    assert_ended (t[i], VHDKIT_RESULT_OUT_OF_MEMORY, VHDKIT_ERR_NO_MEMORY);
    assert_last_error (VHDKIT_ERR_NO_MEMORY, "a gate", "did not begin");
    assert_int_equal (g[i].started, 0);
    assert_int_equal (g[i].freed, 1);
  }
  no_threads = false;
  t[3] = start (ctx, nothing);
  assert_ended (t[3], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  for (i = 0; i < 4; i++)
    vhdkit_task_free (t[i]);
  vhdkit_context_free (ctx);
}

/* Shutting down. */

static void
shutdown_aborts_tasks (void **state)
{
  vhdkit_context *ctx = new_context (2);
  struct gate g[4] = { { .open = false } };
  vhdkit_task *t[4], *new = NULL;
  int i;

  (void) state;
  t[0] = start_gate (ctx, &g[0], true);
  t[1] = start_gate (ctx, &g[1], false);        /* cannot be stopped */
  wait_until (&g[0].started, 1);
  wait_until (&g[1].started, 1);
  t[2] = start_gate (ctx, &g[2], true);         /* these have not begun */
  t[3] = start_gate (ctx, &g[3], false);
  assert_ok (context_check_open (ctx));

  set_error (VHDKIT_ERR_EXISTS, EEXIST, "something else");
  vhdkit_context_shutdown (ctx);
  assert_last_error (VHDKIT_ERR_EXISTS, "something else");
  assert_int_equal (task_start (ctx, "test", "late", true, nothing, gate_free,
                                &g[0], &new), -1);
  assert_last_error (VHDKIT_ERR_SHUTTING_DOWN, "shut down");
  assert_null (new);
  assert_int_equal (context_check_open (ctx), -1);
  assert_last_error (VHDKIT_ERR_SHUTTING_DOWN, "shut down");
  assert_int_equal (vhdkit_error_hresult (VHDKIT_ERR_SHUTTING_DOWN),
                    0xa0040209);

  assert_ended (t[0], VHDKIT_RESULT_SHUTDOWN_ABORT, VHDKIT_ERR_SHUTTING_DOWN);
  assert_int_equal (vhdkit_task_cancel (t[0]), -1);
  assert_last_error (VHDKIT_ERR_CANCELLED, "already");
  for (i = 2; i < 4; i++) {
    assert_int_equal (vhdkit_task_is_complete (t[i]), 1);
    assert_ended (t[i], VHDKIT_RESULT_SHUTDOWN_ABORT,
                  VHDKIT_ERR_SHUTTING_DOWN);
    assert_int_equal (g[i].started, 0);
  }
  assert_int_equal (vhdkit_task_is_complete (t[1]), 0);
  g[1].open = true;
  assert_ended (t[1], VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  vhdkit_context_shutdown (ctx);
  for (i = 0; i < 4; i++) {
    assert_int_equal (g[i].freed, 1);
    vhdkit_task_free (t[i]);
  }
  vhdkit_context_free (ctx);
}

static void
who_was_cancelled_before_stays_cancelled (void **state)
{
  vhdkit_context *ctx = new_context (1);
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (ctx, &g, true);

  (void) state;
  wait_until (&g.started, 1);
  assert_ok (vhdkit_task_cancel (t));
  vhdkit_context_shutdown (ctx);
  assert_ended (t, VHDKIT_RESULT_CANCELLED, VHDKIT_ERR_CANCELLED);
  vhdkit_task_free (t);
  vhdkit_context_free (ctx);
}

/* 1: it has begun, 2: it is about to end. */
static int
slow_end (void *opaque, const struct progress *progress)
{
  atomic_int *at = opaque;

  (void) progress;
  *at = 1;
  usleep (100000);
  *at = 2;
  return 0;
}

static void
free_waits_for_what_runs (void **state)
{
  vhdkit_context *ctx = new_context (1);
  atomic_int at = 0;
  vhdkit_task *t;
  int i;

  (void) state;
  assert_ok (task_start (ctx, "test", "slow", false, slow_end, NULL, &at, &t));
  for (i = 0; at == 0 && i < 100000; i++)
    usleep (1000);
  vhdkit_context_free (ctx);
  assert_int_equal (at, 2);
  /* The task outlives its context. */
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_int_equal (vhdkit_task_cancel (t), -1);
  assert_last_error (VHDKIT_ERR_CANCEL_TOO_LATE, "complete");
  assert_true (vhdkit_task_fd (t) >= 0);
  vhdkit_task_free (t);
}

static void
a_free_context_was_never_used (void **state)
{
  vhdkit_context *ctx;

  (void) state;
  assert_ok (vhdkit_context_new (NULL, &ctx));
  assert_int_equal (vhdkit_tasks_count (ctx), 0);
  vhdkit_context_free (ctx);
}

static void
nobody_needs_to_hold_a_task (void **state)
{
  vhdkit_context *ctx = new_context (1);
  struct gate g[2] = { { .open = false } };
  vhdkit_task *t = start_gate (ctx, &g[0], true);

  (void) state;
  wait_until (&g[0].started, 1);
  vhdkit_task_free (t);
  assert_ok (task_start (ctx, "gate", "detached", true, gate_run, gate_free,
                         &g[1], NULL));
  assert_int_equal (vhdkit_tasks_count (ctx), 2);
  g[0].open = g[1].open = true;
  wait_until (&g[0].freed, 1);
  wait_until (&g[1].freed, 1);
  assert_int_equal (g[1].ended, 1);
  vhdkit_context_free (ctx);
}

/* The default context. */

static void
null_is_the_default_context (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (NULL, &g, true), *item;

  (void) state;
  assert_non_null (vhdkit_context_default ());
  assert_ptr_equal (vhdkit_context_default (), vhdkit_context_default ());
  assert_int_equal (vhdkit_tasks_count (NULL), 1);
  assert_int_equal (vhdkit_tasks_count (vhdkit_context_default ()), 1);
  assert_ok (vhdkit_tasks_item (NULL, 0, &item));
  vhdkit_task_free (item);
  assert_ok (context_check_open (NULL));
  g.open = true;
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  vhdkit_task_free (t);
}

/* In the child of a fork: the old context refuses, the default one is new. */
static int
child_of_fork (vhdkit_context *old)
{
  vhdkit_context *own;
  vhdkit_task *t;

  alarm (200);
  if (task_start (old, "test", "a test", true, nothing, NULL, NULL, &t) != -1
      || vhdkit_get_error_code () != VHDKIT_ERR_WRONG_STATE)
    return 1;
  vhdkit_context_free (old);
  if (task_start (NULL, "test", "a test", true, nothing, NULL, NULL, &t) == -1
      || vhdkit_task_wait (t, 90000) == -1)
    return 2;
  vhdkit_task_free (t);
  if (vhdkit_context_new (NULL, &own) == -1
      || task_start (own, "test", "a test", true, nothing, NULL, NULL, &t) == -1
      || vhdkit_task_wait (t, 90000) == -1)
    return 3;
  vhdkit_task_free (t);
  vhdkit_context_free (own);
  return 0;
}

static void
a_fork_leaves_threads_behind (void **state)
{
  vhdkit_context *ctx = new_context (1);
  vhdkit_task *t = start (ctx, nothing);
  int status;
  pid_t pid;

  (void) state;
  assert_ok (vhdkit_task_wait (t, -1));
  vhdkit_task_free (t);
  assert_non_null (vhdkit_context_default ());
  if (TSAN) {                   /* starts no threads after a fork */
    vhdkit_context_free (ctx);
    skip ();
  }
  pid = fork ();
  assert_int_not_equal (pid, -1);
  if (pid == 0)
    _exit (child_of_fork (ctx));
  assert_int_equal (waitpid (pid, &status, 0), pid);
  assert_int_equal (status, 0);
  vhdkit_context_free (ctx);
}

/* Many callers at once. */

enum { CALLERS = 6, ROUNDS = 150 };

static int
short_work (void *opaque, const struct progress *progress)
{
  uintptr_t what = (uintptr_t) opaque;
  int i;

  for (i = 0; i < 20; i++) {
    if (progress->fn (progress->opaque, i, 20)) {
      set_error (VHDKIT_ERR_CANCELLED, ECANCELED, "short work cancelled");
      return -1;
    }
    if (what % 5 == 3 && i == 10) {
      set_error (VHDKIT_ERR_IO, EIO, "failure %zu", (size_t) what);
      return -1;
    }
    if (what % 29 == 7 && i == 10)
      pthread_exit (NULL);
  }
  return 0;
}

static void
look_around (vhdkit_context *ctx)
{
  vhdkit_task **list, *item;
  size_t n, i;

  assert_ok (vhdkit_tasks_list (ctx, &list, &n));
  for (i = 0; i < n; i++) {
    struct vhdkit_task_info s = status_of (list[i]);

    assert_in_range (s.percent, 0, 100);
    assert_true (i == 0 || s.id > vhdkit_task_id (list[i - 1]));
    if (s.id % 7 == 0)
      (void) vhdkit_task_cancel (list[i]);
  }
  for (i = 0; i < n; i++)
    vhdkit_task_free (list[i]);
  free (list);
  if (vhdkit_tasks_item (ctx, 0, &item) == 0) {
    (void) vhdkit_task_wait (item, 1);
    vhdkit_task_free (item);
  }
}

static void *
caller (void *opaque)
{
  vhdkit_context *ctx = opaque;
  vhdkit_task *t;
  uintptr_t i;

  for (i = 0; i < ROUNDS; i++) {
    assert_ok (task_start (ctx, "work", NULL, true, short_work, NULL,
                           (void *) i, i % 11 == 5 ? NULL : &t));
    if (i % 11 == 5)
      continue;
    if (i % 3 == 0)
      assert_true (vhdkit_task_fd (t) >= 0);
    if (i % 4 == 1)
      (void) vhdkit_task_cancel (t);
    if (i % 10 == 0)
      look_around (ctx);
    if (i % 6 != 4) {
      assert_ok (vhdkit_task_wait (t, -1));
      assert_int_not_equal (vhdkit_task_result (t), VHDKIT_RESULT_NONE);
      if (vhdkit_task_result (t) == VHDKIT_RESULT_SUCCESS)
        assert_int_equal (vhdkit_task_percent (t), 100);
    }
    vhdkit_task_free (t);
  }
  return NULL;
}

static void
many_callers_at_once (void **state)
{
  vhdkit_context *ctx = new_context (3);
  pthread_t threads[CALLERS];
  int i;

  (void) state;
  for (i = 0; i < CALLERS; i++)
    assert_int_equal (pthread_create (&threads[i], NULL, caller, ctx), 0);
  for (i = 0; i < CALLERS; i++)
    pthread_join (threads[i], NULL);
  vhdkit_context_free (ctx);
}

struct waiter {
  vhdkit_task *task;
  atomic_int returned;
};

static void *
wait_for_it (void *opaque)
{
  struct waiter *w = opaque;

  assert_ok (vhdkit_task_wait (w->task, -1));
  /* The error arrives in each thread that waited. */
  assert_last_error (VHDKIT_ERR_DISK_FULL, "all is full");
  w->returned++;
  return NULL;
}

static void
all_who_wait_are_woken (void **state)
{
  vhdkit_context *ctx = new_context (1);
  struct gate g = { .open = false, .fail = VHDKIT_ERR_DISK_FULL,
                    .fail_errno = ENOSPC, .fail_text = "all is full" };
  struct waiter w = { .task = start_gate (ctx, &g, true) };
  pthread_t threads[CALLERS];
  int i;

  (void) state;
  for (i = 0; i < CALLERS; i++)
    assert_int_equal (pthread_create (&threads[i], NULL, wait_for_it, &w), 0);
  usleep (20000);
  assert_int_equal (w.returned, 0);
  g.open = true;
  for (i = 0; i < CALLERS; i++)
    pthread_join (threads[i], NULL);
  assert_int_equal (w.returned, CALLERS);
  vhdkit_task_free (w.task);
  vhdkit_context_free (ctx);
}

/* Shutting down and freeing while tasks start, run and end. */
static void *
start_until_refused (void *opaque)
{
  vhdkit_context *ctx = opaque;
  vhdkit_task *t;
  uintptr_t i = 0;

  while (task_start (ctx, "work", NULL, true, short_work, NULL, (void *) i++,
                     &t) == 0)
    vhdkit_task_free (t);
  assert_last_error (VHDKIT_ERR_SHUTTING_DOWN, "shut down");
  return NULL;
}

static void
shutdown_in_the_middle (void **state)
{
  pthread_t threads[CALLERS];
  vhdkit_context *ctx;
  int round, i;

  (void) state;
  for (round = 0; round < 10; round++) {
    ctx = new_context (2);
    for (i = 0; i < CALLERS; i++)
      assert_int_equal (pthread_create (&threads[i], NULL, start_until_refused,
                                        ctx), 0);
    usleep (5000);
    vhdkit_context_shutdown (ctx);
    for (i = 0; i < CALLERS; i++)
      pthread_join (threads[i], NULL);
    vhdkit_context_free (ctx);
  }
}

/* Last: the default context does not come back. */
static void
the_default_context_can_be_emptied (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (NULL, &g, true);

  (void) state;
  vhdkit_context_free (vhdkit_context_default ());
  assert_ended (t, VHDKIT_RESULT_SHUTDOWN_ABORT, VHDKIT_ERR_SHUTTING_DOWN);
  vhdkit_task_free (t);
  assert_int_equal (context_check_open (NULL), -1);
  assert_last_error (VHDKIT_ERR_SHUTTING_DOWN, "shut down");
  vhdkit_context_free (vhdkit_context_default ());
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (threads_start_when_needed),
    cmocka_unit_test (an_idle_thread_is_used_again),
    cmocka_unit_test (signals_are_for_the_program),
    cmocka_unit_test (a_thread_that_exits_is_replaced),
    cmocka_unit_test (a_thread_that_is_cancelled_is_replaced),
    cmocka_unit_test (a_late_cancellation_hurts_no_other_task),
    cmocka_unit_test (without_threads_nothing_starts),
    cmocka_unit_test (the_last_thread_dies_without_a_successor),
    cmocka_unit_test (shutdown_aborts_tasks),
    cmocka_unit_test (who_was_cancelled_before_stays_cancelled),
    cmocka_unit_test (free_waits_for_what_runs),
    cmocka_unit_test (a_free_context_was_never_used),
    cmocka_unit_test (nobody_needs_to_hold_a_task),
    cmocka_unit_test (null_is_the_default_context),
    cmocka_unit_test (a_fork_leaves_threads_behind),
    cmocka_unit_test (many_callers_at_once),
    cmocka_unit_test (all_who_wait_are_woken),
    cmocka_unit_test (shutdown_in_the_middle),
    cmocka_unit_test (the_default_context_can_be_emptied),
  };

  return cmocka_run_group_tests (tests, warm_up, NULL);
}
