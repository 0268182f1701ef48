/* vhdkit: operations on whole images, one file each.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Each long one reports progress and can be cancelled through a callback; it
 * is written once, synchronously, and run by a task where someone wants to
 * wait elsewhere.
 */
#ifndef VHDKIT_OPERATIONS_H
#define VHDKIT_OPERATIONS_H

#include <stdbool.h>

#include "vhdkit.h"

struct progress {
  /* done of total bytes (0: not known yet); returns non-zero to cancel (the
   * operation then fails with CANCELLED after cleaning up).  NULL: no one
   * looks. */
  int (*fn) (void *opaque, uint64_t done, uint64_t total);
  void *opaque;
};

extern int op_create (const char *path,
                      const struct vhdkit_create_options *opts,
                      const struct progress *progress);
/* info.c: returns 1 for VS_PARENT of a disk without parent. */
extern int op_get_info (vhdkit_disk *disk, enum vhdkit_info_class info_class,
                        void *buf, size_t *len);
/* reparent.c.  The disk is writable. */
extern int op_reparent (vhdkit_disk *disk, const char *parent_path,
                        bool force);
extern int op_set_id (vhdkit_disk *disk, const uint8_t id[16]);
extern int op_check (const char *path, uint32_t flags,
                     const struct vhdkit_open_options *opts,
                     struct vhdkit_check_result *ret_result);

#endif
