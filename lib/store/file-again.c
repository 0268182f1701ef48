/* vhdkit: stores of files that are open already.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/error.h"
#include "store/file.h"

/* What transfers past the page cache are made of, at least. */
#define SECTOR_BYTES 512u

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

int
file_open_again (int fd, int flags)
{
  char link[32];

  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  return open (link, flags | O_CLOEXEC | O_NOCTTY);
}

struct store *
store_file_direct (struct store *s)
{
  struct file_store *f;
  int fd = store_file_fd (s);

  if (fd == -1 || !s->writable)
    return NULL;
  fd = file_open_again (fd, O_RDWR | O_DIRECT);
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

/*----------------------------------------------------------------------
 * Reading once
 *--------------------------------------------------------------------*/

/* Below this the page cache, which reads ahead, is better. */
#define DIRECT_READ_MIN (64u << 10)
/* How far the page cache is looked at in one go. */
#define CACHED_STEP ((size_t) 4 << 20)

/* For the owner of the file and for root; others do without. */
static void
keep_atime (int fd)
{
  int flags = fcntl (fd, F_GETFL);

  if (flags != -1)
    (void) fcntl (fd, F_SETFL, flags | O_NOATIME);
}

void
store_file_read_once (struct store *s)
{
  struct file_store *f = (struct file_store *) s;
  int fd = store_file_fd (s);

  if (fd == -1)
    return;
  keep_atime (fd);
  f->direct_fd = file_open_again (fd, O_RDONLY | O_DIRECT);
  if (f->direct_fd == -1)
    return;
  keep_atime (f->direct_fd);
  /* Small reads must not fill the page cache with what is then read past
   * it. */
  (void) posix_fadvise (fd, 0, 0, POSIX_FADV_RANDOM);
}

/* How many of these bytes, from the first on, are in the page cache.  Who may
 * not know is told "all". */
static size_t
cached_bytes (const struct file_store *f, size_t count, uint64_t offset)
{
  const size_t page = sysconf (_SC_PAGESIZE);
  const uint64_t start = round_down (offset, page);
  const size_t length = MIN_OF (count + (offset - start), CACHED_STEP);
  unsigned char resident[CACHED_STEP / 4096];
  size_t n = 0, pages = div_round_up (length, page);
  void *p = mmap (NULL, length, PROT_READ, MAP_SHARED, f->fd, (off_t) start);

  if (p == MAP_FAILED)
    return 0;
  if (mincore (p, length, resident) == 0)
    while (n < pages && (resident[n] & 1))
      n++;
  munmap (p, length);
  return n * page > offset - start ?
    MIN_OF (n * page - (offset - start), count) : 0;
}

/* What of it is in the page cache, without waiting for the disk.  It is asked
 * for nothing else: RWF_NOWAIT does not wait for what is not there, but newer
 * kernels begin to read it, so that it is read twice. */
static size_t
read_cached (const struct file_store *f, void *buf, size_t count,
             uint64_t offset)
{
  size_t done = 0, n;
  struct iovec iov;
  ssize_t r = 0;

  while (done < count
         && (n = cached_bytes (f, count - done, offset + done)) > 0) {
    iov = (struct iovec) { (char *) buf + done, n };
    r = preadv2 (f->fd, &iov, 1, (off_t) (offset + done), RWF_NOWAIT);
    if (r <= 0)
      break;
    done += r;
  }
  return done;
}

size_t
file_read_direct (struct file_store *f, void *buf, size_t count,
                  uint64_t offset)
{
  size_t done;
  ssize_t r;

  if (count < DIRECT_READ_MIN || f->no_direct)
    return 0;
  done = round_down (read_cached (f, buf, count, offset), SECTOR_BYTES);
  if (done == count)
    return done;
  if (((offset + done) | (count - done) | ((uintptr_t) buf + done))
      % SECTOR_BYTES != 0)
    return done;
  r = pread (f->direct_fd, (char *) buf + done, count - done,
             (off_t) (offset + done));
  /* Wants larger sectors, or cannot after all.  Other errors come again. */
  if (r == -1 && (errno == EINVAL || errno == EOPNOTSUPP))
    f->no_direct = true;
  return r > 0 ? done + r : done;
}
