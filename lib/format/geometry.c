/* vhdkit: the geometry that old guests see.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Up to a cylinder is lost by rounding down, so a geometry is never a size.
 */
#include <config.h>

#include "base/checked.h"
#include "format/vhd.h"

#define MAX_CYLINDERS 65535u
#define MAX_HEADS 16u

/* The steps of vhd-format 2.1: few sectors per track while the cylinders stay
 * within 1024, as a BIOS likes it, then more. */
void
vhd_geometry (uint64_t size, uint16_t *ret_cylinders, uint8_t *ret_heads,
              uint8_t *ret_sectors)
{
  uint32_t n = MIN_OF (size / SECTOR_SIZE,
                       (uint64_t) MAX_CYLINDERS * MAX_HEADS * 255);
  uint32_t sectors, heads, tracks;

  if (n >= MAX_CYLINDERS * MAX_HEADS * 63) {
    sectors = 255;
    heads = MAX_HEADS;
    tracks = n / sectors;
  }
  else {
    sectors = 17;
    tracks = n / sectors;
    heads = MAX_OF (4u, (tracks + 1023) / 1024);
    if (tracks >= 1024 * heads || heads > MAX_HEADS) {
      sectors = 31;
      heads = MAX_HEADS;
      tracks = n / sectors;
    }
    if (tracks >= 1024 * heads) {
      sectors = 63;
      heads = MAX_HEADS;
      tracks = n / sectors;
    }
  }
  *ret_cylinders = tracks / heads;
  *ret_heads = heads;
  *ret_sectors = sectors;
}
