/* vhdkit: stores of files that are open already.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

#include "base/error.h"
#include "store/file.h"

struct store *
store_file_dup (int fd, const char *name)
{
  struct file_store *f = file_store_new (name, true);

  if (f == NULL)
    return NULL;
  f->fd = fcntl (fd, F_DUPFD_CLOEXEC, 0);
  if (f->fd == -1) {
    set_error_errno (errno, "%s: duplicating the descriptor", name);
    store_close (&f->base);
    return NULL;
  }
  return &f->base;
}

struct store *
store_file_direct (struct store *s)
{
  int fd = store_file_fd (s);
  struct file_store *f;
  char link[32];

  if (fd == -1 || !s->writable)
    return NULL;
  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  fd = open (link, O_RDWR | O_DIRECT | O_CLOEXEC | O_NOCTTY);
  if (fd == -1)
    return NULL;
  f = file_store_new (s->name, true);
  if (f == NULL) {
    close (fd);
    return NULL;
  }
  f->fd = fd;
  f->base.can_grow = s->can_grow;
  return &f->base;
}

void
store_file_noatime (struct store *s)
{
  int fd = store_file_fd (s), flags;

  /* For the owner of the file and for root; others do without. */
  if (fd != -1 && (flags = fcntl (fd, F_GETFL)) != -1)
    (void) fcntl (fd, F_SETFL, flags | O_NOATIME);
}
