/* vhdkit: what the files of the copy operation share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *     copy-source.c   opening and reading a source, of whatever kind
 *     copy-device.c   may this block device be copied?
 *     copy.c          the copy itself: threads, order, progress
 *     copy-unit.c     what is data in a piece, and how fast pieces go
 *     copy-write.c    laying the data out in the target
 */
#ifndef VHDKIT_OPERATIONS_COPY_INTERNAL_H
#define VHDKIT_OPERATIONS_COPY_INTERNAL_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "disk/disk.h"
#include "operations/copy.h"

/*----------------------------------------------------------------------
 * Sources
 *--------------------------------------------------------------------*/

enum copy_kind { COPY_FROM_VHD, COPY_FROM_RAW, COPY_FROM_DEVICE,
                 COPY_FROM_NBD };

struct copy_source {
  enum copy_kind kind;
  char *name;                   /* for messages; owned */
  struct vhdkit_disk *disk;     /* COPY_FROM_VHD, else NULL */
  struct store *store;          /* the others, else NULL */
  int claim;                    /* holds a block device; -1: nothing */
  uint64_t bytes;               /* what there is to read */
  uint64_t size;                /* the same in whole sectors */
};

/* Read, within size; what is behind bytes is zeros. */
extern int copy_source_pread (struct copy_source *s, void *buf, size_t count,
                              uint64_t offset);
/* The run of data or zeros that offset lies in; it ends at *ret_end, at most
 * size. */
extern int copy_source_extent (struct copy_source *s, uint64_t offset,
                               uint64_t *ret_end, bool *ret_zero);
/* Wake whoever reads; reading fails from now on.  Any thread. */
extern void copy_source_cancel (struct copy_source *s);

/* copy-device.c */
/* May the block device of this store be copied?  *ret_claim: a descriptor that
 * holds it until it is closed, or -1 with force.
 * Errors: SECTOR_SIZE, SOURCE_OWNED, SOURCE_ONLINE, ACCESS_DENIED. */
extern int copy_claim_device (const char *path, struct store *store,
                              bool force, int *ret_claim);

/*----------------------------------------------------------------------
 * Pieces of work: copy-unit.c
 *--------------------------------------------------------------------*/

/* A unit is read, looked at and written by one thread; it begins at a multiple
 * of UNIT_BYTES.  A granule is what is told to be zero or not. */
#define UNIT_BYTES (2u << 20)
#define GRANULE 4096u
#define GRANULES (UNIT_BYTES / GRANULE)

struct unit {
  uint64_t offset;
  uint32_t length;
  uint64_t ticket;              /* place in the order of units */
  uint8_t *buf;                 /* UNIT_BYTES, aligned to pages */
  uint64_t data[GRANULES / 64]; /* one bit a granule: not known to be zero */
};

extern void unit_set (struct unit *u, unsigned first, unsigned end);
extern bool unit_any (const struct unit *u, unsigned first, unsigned end);
/* The first run of data in [from, end), joined with later ones that begin at
 * most gap granules after it.  false: there is none. */
extern bool unit_run (const struct unit *u, unsigned from, unsigned end,
                      unsigned gap, unsigned *ret_first, unsigned *ret_end);
/* Look at the data in buf: what is all zeros is so from now on. */
extern void unit_find_zeros (struct unit *u);

/* How much to move in one system call: less if they take long, so that there
 * is a look at whether to go on every few tens of milliseconds. */
struct pace {
  _Atomic uint32_t step;
};
#define PACE_MIN (64u << 10)
extern uint64_t pace_now (void);        /* nanoseconds */
extern void pace_adjust (struct pace *p, uint64_t since);

/*----------------------------------------------------------------------
 * Writing: copy-write.c
 *--------------------------------------------------------------------*/

#define OUTPUT_IOV 64

struct output {
  struct copy_target *target;
  struct store *direct;         /* NULL: there is no such thing */
  _Atomic bool no_direct;       /* it has failed */
  const _Atomic bool *stop;     /* somebody wants no more of this */
  struct pace pace;
  pthread_mutex_t cached_lock;  /* held while writing through the page cache */
  uint32_t bitmap_bytes, head_bytes;
  uint8_t *head;                /* what goes in front of a block: zeros up to
                                   the bitmap, and the bitmap */
  uint64_t end;                 /* where the next block goes */
};

/* Data on its way, contiguous in the target. */
struct gather {
  struct output *out;
  uint64_t offset;
  size_t bytes;
  struct iovec iov[OUTPUT_IOV];
  int n;
};

extern int output_init (struct output *o, struct copy_target *t,
                        const _Atomic bool *stop);
/* After success: what the caller wants to know. */
extern void output_finish (struct output *o);
extern void output_free (struct output *o);
/* Give the blocks of a unit their places; called for one unit after the other,
 * in their order.  Sets bits in fresh for those that were not there. */
extern int output_place (struct output *o, const struct unit *u,
                         uint64_t *fresh);
extern int output_write (struct output *o, struct unit *u,
                         const uint64_t *fresh);

#endif
