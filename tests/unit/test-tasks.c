/* vhdkit tests: what a task shows of its operation.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"

#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>
#if HAVE_LIBEV
#include <ev.h>
#endif

#include "operations/operations.h"
#include "task-ops.h"

#define GiB (UINT64_C (1) << 30)

static vhdkit_context *ctx;

static int
set_up (void **state)
{
  ctx = new_context (2);
  return make_temp_dir (state);
}

static int
tear_down (void **state)
{
  vhdkit_context_free (ctx);
  return remove_temp_dir (state);
}

static int
names_in (const char *dir)
{
  DIR *d = opendir (dir);
  int n = 0;

  assert_non_null (d);
  while (readdir (d))
    n++;
  closedir (d);
  return n - 2;                 /* . and .. */
}

/* B-077: a task is given back at once; success of the call means that the
 * operation was accepted, not that it is finished */
static void
B_077_success_returns_a_task (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (ctx, &g, true);

  (void) state;
  assert_non_null (t);
  assert_int_equal (vhdkit_task_is_complete (t), 0);
  assert_int_equal (g.ended, 0);
  g.open = true;
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_int_equal (g.ended, 1);
  vhdkit_task_free (t);
}

/* B-080: ids are unique, descriptions not empty; the list holds the running
 * tasks; a bad index is an error */
static void
B_080_ids_descriptions_and_the_list (void **state)
{
  struct gate g[3] = { { .open = false } };
  vhdkit_task *t[3], *item, **list;
  size_t count, i;

  (void) state;
  /* Two run, the third waits for its turn: all three are running tasks. */
  for (i = 0; i < 3; i++)
    assert_ok (task_start (ctx, "gate", i == 0 ? NULL : i == 1 ? "" : "third",
                           true, gate_run, NULL, &g[i], &t[i]));
  assert_string_equal (vhdkit_task_description (t[0]), "gate");
  assert_string_equal (vhdkit_task_description (t[1]), "gate");
  assert_string_equal (vhdkit_task_description (t[2]), "third");
  assert_true (vhdkit_task_id (t[0]) < vhdkit_task_id (t[1]));
  assert_true (vhdkit_task_id (t[1]) < vhdkit_task_id (t[2]));
  assert_string_equal (status_of (t[2]).kind, "gate");
  assert_int_equal (status_of (t[2]).state, VHDKIT_TASK_RUNNING);

  assert_int_equal (vhdkit_tasks_count (ctx), 3);
  assert_ok (vhdkit_tasks_item (ctx, 2, &item));
  assert_int_equal (vhdkit_task_id (item), vhdkit_task_id (t[2]));
  vhdkit_task_free (item);
  assert_int_equal (vhdkit_tasks_item (ctx, 3, &item), -1);
  assert_last_error (VHDKIT_ERR_BAD_INDEX, "3");
  assert_int_equal (vhdkit_error_hresult (VHDKIT_ERR_BAD_INDEX), 0x8002000b);
  assert_ok (vhdkit_tasks_list (ctx, &list, &count));
  assert_int_equal (count, 3);
  for (i = 0; i < 3; i++) {
    assert_int_equal (vhdkit_task_id (list[i]), vhdkit_task_id (t[i]));
    vhdkit_task_free (list[i]);
  }
  free (list);

  /* A finished task is no longer in the list. */
  g[0].open = true;
  assert_ok (vhdkit_task_wait (t[0], -1));
  assert_int_equal (vhdkit_tasks_count (ctx), 2);
  assert_ok (vhdkit_tasks_item (ctx, 0, &item));
  assert_int_equal (vhdkit_task_id (item), vhdkit_task_id (t[1]));
  vhdkit_task_free (item);
  g[1].open = g[2].open = true;
  for (i = 0; i < 3; i++) {
    assert_ok (vhdkit_task_wait (t[i], -1));
    vhdkit_task_free (t[i]);
  }
  assert_ok (vhdkit_tasks_list (ctx, &list, &count));
  assert_int_equal (count, 0);
  free (list);
}

