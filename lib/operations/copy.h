/* vhdkit: copy the content of a source into a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * How it is used, by those who make the image:
 *
 *     copy_source_open (path, flags, opts, progress, &source)
 *     copy_new_size (source, maximum size asked for, path, &size)
 *     ... make the file, know where the data goes ...
 *     copy_run (source, &target, progress)
 *     ... write the table and the footers, publish the file ...
 *     copy_source_close (source)
 *
 * One source serves one copy_run at a time.
 */
#ifndef VHDKIT_OPERATIONS_COPY_H
#define VHDKIT_OPERATIONS_COPY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/bytes.h"
#include "format/vhd.h"
#include "operations/operations.h"
#include "store/store.h"
#include "vhdkit.h"

struct copy_source;

/* Is it a server that is asked, which may take long or for ever? */
extern bool copy_source_is_remote (const char *path);

/* Copy a block device although it is mounted, held or being written. */
#define COPY_FORCE_SOURCE 0x1

/* Open a source for reading.  Nothing of it is ever changed, the time of last
 * access included where the system allows.  What path may be:
 *
 *     raw:PATH       a raw file (or block device)
 *     nbd://...      any NBD URI: nbd, nbds, nbd+unix, nbds+unix, nbd+vsock ...
 *     a block device its sectors
 *     another path   a VHD, with all its parents, which are read-locked
 *
 * opts: for a VHD, as for vhdkit_open (parents, search, findings); may be NULL.
 * progress: asked from time to time whether to go on while a server does not
 * answer; may be NULL.
 * Errors: of a VHD, as vhdkit_open; SOURCE_ONLINE (a block device
 * that can be written, and is mounted, or open for writing somewhere),
 * SOURCE_OWNED (one that is held otherwise), SECTOR_SIZE (of one, not 512),
 * SHARING_VIOLATION (a raw file that is being written), NOT_SUPPORTED (NBD in
 * a library built without libnbd), CANCELLED. */
extern int copy_source_open (const char *path, uint32_t flags,
                             const struct vhdkit_open_options *opts,
                             const struct progress *progress,
                             struct copy_source **ret_source);
/* NULL is allowed.  Keeps the last error: nothing was written to it. */
extern void copy_source_close (struct copy_source *s);

/* In bytes, rounded up to a whole sector; what is added reads as zeros. */
extern uint64_t copy_source_size (const struct copy_source *s);

/* The size of a new disk at path with this source, of which maximum_size was
 * asked for: 0 means the source's own size.
 * Errors: INVALID_PARAMETER (smaller than the source; IP-13), SIZE_TOO_LARGE
 * (above 2040 GiB), SIZE_TOO_SMALL (an empty source, and no size). */
extern int copy_new_size (const struct copy_source *s, uint64_t maximum_size,
                          const char *path, uint64_t *ret_size);

/* Where the copy goes: into an image under construction, whose data area reads
 * as zeros (a hole, the end of the file, or reserved space).
 *
 * block_size 0: the sectors of the disk lie at data_offset, one after another.
 * Else a dynamic image: blocks that are not zero throughout are laid out in
 * the order of the disk, each with a bitmap of ones in front, the data at
 * multiples of 4 KiB, from data_offset on; the table is filled in memory and
 * is the caller's to write. */
struct copy_target {
  struct store *store;          /* writable; store_file_dup of a descriptor */
  uint64_t data_offset;         /* a multiple of 4096 */
  uint32_t block_size;          /* 0, or a power of two of at least 4096 */
  bool cached;                  /* through the page cache: for those who will
                                   not sync */
  /* Blocks: as many entries as the disk needs, all VHD_BAT_UNUSED, as they go
   * to the disk. */
  be32 *table;
  uint32_t table_entries;
  /* Set by copy_run, of blocks: where the trailing footer goes, and how many
   * were allocated. */
  uint64_t footer_offset;
  uint64_t blocks;
  /* Set by copy_run, of sectors at 0: the first one begins like the footer
   * copy of a dynamic image, and without a footer behind it the file would be
   * taken for one.  It was left out, and is the caller's to write. */
  bool left_out;
  uint8_t first[SECTOR_SIZE];
};

/* Copy.  Reads and writes overlap in several threads; holes of the source are
 * not read, zeros are not written.  progress is called by the calling thread
 * only, at least every 50 ms, with bytes of the source; it may be NULL.
 * When the call returns no thread uses source, target or progress any more.
 * The data has been handed to the system, not flushed: the caller's sync does
 * that, and finds little left to do.
 * Errors: CANCELLED, DISK_FULL, and what reading and writing can say. */
extern int copy_run (struct copy_source *s, struct copy_target *t,
                     const struct progress *progress);

#endif
