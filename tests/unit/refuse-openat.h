/* vhdkit tests: an openat that fails when told to.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Include in one file of a program: its own function goes before that of the C
 * library, also for calls of the library.
 */
#ifndef REFUSE_OPENAT_H
#define REFUSE_OPENAT_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Calls with all of these flags fail with this error; 0: none do. */
static int openat_error;
static int openat_flags;

/* As where the file system has no files without a name. */
static inline void
refuse_tmpfile (bool refuse)
{
  openat_error = refuse ? EOPNOTSUPP : 0;
  openat_flags = O_TMPFILE;
}

extern int openat (int dirfd, const char *path, int flags, ...);
int
openat (int dirfd, const char *path, int flags, ...)
{
  va_list args;
  mode_t mode;

  va_start (args, flags);
  mode = va_arg (args, mode_t);
  va_end (args);
  if (openat_error && (flags & openat_flags) == openat_flags) {
    errno = openat_error;
    return -1;
  }
  return syscall (SYS_openat, dirfd, path, flags, mode);
}

#endif