/* One report after another, each when the test says so. */
struct steps {
  atomic_int step;              /* reports made */
  atomic_int allowed;
  int result;
};

static const struct { uint64_t done, total; int percent; } reports[] = {
  { 0, 0, 0 },                  /* nothing known yet */
  { 0, 1000, 0 },
  { 9, 1000, 0 },
  { 10, 1000, 1 },
  { 500, 1000, 50 },
  { 400, 1000, 50 },            /* never back */
  { 500, 2000, 50 },            /* more work turned up */
  { 0, 0, 50 },
  { 2000, 2000, 99 },           /* all bytes moved is not yet complete */
  { 3000, 2000, 99 },
  { UINT64_MAX - 1, UINT64_MAX, 99 },
};
#define NR_REPORTS ((int) (sizeof reports / sizeof reports[0]))

static int
report_steps (void *opaque, const struct progress *progress)
{
  struct steps *s = opaque;
  int i;

  for (i = 0; i < NR_REPORTS; i++) {
    while (s->allowed <= i)
      usleep (200);
    progress->fn (progress->opaque, reports[i].done, reports[i].total);
    s->step++;
  }
  if (s->result == -1)
    set_error (VHDKIT_ERR_IO, EIO, "it broke");
  return s->result;
}

/* B-081: percent stays in 0 to 100, never falls, is 100 after success and only
 * then */
static void
B_081_percent_never_falls (void **state)
{
  int result, i;
  uint32_t percent;

  (void) state;
  for (result = -1; result <= 0; result++) {
    struct steps s = { .result = result };
    vhdkit_task *t;

    assert_ok (task_start (ctx, "steps", "steps", true, report_steps, NULL,
                           &s, &t));
    assert_int_equal (vhdkit_task_percent (t), 0);
    for (i = 0; i < NR_REPORTS; i++) {
      /* The last one's end is another matter. */
      if (i == NR_REPORTS - 1)
        break;
      s.allowed = i + 1;
      wait_until (&s.step, i + 1);
      assert_int_equal (vhdkit_task_percent (t), reports[i].percent);
      assert_true (status_of (t).done_bytes == reports[i].done);
      assert_true (status_of (t).total_bytes == reports[i].total);
    }
    s.allowed = NR_REPORTS;
    assert_ok (vhdkit_task_wait (t, -1));
    assert_int_equal (vhdkit_task_percent (t), result == 0 ? 100 : 99);
    vhdkit_task_status_vds (t, &percent);
    assert_int_equal (percent, result == 0 ? 100 : 0);
    vhdkit_task_free (t);
  }
}

static void
slow_free (void *opaque)
{
  atomic_int *freed = opaque;

  usleep (50000);
  *freed = 1;
}

static int
nothing (void *opaque, const struct progress *progress)
{
  (void) opaque;
  (void) progress;
  return 0;
}

/* B-082: complete only after the operation has returned and let go of
 * everything it had */
static void
B_082_complete_is_the_last_thing (void **state)
{
  atomic_int freed = 0;
  vhdkit_task *t;

  (void) state;
  assert_ok (task_start (ctx, "test", "slow to end", true, nothing, slow_free,
                         &freed, &t));
  while (!vhdkit_task_is_complete (t))
    usleep (100);
  assert_int_equal (freed, 1);
  vhdkit_task_free (t);
}

/* B-083: wait (-1) returns when the task is done, wait (0) at once; 4,000,000
 * is valid, 4,000,001 and -2 are not */
static void
B_083_timeouts (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (ctx, &g, true);

  (void) state;
  assert_int_equal (vhdkit_task_wait (t, 0), -1);
  assert_last_error (VHDKIT_ERR_TIMED_OUT, "a gate");
  assert_int_equal (vhdkit_task_wait (t, 4000001), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "4000001");
  assert_int_equal (vhdkit_task_wait (t, -2), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "-2");
  g.open = true;
  assert_ok (vhdkit_task_wait (t, 4000000));
  assert_ok (vhdkit_task_wait (t, -1));
  assert_ok (vhdkit_task_wait (t, 0));
  /* What is not valid is not valid for a finished task either. */
  assert_int_equal (vhdkit_task_wait (t, -2), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "-2");
  vhdkit_task_free (t);
}

