/* vhdkit: one VHD file: fixed, dynamic, or differencing.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * An image knows which sectors it holds and where.  What it does not hold it
 * gets from below, an interface that the disk layer fills with the parents.
 * How writes become durable: see image/commit.c.
 */
#ifndef VHDKIT_IMAGE_H
#define VHDKIT_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/report.h"
#include "format/vhd.h"
#include "store/store.h"

struct image;

/* What lies under an image: its parents as one, unchanging. */
struct below {
  int (*pread) (void *opaque, void *buf, size_t count, uint64_t offset);
  /* Do these sectors read as zero because no parent holds them? */
  int (*is_zero) (void *opaque, uint64_t sector, uint64_t count,
                  bool *ret_zero);
  void *opaque;
};

struct image_options {
  bool writable;
  bool size_chs;
  bool inspect;                 /* for check and info: errors in the block
                                   table are reported, not fatal */
  int commit_interval;          /* seconds; <= 0: none in the background */
  uint64_t cache_bytes;         /* for sector bitmaps; 0: a few MiB */
  struct report *report;        /* used by image_open only */
};

/* Open the image in s.  Takes s over on success only. */
extern int image_open (struct store *s, const struct image_options *o,
                       struct image **ret_image);
/* Validate for writing and become writable: the store is made writable and
 * locked by the caller first. */
extern int image_make_writable (struct image *i);
/* For a differencing image: what lies under it.  Before the first read. */
extern void image_set_below (struct image *i, const struct below *below);
/* Commit, and free.  -1 if committing or closing failed; freed all the same.
 */
extern int image_close (struct image *i);

extern struct store *image_store (struct image *i);
extern const struct vhd_footer *image_footer (const struct image *i);
/* NULL for a fixed image. */
extern const struct vhd_header *image_header (const struct image *i);
extern uint64_t image_size (const struct image *i);
extern bool image_writable (const struct image *i);
extern bool image_footer_missing (const struct image *i);

/* Data.  Any thread; the caller has checked the range. */
extern int image_pread (struct image *i, void *buf, size_t count,
                        uint64_t offset);
extern int image_pwrite (struct image *i, const void *buf, size_t count,
                         uint64_t offset);
#define IMAGE_ZERO_TRIM 0x1     /* space may be given back */
#define IMAGE_ZERO_FAST 0x2     /* NOT_SUPPORTED rather than slow */
#define IMAGE_ZERO_WHOLE 0x4    /* trim: sectors only touched stay */
extern int image_zero (struct image *i, uint64_t count, uint64_t offset,
                       uint32_t flags);
extern int image_flush (struct image *i);

/* The runs of [sector, sector + count): held at file_offset, not held
 * (IMAGE_ABSENT), or IMAGE_BAD.  Calls fn in order, covering the range; fn
 * returns 0 to go on.  Does not use below. */
#define IMAGE_ABSENT UINT64_MAX
#define IMAGE_BAD (UINT64_MAX - 1)      /* held, but out of reach: EIO */
struct image_run {
  uint64_t sector, count;
  uint64_t file_offset;
};
extern int image_runs (struct image *i, uint64_t sector, uint64_t count,
                       int (*fn) (void *opaque, const struct image_run *run),
                       void *opaque);
/* Number of sectors from sector on in which this image holds nothing, looking
 * at the block table only (0 if the block of sector is allocated). */
extern uint64_t image_unallocated (struct image *i, uint64_t sector,
                                   uint64_t count);

/* Explicit changes of a writable image, durable when they return; no other
 * call may run meanwhile. */
#define IMAGE_PARENT_PATHS 2
struct image_parent {
  uint8_t id[16];
  uint32_t timestamp;
  uint8_t name[512];            /* UTF-16BE */
  struct {                      /* absolute, relative; length 0: none */
    uint32_t platform;
    const void *payload;
    size_t length;
  } path[IMAGE_PARENT_PATHS];
};
/* Of a differencing image.  A path for which there is no room is left out;
 * NAME_TOO_LONG: there is none for either. */
extern int image_set_parent (struct image *i, const struct image_parent *p);
extern int image_set_id (struct image *i, const uint8_t id[16]);

/* For check and info. */
extern uint32_t image_table_entries (const struct image *i); /* loaded ones */
extern uint32_t image_table_entry (const struct image *i, uint32_t block);
extern uint32_t image_blocks_allocated (const struct image *i);
extern bool image_data_aligned (const struct image *i);
extern bool image_has_batmap (const struct image *i);
extern uint64_t image_metadata_end (const struct image *i);
/* Would a block at start lie over the metadata? */
extern bool image_over_metadata (const struct image *i, uint64_t start);
/* Where blocks may reach: the trailing footer, or the end of the file. */
extern uint64_t image_data_end (const struct image *i);

#endif
