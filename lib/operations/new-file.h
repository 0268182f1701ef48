/* vhdkit: a new file that appears whole or not at all.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Where the file system can do it the file has no name until new_file_commit
 * gives it one (O_TMPFILE, linkat), so that neither a crash nor a killed
 * process leaves anything.  Elsewhere it is made under its name with O_EXCL,
 * and the writer must see to it that it looks like nothing until it is
 * complete.
 */
#ifndef VHDKIT_OPERATIONS_NEW_FILE_H
#define VHDKIT_OPERATIONS_NEW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct new_file {
  const char *path;             /* as the caller wrote it; borrowed */
  char *base;                   /* last component; owned */
  int dirfd;                    /* the folder */
  bool unreadable;              /* which may be written, not read */
  int fd;                       /* the file */
  bool named;                   /* it has its name, and is ours to unlink */
  bool no_sync;                 /* set by the caller: it need not be durable */
  dev_t device;                 /* of the file, to know it again */
  ino_t inode;
};

/* Open the folder and see whether the name is free; path must live as long as
 * *f and name a file (path_check_names_file).  Errors: EXISTS (whatever is
 * there, a dangling link too), PATH_NOT_FOUND (no such folder), ACCESS_DENIED,
 * NAME_TOO_LONG, and what open can say.  On failure *f needs no
 * new_file_abandon. */
extern int new_file_place (struct new_file *f, const char *path);
/* Make the file. */
extern int new_file_make (struct new_file *f, mode_t mode);

extern int new_file_write (struct new_file *f, const void *buf, size_t count,
                           uint64_t offset);
extern int new_file_set_size (struct new_file *f, uint64_t size);
extern int new_file_sync (struct new_file *f);

/* Reserve [offset, offset + length).  Returns 0, or -1 with NOT_SUPPORTED if
 * the file system cannot, or DISK_FULL and the like. */
extern int new_file_reserve (struct new_file *f, uint64_t offset,
                             uint64_t length);

/* Give it its name and make everything durable.  On failure nothing is left.
 */
extern int new_file_commit (struct new_file *f);

/* Let go of it and leave nothing.  Keeps the last error. */
extern void new_file_abandon (struct new_file *f);

/* After new_file_commit: remove it again, if it is still there. */
extern void new_file_remove (const struct new_file *f);

#endif