/* B-084: a wait that times out says TIMED_OUT, and the task continues */
static void
B_084_time_runs_out (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (ctx, &g, true);
  int64_t begin = now_ms ();

  (void) state;
  assert_int_equal (vhdkit_task_wait (t, 50), -1);
  assert_true (now_ms () - begin >= 50);
  assert_last_error (VHDKIT_ERR_TIMED_OUT, "50");
  assert_int_equal (vhdkit_error_hresult (VHDKIT_ERR_TIMED_OUT), 0xa0040202);
  assert_int_equal (vhdkit_task_is_complete (t), 0);
  g.open = true;
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  vhdkit_task_free (t);
}

/* A creation that can be held between two steps. */
struct creation {
  const char *path;
  struct vhdkit_create_options opts;
  const struct progress *outer;
  atomic_bool held;
  atomic_int reports;
};

static int
held_report (void *opaque, uint64_t done, uint64_t total)
{
  struct creation *c = opaque;

  if (done > 0)
    c->reports++;
  while (done > 0 && c->held)
    usleep (1000);
  return c->outer->fn (c->outer->opaque, done, total);
}

static int
create (void *opaque, const struct progress *progress)
{
  struct creation *c = opaque;
  struct progress p = { .fn = held_report, .opaque = c };

  c->outer = progress;
  return op_create (c->path, &c->opts, &p);
}

/* Four MiB of table: some steps to be interrupted in. */
#define LARGE_DYNAMIC { .struct_size = sizeof (struct vhdkit_create_options), \
                        .type = VHDKIT_TYPE_DYNAMIC, .size = 2040 * GiB }

/* B-085: cancelling a running task that allows it ends it with CANCELLED,
 * result 1; the file that was begun is gone */
static void
B_085_cancel_leaves_no_file (void **state)
{
  struct creation c = { .path = temp_path ("cancelled.vhd"),
                        .opts = LARGE_DYNAMIC, .held = true };
  vhdkit_task *t;
  int percent;

  (void) state;
  assert_ok (task_start (ctx, "create", c.path, true, create, NULL, &c, &t));
  wait_until (&c.reports, 1);
  assert_ok (vhdkit_task_cancel (t));
  percent = vhdkit_task_percent (t);
  c.held = false;
  assert_ended (t, VHDKIT_RESULT_CANCELLED, VHDKIT_ERR_CANCELLED);
  assert_true (vhdkit_task_percent (t) >= percent);
  assert_true (vhdkit_task_percent (t) < 100);
  assert_int_equal (vhdkit_task_status_win32 (t, NULL, NULL), 995);
  assert_int_equal (access (c.path, F_OK), -1);
  assert_int_equal (names_in (temp_dir), 0);
  vhdkit_task_free (t);
}

/* B-086: a finished task cannot be cancelled: CANCEL_TOO_LATE, E_FAIL in
 * Virtual Server's view, and its state stays */
static void
B_086_cancel_too_late (void **state)
{
  vhdkit_task *t = start (ctx, nothing);

  (void) state;
  assert_ok (vhdkit_task_wait (t, -1));
  assert_int_equal (vhdkit_task_cancel (t), -1);
  assert_last_error (VHDKIT_ERR_CANCEL_TOO_LATE, "a test");
  assert_int_equal (vhdkit_error_hresult (VHDKIT_ERR_CANCEL_TOO_LATE),
                    0x80004005);
  assert_int_equal (vhdkit_error_hresult_vds (VHDKIT_ERR_CANCEL_TOO_LATE),
                    0x8004240c);
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_int_equal (vhdkit_task_percent (t), 100);
  vhdkit_task_free (t);
}

/* 1: it has begun; 2, from the test: go on. */
static void
wait_for_go (atomic_int *go)
{
  *go = 1;
  while (*go != 2)
    usleep (1000);
}

