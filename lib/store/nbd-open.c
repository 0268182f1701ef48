/* vhdkit: open an NBD store, and stop waiting for it at any moment.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Some of it cannot be interrupted: looking up a name, above all, takes as long
 * as a name server that does not answer is given.  So it is done in a thread
 * of its own, which whoever does not want to wait any longer leaves behind; it
 * ends, and cleans up, when it can.
 */
#include <config.h>

#ifdef HAVE_LIBNBD

#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/eventfd.h>

#include "base/error.h"
#include "base/thread.h"
#include "store/nbd.h"

/* How often to look whether anyone still wants it. */
#define LOOK_MS 25
/* How long to wait for a thread that nobody wants any more: it looks as often,
 * and it is better gone, because the process may be about to end, and with it
 * what libnbd uses. */
#define GRACE_MS 50

/* Shared by the thread and the one who waits; who is the last frees it. */
struct opening {
  _Atomic int users;
  _Atomic bool unwanted;
  _Atomic bool done;            /* what follows is there */
  struct store *store;          /* NULL: error says why */
  struct saved_error error;
  int changed;                  /* eventfd: readable when it is done */
  char *uri;
};

static void
leave (struct opening *o)
{
  if (--o->users > 0)
    return;
  if (o->store) {               /* nobody wants it: without a goodbye */
    store_nbd_cancel (o->store);
    store_close (o->store);
  }
  error_discard (&o->error);
  if (o->changed != -1)
    close (o->changed);
  free (o->uri);
  free (o);
}

static int
is_unwanted (void *opaque)
{
  const struct opening *o = opaque;

  return o->unwanted;
}

static void *
open_in_thread (void *opaque)
{
  struct opening *o = opaque;
  const uint64_t one = 1;
  ssize_t r;

  o->store = nbd_store_open (o->uri, is_unwanted, o);
  if (o->store == NULL)
    error_save (&o->error);
  o->done = true;
  r = write (o->changed, &one, sizeof one);
  (void) r;                     /* should it fail, the next look finds done */
  leave (o);
  return NULL;
}

static struct opening *
new_opening (const char *uri)
{
  struct opening *o = calloc (1, sizeof *o);

  if (o == NULL || (o->uri = strdup (uri)) == NULL) {
    free (o);
    set_error_errno (ENOMEM, "%s", uri);
    return NULL;
  }
  o->users = 1;
  o->changed = eventfd (0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (o->changed != -1)
    return o;
  set_error_errno (errno, "%s: eventfd", uri);
  leave (o);
  return NULL;
}

static int
start_thread (struct opening *o)
{
  int err;

  o->users++;
  err = thread_start (NULL, true, open_in_thread, o);
  if (err == 0)
    return 0;
  o->users--;
  set_error_errno (err, "%s: starting a thread", o->uri);
  return -1;
}

/* Until it is done, or unwanted and too busy to notice. */
static void
wait_for_thread (struct opening *o, int (*cancelled) (void *opaque),
                 void *opaque)
{
  struct pollfd p = { .fd = o->changed, .events = POLLIN };

  while (!o->done && !o->unwanted) {
    poll (&p, 1, LOOK_MS);      /* however it ends, there is another look */
    o->unwanted = cancelled (opaque);
  }
  if (!o->done)
    poll (&p, 1, GRACE_MS);
}

struct store *
store_open_nbd (const char *uri, int (*cancelled) (void *opaque),
                void *opaque)
{
  struct store *s = NULL;
  struct opening *o;

  if (cancelled == NULL)
    return nbd_store_open (uri, NULL, NULL);
  o = new_opening (uri);
  if (o == NULL)
    return NULL;
  if (start_thread (o) == -1) {
    leave (o);
    return NULL;
  }
  wait_for_thread (o, cancelled, opaque);
  if (o->done && !o->unwanted) {
    s = o->store;
    o->store = NULL;
    if (s == NULL)
      error_restore (&o->error);
  }
  else
    remote_cancelled (uri);
  leave (o);
  return s;
}

#endif /* HAVE_LIBNBD */
