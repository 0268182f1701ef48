/* vhdkit: public entry points of contexts and tasks: check arguments and call
 * down; and what other interfaces make of a task.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>

#include "api-arguments.h"
#include "base/error.h"
#include "tasks/tasks.h"
#include "vhdkit.h"

#define MAX_THREADS 64

static int
check_size (const char *function, const char *argument, size_t is,
            size_t expected)
{
  return is == expected ? 0
                        : api_wrong_size (function, argument, is, expected);
}

/* Contexts. */

int
vhdkit_context_new (const struct vhdkit_context_options *opts,
                    vhdkit_context **ret_ctx)
{
  unsigned threads = 0;

  if (!ret_ctx)
    return api_null_pointer (__func__, "ret_ctx");
  if (opts) {
    if (check_size (__func__, "opts", opts->struct_size, sizeof *opts) == -1)
      return -1;
    threads = opts->threads;
  }
  if (threads > MAX_THREADS) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %u threads, at most %d are possible", __func__, threads,
               MAX_THREADS);
    return -1;
  }
  return context_new (threads, ret_ctx);
}

vhdkit_context *
vhdkit_context_default (void)
{
  return context_or_default (NULL);
}

void
vhdkit_context_shutdown (vhdkit_context *ctx)
{
  ctx = context_or_default (ctx);
  if (ctx)
    context_shutdown (ctx);
}

void
vhdkit_context_free (vhdkit_context *ctx)
{
  if (ctx)
    context_free (ctx);
}

size_t
vhdkit_tasks_count (vhdkit_context *ctx)
{
  ctx = context_or_default (ctx);
  return ctx ? context_count (ctx) : 0;
}

int
vhdkit_tasks_item (vhdkit_context *ctx, size_t index, vhdkit_task **ret_task)
{
  if (!ret_task)
    return api_null_pointer (__func__, "ret_task");
  ctx = context_or_default (ctx);
  return ctx ? context_item (ctx, index, ret_task) : -1;
}

int
vhdkit_tasks_list (vhdkit_context *ctx, vhdkit_task ***ret_tasks,
                   size_t *ret_count)
{
  if (!ret_tasks)
    return api_null_pointer (__func__, "ret_tasks");
  if (!ret_count)
    return api_null_pointer (__func__, "ret_count");
  ctx = context_or_default (ctx);
  return ctx ? context_list (ctx, ret_tasks, ret_count) : -1;
}

/* Tasks. */

int
vhdkit_task_status (vhdkit_task *task, struct vhdkit_task_info *ret_status)
{
  if (!task)
    return api_null_pointer (__func__, "task");
  if (!ret_status)
    return api_null_pointer (__func__, "ret_status");
  if (check_size (__func__, "ret_status", ret_status->struct_size,
                  sizeof *ret_status) == -1)
    return -1;
  task_get_status (task, ret_status);
  return 0;
}

int
vhdkit_task_wait (vhdkit_task *task, int timeout_ms)
{
  return task ? task_wait (task, timeout_ms)
              : api_null_pointer (__func__, "task");
}

int
vhdkit_task_cancel (vhdkit_task *task)
{
  return task ? task_cancel (task) : api_null_pointer (__func__, "task");
}

int
vhdkit_task_fd (vhdkit_task *task)
{
  return task ? task_fd (task) : api_null_pointer (__func__, "task");
}

void
vhdkit_task_free (vhdkit_task *task)
{
  if (task)
    task_unref (task);
}

static struct vhdkit_task_info
status_of (vhdkit_task *task)
{
  struct vhdkit_task_info s;

  task_get_status (task, &s);
  return s;
}

uint64_t
vhdkit_task_id (vhdkit_task *task)
{
  return status_of (task).id;
}

const char *
vhdkit_task_description (vhdkit_task *task)
{
  return status_of (task).description;
}

int
vhdkit_task_is_cancelable (vhdkit_task *task)
{
  return status_of (task).cancelable;
}

int
vhdkit_task_is_complete (vhdkit_task *task)
{
  return status_of (task).state == VHDKIT_TASK_DONE;
}

int
vhdkit_task_percent (vhdkit_task *task)
{
  return status_of (task).percent;
}

enum vhdkit_task_result
vhdkit_task_result (vhdkit_task *task)
{
  return status_of (task).result;
}

enum vhdkit_error
vhdkit_task_error (vhdkit_task *task)
{
  return status_of (task).error;
}

const char *
vhdkit_task_error_text (vhdkit_task *task)
{
  return status_of (task).error_text;
}

/* Views. */

uint32_t
vhdkit_task_status_win32 (vhdkit_task *task, uint64_t *ret_value,
                          uint64_t *ret_completion)
{
  struct vhdkit_task_info s = status_of (task);

  /* Not the bytes: their quotient may fall, and be 0 of 0. */
  if (ret_value)
    *ret_value = s.percent;
  if (ret_completion)
    *ret_completion = 100;
  return vhdkit_error_win32 (s.error);
}

/* HRESULT_FROM_WIN32, for a failure that the other interface has no name for:
 * it must not look like success. */
static uint32_t
hresult_or_win32 (uint32_t hresult, enum vhdkit_error code)
{
  uint32_t win32 = vhdkit_error_win32 (code);

  if (hresult != 0 || win32 == 0)
    return hresult;
  return win32 > 0xffff ? win32 : 0x80070000 | win32;
}

uint32_t
vhdkit_task_status_hresult (vhdkit_task *task)
{
  enum vhdkit_error error = status_of (task).error;

  if (error == VHDKIT_ERR_PENDING)
    return 0;
  return hresult_or_win32 (vhdkit_error_hresult (error), error);
}

uint32_t
vhdkit_task_status_vds (vhdkit_task *task, uint32_t *ret_percent)
{
  struct vhdkit_task_info s = status_of (task);
  bool failed = s.error != VHDKIT_OK && s.error != VHDKIT_ERR_PENDING;

  if (ret_percent)
    *ret_percent = failed ? 0 : s.percent;
  return hresult_or_win32 (vhdkit_error_hresult_vds (s.error), s.error);
}
