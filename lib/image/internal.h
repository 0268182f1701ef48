/* vhdkit: one VHD file, the parts of it that share state.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Who may touch what, and the order locks are taken in (docs/locking.md):
 *
 *   1. stripe[b % STRIPES]   one block's allocation state and sector bits;
 *                            I/O happens under it
 *   2. space.lock            free space and the end of the file; I/O only when
 *                            the file grows
 *   3. commit.sync_lock      one sync at a time
 *   4. commit.lock           changes to the table, what is dirty, who commits;
 *                            no I/O
 *   5. the cache's own lock  no I/O; evicting tries a stripe, never waits
 *
 * Reads, and writes to sectors that are present, take none of them: they look
 * at the table and the bits with atomic loads inside a section of the grace
 * period, and what they found stays valid until the section ends.
 */
#ifndef VHDKIT_IMAGE_INTERNAL_H
#define VHDKIT_IMAGE_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/cache.h"
#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/grace.h"
#include "image/image.h"

#define STRIPES 64

/* A table entry in memory that leads nowhere usable: reads are EIO.  Sector 0
 * holds the footer copy, so no block can be there. */
#define BAT_BAD 0u

#define ENTRIES_PER_SECTOR (SECTOR_SIZE / 4)

/* The sector bitmap of one block, where it is not all ones.  Bit s of a block
 * is bit 63 - s % 64 of words[s / 64]: the order on disk, read big-endian. */
struct bitmap {
  struct cache_entry entry;             /* key: the block */
  _Atomic bool dirty;                   /* on commit.dirty_bitmaps */
  _Atomic unsigned busy;                /* known to commit.dirty_bitmaps and to
                                           a commit under way: one for each */
  struct bitmap *next_dirty;            /* commit.lock */
  uint32_t ones;                        /* stripe: bits set, of those that
                                           belong to the disk */
  _Atomic uint64_t words[];
};

/* Free space between blocks: any bytes may be there. */
struct gap {
  uint64_t start, end;
};

/* Metadata that lies further behind the tables than this is odd: it does not
 * make the blocks there bad. */
#define NEAR_TABLES (UINT64_C (1) << 20)

/* Metadata somewhere in the file. */
struct stretch {
  uint64_t start, end;
};

struct space {
  pthread_mutex_t lock;
  struct gap *gap;              /* sorted; none overlap */
  size_t nr_gaps, first_gap;    /* those before first_gap are used up */
  uint64_t next;                /* end of the highest block or the metadata */
  uint64_t footer;              /* offset of the trailing footer */
  uint64_t clean_from;          /* from here to the footer all is zero */
  unsigned step;                /* blocks to grow by; doubles, reset by commit */
  bool aligned;                 /* data begins at 4 KiB multiples */
  bool grown;                   /* since open: the end is trimmed at close */
  bool junk_behind;             /* of the footer: to be cut off */
  bool copy_checked;            /* the copy at 0 equals the footer */
};

struct commit {
  pthread_mutex_t lock;
  pthread_mutex_t sync_lock;    /* held while syncing */
  pthread_cond_t done;          /* a commit finished */
  uint64_t started, finished;
  bool running;
  struct saved_error error;     /* of the latest commit; code 0: none */
  _Atomic bool failed;          /* a sync failed: no more writes (rule 6) */
  struct saved_error failure;   /* why; written once before failed is set */

  _Atomic bool data_dirty;
  uint64_t *dirty_table;        /* one bit for each sector of the table */
  bool table_dirty;
  struct bitmap *dirty_bitmaps;
  _Atomic size_t dirty_bitmap_bytes;    /* read without the lock */
  uint32_t *freed;              /* first sectors of freed blocks */
  size_t nr_freed, max_freed;

  pthread_t timer;
  bool timer_running, timer_stop;
  pthread_cond_t timer_wake;
  int interval;
};

struct image {
  struct store *store;
  struct vhd_footer footer;
  struct vhd_header header;     /* dynamic only */
  bool dynamic;                 /* has a block table (type 3 or 4) */
  bool footer_missing;
  bool copy_differs;            /* the copy at 0 is not the trailing footer */
  bool inspect;
  _Atomic bool writable;
  uint64_t size;                /* bytes served */
  uint64_t file_size;           /* at open */
  uint64_t data_end;            /* at open: where blocks may reach */
  uint64_t tables_end;          /* of footer copy, header, table: no block may
                                   begin before it */
  struct stretch other[VHD_LOCATORS + 2];       /* payloads of locators, batmap
                                   and its header: no block may overlap these */
  unsigned nr_others;
  uint64_t metadata_end;        /* of all of it */
  uint64_t reserved_end;        /* no new block before this: room that locators
                                   keep for longer paths */

  uint32_t block_size, block_shift, bitmap_bytes, sectors_per_block;
  uint32_t blocks;              /* entries that the disk needs */
  _Atomic uint32_t *bat;
  _Atomic uint64_t *full;       /* one bit a block: the bitmap is all ones */
  _Atomic uint32_t blocks_used; /* entries that are not UNUSED */
  uint32_t bad_blocks;
  bool batmap_present;          /* of a tap image, header valid */
  uint64_t batmap_header, batmap_offset, batmap_bytes;
  _Atomic bool batmap_cleared;

  bool has_below;
  struct below below;

  struct grace grace;
  struct cache bitmaps;
  pthread_mutex_t stripe[STRIPES];
  struct space space;
  struct commit commit;
};

static inline uint64_t
block_data (const struct image *i, uint32_t entry)
{
  return (uint64_t) entry * SECTOR_SIZE + i->bitmap_bytes;
}

