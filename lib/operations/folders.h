/* vhdkit: make the folders that a new image needs, and take them away again.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_OPERATIONS_FOLDERS_H
#define VHDKIT_OPERATIONS_FOLDERS_H

#include <stddef.h>
#include <sys/types.h>

enum folders_missing {
  FOLDERS_NONE,                 /* none may be missing */
  FOLDERS_ONE,                  /* the last one may be, as Virtual Server has
                                   it */
  FOLDERS_ALL
};

struct made_folder {
  char *path;
  dev_t device;
  ino_t inode;
};

/* What was made, outermost first.  Zero: nothing. */
struct folders {
  struct made_folder *made;
  size_t n;
};

/* See to it that the folder of path exists.  On failure nothing is left.
 * Errors: PATH_NOT_FOUND, ACCESS_DENIED, NAME_TOO_LONG, NO_MEMORY, ... */
extern int folders_make (struct folders *f, const char *path,
                         enum folders_missing missing);
/* Make the names in an open folder durable.  -1 with errno, no error is set.
 * Where the file system cannot do that they are as safe as they get: 0. */
extern int folder_sync (int fd);
/* Their names are durable. */
extern int folders_sync (const struct folders *f);
/* Remove those that are empty.  Keeps the last error. */
extern void folders_undo (struct folders *f);
extern void folders_free (struct folders *f);

#endif
