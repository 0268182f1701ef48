/* vhdkit: the connections of an NBD store.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * See nbd.h for the threads and the locks.
 */
#include <config.h>

#ifdef HAVE_LIBNBD

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/thread.h"
#include "store/nbd.h"

/* While waiting for a server that may never answer: how often to look whether
 * anyone still wants it to. */
#define LOOK_MS 25
/* How long to wait for a server to say goodbye. */
#define GOODBYE_MS 500

struct command {
  struct command *next, **prev; /* among the pending ones; conn->lock */
  struct connection *conn;
  pthread_cond_t changed;
  bool done;
  int err;
};

int
remote_failed (const char *name, const char *doing)
{
  int err = nbd_get_errno ();
  const char *text = nbd_get_error ();

  if (err <= 0)
    err = EIO;
  set_error (error_code_of_errno (err), err, "%s: %s: %s", name, doing,
             text ? text : strerror (err));
  return -1;
}

int
remote_cancelled (const char *name)
{
  set_error (VHDKIT_ERR_CANCELLED, ECANCELED,
             "%s: waiting for the server was cancelled", name);
  return -1;
}

/*----------------------------------------------------------------------
 * Commands
 *--------------------------------------------------------------------*/

static void
finish_locked (struct command *cmd, int err)
{
  if (cmd->done)
    return;
  cmd->done = true;
  cmd->err = err;
  *cmd->prev = cmd->next;
  if (cmd->next)
    cmd->next->prev = cmd->prev;
  pthread_cond_signal (&cmd->changed);
}

/* Called by libnbd when a command is answered. */
static int
on_answer (void *opaque, int *error)
{
  struct command *cmd = opaque;
  LOCK_FOR_SCOPE (&cmd->conn->lock);

  finish_locked (cmd, *error);
  return 1;                     /* libnbd may forget the command */
}

static void
enqueue (struct connection *c, struct command *cmd)
{
  LOCK_FOR_SCOPE (&c->lock);

  *cmd = (struct command) { .conn = c, .next = c->pending,
                            .prev = &c->pending };
  pthread_cond_init (&cmd->changed, NULL);
  if (c->pending)
    c->pending->prev = &cmd->next;
  c->pending = cmd;
}

static void
wake (struct connection *c)
{
  uint64_t one = 1;

  /* It can only fail by being full: then the thread will wake anyway. */
  if (write (c->wake, &one, sizeof one) == -1)
    return;
}

static int
wait_for_answer (struct nbd_store *n, struct command *cmd, const char *doing)
{
  struct connection *c = cmd->conn;

  mutex_lock (&c->lock);
  while (!cmd->done)
    pthread_cond_wait (&cmd->changed, &c->lock);
  mutex_unlock (&c->lock);
  pthread_cond_destroy (&cmd->changed);
  if (cmd->err == 0)
    return 0;
  if (n->cancelled)
    return remote_cancelled (n->base.name);
  /* Whatever the server's trouble is (no space, shutting down), here it is
   * one of reading. */
  set_error_errno (cmd->err, "%s: %s", n->base.name, doing);
  error_recode (VHDKIT_ERR_IO, cmd->err);
  return -1;
}

int
remote_command (struct nbd_store *n, issue_fn issue, void *args,
                const char *doing)
{
  struct connection *c = &n->conn[n->next_conn++ % n->nr_conns];
  struct command cmd;
  int r = 0;

  mutex_lock (&c->issue_lock);
  enqueue (c, &cmd);
  if (c->dead) {
    mutex_lock (&c->lock);
    finish_locked (&cmd, ENOTCONN);
    mutex_unlock (&c->lock);
  }
  else if (issue (c->h, args, (nbd_completion_callback) {
                    .callback = on_answer, .user_data = &cmd }) == -1) {
    /* EINVAL, say, if the connection was lost just now. */
    r = remote_failed (n->base.name, doing);
    error_recode (VHDKIT_ERR_IO, EIO);
    mutex_lock (&c->lock);
    finish_locked (&cmd, EIO);
    mutex_unlock (&c->lock);
  }
  else
    wake (c);
  mutex_unlock (&c->issue_lock);
  if (r == -1) {
    pthread_cond_destroy (&cmd.changed);
    return -1;
  }
  return wait_for_answer (n, &cmd, doing);
}

/*----------------------------------------------------------------------
 * The thread of a connection
 *--------------------------------------------------------------------*/

