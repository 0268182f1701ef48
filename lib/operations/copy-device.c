/* vhdkit: may this block device be copied?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A disk that changes while it is copied gives an image of no moment at all.
 * So a device is claimed as file systems claim theirs (O_EXCL), which fails
 * while it, or a partition of it, is mounted, swapped on, or part of an array;
 * and one that can be written must not be open for writing anywhere.  The
 * system has no call to ask for that: the tables of open files of all
 * processes are looked through, as far as we may (root sees all of them).
 */
#include <config.h>

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "operations/copy-internal.h"

/* Where sysfs describes the device, resolved: a partition is in the folder of
 * its disk.  NULL: unknown. */
static char *
sysfs_folder (dev_t device)
{
  char link[64];

  snprintf (link, sizeof link, "/sys/dev/block/%u:%u", major (device),
            minor (device));
  return realpath (link, NULL);
}

/* Are these the same device, or disk and partition? */
static bool
overlap (dev_t a, const char *folder_a, dev_t b)
{
  CLEANUP_FREE char *folder_b = NULL;
  size_t n;

  if (a == b)
    return true;
  if (folder_a == NULL || (folder_b = sysfs_folder (b)) == NULL)
    return false;
  n = strlen (folder_a);
  if (n > strlen (folder_b))
    n = strlen (folder_b);
  return strncmp (folder_a, folder_b, n) == 0
         && (folder_a[n] == '/' || folder_b[n] == '/');
}

/* Is descriptor fd of the process whose folder is proc a block device, and
 * opened for writing? */
static bool
writes_device (int proc, const char *fd, dev_t *ret_device)
{
  CLEANUP_CLOSE int info = -1;
  char path[64], text[512], *flags;
  struct statx st;
  ssize_t n;

  /* Not asking the server of a network file system, which may be dead. */
  snprintf (path, sizeof path, "fd/%.32s", fd);
  if (statx (proc, path, AT_STATX_DONT_SYNC, STATX_TYPE, &st) == -1
      || !S_ISBLK (st.stx_mode))
    return false;
  *ret_device = makedev (st.stx_rdev_major, st.stx_rdev_minor);
  snprintf (path, sizeof path, "fdinfo/%.32s", fd);
  info = openat (proc, path, O_RDONLY | O_CLOEXEC);
  if (info == -1)
    return false;
  n = read (info, text, sizeof text - 1);
  text[n > 0 ? n : 0] = '\0';
  flags = strstr (text, "flags:");
  return flags
         && (strtoul (flags + strlen ("flags:"), NULL, 8) & O_ACCMODE)
            != O_RDONLY;
}

/* Does this process write to the device?  One that is gone, or that we may not
 * look at, does not. */