static int
slow_to_stop (void *opaque, const struct progress *progress)
{
  atomic_int *go = opaque;

  wait_for_go (go);
  assert (progress->fn (progress->opaque, 1, 2) != 0);
  set_error (VHDKIT_ERR_CANCELLED, ECANCELED, "at last");
  return -1;
}

/* B-087: a second cancel says that the task is already cancelled, while it is
 * ending and after (VDS: 8004240D) */
static void
B_087_second_cancel (void **state)
{
  atomic_int go = 0;
  vhdkit_task *t;

  (void) state;
  assert_ok (task_start (ctx, "test", "a test", true, slow_to_stop, NULL, &go,
                         &t));
  wait_until (&go, 1);
  assert_ok (vhdkit_task_cancel (t));
  assert_int_equal (vhdkit_task_cancel (t), -1);
  assert_last_error (VHDKIT_ERR_CANCELLED, "already");
  assert_int_equal (vhdkit_error_hresult_vds (VHDKIT_ERR_CANCELLED),
                    0x8004240d);
  go = 2;
  assert_ended (t, VHDKIT_RESULT_CANCELLED, VHDKIT_ERR_CANCELLED);
  assert_int_equal (vhdkit_task_cancel (t), -1);
  assert_last_error (VHDKIT_ERR_CANCELLED, "already");
  vhdkit_task_free (t);
}

/* A file system of two MiB that only one thread, and those that it starts, can
 * see. */
struct small_disk {
  bool mounted;
  struct vhdkit_task_info status;
  int names_left;
};

static void *
fill_a_disk (void *opaque)
{
  struct small_disk *d = opaque;
  struct creation c = { .path = temp_path ("full.vhd"),
                        .opts = LARGE_DYNAMIC };
  vhdkit_context *own = new_context (1);
  vhdkit_task *t;

  d->mounted = unshare (CLONE_NEWNS) == 0
    && mount ("none", "/", "none", MS_REC | MS_PRIVATE, NULL) == 0
    && mount ("tmpfs", temp_dir, "tmpfs", 0, "size=2m") == 0;
  if (d->mounted) {
    assert_ok (task_start (own, "create", c.path, true, create, NULL, &c, &t));
    assert_ok (vhdkit_task_wait (t, -1));
    d->status = status_of (t);
    d->names_left = names_in (temp_dir);
    vhdkit_task_free (t);
  }
  vhdkit_context_free (own);
  return NULL;
}

/* B-088: no space in the middle of a creation gives result 4
 * (DiskRelatedError) and DISK_FULL; the file is removed */
static void
B_088_disk_full (void **state)
{
  struct small_disk d = { .mounted = false };
  pthread_t thread;

  (void) state;
  assert_int_equal (pthread_create (&thread, NULL, fill_a_disk, &d), 0);
  pthread_join (thread, NULL);
  if (!d.mounted)
    skip ();                    /* that takes root */
  assert_int_equal (d.status.result, VHDKIT_RESULT_DISK_RELATED_ERROR);
  assert_int_equal (d.status.error, VHDKIT_ERR_DISK_FULL);
  assert_int_equal (d.status.error_errno, ENOSPC);
  assert_in_range (d.status.percent, 1, 99);
  assert_int_equal (d.names_left, 0);
}

/* B-089: the error and its text can be read after a failure; 0 and nothing
 * after success */
static void
B_089_error_and_text (void **state)
{
  struct gate bad = { .open = true, .fail = VHDKIT_ERR_PARENT_NOT_FOUND,
                      .fail_errno = ENOENT, .fail_text = "no such parent" };
  vhdkit_task *t = start_gate (ctx, &bad, true);

  (void) state;
  assert_ok (vhdkit_task_wait (t, -1));
  assert_int_equal (vhdkit_task_error (t), VHDKIT_ERR_PARENT_NOT_FOUND);
  assert_int_equal (status_of (t).error_errno, ENOENT);
  assert_string_equal (vhdkit_task_error_text (t), "no such parent");
  assert_string_equal (status_of (t).error_text, "no such parent");
  assert_int_equal (vhdkit_task_status_hresult (t), 0xa0040677);
  assert_int_equal (vhdkit_task_status_win32 (t, NULL, NULL), 0xc03a000d);
  /* VDS has no code of its own for it. */
  assert_int_equal (vhdkit_task_status_vds (t, NULL), 0xc03a000d);
  vhdkit_task_free (t);

  t = start (ctx, nothing);
  assert_ok (vhdkit_task_wait (t, -1));
  assert_int_equal (vhdkit_task_error (t), VHDKIT_OK);
  assert_int_equal (status_of (t).error_errno, 0);
  assert_string_equal (vhdkit_task_error_text (t), "");
  assert_int_equal (vhdkit_task_status_hresult (t), 0);
  assert_int_equal (vhdkit_task_status_win32 (t, NULL, NULL), 0);
  assert_int_equal (vhdkit_task_status_vds (t, NULL), 0);
  vhdkit_task_free (t);
}

