/* vhdkit: bytes at an offset.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A store is a flat array of bytes with an end: a file, which can grow, an NBD
 * export, which is only read, or memory.  It knows nothing of VHD.  Tests put
 * stores that fail, wait or record in front of a real one.
 *
 * All calls may be used from any thread at once.  They return 0, or -1 with
 * the last error set; messages name the store.  Counts are never partial:
 * interrupted and short system calls are continued.
 */
#ifndef VHDKIT_STORE_H
#define VHDKIT_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>

struct store;

/* What a file is, for finding cycles.  kind 0: unknown, equal to nothing. */
struct store_id {
  int kind;
  uint64_t device, inode;
};

static inline bool
store_id_equal (const struct store_id *a, const struct store_id *b)
{
  return a->kind != 0 && a->kind == b->kind && a->device == b->device
         && a->inode == b->inode;
}

enum store_lock { STORE_UNLOCKED, STORE_LOCK_READ, STORE_LOCK_WRITE };

#define STORE_ZERO_PUNCH 0x1    /* may free the space */
#define STORE_ZERO_FAST  0x2    /* NOT_SUPPORTED (ENOTSUP) rather than write
                                   zeros byte by byte */

struct store_ops {
  /* Reading past the end fails with IO. */
  int (*preadv) (struct store *s, const struct iovec *iov, int iovcnt,
                 uint64_t offset);
  int (*pwritev) (struct store *s, const struct iovec *iov, int iovcnt,
                  uint64_t offset);
  /* Make a range within the present size read as zeros. */
  int (*zero) (struct store *s, uint64_t offset, uint64_t length,
               uint32_t flags);
  int (*size) (struct store *s, uint64_t *ret_size);
  int (*truncate) (struct store *s, uint64_t size);    /* either way */
  int (*flush) (struct store *s);                       /* fdatasync */
  /* The run of data or hole that offset lies in: ends at *ret_end (at most
   * end).  Stores that cannot tell say data. */
  int (*next_extent) (struct store *s, uint64_t offset, uint64_t end,
                      uint64_t *ret_end, bool *ret_hole);
  int (*prefetch) (struct store *s, uint64_t offset, uint64_t length);
  /* Take, change or drop the lock; SHARING_VIOLATION if another has it. */
  int (*lock) (struct store *s, enum store_lock lock);
  /* From read-only to writable, on the same file. */
  int (*make_writable) (struct store *s);
  int (*identity) (struct store *s, struct store_id *ret_id);
  /* Bytes taken on the host; modification time in seconds since 1970. */
  int (*usage) (struct store *s, uint64_t *ret_allocated, int64_t *ret_mtime);
  int (*close) (struct store *s);       /* frees s even when it fails */
};

struct store {
  const struct store_ops *ops;
  char *name;                   /* for messages; owned */
  bool writable;
  bool can_grow;                /* false: a block device */
};

static inline int
store_preadv (struct store *s, const struct iovec *iov, int n, uint64_t offset)
{
  return s->ops->preadv (s, iov, n, offset);
}

static inline int
store_pread (struct store *s, void *buf, size_t count, uint64_t offset)
{
  struct iovec v = { buf, count };
  return s->ops->preadv (s, &v, 1, offset);
}

static inline int
store_pwritev (struct store *s, const struct iovec *iov, int n,
               uint64_t offset)
{
  return s->ops->pwritev (s, iov, n, offset);
}

static inline int
store_pwrite (struct store *s, const void *buf, size_t count, uint64_t offset)
{
  struct iovec v = { (void *) buf, count };
  return s->ops->pwritev (s, &v, 1, offset);
}

static inline int
store_zero (struct store *s, uint64_t offset, uint64_t length, uint32_t flags)
{
  return s->ops->zero (s, offset, length, flags);
}

static inline int
store_size (struct store *s, uint64_t *ret_size)
{
  return s->ops->size (s, ret_size);
}