static inline pthread_mutex_t *
block_stripe (struct image *i, uint32_t block)
{
  return &i->stripe[block % STRIPES];
}

static inline bool
block_is_full (struct image *i, uint32_t block)
{
  return atomic_load_explicit (&i->full[block / 64], memory_order_acquire)
         >> (block % 64) & 1;
}

static inline uint32_t
block_entry (struct image *i, uint32_t block)
{
  return atomic_load (&i->bat[block]);  /* see grace.h */
}

static inline uint32_t
table_sectors (const struct image *i)
{
  return div_round_up (i->blocks, ENTRIES_PER_SECTOR);
}

/* Sectors of this block that belong to the disk. */
static inline uint32_t
block_sectors (const struct image *i, uint32_t block)
{
  uint64_t left = i->size / SECTOR_SIZE
                  - (uint64_t) block * i->sectors_per_block;
  return MIN_OF (left, i->sectors_per_block);
}

/* The crash tests must fail when a rule of the write order is broken.  They are
 * built a second time with these switches, one for each rule; elsewhere they
 * are constants that the compiler drops. */
#ifdef VHDKIT_BREAK_RULES
extern int vhdkit_broken_rule;
#define BROKEN(rule) (vhdkit_broken_rule == (rule))
#else
#define BROKEN(rule) false
#endif

/* image.c: metadata behind the tables */
extern void add_metadata (struct image *i, uint64_t start, uint64_t length);
/* May these bytes between two free blocks be taken with them? */
extern bool is_padding (const struct image *i, uint64_t start, uint64_t end);

/* choose-footer.c: sets footer, data_end, footer_missing, copy_differs */
extern int choose_footer (struct image *i, struct report *r);

/* bat.c: open */
extern int bat_load (struct image *i, struct report *r);
extern int bat_compare (const void *a, const void *b);
extern int bat_sorted (struct image *i, uint32_t **ret_entries, size_t *ret_n);

/* bitmaps.c */
extern void bitmaps_init (struct image *i, uint64_t cache_bytes);
extern void bitmaps_set_full (struct image *i, uint32_t block, bool full);
/* The bitmap of an allocated block that is not known to be full; loads it.
 * *ret_bitmap = NULL: it turned out to be full, or the block is no longer
 * allocated: look again.  Within a section; _locked: the stripe is held. */
extern int bitmap_get (struct image *i, uint32_t block,
                       struct bitmap **ret_bitmap);
extern int bitmap_get_locked (struct image *i, uint32_t block,
                              struct bitmap **ret_bitmap);
/* A fresh block: bits [first, first + count) are set, no others.  The stripe
 * is held.  Sets the full marker instead where it can. */
extern int bitmap_new_locked (struct image *i, uint32_t block, uint32_t first,
                              uint32_t count);
/* Set bits of a block, and remember that it must be written. */
extern void bitmap_set_locked (struct image *i, uint32_t block,
                               struct bitmap *b, uint32_t first,
                               uint32_t count);
/* Length of the run of equal bits from first on, at most count. */
extern uint32_t bitmap_run (const _Atomic uint64_t *words, uint32_t first,
                            uint32_t count, bool *ret_set);
extern void bitmap_encode (const struct image *i, const struct bitmap *b,
                           void *ret_bytes);
/* What a fresh bitmap with these bits looks like on disk. */
extern void bitmap_encode_range (const struct image *i, uint32_t first,
                                 uint32_t count, void *ret_bytes);

/* batmap.c: of XenServer images */
extern int batmap_find (struct image *i, struct report *r);
/* Before the first block is freed: say that no block is full, which is always
 * true, instead of something that will not be (vhd-format 7.1). */
extern int batmap_clear (struct image *i);

/* read.c */
extern int read_below (struct image *i, void *buf, size_t count,
                       uint64_t offset);

/* space.c */
extern int space_init (struct image *i);
extern void space_free (struct image *i);
/* Room for one block; *ret_entry is its first sector.  The data area reads as
 * zeros.  Errors: DISK_FULL, IO. */
extern int space_alloc (struct image *i, uint32_t *ret_entry);
/* Give back what was never published, or what a commit has let go of. */
extern void space_release (struct image *i, uint32_t *entries, size_t n);
/* Before the image is closed: move the footer down to where the blocks end. */
extern int space_trim_end (struct image *i);
/* Around each commit. */
extern void space_commit_begins (struct image *i);
extern void space_committed (struct image *i);

/* commit.c */
extern void commit_init (struct image *i, int interval);
extern void commit_free (struct image *i);
extern int commit_start_timer (struct image *i);
extern void commit_stop_timer (struct image *i);
/* Publish a new entry for block, or VHD_BAT_UNUSED to free it.  The stripe is
 * held. */
extern int commit_publish (struct image *i, uint32_t block, uint32_t entry);
extern void commit_bitmap_dirty (struct image *i, struct bitmap *b);
/* The place of a block that is to be used again after the next commit.  The
 * lock is held. */
extern int commit_remember_freed (struct image *i, uint32_t entry);
extern int commit_run (struct image *i);
/* A sync of the store; if it fails, that is final. */
extern int commit_sync (struct image *i);
/* No more writes, for the reason that is the last error. */
extern void commit_give_up (struct image *i);
/* Fail with EIO if a sync has failed before. */
extern int commit_check (struct image *i);
/* Is so much metadata dirty that a writer should commit? */
extern bool commit_pressure (struct image *i);

static inline void
commit_data_written (struct image *i)
{
  if (!atomic_load (&i->commit.data_dirty))
    atomic_store (&i->commit.data_dirty, true);
}

#endif
