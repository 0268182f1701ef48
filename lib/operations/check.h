/* vhdkit: what the files of the check operation share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening the chain for inspection runs every validator of the lower layers
 * and reports what they find.  Then each image gets the passes declared here,
 * which look at what an opener has no time or no need for.
 *
 * A pass returns 0, or -1 when the check must end: because memory is short,
 * or because the receiver of the findings said so.  What cannot be read is a
 * finding, not a failure.
 */
#ifndef VHDKIT_OPERATIONS_CHECK_H
#define VHDKIT_OPERATIONS_CHECK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/report.h"
#include "disk/disk.h"
#include "image/image.h"
#include "vhdkit.h"

struct check {
  vhdkit_finding_fn fn;         /* the caller's; may be NULL */
  void *opaque;
  uint32_t flags;
  struct vhdkit_check_result result;
  bool stopped;                 /* the caller has heard enough */
  struct vhdkit_disk *disk;
};

/* Where every finding goes, with a struct check as opaque: it counts. */
extern int check_receive (void *opaque, const struct vhdkit_finding *f);

/* A used block: its table entry and its number. */
struct placed {
  uint32_t entry;
  uint32_t block;
};

/* One image of the chain, while it is checked. */
struct check_image {
  struct check *check;
  size_t layer;
  struct image *image;
  struct store *store;
  struct report report;
  const struct vhd_footer *footer;
  const struct vhd_header *header;      /* NULL: fixed, no blocks */
  uint64_t file_size;
  uint64_t data_end;            /* where blocks may reach */
  uint64_t metadata_end;
  uint32_t blocks;              /* that the disk needs */
  uint32_t bitmap_bytes;
  uint64_t block_span;          /* bytes of a block in the file */
  uint32_t allocated;           /* entries in use, usable or not */
  struct placed *placed;        /* the usable ones, by place; owned */
  size_t nr_placed;
};

/* So that a table of garbage does not bury everything else: the first findings
 * of a kind are reported one by one, the others counted. */
#define CHECK_FINDINGS_OF_A_KIND 100
struct tally {
  uint64_t n;
};
/* One more; false: only count it. */
extern bool check_tally (struct tally *t);
/* At the end: tell how many were only counted. */
extern int check_tally_end (struct check_image *ci, const struct tally *t,
                            enum vhdkit_severity severity,
                            enum vhdkit_error code, const char *what);

static inline uint64_t
placed_offset (const struct placed *p)
{
  return (uint64_t) p->entry * SECTOR_SIZE;
}

static inline uint64_t
placed_data (const struct check_image *ci, const struct placed *p)
{
  return placed_offset (p) + ci->bitmap_bytes;
}

/* Where block begins in the disk, and how many of its sectors the disk has. */
static inline uint64_t
block_disk_offset (const struct check_image *ci, uint32_t block)
{
  return (uint64_t) block * ci->header->block_size;
}

extern uint32_t check_block_sectors (const struct check_image *ci,
                                     uint32_t block);

/* check-table.c: the block table; fills placed. */
extern int check_table (struct check_image *ci);

/* check-space.c: space between the blocks, and the end of the file. */
extern int check_space (struct check_image *ci);

/* check-bitmaps.c: sector bitmaps and the batmap. */
extern int check_bitmaps (struct check_image *ci);

/* check-foreign.c: what programs leave that ignore parents.  bitmap: of
 * block p, already read. */
extern int check_foreign (struct check_image *ci, const struct placed *p,
                          const uint8_t *bitmap, struct tally *t);

/* check-data.c: what only the data shows. */
struct check_data {
  uint8_t *buf;                 /* owned */
  struct tally unmarked, footers;
};
extern int check_data_begin (struct check_image *ci, struct check_data *d);
extern int check_data_block (struct check_image *ci, struct check_data *d,
                             const struct placed *p, const uint8_t *bitmap);
extern int check_data_end (struct check_image *ci, struct check_data *d);

/* check-chain.c: is the chain complete? */
extern int check_chain (struct check *c);

static inline bool
bitmap_bit (const uint8_t *bitmap, uint32_t sector)
{
  return bitmap[sector >> 3] & 0x80 >> (sector & 7);
}

extern bool check_all_zero (const void *p, size_t size);

#endif
