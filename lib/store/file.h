/* vhdkit: the parts of the file store.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Private to store-file.c, file-again.c, file-lock.c and file-zero.c.
 */
#ifndef VHDKIT_STORE_FILE_H
#define VHDKIT_STORE_FILE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "store/store.h"

struct file_store {
  struct store base;            /* first: a store is cast to it */
  int fd;
  bool block_device;
  int direct_fd;                /* the same past the page cache, for reading;
                                   -1: not wanted, or there is no such thing */
  _Atomic bool no_direct;       /* it has failed */
  /* Set once the file system has said that it cannot, to save the call. */
  _Atomic bool no_punch, no_zero_range, no_zeroout;
  /* Guards locked, and the exchange of what fd refers to.  System calls are
   * made under it, none of which waits for another process. */
  pthread_mutex_t lock_mutex;
  enum store_lock locked;
};

/* store-file.c */
/* Without a descriptor (-1) yet; store_close frees it. */
extern struct file_store *file_store_new (const char *name, bool writable);

/* file-again.c */
/* Open the file behind fd once more.  By way of /proc, because its path may
 * lead to another file by now.  -1 with errno; no error is set. */
extern int file_open_again (int fd, int flags);
/* Large reads where there is a direct_fd: what is in the page cache from there,
 * the rest past it.  Returns how much was read; less than count, and no error,
 * where that does not work. */
extern size_t file_read_direct (struct file_store *f, void *buf, size_t count,
                                uint64_t offset);

/* file-lock.c */
/* From one lock to another; on failure the old one stays. */
extern int file_lock_change (int fd, const char *name, enum store_lock from,
                             enum store_lock to);
/* Move lock from one open file description to another of the same file. */
extern int file_lock_move (int from_fd, int to_fd, const char *name,
                           enum store_lock lock);

/* Does another open file description hold a lock of these? */
extern bool file_lock_others (int fd);

/* file-zero.c */
extern int file_zero (struct store *s, uint64_t offset, uint64_t length,
                      uint32_t flags);

#endif
