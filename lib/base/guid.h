/* vhdkit: unique ids.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * On disk an id is 16 opaque bytes and is compared as such.  Only people need
 * text, and creators disagree about its byte order (vhd-format 1.3).
 */
#ifndef VHDKIT_BASE_GUID_H
#define VHDKIT_BASE_GUID_H

#include <stdbool.h>
#include <stdint.h>

#define GUID_TEXT_SIZE 37       /* with the NUL */

/* Random, version 4, in Windows memory order (fields little-endian). */
extern void guid_random (uint8_t ret_id[16]);
/* windows_order: the first three fields are little-endian. */
extern void guid_format (const uint8_t id[16], bool windows_order,
                         char ret_text[GUID_TEXT_SIZE]);
extern bool guid_is_zero (const uint8_t id[16]);

#endif
