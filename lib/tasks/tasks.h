/* vhdkit: operations that run while the caller does something else.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A context owns worker threads and the list of running tasks; a task runs one
 * synchronous function on a worker and keeps what became of it.  The public
 * part is in vhdkit.h ("Contexts and tasks"); docs/tasks.md tells the whole.
 */
#ifndef VHDKIT_TASKS_H
#define VHDKIT_TASKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "operations/operations.h"
#include "vhdkit.h"

/* The operation.  Runs on a worker, once or (cancelled before it began) never.
 * Returns 0, or -1 with the thread's last error; CANCELLED if it ended because
 * progress->fn returned non-zero.  progress is never NULL and lives until the
 * function returns.  What the operation made is closed and durable, or gone,
 * when it returns: the task is complete right after. */
typedef int (*task_fn) (void *opaque, const struct progress *progress);

/* Run the function on a worker of ctx (NULL: the default context).  kind is
 * one word for programs ("create"), description a sentence for people; both
 * are copied, an empty description becomes the kind.
 *
 * free_opaque (may be NULL) is called exactly once, from whichever thread ends
 * the task, after run and before the task is complete; not if task_start
 * fails: then opaque is still the caller's.
 *
 * ret_task NULL: nobody will ask.  Otherwise the caller's reference, to be
 * given back with vhdkit_task_free.
 * Errors: SHUTTING_DOWN, NO_MEMORY, WRONG_STATE (ctx is from before a fork). */
extern int task_start (struct vhdkit_context *ctx, const char *kind,
                       const char *description, bool cancelable,
                       task_fn run, void (*free_opaque) (void *),
                       void *opaque, struct vhdkit_task **ret_task);

/* -1 with SHUTTING_DOWN once vhdkit_context_shutdown was called.  ctx NULL:
 * the default context. */
extern int context_check_open (struct vhdkit_context *ctx);

/* The rest is what api-tasks.c makes the public functions of.  Arguments are
 * not NULL, except ctx where it says so. */

extern int context_new (unsigned threads, struct vhdkit_context **ret_ctx);
/* ctx, or the default context for NULL.  NULL: NO_MEMORY. */
extern struct vhdkit_context *context_or_default (struct vhdkit_context *ctx);
extern void context_shutdown (struct vhdkit_context *ctx);
extern void context_free (struct vhdkit_context *ctx);

extern size_t context_count (struct vhdkit_context *ctx);
extern int context_item (struct vhdkit_context *ctx, size_t index,
                         struct vhdkit_task **ret_task);
extern int context_list (struct vhdkit_context *ctx,
                         struct vhdkit_task ***ret_tasks, size_t *ret_count);

extern void task_get_status (struct vhdkit_task *t,
                             struct vhdkit_task_info *ret_status);
extern int task_wait (struct vhdkit_task *t, int timeout_ms);
extern int task_cancel (struct vhdkit_task *t);
extern int task_fd (struct vhdkit_task *t);
extern void task_unref (struct vhdkit_task *t);

#endif
