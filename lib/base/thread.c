/* vhdkit: threads of the library.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <signal.h>

#include "base/thread.h"

/* Nobody expects a handler of the program to run, or a read to be interrupted,
 * in here; and a program that waits to be interrupted must be the one that is.
 * Except for what a thread does to itself.  SIGXFSZ and SIGPIPE are not among
 * those: EFBIG and EPIPE say it. */
static void
block_signals (sigset_t *ret_old)
{
  static const int own[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS,
                             SIGABRT, SIGPROF };
  sigset_t set;
  size_t i;

  sigfillset (&set);
  for (i = 0; i < sizeof own / sizeof own[0]; i++)
    sigdelset (&set, own[i]);
  pthread_sigmask (SIG_SETMASK, &set, ret_old);
}

int
thread_start (pthread_t *ret_thread, bool detached, void *(*fn) (void *),
              void *arg)
{
  pthread_attr_t attr;
  pthread_t thread;
  sigset_t old;
  int r;

  pthread_attr_init (&attr);
  if (detached)
    pthread_attr_setdetachstate (&attr, PTHREAD_CREATE_DETACHED);
  /* A thread begins with the mask of the one that makes it. */
  block_signals (&old);
  r = pthread_create (&thread, &attr, fn, arg);
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  pthread_attr_destroy (&attr);
  if (r == 0 && ret_thread)
    *ret_thread = thread;
  return r;
}
