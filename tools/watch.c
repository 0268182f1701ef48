/* vhdkit: wait for a task, show how far it is, cancel it when a signal comes.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Signals arrive as bytes of a signalfd, the end of the task as one of its own
 * descriptor: poll waits for both, and in between it is time for progress.
 *
 * The call that makes the task looks at parent, folder and a source that is a
 * file first (and --profile azure asks for the size of any source), which can
 * take long where a server is behind them that does not answer, and cannot be
 * cancelled.  It is therefore made in another thread.  If a signal comes and
 * the call does not return soon, we leave without it: it has not made a file by
 * then.
 *
 * (No library for event loops: there is one loop, and it waits for two things.)
 */
#include <config.h>

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "tools.h"

#define GRACE_MS 100

struct call {
  const struct watched *w;
  int fd;                       /* readable when the call has returned */
  bool failed;
  enum vhdkit_error error;      /* of this thread, carried over by hand */
  char *text;
  vhdkit_task *task;
};

enum event { EVENT_READY, EVENT_SIGNAL, EVENT_TIMEOUT };

/*----------------------------------------------------------------------
 * Waiting
 *--------------------------------------------------------------------*/

/* Set up before any thread is started, so that all have them blocked.  SIGINT
 * and SIGTERM count even if they were ignored, as shells do it for what runs
 * in the background: whoever sends them means it.  But nohup ignores SIGHUP on
 * purpose. */
static int
take_signals (void)
{
  struct sigaction hup;
  sigset_t stop;

  sigemptyset (&stop);
  sigaddset (&stop, SIGINT);
  sigaddset (&stop, SIGTERM);
  if (sigaction (SIGHUP, NULL, &hup) == 0 && hup.sa_handler != SIG_IGN)
    sigaddset (&stop, SIGHUP);
  /* A reader of our progress that goes away is not the end of the work. */
  signal (SIGPIPE, SIG_IGN);
  pthread_sigmask (SIG_BLOCK, &stop, NULL);
  return signalfd (-1, &stop, SFD_CLOEXEC);
}

/* signals: -1 to ignore them. */
static enum event
wait_for (int fd, int signals, int timeout_ms)
{
  struct pollfd p[2] = {
    { .fd = fd, .events = POLLIN },
    { .fd = signals, .events = POLLIN },
  };
  struct signalfd_siginfo info;

  if (poll (p, 2, timeout_ms) <= 0)
    return EVENT_TIMEOUT;
  if (p[1].revents && read (signals, &info, sizeof info) > 0)
    return EVENT_SIGNAL;
  return p[0].revents ? EVENT_READY : EVENT_TIMEOUT;
}

/*----------------------------------------------------------------------
 * The call
 *--------------------------------------------------------------------*/

static void *
make_call (void *opaque)
{
  struct call *c = opaque;
  const uint64_t one = 1;

  if (c->w->start (c->w->opaque, &c->task) == -1) {
    c->failed = true;
    c->error = vhdkit_get_error_code ();
    c->text = checked_alloc (strdup (vhdkit_get_error ()));
  }
  while (write (c->fd, &one, sizeof one) == -1 && errno == EINTR)
    ;
  return NULL;
}

/* Returns -1 to go on, or the exit status. */
static int
call_and_wait (struct call *c, int signals, bool *ret_cancelled)
{
  pthread_t thread;
  enum event e;
  int err = pthread_create (&thread, NULL, make_call, c);

  if (err) {
    complain (c->w->file, "cannot start a thread: %s", strerror (err));
    return STATUS_FAILED;
  }
  do
    e = wait_for (c->fd, signals, -1);
  while (e == EVENT_TIMEOUT);   /* a stop and a continuation */
  if (e == EVENT_SIGNAL) {
    *ret_cancelled = true;
    if (wait_for (c->fd, -1, GRACE_MS) != EVENT_READY) {
      complain (c->w->file, "cancelled");
      /* From here, because the thread still uses what our callers have; and
       * without what libraries do at the end, because it uses them, too. */
      _exit (finish_output (STATUS_CANCELLED));
    }
  }
  pthread_join (thread, NULL);
  if (!c->failed)
    return -1;
  if (*ret_cancelled)
    complain (c->w->file, "cancelled");
  else
    complain_error (c->w->file, c->error, c->text);
  free (c->text);
  return *ret_cancelled ? STATUS_CANCELLED : STATUS_FAILED;
}

/*----------------------------------------------------------------------
 * The task
 *--------------------------------------------------------------------*/

static void
look (vhdkit_task *task, struct vhdkit_task_info *t)
{
  t->struct_size = sizeof *t;
  if (vhdkit_task_status (task, t) == -1) {     /* cannot fail like this */
    complain_library (NULL);
    exit (STATUS_FAILED);
  }
}

/* *cancelled: before, and afterwards whether a signal came at all. */
static void
wait_for_task (struct call *c, int signals, bool *cancelled,
               const struct progress_options *o)
{
  const int fd = vhdkit_task_fd (c->task);
  struct vhdkit_task_info t;
  struct progress_view *v = progress_begin (o);

  /* Without a descriptor we learn of the end when we look. */
  if (*cancelled)
    vhdkit_task_cancel (c->task);
  for (look (c->task, &t); t.state != VHDKIT_TASK_DONE; look (c->task, &t)) {
    progress_show (v, &t);
    /* Cancelling twice, or too late, does no harm. */
    if (wait_for (fd, signals, PROGRESS_INTERVAL_MS) == EVENT_SIGNAL) {
      vhdkit_task_cancel (c->task);
      *cancelled = true;
    }
  }
  progress_end (v, &t);
}

static int
outcome (struct call *c, bool cancelled)
{
  const enum vhdkit_error error = vhdkit_task_error (c->task);

  if (error == VHDKIT_OK) {
    if (cancelled)
      complain (c->w->file, "note: it was too late to cancel");
    return STATUS_OK;
  }
  if (error == VHDKIT_ERR_CANCELLED) {
    complain (c->w->file, "cancelled");
    return STATUS_CANCELLED;
  }
  complain_error (c->w->file, error, vhdkit_task_error_text (c->task));
  return STATUS_FAILED;
}

int
watch_task (const struct watched *w, const struct progress_options *o)
{
  const int signals = take_signals ();
  struct call c = { .w = w, .fd = eventfd (0, EFD_CLOEXEC) };
  bool cancelled = false;
  int status;

  if (signals == -1 || c.fd == -1) {
    complain (w->file, "cannot wait for signals: %s", strerror (errno));
    return STATUS_FAILED;
  }
  status = call_and_wait (&c, signals, &cancelled);
  if (status != -1)
    return status;
  wait_for_task (&c, signals, &cancelled, o);
  status = outcome (&c, cancelled);
  vhdkit_task_free (c.task);
  close (c.fd);
  close (signals);
  return status;
}
