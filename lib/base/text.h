/* vhdkit: UTF-16 as images store it, UTF-8 as we use it.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_BASE_TEXT_H
#define VHDKIT_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* size bytes of UTF-16 (an odd last byte is ignored) to a malloced UTF-8
 * string; an embedded NUL ends it.  Returns NULL: INVALID_NAME (EILSEQ) for
 * unpaired surrogates, NO_MEMORY. */
extern char *utf16_to_utf8 (const void *p, size_t size, bool big_endian);

/* UTF-8 to malloced UTF-16 without terminator.  Returns NULL: INVALID_NAME
 * (EILSEQ) if text is not UTF-8, NO_MEMORY. */
extern void *utf8_to_utf16 (const char *text, bool big_endian,
                            size_t *ret_size);

/* Malloced copy of text fit for a message: control characters and invalid
 * UTF-8 become \xNN.  NULL only if memory is short. */
extern char *text_printable (const char *text);

/* Like asprintf, but NULL (NO_MEMORY) on failure. */
extern char *text_format (const char *fmt, ...)
  __attribute__ ((format (printf, 1, 2)));

#endif
