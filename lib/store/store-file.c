/* vhdkit: a store that is a regular file or a block device.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * All I/O names its offset (preadv, pwritev), so any number of threads share
 * the descriptor.  A store that becomes writable exchanges what the
 * descriptor refers to, in one atomic step, under the feet of readers.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <linux/fs.h>
#include <linux/openat2.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "store/file.h"

enum { ID_FILE = 1, ID_BLOCK_DEVICE = 2 };

static inline struct file_store *
file_of (struct store *s)
{
  return (struct file_store *) s;
}

/*----------------------------------------------------------------------
 * Reading and writing
 *--------------------------------------------------------------------*/

/* Where in the caller's buffers a transfer is. */
struct cursor {
  const struct iovec *iov;
  int n;
  size_t skip;                  /* done of iov[0] */
  size_t left;                  /* bytes to go, of all */
};

typedef ssize_t (*transfer_fn) (int fd, const struct iovec *iov, int n,
                                off_t offset);

/* With one buffer the system need not copy and check an array of them first:
 * 50 ns, of the 800 that reading a page from the page cache takes. */
static ssize_t
read_at (int fd, const struct iovec *iov, int n, off_t offset)
{
  return n == 1 ? pread (fd, iov->iov_base, iov->iov_len, offset)
                : preadv (fd, iov, n, offset);
}

static ssize_t
write_at (int fd, const struct iovec *iov, int n, off_t offset)
{
  return n == 1 ? pwrite (fd, iov->iov_base, iov->iov_len, offset)
                : pwritev (fd, iov, n, offset);
}

static void
advance (struct cursor *c, size_t bytes)
{
  c->left -= bytes;
  bytes += c->skip;
  while (c->n > 0 && bytes >= c->iov->iov_len) {
    bytes -= c->iov->iov_len;
    c->iov++;
    c->n--;
  }
  c->skip = bytes;
}

/* One system call.  The caller's array is used as it is, except after a
 * transfer that ended inside of a buffer. */
static ssize_t
transfer (transfer_fn fn, int fd, const struct cursor *c, uint64_t offset)
{
  struct iovec rest[8];
  const struct iovec *iov = c->iov;
  int n = MIN_OF (c->n, IOV_MAX);
  ssize_t r;

  if (c->skip > 0) {
    n = MIN_OF (n, (int) (sizeof rest / sizeof rest[0]));
    memcpy (rest, iov, n * sizeof *iov);
    rest[0].iov_base = (char *) rest[0].iov_base + c->skip;
    rest[0].iov_len -= c->skip;
    iov = rest;
  }
  do
    r = fn (fd, iov, n, (off_t) offset);
  while (r == -1 && errno == EINTR);
  return r;
}

static int
past_the_end (struct store *s, size_t count, uint64_t offset)
{
  uint64_t size;

  if (store_size (s, &size) == -1)
    return -1;
  set_error (VHDKIT_ERR_IO, EIO,
             "%s: %zu bytes at offset %" PRIu64 " are past the end of the "
             "file, which has %" PRIu64 " bytes", s->name, count, offset, size);
  return -1;
}

static int
file_preadv (struct store *s, const struct iovec *iov, int n, uint64_t offset)
{
  struct cursor c = { iov, n, 0, store_iov_bytes (iov, n) };
  ssize_t r;

  if (!range_within (offset, c.left, INT64_MAX))
    return past_the_end (s, c.left, offset);
  if (n == 1 && file_of (s)->direct_fd != -1) {
    size_t done = file_read_direct (file_of (s), iov->iov_base, c.left,
                                    offset);

    advance (&c, done);
    offset += done;
  }
  while (c.left > 0) {
    r = transfer (read_at, file_of (s)->fd, &c, offset);
    if (r == 0)
      return past_the_end (s, c.left, offset);
    if (r == -1) {
      set_error_errno (errno, "%s: reading %zu bytes at offset %" PRIu64,
                       s->name, c.left, offset);
      return -1;
    }
    advance (&c, r);
    offset += r;
  }
  return 0;
}

