/* vhdkit: tasks with the installed library (test-install.sh).
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   install-task FILE SOURCE
 *
 * FILE is created by a task that is watched and awaited; OTHER, FILE with
 * ".other" behind it, from SOURCE, which must take long, by one that is
 * cancelled.  Prints a line for each: "done PERCENT CODE" and
 * "cancelled RESULT CODE".
 */
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include <vhdkit.h>

static const struct vhdkit_storage_type vhd = {
  VHDKIT_DEVICE_VHD, VHDKIT_VENDOR_MICROSOFT
};

static int
failed (const char *what)
{
  fprintf (stderr, "%s: %s: %s\n", what,
           vhdkit_error_name (vhdkit_get_error_code ()), vhdkit_get_error ());
  return 1;
}

static int
wrong (const char *what)
{
  fprintf (stderr, "this is not so: %s\n", what);
  return 1;
}

static int
start (vhdkit_context *ctx, const char *path, const char *source,
       vhdkit_task **task, vhdkit_disk **disk)
{
  struct vhdkit_create_parameters p = {
    .struct_size = sizeof p, .context = ctx, .version = 2,
    .storage_type = &vhd, .source_path = source,
    .flags = VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION,
    .maximum_size = 8 << 20,
  };

  return vhdkit_create (path, &p, task, disk);
}

/* As an event loop would: look now and then, until its descriptor says that it
 * is complete. */
static int
watch (vhdkit_task *task)
{
  struct vhdkit_task_info s = { .struct_size = sizeof s };
  struct pollfd p = { .fd = vhdkit_task_fd (task), .events = POLLIN };
  int last = 0, r;

  if (p.fd == -1)
    return failed ("vhdkit_task_fd");
  do {
    r = poll (&p, 1, 10);
    if (vhdkit_task_status (task, &s) == -1)
      return failed ("vhdkit_task_status");
    if (s.percent < last || s.percent > 100)
      return wrong ("the percentage grows, to 100");
    last = s.percent;
  } while (r == 0);
  if (s.state != VHDKIT_TASK_DONE || !vhdkit_task_is_complete (task))
    return wrong ("who is told that it is complete finds it so");
  return 0;
}

/* Watched, and awaited. */
static int
make (vhdkit_context *ctx, const char *path)
{
  vhdkit_disk *disk = NULL;
  vhdkit_task *task;
  int r;

  if (start (ctx, path, NULL, &task, &disk) == -1)
    return failed ("vhdkit_create");
  if (vhdkit_task_id (task) == 0 || !vhdkit_task_is_cancelable (task)
      || !strstr (vhdkit_task_description (task), path))
    return wrong ("it has an id, can be cancelled, and says what it does");
  r = watch (task);
  if (r != 0)
    return r;
  if (vhdkit_task_wait (task, -1) == -1)
    return failed ("vhdkit_task_wait");
  if (vhdkit_task_result (task) != VHDKIT_RESULT_SUCCESS || !disk)
    return failed ("the task");
  if (vhdkit_task_cancel (task) == 0
      || vhdkit_get_error_code () != VHDKIT_ERR_CANCEL_TOO_LATE)
    return wrong ("it is too late to cancel what is complete");
  printf ("done %d %s\n", vhdkit_task_percent (task),
          vhdkit_error_name (vhdkit_task_error (task)));
  vhdkit_task_free (task);
  return vhdkit_close (disk) == -1 ? failed ("vhdkit_close") : 0;
}

/* The one task of the context, by the list and by its place in it. */
static int
check_list (vhdkit_context *ctx, vhdkit_task *task)
{
  vhdkit_task *item;
  uint64_t id;

  if (vhdkit_tasks_count (ctx) != 1)
    return wrong ("one task runs");
  if (vhdkit_tasks_item (ctx, 0, &item) == -1)
    return failed ("vhdkit_tasks_item");
  id = vhdkit_task_id (item);
  vhdkit_task_free (item);
  if (id != vhdkit_task_id (task))
    return wrong ("it is this one");
  if (vhdkit_tasks_item (ctx, 1, &item) == 0
      || vhdkit_get_error_code () != VHDKIT_ERR_BAD_INDEX)
    return wrong ("there is no other");
  return 0;
}

/* Cancelled, while it runs. */
static int
cancel (vhdkit_context *ctx, const char *path, const char *source)
{
  vhdkit_disk *disk = NULL;
  vhdkit_task *task;
  int r;

  if (start (ctx, path, source, &task, &disk) == -1)
    return failed ("vhdkit_create");
  if (vhdkit_task_wait (task, 50) == 0
      || vhdkit_get_error_code () != VHDKIT_ERR_TIMED_OUT)
    return wrong ("it takes longer than 50 ms");
  if (vhdkit_task_error (task) != VHDKIT_ERR_PENDING
      || vhdkit_task_status_win32 (task, NULL, NULL) != 997)
    return wrong ("it is pending");
  r = check_list (ctx, task);
  if (r != 0)
    return r;
  if (vhdkit_task_cancel (task) == -1)
    return failed ("vhdkit_task_cancel");
  if (vhdkit_task_wait (task, 4000000) == -1)
    return failed ("vhdkit_task_wait");
  if (vhdkit_task_status_win32 (task, NULL, NULL) != 995 || disk)
    return wrong ("it was cancelled, and there is no disk");
  printf ("cancelled %d %s\n", (int) vhdkit_task_result (task),
          vhdkit_error_name (vhdkit_task_error (task)));
  vhdkit_task_free (task);
  return 0;
}

/* No more of them. */
static int
shut_down (vhdkit_context *ctx, const char *path)
{
  vhdkit_disk *disk = NULL;
  vhdkit_task *task = NULL;

  vhdkit_context_shutdown (ctx);
  if (start (ctx, path, NULL, &task, &disk) == 0 || task
      || vhdkit_get_error_code () != VHDKIT_ERR_SHUTTING_DOWN)
    return wrong ("a context that is shut down takes nothing");
  return 0;
}

int
main (int argc, char *argv[])
{
  struct vhdkit_context_options o = { .struct_size = sizeof o, .threads = 2 };
  vhdkit_context *ctx;
  char other[4096];
  int r;

  if (argc != 3)
    return 2;
  snprintf (other, sizeof other, "%s.other", argv[1]);
  if (vhdkit_context_new (&o, &ctx) == -1)
    return failed ("vhdkit_context_new");
  r = make (ctx, argv[1]);
  if (r == 0)
    r = cancel (ctx, other, argv[2]);
  if (r == 0)
    r = shut_down (ctx, other);
  vhdkit_context_free (ctx);
  return r;
}
