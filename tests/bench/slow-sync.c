/* vhdkit: every sync takes a millisecond.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Loaded before the C library into servers that keep their images in memory:
 * a disk whose cache is written back in the same time, whatever machine
 * measures.  The time is that of a solid-state disk that cannot keep its cache
 * without power.  As with disks, and the system's queue before them, one write-
 * back runs at a time, and all who come meanwhile share the next one.
 */
#include <pthread.h>
#include <stdint.h>
#include <time.h>
#include <unistd.h>
#include <sys/syscall.h>

extern int fdatasync (int fd), fsync (int fd);

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t done = PTHREAD_COND_INITIALIZER;
static uint64_t started, finished;

static void
write_back (void)
{
  const struct timespec millisecond = { 0, 1000 * 1000 };
  uint64_t mine;

  pthread_mutex_lock (&lock);
  mine = started + 1;
  while (finished < mine) {
    if (started > finished)
      pthread_cond_wait (&done, &lock);
    else {
      started++;
      pthread_mutex_unlock (&lock);
      nanosleep (&millisecond, NULL);
      pthread_mutex_lock (&lock);
      finished = started;
      pthread_cond_broadcast (&done);
    }
  }
  pthread_mutex_unlock (&lock);
}

int
fdatasync (int fd)
{
  write_back ();
  return syscall (SYS_fdatasync, fd);
}

int
fsync (int fd)
{
  write_back ();
  return syscall (SYS_fsync, fd);
}