static int
file_pwritev (struct store *s, const struct iovec *iov, int n,
              uint64_t offset)
{
  struct cursor c = { iov, n, 0, store_iov_bytes (iov, n) };
  ssize_t r;

  if (store_check_writable (s) == -1)
    return -1;
  while (c.left > 0) {
    if (!range_within (offset, c.left, INT64_MAX)) {
      r = -1;
      errno = EFBIG;
    }
    else
      r = transfer (write_at, file_of (s)->fd, &c, offset);
    if (r == 0) {
      /* Should not be; but do not go round for ever. */
      r = -1;
      errno = EIO;
    }
    if (r == -1) {
      set_error_errno (errno, "%s: writing %zu bytes at offset %" PRIu64,
                       s->name, c.left, offset);
      return -1;
    }
    advance (&c, r);
    offset += r;
  }
  return 0;
}

static int
file_flush (struct store *s)
{
  int r;

  do
    r = fdatasync (file_of (s)->fd);
  while (r == -1 && errno == EINTR);
  if (r == -1)
    set_error_errno (errno, "%s: flushing to the disk", s->name);
  return r;
}

static int
file_prefetch (struct store *s, uint64_t offset, uint64_t length)
{
  /* A hint: that it cannot be followed is no error. */
  if (range_within (offset, length, INT64_MAX))
    posix_fadvise (file_of (s)->fd, (off_t) offset, (off_t) length,
                   POSIX_FADV_WILLNEED);
  return 0;
}

/*----------------------------------------------------------------------
 * Length and layout
 *--------------------------------------------------------------------*/

static int
file_stat (struct store *s, int fd, struct stat *ret_st)
{
  if (fstat (fd, ret_st) == 0)
    return 0;
  set_error_errno (errno, "%s: fstat", s->name);
  return -1;
}

static int
device_size (struct store *s, uint64_t *ret_size)
{
  int fd = file_of (s)->fd;
  uint64_t bytes;
  off_t end;

  if (ioctl (fd, BLKGETSIZE64, &bytes) == 0) {
    *ret_size = bytes;
    return 0;
  }
  end = lseek (fd, 0, SEEK_END);
  if (end == -1) {
    set_error_errno (errno, "%s: asking for the size of the device", s->name);
    return -1;
  }
  *ret_size = end;
  return 0;
}

static int
file_size (struct store *s, uint64_t *ret_size)
{
  struct stat st;

  if (file_of (s)->block_device)
    return device_size (s, ret_size);
  if (file_stat (s, file_of (s)->fd, &st) == -1)
    return -1;
  *ret_size = st.st_size;
  return 0;
}

static int
file_truncate (struct store *s, uint64_t size)
{
  int r;

  if (store_check_writable (s) == -1)
    return -1;
  if (!s->can_grow) {
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "%s: is a block device, whose size cannot be changed", s->name);
    return -1;
  }
  do {
    errno = EFBIG;
    r = size <= INT64_MAX ? ftruncate (file_of (s)->fd, (off_t) size) : -1;
  } while (r == -1 && errno == EINTR);
  if (r == -1)
    set_error_errno (errno, "%s: changing the size to %" PRIu64 " bytes",
                     s->name, size);
  return r;
}

static int
file_next_extent (struct store *s, uint64_t offset, uint64_t end,
                  uint64_t *ret_end, bool *ret_hole)
{
  int fd = file_of (s)->fd;
  bool hole = false;
  off_t next = -1;

  if (!file_of (s)->block_device && end <= INT64_MAX) {
    next = lseek (fd, (off_t) offset, SEEK_DATA);
    if (next > (off_t) offset)
      hole = true;
    else if (next == (off_t) offset)
      next = lseek (fd, (off_t) offset, SEEK_HOLE);
    else if (errno == ENXIO) {  /* no data from here on */
      hole = true;
      next = (off_t) end;
    }
  }
  /* Where the file system cannot tell, or a hole was made between the two
   * calls, say data: that is never wrong. */
  if (next <= (off_t) offset)
    next = (off_t) end;
  *ret_end = MIN_OF ((uint64_t) next, end);
  *ret_hole = hole;
  return 0;
}

static int
file_identity (struct store *s, struct store_id *ret_id)
{
  struct stat st;

  if (file_stat (s, file_of (s)->fd, &st) == -1)
    return -1;
  if (file_of (s)->block_device)
    /* Several nodes may lead to one device. */
    *ret_id = (struct store_id) { ID_BLOCK_DEVICE, st.st_rdev, 0 };
  else
    *ret_id = (struct store_id) { ID_FILE, st.st_dev, st.st_ino };
  return 0;
}

