/* vhdkit: unique ids.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * libuuid works on RFC 4122 order (all fields big-endian).  Windows order has
 * the first three fields little-endian; going there and back is the same
 * exchange of bytes.
 */
#include <config.h>

#include <string.h>

#include <uuid/uuid.h>

#include "base/guid.h"

static void
swap_fields (const uint8_t in[16], uint8_t out[16])
{
  static const uint8_t from[16] =
    { 3, 2, 1, 0, 5, 4, 7, 6, 8, 9, 10, 11, 12, 13, 14, 15 };
  size_t i;

  for (i = 0; i < 16; ++i)
    out[i] = in[from[i]];
}

void
guid_random (uint8_t ret_id[16])
{
  uuid_t id;

  uuid_generate_random (id);
  swap_fields (id, ret_id);
}

void
guid_format (const uint8_t id[16], bool windows_order,
             char ret_text[GUID_TEXT_SIZE])
{
  uuid_t rfc;

  if (windows_order)
    swap_fields (id, rfc);
  else
    memcpy (rfc, id, 16);
  uuid_unparse_lower (rfc, ret_text);
}

bool
guid_is_zero (const uint8_t id[16])
{
  static const uint8_t zero[16];

  return memcmp (id, zero, 16) == 0;
}