/* B-090: while it runs a query says PENDING (997, 80042409), with a percent
 * from 0 to 99, and no result */
static void
B_090_pending (void **state)
{
  struct steps s = { .allowed = NR_REPORTS - 1 };
  vhdkit_task *t;
  uint64_t value = 1234, completion = 0;
  uint32_t percent = 1234;

  (void) state;
  assert_ok (task_start (ctx, "steps", "steps", true, report_steps, NULL, &s,
                         &t));
  wait_until (&s.step, NR_REPORTS - 1);
  assert_int_equal (vhdkit_task_result (t), VHDKIT_RESULT_NONE);
  assert_int_equal (vhdkit_task_error (t), VHDKIT_ERR_PENDING);
  assert_int_equal (status_of (t).error_errno, EINPROGRESS);
  assert_string_equal (vhdkit_task_error_text (t), "");
  assert_int_equal (vhdkit_task_status_win32 (t, &value, &completion), 997);
  assert_true (value <= completion && completion > 0);
  assert_true (value * 100 / completion <= 99);
  assert_int_equal (vhdkit_task_status_vds (t, &percent), 0x80042409);
  assert_int_equal (percent, 99);
  assert_int_equal (vhdkit_task_status_hresult (t), 0);
  s.allowed = NR_REPORTS;
  assert_ok (vhdkit_task_wait (t, -1));
  assert_int_equal (vhdkit_task_status_win32 (t, &value, &completion), 0);
  assert_true (value == completion);
  assert_int_equal (vhdkit_task_status_vds (t, &percent), 0);
  assert_int_equal (percent, 100);
  vhdkit_task_free (t);
}

/* B-091: waiting for a finished task returns at once, again and again, with
 * the same result; waiting can succeed although the operation failed */
static void
B_091_wait_has_two_codes (void **state)
{
  struct gate bad = { .open = true, .fail = VHDKIT_ERR_IO, .fail_errno = EIO,
                      .fail_text = "the disk broke" };
  vhdkit_task *t = start_gate (ctx, &bad, true);
  int i;

  (void) state;
  for (i = 0; i < 3; i++) {
    set_error (VHDKIT_ERR_EXISTS, EEXIST, "something else");
    assert_int_equal (vhdkit_task_wait (t, -1), 0);
    /* The second code, with its sentence, in this thread now. */
    assert_last_error (VHDKIT_ERR_IO, "the disk broke");
    assert_int_equal (vhdkit_get_errno (), EIO);
    assert_int_equal (vhdkit_task_result (t),
                      VHDKIT_RESULT_DISK_RELATED_ERROR);
  }
  vhdkit_task_free (t);

  /* Success leaves the thread's last error alone. */
  t = start (ctx, nothing);
  set_error (VHDKIT_ERR_EXISTS, EEXIST, "something else");
  assert_ok (vhdkit_task_wait (t, -1));
  assert_last_error (VHDKIT_ERR_EXISTS, "something else");
  vhdkit_task_free (t);
}

/* The rest of cancelling. */

static void
a_task_may_not_be_cancelable (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (ctx, &g, false);

  (void) state;
  assert_int_equal (vhdkit_task_is_cancelable (t), 0);
  assert_int_equal (vhdkit_task_cancel (t), -1);
  assert_last_error (VHDKIT_ERR_NOT_CANCELABLE, "a gate");
  assert_int_equal (vhdkit_task_is_complete (t), 0);
  g.open = true;
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  vhdkit_task_free (t);
}

