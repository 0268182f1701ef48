/* vhdkit: what a commit writes.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A copy of all that is dirty at one instant, which the commit of that instant
 * makes durable, or gives back.  commit.c says why.
 */
#ifndef VHDKIT_IMAGE_SNAPSHOT_H
#define VHDKIT_IMAGE_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct bitmap;
struct image;

/* A dirty bitmap as it was when the commit began. */
struct bitmap_copy {
  struct bitmap *bitmap;
  uint64_t offset;
};

struct snapshot {
  bool data;
  uint32_t *sector;             /* of the table, ascending */
  size_t nr_sectors;
  uint8_t *table;               /* SECTOR_SIZE each */
  struct bitmap_copy *copy;
  size_t nr_copies;
  uint8_t *bits;                /* bitmap_bytes each */
  uint32_t *freed;
  size_t nr_freed;
};

/* Take over all that is dirty: it is not, any more.  Errors: NO_MEMORY, and
 * nothing has changed. */
extern int snapshot_take (struct image *i, struct snapshot *ret);
/* Sync the data; write bitmaps and table, and sync these.  What there is none
 * of is left out. */
extern int snapshot_write (struct image *i, struct snapshot *s);
/* It could not be written: all of it is dirty again. */
extern void snapshot_take_back (struct image *i, struct snapshot *s);
/* It has been written: blocks that were freed may be used again. */
extern void snapshot_settle (struct image *i, struct snapshot *s);
extern void snapshot_free (struct snapshot *s);

#endif
