/* vhdkit: what the files of the create operation share.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_OPERATIONS_CREATE_H
#define VHDKIT_OPERATIONS_CREATE_H

#include <stddef.h>
#include <stdint.h>

#include "image/image.h"
#include "vhdkit.h"

/* A path as a locator stores it: UTF-16LE without terminator. */
struct create_locator {
  void *payload;                /* owned */
  size_t size;                  /* bytes */
};

/* What a new child records of its parent.  The parent stays open, and with it
 * its shared lock, until the child is complete. */
struct create_parent {
  struct image *image;          /* NULL for a raw parent */
  struct store *raw;            /* NULL for a VHD */
  uint64_t size;                /* virtual size */
  uint32_t block_size;          /* 0: it has no blocks */
  uint8_t id[16];               /* all zero for a raw parent */
  uint32_t timestamp;           /* modification time, as VHD counts */
  uint8_t name[512];            /* base name as the header stores it */
  struct create_locator relative, absolute;
};

/* Open the parent that opts name and gather all that.  child_path: where the
 * new image will be; its folder must exist.
 * Errors: FILE_NOT_FOUND, PARENT_ACCESS_DENIED, SHARING_VIOLATION, CHAIN_ERROR
 * (not a usable image), WRONG_STATE (it has no id), INVALID_NAME (a name that
 * images cannot record), NAME_TOO_LONG. */
extern int create_parent_open (struct create_parent *p, const char *child_path,
                               const struct vhdkit_create_options *opts);
extern void create_parent_close (struct create_parent *p);

/* Path of the file to (absolute, real) as seen from the folder from (the
 * same), the way W2ru has it: ".\b.vhd", "..\a\b.vhd".  NULL: NO_MEMORY,
 * INVALID_NAME if a component holds a backslash. */
extern char *create_relative_path (const char *from, const char *to);

/* Seconds since 1970 as VHD counts them: 0 and UINT32_MAX are the limits. */
extern uint32_t create_timestamp (int64_t seconds);

#endif