static void
a_task_that_waits_is_cancelled_at_once (void **state)
{
  struct gate busy[2] = { { .open = false } }, g = { .open = false };
  vhdkit_task *b[2], *t;

  (void) state;
  b[0] = start_gate (ctx, &busy[0], true);
  b[1] = start_gate (ctx, &busy[1], true);
  wait_until (&busy[0].started, 1);
  wait_until (&busy[1].started, 1);
  t = start_gate (ctx, &g, true);
  set_error (VHDKIT_ERR_EXISTS, EEXIST, "something else");
  assert_ok (vhdkit_task_cancel (t));
  assert_last_error (VHDKIT_ERR_EXISTS, "something else");
  assert_int_equal (vhdkit_task_is_complete (t), 1);
  assert_int_equal (g.started, 0);
  assert_int_equal (g.freed, 1);
  assert_ended (t, VHDKIT_RESULT_CANCELLED, VHDKIT_ERR_CANCELLED);
  assert_int_equal (vhdkit_tasks_count (ctx), 2);
  vhdkit_task_free (t);
  busy[0].open = busy[1].open = true;
  vhdkit_task_wait (b[0], -1);
  vhdkit_task_wait (b[1], -1);
  vhdkit_task_free (b[0]);
  vhdkit_task_free (b[1]);
}

static int
past_the_last_step (void *opaque, const struct progress *progress)
{
  atomic_int *go = opaque;

  (void) progress;
  wait_for_go (go);
  return 0;
}

static void
an_operation_may_succeed_all_the_same (void **state)
{
  atomic_int go = 0;
  vhdkit_task *t;

  (void) state;
  assert_ok (task_start (ctx, "test", "a test", true, past_the_last_step, NULL,
                         &go, &t));
  wait_until (&go, 1);
  assert_ok (vhdkit_task_cancel (t));
  go = 2;
  assert_ended (t, VHDKIT_RESULT_SUCCESS, VHDKIT_OK);
  assert_int_equal (vhdkit_task_cancel (t), -1);
  assert_last_error (VHDKIT_ERR_CANCEL_TOO_LATE, "complete");
  vhdkit_task_free (t);
}

/* Event loops. */

static bool
readable (int fd)
{
  struct pollfd p = { .fd = fd, .events = POLLIN };

  return poll (&p, 1, 0) == 1;
}

static void
fd_is_readable_when_complete (void **state)
{
  struct gate g = { .open = false };
  vhdkit_task *t = start_gate (ctx, &g, true);
  int fd = vhdkit_task_fd (t);

  (void) state;
  assert_true (fd >= 0);
  assert_int_equal (vhdkit_task_fd (t), fd);
  assert_true (fcntl (fd, F_GETFD) & FD_CLOEXEC);
  assert_false (readable (fd));
  g.open = true;
  assert_ok (vhdkit_task_wait (t, -1));
  assert_true (readable (fd));
  assert_true (readable (fd));
  vhdkit_task_free (t);

  /* Asked for when it is complete. */
  t = start (ctx, nothing);
  assert_ok (vhdkit_task_wait (t, -1));
  assert_true (readable (vhdkit_task_fd (t)));
  vhdkit_task_free (t);
}

#if HAVE_LIBEV
struct watched {
  ev_io io;                     /* first: libev gives it back */
  vhdkit_task *task;
  int *left;
};

static void
on_complete (struct ev_loop *loop, ev_io *io, int events)
{
  struct watched *w = (struct watched *) io;

  (void) events;
  assert_int_equal (vhdkit_task_wait (w->task, 0), 0);
  ev_io_stop (loop, io);
  if (--*w->left == 0)
    ev_break (loop, EVBREAK_ALL);
}

static void
on_too_late (struct ev_loop *loop, ev_timer *timer, int events)
{
  (void) timer;
  (void) events;
  ev_break (loop, EVBREAK_ALL);
}

