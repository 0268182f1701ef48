/* vhdkit: what the place of a new image must be like.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Compression and encryption belong to a file, which has them from its folder
 * (chattr +c, fscrypt), and show in its flags.  btrfs can also be mounted so
 * that it compresses everything, and that shows in the options of the mount
 * only.
 *
 * The largest possible file: pathconf's _PC_FILESIZEBITS is a guess of the C
 * library from the kind of file system, 32 for all that it does not know, tmpfs
 * and overlayfs among them.  The kernel knows better: seeking in a file fails
 * beyond the largest offset.  So a file without a name is asked, where there
 * can be one; and vfat, where there cannot, is known.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "operations/host-volume.h"
#include "vhdkit.h"

/*----------------------------------------------------------------------
 * Compression and encryption
 *--------------------------------------------------------------------*/

struct traits {
  bool compressed, encrypted;
  bool no_compression;          /* chattr +m */
  bool no_cow;                  /* chattr +C: btrfs cannot compress it */
};

static void
traits_of_flags (int fd, struct traits *t)
{
  int flags = 0;                /* the kernel writes an int */

  if (ioctl (fd, FS_IOC_GETFLAGS, &flags) == -1)
    return;                     /* has no such flags */
  t->compressed |= (flags & FS_COMPR_FL) != 0;
  t->encrypted |= (flags & FS_ENCRYPT_FL) != 0;
  t->no_compression |= (flags & FS_NOCOMP_FL) != 0;
  t->no_cow |= (flags & FS_NOCOW_FL) != 0;
}

static void
traits_of_attributes (int fd, struct traits *t)
{
  struct statx st;

  if (statx (fd, "", AT_EMPTY_PATH, STATX_BASIC_STATS, &st) == -1)
    return;
  t->compressed |= (st.stx_attributes & STATX_ATTR_COMPRESSED) != 0;
  t->encrypted |= (st.stx_attributes & STATX_ATTR_ENCRYPTED) != 0;
}

/* The number that the mount of fd has in mountinfo, or -1. */
static int
mount_id (int fd)
{
  char path[64], line[256];
  int id = -1;
  FILE *fp;

  snprintf (path, sizeof path, "/proc/self/fdinfo/%d", fd);
  fp = fopen (path, "re");
  if (!fp)
    return -1;
  while (fgets (line, sizeof line, fp))
    if (sscanf (line, "mnt_id: %d", &id) == 1)
      break;
  fclose (fp);
  return id;
}

/* Options of the file system, which are the last word of its line; malloced,
 * NULL if that cannot be found out. */
static char *
mount_options (int fd)
{
  const int wanted = mount_id (fd);
  char *line = NULL, *options = NULL;
  size_t size = 0;
  int id;
  FILE *fp = wanted == -1 ? NULL : fopen ("/proc/self/mountinfo", "re");

  if (!fp)
    return NULL;
  while (!options && getline (&line, &size, fp) != -1)
    if (sscanf (line, "%d", &id) == 1 && id == wanted && strrchr (line, ' ')) {
      line[strcspn (line, "\n")] = '\0';
      options = strdup (strrchr (line, ' ') + 1);
    }
  free (line);
  fclose (fp);
  return options;
}

/* compress, compress=zstd:3, compress-force=lzo, ...; the last one counts. */
static void
traits_of_mount (int fd, struct traits *t)
{
  CLEANUP_FREE char *options = NULL;
  char *option, *rest, *value;
  bool on = false, force = false;
  struct statfs fs;

  if (t->no_cow || fstatfs (fd, &fs) == -1
      || fs.f_type != BTRFS_SUPER_MAGIC)
    return;
  options = mount_options (fd);
  if (!options)
    return;
  for (option = strtok_r (options, ",", &rest); option;
       option = strtok_r (NULL, ",", &rest)) {
    value = strchr (option, '=');
    if (value)
      *value++ = '\0';
    if (strcmp (option, "compress") != 0
        && strcmp (option, "compress-force") != 0)
      continue;
    on = !value || (strcmp (value, "no") != 0 && strcmp (value, "none") != 0);
    force = option[strlen ("compress")] != '\0';
  }
  t->compressed |= on && (force || !t->no_compression);
}

