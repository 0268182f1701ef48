/* vhdkit: what the files of the tasks layer share.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_TASKS_INTERNAL_H
#define VHDKIT_TASKS_INTERNAL_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "tasks/tasks.h"

/* A thread.  It ends when its context is shut down and nothing waits, or
 * inside an operation (worker.c). */
struct worker {
  struct vhdkit_context *ctx;
  pthread_t thread;
  struct worker *next;          /* in ctx->workers */
  struct vhdkit_task *task;     /* what it is at; only the thread looks */
};

struct vhdkit_context {
  /* Guards everything below, and the tasks of the context.  No operation, and
   * nothing else that may take long, runs under it. */
  pthread_mutex_t lock;
  unsigned refs;                /* the handle, and one for each task */
  pid_t pid;                    /* not that of the child of a fork */
  bool shutting_down;
  bool joining;                 /* someone waits for the threads to end */

  struct vhdkit_task *first, *last; /* running and waiting, oldest first */
  size_t nr_tasks;
  size_t nr_waiting;            /* of them not yet claimed */
  pthread_cond_t work;          /* something waits, or shutting down */
  pthread_cond_t empty;         /* no tasks any more */

  struct worker *workers;
  unsigned nr_workers, nr_idle, max_workers;
};

enum cancel_state {
  CANCEL_NO = 0,
  CANCEL_ASKED,                 /* vhdkit_task_cancel */
  CANCEL_SHUTDOWN               /* vhdkit_context_shutdown */
};

struct vhdkit_task {
  /* Set at birth. */
  struct vhdkit_context *ctx;   /* counted */
  uint64_t id;
  char *kind, *description;
  bool cancelable;
  task_fn run;
  void (*free_opaque) (void *);
  void *opaque;
  struct progress progress;

  /* Guarded by ctx->lock. */
  unsigned refs;                /* handles, and one while in the list */
  struct vhdkit_task *prev, *next;
  bool claimed;                 /* somebody will complete it */
  bool done;
  enum cancel_state cancel;
  int percent;
  uint64_t done_bytes, total_bytes;
  int done_fd;                  /* eventfd, or -1 */
  pthread_cond_t completed;

  /* Set when it is done, never changed after that. */
  enum vhdkit_task_result result;
  struct saved_error error;
};

/* context.c.  _locked: the caller holds ctx->lock. */
extern void context_ref_locked (struct vhdkit_context *ctx);
extern void context_unref (struct vhdkit_context *ctx);
extern int context_check_open_locked (struct vhdkit_context *ctx);
extern void context_add_locked (struct vhdkit_context *ctx,
                                struct vhdkit_task *t);
extern void context_remove_locked (struct vhdkit_context *ctx,
                                   struct vhdkit_task *t);
/* The oldest task that waits, now claimed by the caller; NULL: none. */
extern struct vhdkit_task *context_claim_locked (struct vhdkit_context *ctx);
/* This one, which waits. */
extern void context_claim_task_locked (struct vhdkit_context *ctx,
                                       struct vhdkit_task *t);
/* Complete everything that waits with this error, whose sentence is made of
 * the description and what. */
extern void context_drop_waiting (struct vhdkit_context *ctx,
                                  enum vhdkit_error code, int err,
                                  const char *what);

/* worker.c.  See to it that someone takes what waits: -1 if nobody will. */
extern int worker_provide_locked (struct vhdkit_context *ctx);
/* The context is shut down and has no tasks: end the threads. */
extern void worker_join_all (struct vhdkit_context *ctx);

/* task.c.  For a task that the caller has claimed; each of them completes it
 * and takes the list's reference: the task, and its context, may be gone. */
extern void task_run (struct vhdkit_task *t);
extern void task_crashed (struct vhdkit_task *t);
extern void task_drop (struct vhdkit_task *t, enum vhdkit_error code, int err,
                       const char *what);
/* Let it know that someone wants it to end. */
extern void task_ask_to_end_locked (struct vhdkit_task *t,
                                    enum cancel_state how);
extern struct vhdkit_task *task_ref_locked (struct vhdkit_task *t);

/* result.c.  What VMTaskResult calls a failure. */
extern enum vhdkit_task_result result_of_error (enum vhdkit_error code);

#endif