static void
libev_watches_tasks (void **state)
{
  enum { N = 5 };
  struct ev_loop *loop = ev_loop_new (EVFLAG_AUTO);
  struct gate g[N] = { { .open = false } };
  struct watched w[N];
  ev_timer timer;
  int left = N, i;

  (void) state;
  assert_non_null (loop);
  for (i = 0; i < N; i++) {
    w[i].task = start_gate (ctx, &g[i], true);
    w[i].left = &left;
    ev_io_init (&w[i].io, on_complete, vhdkit_task_fd (w[i].task), EV_READ);
    ev_io_start (loop, &w[i].io);
  }
  ev_timer_init (&timer, on_too_late, 20., 0.);
  ev_timer_start (loop, &timer);
  /* One is cancelled, which completes it too. */
  assert_ok (vhdkit_task_cancel (w[N - 1].task));
  for (i = 0; i < N; i++)
    g[i].open = true;
  ev_run (loop, 0);
  assert_int_equal (left, 0);
  for (i = 0; i < N; i++)
    vhdkit_task_free (w[i].task);
  ev_loop_destroy (loop);
}
#endif

/* Other ends. */

static int
silent_failure (void *opaque, const struct progress *progress)
{
  (void) opaque;
  (void) progress;
  return -1;
}

static void
an_operation_that_does_not_say_why (void **state)
{
  struct gate bad = { .open = true, .fail = VHDKIT_ERR_EXISTS,
                      .fail_errno = EEXIST, .fail_text = "an earlier error" };
  vhdkit_context *one = new_context (1);
  vhdkit_task *first = start_gate (one, &bad, true), *t;

  (void) state;
  assert_ended (first, VHDKIT_RESULT_ILLEGAL_VALUE, VHDKIT_ERR_EXISTS);
  /* Not the error that the other task left in the same thread. */
  t = start (one, silent_failure);
  assert_ended (t, VHDKIT_RESULT_UNEXPECTED_ERROR, VHDKIT_ERR_UNEXPECTED);
  assert_int_equal (vhdkit_task_status_hresult (t), 0x80020009);
  vhdkit_task_free (first);
  vhdkit_task_free (t);
  vhdkit_context_free (one);
}

static void
results_of_errors (void **state)
{
  static const struct {
    enum vhdkit_error error;
    enum vhdkit_task_result result;
  } table[] = {
    { VHDKIT_ERR_CANCELLED, VHDKIT_RESULT_CANCELLED },
    { VHDKIT_ERR_UNEXPECTED, VHDKIT_RESULT_UNEXPECTED_ERROR },
    { VHDKIT_ERR_NO_MEMORY, VHDKIT_RESULT_OUT_OF_MEMORY },
    { VHDKIT_ERR_DISK_FULL, VHDKIT_RESULT_DISK_RELATED_ERROR },
    { VHDKIT_ERR_IO, VHDKIT_RESULT_DISK_RELATED_ERROR },
    { VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, VHDKIT_RESULT_DISK_RELATED_ERROR },
    { VHDKIT_ERR_TIMED_OUT, VHDKIT_RESULT_TIME_OUT },
    { VHDKIT_ERR_BAT_CORRUPT, VHDKIT_RESULT_ILLEGAL_VALUE },
    { VHDKIT_ERR_CHAIN_ERROR, VHDKIT_RESULT_ILLEGAL_VALUE },
    { VHDKIT_ERR_SHUTTING_DOWN, VHDKIT_RESULT_SHUTDOWN_ABORT },
  };
  size_t i;

  (void) state;
  for (i = 0; i < sizeof table / sizeof table[0]; i++) {
    struct gate g = { .open = true, .fail = table[i].error,
                      .fail_errno = EIO, .fail_text = "as told" };
    vhdkit_task *t = start_gate (ctx, &g, true);

    assert_ended (t, table[i].result, table[i].error);
    vhdkit_task_free (t);
  }
  /* VMTaskResult's own numbers. */
  assert_int_equal (VHDKIT_RESULT_DISK_RELATED_ERROR, 4);
  assert_int_equal (VHDKIT_RESULT_SHUTDOWN_ABORT, 9);
}