static bool
process_writes (int proc, dev_t device, const char *folder)
{
  int fd = openat (proc, "fd", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  DIR *dir = fd == -1 ? NULL : fdopendir (fd);
  struct dirent *d;
  bool found = false;
  dev_t other;

  if (dir == NULL) {
    if (fd != -1)
      close (fd);
    return false;
  }
  while (!found && (d = readdir (dir)) != NULL)
    found = isdigit ((unsigned char) d->d_name[0])
            && writes_device (proc, d->d_name, &other)
            && overlap (device, folder, other);
  closedir (dir);
  return found;
}

/* A process that writes to the device, or 0. */
static long
find_writer (dev_t device)
{
  CLEANUP_FREE char *folder = sysfs_folder (device);
  DIR *dir = opendir ("/proc");
  struct dirent *d;
  long r = 0;

  if (dir == NULL)
    return 0;
  while (r == 0 && (d = readdir (dir)) != NULL) {
    CLEANUP_CLOSE int proc = -1;

    if (!isdigit ((unsigned char) d->d_name[0]))
      continue;
    proc = openat (dirfd (dir), d->d_name,
                   O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (proc != -1 && process_writes (proc, device, folder))
      r = strtol (d->d_name, NULL, 10);
  }
  closedir (dir);
  return r;
}

static int
check_sector_size (const char *path, int fd)
{
  int size;

  if (ioctl (fd, BLKSSZGET, &size) == -1) {
    set_error_errno (errno, "%s: asking for the sector size", path);
    return -1;
  }
  if (size == (int) SECTOR_SIZE)
    return 0;
  set_error (VHDKIT_ERR_SECTOR_SIZE, ENOTSUP,
             "%s: its sectors have %d bytes; a VHD can hold disks with sectors "
             "of 512 only", path, size);
  return -1;
}

static bool
is_read_only (int fd)
{
  int r = 0;

  return ioctl (fd, BLKROGET, &r) == 0 && r;
}

/* Where the device, or a partition of it, is mounted; malloced, as mountinfo
 * has it.  NULL: nowhere, or the file system does not say (btrfs). */
static char *
find_mount (int fd)
{
  CLEANUP_FREE char *folder = NULL;
  char *line = NULL, *point = NULL;
  size_t size = 0;
  unsigned major, minor;
  struct stat st;
  bool found = false;
  FILE *fp;

  if (fstat (fd, &st) == -1)
    return NULL;
  folder = sysfs_folder (st.st_rdev);
  fp = fopen ("/proc/self/mountinfo", "re");
  if (fp == NULL)
    return NULL;
  while (!found && getline (&line, &size, fp) != -1) {
    free (point);
    point = NULL;
    found = sscanf (line, "%*d %*d %u:%u %*s %ms", &major, &minor, &point) == 3
            && overlap (st.st_rdev, folder, makedev (major, minor));
  }
  free (line);
  fclose (fp);
  if (found)
    return point;
  free (point);
  return NULL;
}

/* Somebody has it: as a file system that is mounted, whether or not it writes
 * just now, it is online; else it has an owner. */
static void
busy_error (const char *path, int fd)
{
  CLEANUP_FREE char *point = is_read_only (fd) ? NULL : find_mount (fd);

  if (point)
    set_error (VHDKIT_ERR_SOURCE_ONLINE, EBUSY,
               "%s: is writable, and mounted on %s; unmount it, or copy it by "
               "force", path, point);
  else
    set_error (VHDKIT_ERR_SOURCE_OWNED, EBUSY,
               "%s: is in use: mounted, swapped on, part of an array, or held "
               "by another program; free it, or copy it by force", path);
}

/* Hold the device.  By way of /proc, because the path may lead elsewhere by
 * now. */
static int
claim (const char *path, int fd, int *ret_claim)
{
  char link[32];
  int r;

  snprintf (link, sizeof link, "/proc/self/fd/%d", fd);
  r = open (link, O_RDONLY | O_EXCL | O_NONBLOCK | O_CLOEXEC);
  if (r != -1) {
    *ret_claim = r;
    return 0;
  }
  if (errno == EBUSY)
    busy_error (path, fd);
  else
    set_error_errno (errno, "%s: claiming the device", path);
  return -1;
}

/* Nobody changes it: it is read-only, or not open for writing. */
static int
check_offline (const char *path, int fd)
{
  struct stat st;
  long pid;

  if (is_read_only (fd))
    return 0;
  if (fstat (fd, &st) == -1) {
    set_error_errno (errno, "%s", path);
    return -1;
  }
  pid = find_writer (st.st_rdev);
  if (pid == 0)
    return 0;
  set_error (VHDKIT_ERR_SOURCE_ONLINE, EBUSY,
             "%s: is writable and open for writing by process %ld; close it "
             "there, make it read-only (blockdev --setro), or copy it by "
             "force", path, pid);
  return -1;
}

int
copy_claim_device (const char *path, struct store *store, bool force,
                   int *ret_claim)
{
  int fd = store_file_fd (store);

  if (check_sector_size (path, fd) == -1)
    return -1;
  if (force)
    return 0;
  if (claim (path, fd, ret_claim) == -1)
    return -1;
  return check_offline (path, fd);
}
