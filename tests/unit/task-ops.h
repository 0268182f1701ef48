/* vhdkit tests: operations for tasks to run.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A gate runs until it is opened or cancelled, and counts what happens to it.
 */
#ifndef TASK_OPS_H
#define TASK_OPS_H

#include <assert.h>
#include <errno.h>
#include <stdatomic.h>
#include <time.h>

#include "base/error.h"
#include "tasks/tasks.h"
#include "unit.h"

struct gate {
  atomic_bool open;
  atomic_int started, ended, freed;
  enum vhdkit_error fail;       /* what it fails with when it is open */
  int fail_errno;
  const char *fail_text;
};

__attribute__ ((unused)) static int
gate_run (void *opaque, const struct progress *progress)
{
  struct gate *g = opaque;

  g->started++;
  while (!g->open) {
    if (progress->fn (progress->opaque, 0, 0)) {
      set_error (VHDKIT_ERR_CANCELLED, ECANCELED, "the gate was cancelled");
      g->ended++;
      return -1;
    }
    usleep (1000);
  }
  g->ended++;
  if (g->fail == VHDKIT_OK)
    return 0;
  set_error (g->fail, g->fail_errno, "%s", g->fail_text);
  return -1;
}

__attribute__ ((unused)) static void
gate_free (void *opaque)
{
  struct gate *g = opaque;

  g->freed++;
}

__attribute__ ((unused)) static vhdkit_task *
start_gate (vhdkit_context *ctx, struct gate *g, bool cancelable)
{
  vhdkit_task *t;

  assert_ok (task_start (ctx, "gate", "a gate", cancelable, gate_run,
                         gate_free, g, &t));
  return t;
}

/* Start an operation without opaque. */
__attribute__ ((unused)) static vhdkit_task *
start (vhdkit_context *ctx, task_fn run)
{
  vhdkit_task *t;

  assert_ok (task_start (ctx, "test", "a test", true, run, NULL, NULL, &t));
  return t;
}

__attribute__ ((unused)) static vhdkit_context *
new_context (unsigned threads)
{
  struct vhdkit_context_options o = { .struct_size = sizeof o,
                                      .threads = threads };
  vhdkit_context *ctx;

  assert_ok (vhdkit_context_new (&o, &ctx));
  return ctx;
}

__attribute__ ((unused)) static struct vhdkit_task_info
status_of (vhdkit_task *t)
{
  struct vhdkit_task_info s = { .struct_size = sizeof s };

  assert_ok (vhdkit_task_status (t, &s));
  return s;
}

/* It will; the time is only so that a failure ends. */
__attribute__ ((unused)) static void
wait_until (atomic_int *value, int expected)
{
  int i;

  for (i = 0; *value != expected && i < 100000; i++)
    usleep (1000);
  assert_int_equal (*value, expected);
}

__attribute__ ((unused)) static int64_t
now_ms (void)
{
  struct timespec t;

  clock_gettime (CLOCK_MONOTONIC, &t);
  return t.tv_sec * INT64_C (1000) + t.tv_nsec / 1000000;
}

/* A done task: waiting succeeds, and these are its codes. */
#define assert_ended(t, expected_result, expected_error)                \
  do {                                                                  \
    assert_ok (vhdkit_task_wait (t, 200000));                           \
    assert_int_equal (vhdkit_task_result (t), expected_result);         \
    assert_int_equal (vhdkit_task_error (t), expected_error);           \
  } while (0)

#endif