static int
limitation (const char *name, const char *what, const char *flag)
{
  set_error (VHDKIT_ERR_HOST_LIMITATION, ENOTSUP,
             "%s: the file system keeps files here %s, and Windows refuses "
             "disk images there; choose another folder, or allow it (%s)",
             name, what, flag);
  return -1;
}

int
host_check_volume (int fd, const char *name, uint32_t flags)
{
  struct traits t = { .compressed = false };

  traits_of_flags (fd, &t);
  traits_of_attributes (fd, &t);
  traits_of_mount (fd, &t);
  if (t.compressed && !(flags & VHDKIT_HOST_ALLOW_COMPRESSED))
    return limitation (name, "compressed", "VHDKIT_HOST_ALLOW_COMPRESSED");
  if (t.encrypted && !(flags & VHDKIT_HOST_ALLOW_ENCRYPTED))
    return limitation (name, "encrypted", "VHDKIT_HOST_ALLOW_ENCRYPTED");
  return 0;
}

/*----------------------------------------------------------------------
 * Room
 *--------------------------------------------------------------------*/

int
host_check_room (int fd, const char *name, uint64_t bytes)
{
  struct statvfs v;
  uint64_t blocks, need;

  /* Without a size of its own (some network and memory file systems) it has
   * none left either: no answer. */
  if (fstatvfs (fd, &v) == -1 || v.f_blocks == 0 || v.f_frsize == 0)
    return 0;
  /* What is kept back is kept for root. */
  blocks = geteuid () == 0 ? v.f_bfree : v.f_bavail;
  need = bytes / v.f_frsize + (bytes % v.f_frsize != 0);
  if (need <= blocks)
    return 0;
  set_error (VHDKIT_ERR_DISK_FULL, ENOSPC,
             "%s: %" PRIu64 " bytes are needed, the file system has %" PRIu64
             " free", name, bytes, blocks * v.f_frsize);
  return -1;
}

/*----------------------------------------------------------------------
 * The largest file
 *--------------------------------------------------------------------*/

static int
too_large (const char *name, uint64_t bytes, uint64_t limit, const char *whose)
{
  set_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, EFBIG,
             "%s: the file can grow to %" PRIu64 " bytes, the limit of %s is %"
             PRIu64, name, bytes, whose, limit);
  return -1;
}

/* Would a file of this size be refused by the file system? */
static bool
beyond_last_offset (int dirfd, uint64_t bytes)
{
  CLEANUP_CLOSE int fd = -1;

  if (bytes > INT64_MAX)
    return true;
  fd = openat (dirfd, ".", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
  return fd >= 0 && lseek (fd, (off_t) bytes, SEEK_SET) == -1;
}

int
host_check_file_size (int dirfd, const char *name, uint64_t bytes)
{
  struct rlimit limit;
  struct statfs fs;

  if (getrlimit (RLIMIT_FSIZE, &limit) == 0
      && limit.rlim_cur != RLIM_INFINITY && bytes > limit.rlim_cur)
    return too_large (name, bytes, limit.rlim_cur, "this process (ulimit -f)");
  if (fstatfs (dirfd, &fs) == 0 && fs.f_type == MSDOS_SUPER_MAGIC
      && bytes > UINT32_MAX)
    return too_large (name, bytes, UINT32_MAX, "the file system (FAT)");
  if (!beyond_last_offset (dirfd, bytes))
    return 0;
  set_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, EFBIG,
             "%s: the file can grow to %" PRIu64 " bytes, more than the file "
             "system can hold in one file", name, bytes);
  return -1;
}
