/* vhdkit: unique ids.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * libuuid works on RFC 4122 order (all fields big-endian).  Windows order has
 * the first three fields little-endian; going there and back is the same
 * exchange of bytes.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uuid/uuid.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/guid.h"
#include "base/text.h"

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

int
guid_parse (const char *text, bool windows_order, uint8_t ret_id[16])
{
  size_t length = strlen (text);
  const char *p = text;
  char plain[GUID_TEXT_SIZE];
  uuid_t rfc;

  if (length == GUID_TEXT_SIZE - 1 + 2 &&
      text[0] == '{' && text[length - 1] == '}') {
    ++p;
    length -= 2;
  }
  if (length == GUID_TEXT_SIZE - 1) {
    memcpy (plain, p, length);
    plain[length] = '\0';
    if (uuid_parse (plain, rfc) == 0) {
      if (windows_order)
        swap_fields (rfc, ret_id);
      else
        memcpy (ret_id, rfc, 16);
      return 0;
    }
  }

  CLEANUP_FREE char *shown = text_printable (text);
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "found \"%s\" where a unique id was expected: write it as "
             "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx in hexadecimal",
             shown ? shown : "?");
  return -1;
}

bool
guid_is_zero (const uint8_t id[16])
{
  static const uint8_t zero[16];

  return memcmp (id, zero, 16) == 0;
}
