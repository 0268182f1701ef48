/* vhdkit: the checksum of footers and dynamic headers.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "format/vhd.h"

uint32_t
vhd_checksum (const void *p, size_t size, size_t skip)
{
  const uint8_t *b = p;
  uint32_t sum = 0;
  size_t i;

  for (i = 0; i < size; ++i)
    if (i < skip || i >= skip + 4)
      sum += b[i];
  return ~sum;
}