static inline int
store_truncate (struct store *s, uint64_t size)
{
  return s->ops->truncate (s, size);
}

static inline int
store_flush (struct store *s)
{
  return s->ops->flush (s);
}

static inline int
store_next_extent (struct store *s, uint64_t offset, uint64_t end,
                   uint64_t *ret_end, bool *ret_hole)
{
  return s->ops->next_extent (s, offset, end, ret_end, ret_hole);
}

static inline int
store_prefetch (struct store *s, uint64_t offset, uint64_t length)
{
  return s->ops->prefetch (s, offset, length);
}

static inline int
store_lock (struct store *s, enum store_lock lock)
{
  return s->ops->lock (s, lock);
}

static inline int
store_make_writable (struct store *s)
{
  return s->ops->make_writable (s);
}

static inline int
store_identity (struct store *s, struct store_id *ret_id)
{
  return s->ops->identity (s, ret_id);
}

static inline int
store_usage (struct store *s, uint64_t *ret_allocated, int64_t *ret_mtime)
{
  return s->ops->usage (s, ret_allocated, ret_mtime);
}

/* NULL is allowed. */
extern int store_close (struct store *s);

/* For those who write a store.  Set the common fields, writable and able to
 * grow; name is copied. */
extern int store_init (struct store *s, const struct store_ops *ops,
                       const char *name);
/* READ_ONLY, and INVALID_PARAMETER if not within the present size. */
extern int store_check_writable (const struct store *s);
extern int store_check_range (struct store *s, uint64_t offset,
                              uint64_t length);

static inline size_t
store_iov_bytes (const struct iovec *iov, int n)
{
  size_t bytes = 0;

  for (int i = 0; i < n; i++)
    bytes += iov[i].iov_len;
  return bytes;
}

/* File.  A regular file or a block device; anything else (FIFO, directory,
 * socket) is refused without blocking on it.  path is relative to dirfd
 * (AT_FDCWD for the working directory).  beneath: the path, symbolic links
 * resolved, must stay beneath dirfd. */
extern struct store *store_open_file (int dirfd, const char *path,
                                      bool writable, bool beneath);
/* A new file, which must not exist (O_EXCL), writable, mode & ~umask. */
extern struct store *store_create_file (const char *path, mode_t mode);
/* The descriptor of a file store, or -1 for other stores. */
extern int store_file_fd (struct store *s);
/* Does somebody else have the file open, with a lock?  false where that cannot
 * be told. */
extern bool store_file_used_by_others (struct store *s);
/* A writable store of a regular file that is open already: a duplicate of fd,
 * which stays the caller's. */
extern struct store *store_file_dup (int fd, const char *name);
/* The same file once more, writable and past the page cache (O_DIRECT): for
 * large aligned transfers.  NULL, with no error set, where there is no such
 * thing; then use s. */
extern struct store *store_file_direct (struct store *s);
/* This store is read once, from front to back or so: large reads of what is
 * not in the page cache go past it, and the time of last access stays as it
 * is; each where the system allows it.  Before the first read of others. */
extern void store_file_read_once (struct store *s);

/* NBD, read-only; for libraries built with libnbd, else NOT_SUPPORTED.  Uses
 * several connections where the server allows it. */
extern bool store_is_nbd_uri (const char *name);
/* cancelled (may be NULL) is asked, in the calling thread, until it is open,
 * whatever keeps it: a server, or a name server, that does not answer.
 * CANCELLED soon after it returns non-zero. */
extern struct store *store_open_nbd (const char *uri,
                                     int (*cancelled) (void *opaque),
                                     void *opaque);
/* Every call that waits, and every later one, fails with CANCELLED.  Any
 * thread, any number of times; nothing happens to other stores. */
extern void store_nbd_cancel (struct store *s);

/* Memory.  Starts empty.  For tests and for small images. */
extern struct store *store_open_memory (const char *name);

#endif
