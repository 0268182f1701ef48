/* vhdkit: make the folders that a new image needs, and take them away again.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "operations/folders.h"
#include "operations/paths.h"

/* Is there a folder?  1, 0 (nothing has this name), or -1. */
static int
folder_exists (const char *folder, const char *path)
{
  struct stat st;

  if (stat (folder, &st) == 0) {
    if (S_ISDIR (st.st_mode))
      return 1;
    set_error (VHDKIT_ERR_PATH_NOT_FOUND, ENOTDIR,
               "%s: %s is not a folder", path, folder);
    return -1;
  }
  if (errno == ENOENT)
    return 0;
  set_error_errno (errno, "%s: cannot examine the folder %s", path, folder);
  return -1;
}

static int
make_one (struct folders *f, const char *folder, const char *path)
{
  struct made_folder *p = realloc (f->made, (f->n + 1) * sizeof *p);
  struct stat st;

  if (!p) {
    set_error_errno (ENOMEM, "%s", path);
    return -1;
  }
  f->made = p;
  p += f->n;
  p->path = strdup (folder);
  if (!p->path) {
    set_error_errno (ENOMEM, "%s", path);
    return -1;
  }
  if (mkdir (folder, 0777) == -1) {
    int err = errno;

    free (p->path);
    /* Somebody was faster. */
    if (err == EEXIST && folder_exists (folder, path) == 1)
      return 0;
    if (err == EEXIST)          /* a symbolic link that leads nowhere */
      set_error (VHDKIT_ERR_PATH_NOT_FOUND, ENOENT,
                 "%s: %s is no folder", path, folder);
    else
      set_error_errno (err, "%s: cannot make the folder %s", path, folder);
    return -1;
  }
  if (lstat (folder, &st) == -1) {
    set_error_errno (errno, "%s: cannot examine the folder %s", path, folder);
    free (p->path);
    rmdir (folder);             /* what is not empty stays */
    return -1;
  }
  f->n++;
  p->device = st.st_dev;
  p->inode = st.st_ino;
  return 0;
}

/* folder, and what it is in: depth levels at most may be missing. */
static int
make_levels (struct folders *f, const char *folder, const char *path,
             unsigned depth)
{
  int r = folder_exists (folder, path);

  if (r != 0)
    return r == 1 ? 0 : -1;
  if (depth == 0) {
    set_error (VHDKIT_ERR_PATH_NOT_FOUND, ENOENT,
               "%s: the folder %s does not exist", path, folder);
    return -1;
  }
  else {
    CLEANUP_FREE char *outer = path_folder (folder);

    if (!outer || make_levels (f, outer, path, depth - 1) == -1)
      return -1;
  }
  return make_one (f, folder, path);
}

int
folders_make (struct folders *f, const char *path,
              enum folders_missing missing)
{
  /* A path has fewer components than this. */
  const unsigned depth = missing == FOLDERS_NONE ? 0
    : missing == FOLDERS_ONE ? 1 : 4096;
  CLEANUP_FREE char *folder = path_folder (path);

  *f = (struct folders) { NULL, 0 };
  if (!folder)
    return -1;
  if (make_levels (f, folder, path, depth) == 0)
    return 0;
  folders_undo (f);
  return -1;
}

int
folder_sync (int fd)
{
  int r;

  do
    r = fsync (fd);
  while (r == -1 && errno == EINTR);
  return r == -1 && (errno == EINVAL || errno == ENOTSUP) ? 0 : r;
}

int
folders_sync (const struct folders *f)
{
  size_t i;

  for (i = 0; i < f->n; i++) {
    CLEANUP_FREE char *outer = path_folder (f->made[i].path);
    CLEANUP_CLOSE int fd = -1;

    if (!outer)
      return -1;
    fd = open (outer, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    /* A folder that may be written but not read cannot be synced. */
    if (fd == -1 && errno == EACCES)
      continue;
    if (fd == -1 || folder_sync (fd) == -1) {
      set_error_errno (errno, "cannot write the folder %s to the disk", outer);
      return -1;
    }
  }
  return 0;
}

void
folders_undo (struct folders *f)
{
  size_t i;

  for (i = f->n; i-- > 0; ) {
    const struct made_folder *m = &f->made[i];
    struct stat st;

    /* Unless it has been replaced. */
    if (lstat (m->path, &st) == 0 && st.st_dev == m->device
        && st.st_ino == m->inode)
      rmdir (m->path);
  }
  folders_free (f);
}

void
folders_free (struct folders *f)
{
  size_t i;

  for (i = 0; i < f->n; i++)
    free (f->made[i].path);
  free (f->made);
  *f = (struct folders) { NULL, 0 };
}
