/* vhdkit: a new file that appears whole or not at all.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Everything is done relative to the folder's descriptor, so that a folder
 * that is renamed meanwhile does not lead the last steps elsewhere.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "operations/folders.h"
#include "operations/new-file.h"
#include "operations/paths.h"

/* "/proc/self/fd/N" */
#define FD_PATH_SIZE 40

static void
fd_path (int fd, char ret_path[FD_PATH_SIZE])
{
  snprintf (ret_path, FD_PATH_SIZE, "/proc/self/fd/%d", fd);
}

static int
exists_error (const char *path)
{
  set_error (VHDKIT_ERR_EXISTS, EEXIST,
             "%s: something of this name exists; nothing is overwritten, give "
             "another name or remove it first", path);
  return -1;
}

/* Split path and open its folder. */
static int
open_folder (struct new_file *f, const char *path)
{
  CLEANUP_FREE char *dir = path_folder (path);
  int err;

  f->base = text_format ("%s", path_name (path));
  if (!dir || !f->base)
    return -1;
  f->dirfd = open (dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  /* Which may be written, but not read.  Flags of it that only an ioctl tells
   * (host-volume.c) are not seen then. */
  if (f->dirfd == -1 && errno == EACCES) {
    f->unreadable = true;
    f->dirfd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  }
  err = errno;
  if (f->dirfd == -1 && (err == ENOENT || err == ENOTDIR))
    set_error (VHDKIT_ERR_PATH_NOT_FOUND, err,
               "%s: the folder %s does not exist", path, dir);
  else if (f->dirfd == -1)
    set_error_errno (err, "%s: cannot open the folder %s", path, dir);
  return f->dirfd == -1 ? -1 : 0;
}

/* A file without a name, if that is possible here; it gets its name through
 * /proc, which must therefore be there. */
static int
open_nameless (struct new_file *f, mode_t mode)
{
  char path[FD_PATH_SIZE];

  f->fd = openat (f->dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, mode);
  if (f->fd == -1)
    return -1;
  fd_path (f->fd, path);
  if (access (path, F_OK) == 0)
    return 0;
  close (f->fd);
  f->fd = -1;
  return -1;
}

static int
open_named (struct new_file *f, mode_t mode)
{
  f->fd = openat (f->dirfd, f->base,
                  O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (f->fd >= 0) {
    f->named = true;
    return 0;
  }
  if (errno == EEXIST)
    return exists_error (f->path);
  set_error_errno (errno, "%s: cannot create the file", f->path);
  return -1;
}

int
new_file_place (struct new_file *f, const char *path)
{
  struct stat st;

  *f = (struct new_file) { .path = path, .dirfd = -1, .fd = -1 };
  if (open_folder (f, path) == -1)
    goto error;
  /* Asked first, not only when the name is given at the end, so that nobody
   * waits for the contents of a file that cannot be. */
  if (fstatat (f->dirfd, f->base, &st, AT_SYMLINK_NOFOLLOW) == 0) {
    exists_error (path);
    goto error;
  }
  if (errno == ENAMETOOLONG) {
    set_error_errno (errno, "%s", path);
    goto error;
  }
  return 0;

 error:
  new_file_abandon (f);
  return -1;
}

int
new_file_make (struct new_file *f, mode_t mode)
{
  struct stat st;

  if (open_nameless (f, mode) == -1 && open_named (f, mode) == -1)
    return -1;
  if (fstat (f->fd, &st) == -1) {
    set_error_errno (errno, "%s: cannot examine the new file", f->path);
    return -1;
  }
  f->device = st.st_dev;
  f->inode = st.st_ino;
  return 0;
}

int
new_file_write (struct new_file *f, const void *buf, size_t count,
                uint64_t offset)
{
  const char *p = buf;

  while (count > 0) {
    ssize_t n = pwrite (f->fd, p, count, (off_t) offset);

    if (n == -1 && errno == EINTR)
      continue;
    if (n <= 0) {
      set_error_errno (n == 0 ? ENOSPC : errno,
                       "%s: cannot write %zu bytes at offset %llu", f->path,
                       count, (unsigned long long) offset);
      return -1;
    }
    p += n;
    count -= n;
    offset += n;
  }
  return 0;
}

int
new_file_set_size (struct new_file *f, uint64_t size)
{
  int r;

  do
    r = ftruncate (f->fd, (off_t) size);
  while (r == -1 && errno == EINTR);
  if (r == 0)
    return 0;
  set_error_errno (errno, "%s: cannot make a file of %llu bytes", f->path,
                   (unsigned long long) size);
  return -1;
}

int
new_file_sync (struct new_file *f)
{
  int r;

  if (f->no_sync)
    return 0;
  do
    r = fsync (f->fd);
  while (r == -1 && errno == EINTR);
  if (r == 0)
    return 0;
  set_error_errno (errno, "%s: cannot write to the disk", f->path);
  return -1;
}

int
new_file_reserve (struct new_file *f, uint64_t offset, uint64_t length)
{
  while (fallocate (f->fd, 0, (off_t) offset, (off_t) length) == -1) {
    if (errno == EINTR)
      continue;
    if (errno == EOPNOTSUPP || errno == ENOSYS)
      set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
                 "%s: the file system cannot reserve space", f->path);
    else
      set_error_errno (errno, "%s: cannot reserve %llu bytes at offset %llu",
                       f->path, (unsigned long long) length,
                       (unsigned long long) offset);
    return -1;
  }
  return 0;
}

/* Give a nameless file its name. */
static int
give_name (struct new_file *f)
{
  char path[FD_PATH_SIZE];

  fd_path (f->fd, path);
  if (linkat (AT_FDCWD, path, f->dirfd, f->base, AT_SYMLINK_FOLLOW) == 0) {
    f->named = true;
    return 0;
  }
  if (errno == EEXIST)
    return exists_error (f->path);
  set_error_errno (errno, "%s: cannot give the new file its name", f->path);
  return -1;
}

/* Write the folder to the disk.  One that we may not read cannot be synced on
 * its own. */
static int
sync_folder (struct new_file *f)
{
  int r;

  do
    r = f->unreadable ? syncfs (f->fd) : folder_sync (f->dirfd);
  while (r == -1 && errno == EINTR);
  if (r == 0)
    return 0;
  set_error_errno (errno, "%s: cannot write the folder to the disk", f->path);
  return -1;
}

int
new_file_commit (struct new_file *f)
{
  int fd;

  if (new_file_sync (f) == -1)
    goto error;
  if (!f->named && give_name (f) == -1)
    goto error;
  if (!f->no_sync && sync_folder (f) == -1)
    goto error;
  fd = f->fd;
  f->fd = -1;
  if (close (fd) == -1 && errno != EINTR) {
    set_error_errno (errno, "%s: cannot close the file", f->path);
    goto error;
  }
  f->named = false;             /* only new_file_remove does */
  return 0;

 error:
  new_file_abandon (f);
  return -1;
}

/* Is what has our name now still the file that we made? */
static bool
still_ours (const struct new_file *f)
{
  struct stat st;

  return fstatat (f->dirfd, f->base, &st, AT_SYMLINK_NOFOLLOW) == 0
    && st.st_dev == f->device && st.st_ino == f->inode;
}

void
new_file_remove (const struct new_file *f)
{
  if (still_ours (f))
    unlinkat (f->dirfd, f->base, 0);
}

void
new_file_abandon (struct new_file *f)
{
  if (f->named)
    new_file_remove (f);
  if (f->fd >= 0)
    close (f->fd);
  if (f->dirfd >= 0)
    close (f->dirfd);
  free (f->base);
  *f = (struct new_file) { .path = f->path, .dirfd = -1, .fd = -1 };
}