static int
file_usage (struct store *s, uint64_t *ret_allocated, int64_t *ret_mtime)
{
  struct stat st;
  uint64_t allocated;

  if (file_stat (s, file_of (s)->fd, &st) == -1)
    return -1;
  allocated = (uint64_t) st.st_blocks * 512;
  if (file_of (s)->block_device && device_size (s, &allocated) == -1)
    return -1;
  *ret_allocated = allocated;
  *ret_mtime = st.st_mtime;
  return 0;
}

/*----------------------------------------------------------------------
 * Locks, and becoming writable
 *--------------------------------------------------------------------*/

static int
file_lock (struct store *s, enum store_lock lock)
{
  struct file_store *f = file_of (s);
  LOCK_FOR_SCOPE (&f->lock_mutex);

  if (file_lock_change (f->fd, s->name, f->locked, lock) == -1)
    return -1;
  f->locked = lock;
  return 0;
}

static int
reopen_writable (struct store *s, int fd)
{
  CLEANUP_CLOSE int new_fd = file_open_again (fd, O_RDWR);
  struct stat old_st, new_st;
  int r;

  if (new_fd == -1) {
    set_error_errno (errno, "%s: opening for writing (by /proc/self/fd/%d)",
                     s->name, fd);
    return -1;
  }
  if (file_stat (s, fd, &old_st) == -1
      || file_stat (s, new_fd, &new_st) == -1)
    return -1;
  if (old_st.st_dev != new_st.st_dev || old_st.st_ino != new_st.st_ino) {
    set_error (VHDKIT_ERR_UNEXPECTED, EIO,
               "%s: opening for writing (by /proc/self/fd/%d) led to another "
               "file", s->name, fd);
    return -1;
  }
  r = new_fd;
  new_fd = -1;
  return r;
}

static int
file_make_writable (struct store *s)
{
  struct file_store *f = file_of (s);
  CLEANUP_CLOSE int new_fd = -1;
  LOCK_FOR_SCOPE (&f->lock_mutex);

  if (s->writable)
    return 0;
  new_fd = reopen_writable (s, f->fd);
  if (new_fd == -1)
    return -1;
  /* Locks belong to the open file description, which is about to change. */
  if (file_lock_move (f->fd, new_fd, s->name, f->locked) == -1)
    return -1;
  /* Atomic: other threads read on, from the one or the other. */
  if (dup3 (new_fd, f->fd, O_CLOEXEC) == -1) {
    set_error_errno (errno, "%s: exchanging the descriptor", s->name);
    file_lock_move (new_fd, f->fd, s->name, f->locked);
    return -1;
  }
  s->writable = true;
  return 0;
}

/*----------------------------------------------------------------------
 * Opening and closing
 *--------------------------------------------------------------------*/

static int
file_close (struct store *s)
{
  struct file_store *f = file_of (s);
  int r = 0;

  if (f->fd >= 0 && close (f->fd) == -1) {
    set_error_errno (errno, "%s: closing", s->name);
    r = -1;
  }
  if (f->direct_fd >= 0)
    close (f->direct_fd);       /* nothing was written by way of it */
  pthread_mutex_destroy (&f->lock_mutex);
  free (s->name);
  free (f);
  return r;
}

static const struct store_ops file_ops = {
  .preadv = file_preadv,
  .pwritev = file_pwritev,
  .zero = file_zero,
  .size = file_size,
  .truncate = file_truncate,
  .flush = file_flush,
  .next_extent = file_next_extent,
  .prefetch = file_prefetch,
  .lock = file_lock,
  .make_writable = file_make_writable,
  .identity = file_identity,
  .usage = file_usage,
  .close = file_close,
};

static int
open_beneath (int dirfd, const char *path, int flags)
{
  struct open_how how;
  int fd, tries = 100;

  memset (&how, 0, sizeof how);
  how.flags = flags;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  /* EAGAIN: a directory on the way was renamed meanwhile, and the kernel
   * cannot tell whether the path stays inside. */
  do
    fd = syscall (SYS_openat2, dirfd, path, &how, sizeof how);
  while (fd == -1 && (errno == EINTR || (errno == EAGAIN && --tries > 0)));
  return fd;
}

static int
not_virtual_disk (const char *path, const char *what)
{
  set_error (VHDKIT_ERR_NOT_VIRTUAL_DISK, EINVAL,
             "%s: is a %s; expected a regular file or a block device",
             path, what);
  return -1;
}