/* Wait until the socket or somebody wants something.  -1: it is over. */
static int
move_bytes (struct connection *c)
{
  unsigned dir = nbd_aio_get_direction (c->h);
  struct pollfd fds[2] = {
    { .fd = nbd_aio_get_fd (c->h) }, { .fd = c->wake, .events = POLLIN }
  };
  uint64_t count;

  if (nbd_aio_is_dead (c->h) || nbd_aio_is_closed (c->h) || fds[0].fd == -1)
    return -1;
  if (dir & LIBNBD_AIO_DIRECTION_READ)
    fds[0].events |= POLLIN;
  if (dir & LIBNBD_AIO_DIRECTION_WRITE)
    fds[0].events |= POLLOUT;
  if (poll (fds, 2, -1) == -1)
    return errno == EINTR ? 0 : -1;
  if ((fds[1].revents & POLLIN)
      && read (c->wake, &count, sizeof count) == -1 && errno != EAGAIN)
    return -1;
  if (c->quit)
    return -1;

  /* Queueing a command may have changed what is possible. */
  dir = nbd_aio_get_direction (c->h);
  if ((dir & LIBNBD_AIO_DIRECTION_READ)
      && (fds[0].revents & (POLLIN | POLLHUP)))
    return nbd_aio_notify_read (c->h);
  if ((dir & LIBNBD_AIO_DIRECTION_WRITE) && (fds[0].revents & POLLOUT))
    return nbd_aio_notify_write (c->h);
  return fds[0].revents & (POLLERR | POLLHUP | POLLNVAL) ? -1 : 0;
}

static void *
connection_thread (void *opaque)
{
  struct connection *c = opaque;

  while (move_bytes (c) == 0)
    ;
  mutex_lock (&c->issue_lock);
  c->dead = true;
  mutex_unlock (&c->issue_lock);
  mutex_lock (&c->lock);
  while (c->pending)
    finish_locked (c->pending, ENOTCONN);
  mutex_unlock (&c->lock);
  return NULL;
}

/*----------------------------------------------------------------------
 * Connecting and closing
 *--------------------------------------------------------------------*/

static int
connect_handle (struct nbd_store *n, struct nbd_handle *h,
                int (*cancelled) (void *opaque), void *opaque)
{
  const char *name = n->base.name;

  /* For the files that nbds URIs name: whoever gave the URI may read them. */
  if (nbd_set_uri_allow_local_file (h, true) == -1
      || nbd_add_meta_context (h, LIBNBD_CONTEXT_BASE_ALLOCATION) == -1
      || nbd_aio_connect_uri (h, name) == -1)
    return remote_failed (name, "connecting");
  while (nbd_aio_is_connecting (h)) {
    if (nbd_poll (h, LOOK_MS) == -1)
      return remote_failed (name, "connecting");
    if (n->cancelled || (cancelled && cancelled (opaque)))
      return remote_cancelled (name);
  }
  if (!nbd_aio_is_ready (h))
    return remote_failed (name, "connecting");
  return 0;
}

int
connection_start (struct nbd_store *n, int (*cancelled) (void *opaque),
                  void *opaque)
{
  struct connection *c = &n->conn[n->nr_conns];
  int err;

  pthread_mutex_init (&c->issue_lock, NULL);
  pthread_mutex_init (&c->lock, NULL);
  n->nr_conns++;
  c->wake = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (c->wake == -1) {
    set_error_errno (errno, "%s: eventfd", n->base.name);
    return -1;
  }
  c->h = nbd_create ();
  if (c->h == NULL)
    return remote_failed (n->base.name, "nbd_create");
  if (connect_handle (n, c->h, cancelled, opaque) == -1)
    return -1;
  err = thread_start (&c->thread, false, connection_thread, c);
  if (err != 0) {
    set_error_errno (err, "%s: starting a thread", n->base.name);
    return -1;
  }
  c->running = true;
  return 0;
}

/* Wait a moment, politely; the thread has ended. */
static void
say_goodbye (struct nbd_handle *h)
{
  int ms;

  if (!nbd_aio_is_ready (h) || nbd_aio_disconnect (h, 0) == -1)
    return;
  for (ms = 0; ms < GOODBYE_MS; ms += LOOK_MS)
    if (nbd_aio_is_closed (h) || nbd_aio_is_dead (h)
        || nbd_poll (h, LOOK_MS) == -1)
      return;
}

void
connection_quit (struct connection *c)
{
  c->quit = true;
  wake (c);
}

void
connection_end (struct nbd_store *n, struct connection *c)
{
  if (c->running) {
    connection_quit (c);
    pthread_join (c->thread, NULL);
    if (!n->cancelled)
      say_goodbye (c->h);
  }
  nbd_close (c->h);
  if (c->wake != -1)
    close (c->wake);
  pthread_mutex_destroy (&c->lock);
  pthread_mutex_destroy (&c->issue_lock);
}

#endif /* HAVE_LIBNBD */
