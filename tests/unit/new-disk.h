/* vhdkit tests: a disk in a file, made by hand.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Include after unit.h; main makes the folder (make_temp_dir).
 */
#ifndef NEW_DISK_H
#define NEW_DISK_H

#include "target.h"

/* disk.vhd, dynamic and empty, open for writing; commits when told to. */
static inline vhdkit_disk *
open_new_disk (uint64_t size, uint32_t block_size)
{
  struct image_shape shape = { .type = VHD_DYNAMIC, .size = size,
                               .block_size = block_size };
  struct vhdkit_open_options o = { .struct_size = sizeof o,
                                   .commit_interval = -1 };
  struct store *s;
  vhdkit_disk *d;

  unlink (temp_path ("disk.vhd"));
  s = store_create_file (temp_path ("disk.vhd"), 0600);
  assert_non_null (s);
  format_image (s, &shape);
  assert_ok (store_close (s));
  assert_ok (vhdkit_open (temp_path ("disk.vhd"), VHDKIT_ACCESS_ATTACH_RW, 0,
                          &o, &d));
  return d;
}

#endif
