/* vhdkit: locks that keep other processes out, qemu among them.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * This is the protocol of qemu's file driver.  There are permissions,
 * numbered by bits.  Who holds permission P has a shared lock on byte 100 + P
 * of the file; who does not let others hold P has one on byte 200 + P.  All
 * are shared locks, so taking them never fails for the sake of another
 * process that plays by these rules.  Instead, after taking its own bytes,
 * each process asks whether a lock of another is on an opposite byte, and
 * gives up if so.  As all take first and ask then, of two that come at once
 * at least one sees the other (and perhaps both give up).
 *
 *                     holds                refuses
 *     reader          read                 write, resize
 *     writer          read, write, resize  write, resize
 *
 * Readers go together; a writer goes with nobody, except with those that
 * refuse nothing to others ("qemu-img info -U").
 *
 * The locks are OFD locks: they belong to the open file description, not to
 * the process, so two disks of one process exclude each other too, and the
 * close of an unrelated descriptor does not drop them.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "store/file.h"

/* Permissions, as bits of a byte set: the low half of a set has the held
 * ones, the high half the refused ones. */
#define PERM_READ   (1u << 0)
#define PERM_WRITE  (1u << 1)
/* 2 is write-unchanged, which we neither need nor refuse. */
#define PERM_RESIZE (1u << 3)
#define PERMS 4
#define REFUSE(perms) ((perms) << PERMS)

#define HELD_BASE 100
#define REFUSED_BASE 200

static uint32_t
bytes_of (enum store_lock lock)
{
  switch (lock) {
  case STORE_LOCK_READ:
    return PERM_READ | REFUSE (PERM_WRITE | PERM_RESIZE);
  case STORE_LOCK_WRITE:
    return PERM_READ | PERM_WRITE | PERM_RESIZE
      | REFUSE (PERM_WRITE | PERM_RESIZE);
  default:
    return 0;
  }
}

static struct flock
lock_of (unsigned bit, short type)
{
  struct flock fl;

  memset (&fl, 0, sizeof fl);   /* l_pid must be 0 for OFD locks */
  fl.l_type = type;
  fl.l_whence = SEEK_SET;
  fl.l_start = bit < PERMS ? HELD_BASE + bit : REFUSED_BASE + bit - PERMS;
  fl.l_len = 1;
  return fl;
}

/* Goes on after a failure, so that unlocking gives up what it can.  Returns 0
 * or the errno of the first failure. */
static int
set_bytes (int fd, uint32_t bytes, short type)
{
  int r, err = 0;

  for (unsigned bit = 0; bit < 2 * PERMS; bit++) {
    struct flock fl = lock_of (bit, type);

    if (!(bytes & (1u << bit)))
      continue;
    do
      r = fcntl (fd, F_OFD_SETLK, &fl);
    while (r == -1 && errno == EINTR);
    if (r == -1 && err == 0)
      err = errno;
  }
  return err;
}

static int
lock_failed (const char *name, int err)
{
  if (err == EAGAIN || err == EACCES)
    set_error (VHDKIT_ERR_SHARING_VIOLATION, EBUSY,
               "%s: is locked by another process for itself alone; stop that "
               "first", name);
  else if (err == EINVAL || err == ENOLCK || err == EOPNOTSUPP
           || err == ENOSYS)
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "%s: cannot be locked (%s); if no other process uses it, open "
               "it without locks", name, strerror (err));
  else
    set_error_errno (err, "%s: cannot be locked", name);
  return -1;
}

static int
conflict (const char *name, unsigned bit)
{
  if (bit < PERMS)
    set_error (VHDKIT_ERR_SHARING_VIOLATION, EBUSY,
               "%s: is in use by another process for writing (qemu, nbdkit or "
               "vhdkit); stop that first", name);
  else
    set_error (VHDKIT_ERR_SHARING_VIOLATION, EBUSY,
               "%s: cannot be written because another process uses it (qemu, "
               "nbdkit or vhdkit) and relies on it not changing; stop that "
               "first", name);
  return -1;
}

/* Does the lock of another forbid one of ours? */
static int
check_others (int fd, const char *name, uint32_t bytes)
{
  /* From the high end: "another writes" says more than "another refuses",
   * and a writer does both. */
  for (unsigned bit = 2 * PERMS; bit-- > 0; ) {
    unsigned opposite = bit ^ PERMS;
    /* A write lock conflicts with the shared ones of others, never with what
     * this description has itself. */
    struct flock fl = lock_of (opposite, F_WRLCK);

    if (!(bytes & (1u << bit)))
      continue;
    if (fcntl (fd, F_OFD_GETLK, &fl) == -1)
      return lock_failed (name, errno);
    if (fl.l_type != F_UNLCK)
      return conflict (name, opposite);
  }
  return 0;
}

int
file_lock_change (int fd, const char *name, enum store_lock from,
                  enum store_lock to)
{
  uint32_t have = bytes_of (from), want = bytes_of (to);
  uint32_t more = want & ~have;
  int err;

  err = set_bytes (fd, more, F_RDLCK);
  if (err != 0) {
    set_bytes (fd, more, F_UNLCK);
    return lock_failed (name, err);
  }
  if (more != 0 && check_others (fd, name, want) == -1) {
    set_bytes (fd, more, F_UNLCK);
    return -1;
  }
  err = set_bytes (fd, have & ~want, F_UNLCK);
  if (err != 0)
    return lock_failed (name, err);
  return 0;
}

bool
file_lock_others (int fd)
{
  struct flock fl = lock_of (0, F_WRLCK);

  fl.l_len = PERMS;             /* whatever they hold */
  return fcntl (fd, F_OFD_GETLK, &fl) == 0 && fl.l_type != F_UNLCK;
}

/* The new description takes the bytes before the old one lets them go, so
 * others see them locked at any moment.  It need not ask for others: the old
 * one has kept them out.  The old one must let go although it is about to be
 * closed: a read of another thread may keep it for a while, and its refused
 * bytes would then stop the new one from becoming a writer. */
int
file_lock_move (int from_fd, int to_fd, const char *name, enum store_lock lock)
{
  uint32_t bytes = bytes_of (lock);
  int err;

  err = set_bytes (to_fd, bytes, F_RDLCK);
  if (err != 0) {
    set_bytes (to_fd, bytes, F_UNLCK);
    return lock_failed (name, err);
  }
  err = set_bytes (from_fd, bytes, F_UNLCK);
  if (err != 0) {
    set_bytes (from_fd, bytes, F_RDLCK);
    set_bytes (to_fd, bytes, F_UNLCK);
    return lock_failed (name, err);
  }
  return 0;
}
