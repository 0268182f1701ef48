/* vhdkit tests: an image around what copy_run writes, over any store.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What lib/operations/create-contents.c does with a file, so that the copy can
 * be tested over stores that fail, wait or live in memory.
 */
#ifndef COPY_IMAGE_H
#define COPY_IMAGE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/guid.h"
#include "format/vhd.h"
#include "operations/copy.h"
#include "store/store.h"

static inline int
copy_image_blocks (struct copy_source *s, struct store *to,
                   const struct vhd_footer *f, uint32_t block_size,
                   const struct progress *progress, uint64_t *ret_blocks)
{
  const uint64_t table_bytes =
    round_up (div_round_up (f->current_size, block_size) * 4 + 0x600, 4096)
    - 0x600;
  struct copy_target t = {
    .store = to, .data_offset = 0x600 + table_bytes, .block_size = block_size,
    .table = malloc (table_bytes), .table_entries = table_bytes / 4
  };
  struct vhd_footer_disk footer;
  struct vhd_header_disk header;
  struct vhd_header h;
  int r = -1;

  memset (t.table, 0xff, table_bytes);
  vhd_header_init (&h, f->current_size, block_size, 0x600);
  vhd_header_encode (&h, &header);
  vhd_footer_encode (f, &footer);
  if (copy_run (s, &t, progress) == 0
      && store_pwrite (to, &header, sizeof header, f->data_offset) == 0
      && store_pwrite (to, t.table, table_bytes, 0x600) == 0
      && store_flush (to) == 0
      && store_pwrite (to, &footer, sizeof footer, 0) == 0
      && store_pwrite (to, &footer, sizeof footer, t.footer_offset) == 0)
    r = store_flush (to);
  *ret_blocks = t.blocks;
  free (t.table);
  return r;
}

/* Copy s into the empty store to.  block_size 0: a fixed image; size 0: that
 * of the source. */
static inline int
copy_image (struct copy_source *s, struct store *to, uint32_t block_size,
            uint64_t size, const struct progress *progress,
            uint64_t *ret_blocks)
{
  struct copy_target t = { .store = to };
  struct vhd_footer_disk footer;
  struct vhd_footer f;
  uint64_t blocks = 0;

  if (copy_new_size (s, size, to->name, &size) == -1)
    return -1;
  vhd_footer_init (&f, block_size ? VHD_DYNAMIC : VHD_FIXED, size);
  guid_random (f.id);
  if (ret_blocks == NULL)
    ret_blocks = &blocks;
  if (block_size)
    return copy_image_blocks (s, to, &f, block_size, progress, ret_blocks);
  vhd_footer_encode (&f, &footer);
  if (store_truncate (to, size) == -1 || copy_run (s, &t, progress) == -1
      || store_flush (to) == -1)
    return -1;
  return store_pwrite (to, &footer, sizeof footer, size);
}

#endif