static int
open_failed (const char *path, bool writable, bool beneath, int err)
{
  if (err == EISDIR)
    return not_virtual_disk (path, "directory");
  if (err == ENXIO)
    return not_virtual_disk (path, "socket or a device that is not there");
  if (beneath && (err == EXDEV || err == ELOOP))
    set_error (VHDKIT_ERR_ACCESS_DENIED, EACCES,
               "%s: leads outside of the allowed directory", path);
  else if (beneath && (err == ENOSYS || err == EINVAL))
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "%s: cannot be confined to a directory: this needs openat2, "
               "which Linux has since 5.6", path);
  else
    set_error_errno (err, "%s: opening for %s", path,
                     writable ? "writing" : "reading");
  return -1;
}

static int
open_descriptor (int dirfd, const char *path, bool writable, bool beneath)
{
  /* O_NONBLOCK: do not wait for the other end of a FIFO, or for a modem. */
  int flags = (writable ? O_RDWR : O_RDONLY)
    | O_CLOEXEC | O_NONBLOCK | O_NOCTTY;
  int fd;

  if (beneath)
    fd = open_beneath (dirfd, path, flags);
  else {
    do
      fd = openat (dirfd, path, flags);
    while (fd == -1 && errno == EINTR);
  }
  if (fd == -1)
    return open_failed (path, writable, beneath, errno);
  return fd;
}

/* Refuse what has no bytes at an offset, and note what fd is. */
static int
examine (struct file_store *f)
{
  struct stat st;
  int flags;

  if (file_stat (&f->base, f->fd, &st) == -1)
    return -1;
  switch (st.st_mode & S_IFMT) {
  case S_IFREG:
    break;
  case S_IFBLK:
    f->block_device = true;
    f->base.can_grow = false;
    break;
  case S_IFDIR:
    return not_virtual_disk (f->base.name, "directory");
  case S_IFIFO:
    return not_virtual_disk (f->base.name, "FIFO");
  case S_IFSOCK:
    return not_virtual_disk (f->base.name, "socket");
  case S_IFCHR:
    return not_virtual_disk (f->base.name, "character device");
  default:
    return not_virtual_disk (f->base.name, "file of an unknown kind");
  }
  /* Reading leaves no trace, not even a time, where we may ask for that: as
   * the owner of the file or root. */
  flags = fcntl (f->fd, F_GETFL);
  if (flags != -1)
    flags &= ~O_NONBLOCK;
  if (flags == -1
      || (fcntl (f->fd, F_SETFL, flags | O_NOATIME) == -1
          && fcntl (f->fd, F_SETFL, flags) == -1)) {
    set_error_errno (errno, "%s: fcntl", f->base.name);
    return -1;
  }
  return 0;
}

struct file_store *
file_store_new (const char *name, bool writable)
{
  struct file_store *f = calloc (1, sizeof *f);

  if (f == NULL) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "%s: out of memory", name);
    return NULL;
  }
  f->fd = -1;
  f->direct_fd = -1;
  pthread_mutex_init (&f->lock_mutex, NULL);
  if (store_init (&f->base, &file_ops, name) == -1) {
    file_close (&f->base);
    return NULL;
  }
  f->base.writable = writable;
  return f;
}

struct store *
store_open_file (int dirfd, const char *path, bool writable, bool beneath)
{
  struct file_store *f = file_store_new (path, writable);

  if (f == NULL)
    return NULL;
  f->fd = open_descriptor (dirfd, path, writable, beneath);
  if (f->fd == -1 || examine (f) == -1) {
    file_close (&f->base);
    return NULL;
  }
  return &f->base;
}

struct store *
store_create_file (const char *path, mode_t mode)
{
  struct file_store *f = file_store_new (path, true);

  if (f == NULL)
    return NULL;
  do
    f->fd = open (path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
                  mode);
  while (f->fd == -1 && errno == EINTR);
  if (f->fd == -1) {
    if (errno == EEXIST)
      set_error (VHDKIT_ERR_EXISTS, EEXIST,
                 "%s: exists already; choose another name or remove it", path);
    else
      set_error_errno (errno, "%s: creating", path);
    file_close (&f->base);
    return NULL;
  }
  return &f->base;
}

int
store_file_fd (struct store *s)
{
  return s->ops == &file_ops ? file_of (s)->fd : -1;
}

bool
store_file_used_by_others (struct store *s)
{
  return s->ops == &file_ops && file_lock_others (file_of (s)->fd);
}