/* Its own handle, which it gets after it was started. */
static _Atomic (vhdkit_task *) myself;

static int
wait_for_myself (void *opaque, const struct progress *progress)
{
  vhdkit_task *t;

  (void) opaque;
  (void) progress;
  while ((t = myself) == NULL)
    usleep (1000);
  return vhdkit_task_wait (t, -1);
}

static void
an_operation_cannot_wait_for_itself (void **state)
{
  vhdkit_task *t;

  (void) state;
  myself = NULL;
  t = start (ctx, wait_for_myself);
  myself = t;
  assert_ended (t, VHDKIT_RESULT_UNEXPECTED_ERROR, VHDKIT_ERR_WRONG_STATE);
  vhdkit_task_free (t);
}

static void
bad_arguments_are_refused (void **state)
{
  struct vhdkit_context_options o = { .struct_size = 1 };
  struct vhdkit_task_info s = { .struct_size = 1 };
  vhdkit_task *t = start (ctx, nothing), **list;
  vhdkit_context *c;
  size_t n;

  (void) state;
#define assert_null_pointer(expr)                                       \
  do {                                                                  \
    assert_int_equal (expr, -1);                                        \
    assert_last_error (VHDKIT_ERR_NULL_POINTER, "NULL");                \
  } while (0)
  assert_null_pointer (vhdkit_context_new (NULL, NULL));
  assert_null_pointer (vhdkit_task_status (NULL, &s));
  assert_null_pointer (vhdkit_task_status (t, NULL));
  assert_null_pointer (vhdkit_task_wait (NULL, 0));
  assert_null_pointer (vhdkit_task_cancel (NULL));
  assert_null_pointer (vhdkit_task_fd (NULL));
  assert_null_pointer (vhdkit_tasks_item (ctx, 0, NULL));
  assert_null_pointer (vhdkit_tasks_list (ctx, NULL, &n));
  assert_null_pointer (vhdkit_tasks_list (ctx, &list, NULL));
  vhdkit_task_free (NULL);
  vhdkit_context_free (NULL);
  assert_int_equal (vhdkit_task_status (t, &s), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "struct_size");
  assert_int_equal (vhdkit_context_new (&o, &c), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "struct_size");
  o.struct_size = sizeof o;
  o.threads = 65;
  assert_int_equal (vhdkit_context_new (&o, &c), -1);
  assert_last_error (VHDKIT_ERR_INVALID_PARAMETER, "65");
  vhdkit_task_free (t);
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (B_077_success_returns_a_task),
    cmocka_unit_test (B_080_ids_descriptions_and_the_list),
    cmocka_unit_test (B_081_percent_never_falls),
    cmocka_unit_test (B_082_complete_is_the_last_thing),
    cmocka_unit_test (B_083_timeouts),
    cmocka_unit_test (B_084_time_runs_out),
    cmocka_unit_test (B_085_cancel_leaves_no_file),
    cmocka_unit_test (B_086_cancel_too_late),
    cmocka_unit_test (B_087_second_cancel),
    cmocka_unit_test (B_088_disk_full),
    cmocka_unit_test (B_089_error_and_text),
    cmocka_unit_test (B_090_pending),
    cmocka_unit_test (B_091_wait_has_two_codes),
    cmocka_unit_test (a_task_may_not_be_cancelable),
    cmocka_unit_test (a_task_that_waits_is_cancelled_at_once),
    cmocka_unit_test (an_operation_may_succeed_all_the_same),
    cmocka_unit_test (fd_is_readable_when_complete),
#if HAVE_LIBEV
    cmocka_unit_test (libev_watches_tasks),
#endif
    cmocka_unit_test (an_operation_that_does_not_say_why),
    cmocka_unit_test (results_of_errors),
    cmocka_unit_test (an_operation_cannot_wait_for_itself),
    cmocka_unit_test (bad_arguments_are_refused),
  };

  return cmocka_run_group_tests (tests, set_up, tear_down);
}
