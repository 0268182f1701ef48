/* vhdkit tests: images and disks to do I/O on, whatever lies beneath.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A target is anything that reads and writes like a disk: an image over a
 * store, a child over another image, a chain of files.  Model tests run the
 * same operations on all of them.
 */
#ifndef TARGET_H
#define TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"
#include "store/store.h"

/* An image made by hand, with the format layer only. */
struct image_shape {
  uint32_t type;                /* VHD_FIXED, ... */
  uint64_t size;
  uint32_t block_size;
  bool packed;                  /* block 0 is there, right behind the table and
                                   not at 4 KiB: others follow its style.  It
                                   reads as if it were not there. */
  uint8_t id[16], parent_id[16];        /* id: made if zero */
};

/* Into an empty store.  Aborts on failure. */
extern void format_image (struct store *s, struct image_shape *shape);

/* One sector more before the footer, as Virtual PC leaves. */
extern void format_add_spare (struct store *s);

/* As XenServer makes them: a batmap, all zero, behind the table of an image
 * that holds no block yet. */
extern void format_add_batmap (struct store *s);
/* Each of the blocks is there and full, and the batmap is to say so. */
extern void format_fill_batmap (struct store *s, uint32_t blocks);

/* One piece of a target.  zero: it reads as zeros.  store: a store that holds
 * it at file_offset; NULL if none, or not known. */
struct target_extent {
  uint64_t offset, length;
  bool zero;
  struct store *store;
  uint64_t file_offset;
};
typedef int (*target_extent_fn) (void *opaque, const struct target_extent *e);

struct target;
struct target_ops {
  int (*pread) (struct target *t, void *buf, size_t count, uint64_t offset);
  int (*pwrite) (struct target *t, const void *buf, size_t count,
                 uint64_t offset);
  int (*zero) (struct target *t, uint64_t count, uint64_t offset,
               bool may_trim);
  int (*trim) (struct target *t, uint64_t count, uint64_t offset);
  int (*flush) (struct target *t);
  /* Sectors. */
  int (*extents) (struct target *t, uint64_t sector, uint64_t count,
                  target_extent_fn fn, void *opaque);
  int (*reopen) (struct target *t);     /* only fails if closing or opening
                                           does */
  int (*close) (struct target *t);
};

struct target {
  const struct target_ops *ops;
  uint64_t size;
};

/* An image in s, which it closes.  over: what lies below a differencing image
 * (an image target, not changed any more, closed by the caller afterwards), or
 * NULL for zeros.  NULL with the last error on failure. */
extern struct target *target_image (struct store *s, struct target *over,
                                    const struct image_options *o);

/* A chain of files: path[0] is opened for writing, the others are its
 * parents, nearest first ("raw:PATH" for a raw one). */
extern struct target *target_disk (const char *const *path, size_t n);

/* The interface for image_set_below to an image, or with NULL to zeros. */
extern struct below below_image (struct image *i);

#endif
