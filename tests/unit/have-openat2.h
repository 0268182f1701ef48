/* vhdkit tests: can opening be confined to a directory here?
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef HAVE_OPENAT2_H
#define HAVE_OPENAT2_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Some containers let nobody call openat2; kernels before 5.6 have none. */
static inline bool
have_openat2 (void)
{
  return syscall (SYS_openat2, -1, "", NULL, 0) == -1 && errno == EINVAL;
}

#endif
