/* vhdkit: UTF-16 as images store it, UTF-8 as we use it.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <iconv.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"

/* Convert size bytes at p to at most max bytes of malloced memory, followed
 * by a NUL that is not counted.  what: the kind of text, for messages. */
static char *
convert (const char *to, const char *from, const void *p, size_t size,
         size_t max, const char *what, size_t *ret_size)
{
  char *in = (char *) p, *out, *buf;
  size_t in_left = size, out_left = max;
  iconv_t cd;
  int err = 0;

  buf = out = malloc (max + 1);
  if (!buf) {
    set_error_errno (errno, "a text of %zu bytes cannot be converted", size);
    return NULL;
  }
  cd = iconv_open (to, from);
  if (cd == (iconv_t) -1) {
    set_error_errno (errno, "the system cannot convert %s to %s", from, to);
    free (buf);
    return NULL;
  }
  /* EINVAL is an incomplete sequence at the end, EILSEQ a wrong one: the same
   * to us. */
  if (iconv (cd, &in, &in_left, &out, &out_left) == (size_t) -1)
    err = EILSEQ;
  iconv_close (cd);
  if (err) {
    set_error (VHDKIT_ERR_INVALID_NAME, err,
               "found a byte sequence that is not %s, %zu bytes into a text "
               "of %zu bytes", what, size - in_left, size);
    free (buf);
    return NULL;
  }
  *out = '\0';
  *ret_size = out - buf;
  return buf;
}

char *
utf16_to_utf8 (const void *p, size_t size, bool big_endian)
{
  const uint8_t *b = p;
  size_t n, ignored;

  for (n = 0; n + 1 < size; n += 2)
    if (b[n] == 0 && b[n + 1] == 0)
      break;

  /* A unit becomes three bytes at most (a pair four). */
  return convert ("UTF-8", big_endian ? "UTF-16BE" : "UTF-16LE",
                  p, n, n / 2 * 3, "UTF-16", &ignored);
}

void *
utf8_to_utf16 (const char *text, bool big_endian, size_t *ret_size)
{
  size_t n = strlen (text);

  return convert (big_endian ? "UTF-16BE" : "UTF-16LE", "UTF-8",
                  text, n, n * 2, "UTF-8", ret_size);
}

/* Length of the UTF-8 sequence at p (which ends in a NUL, so looking at the
 * next byte after a good one is safe) if it is well formed and not a control
 * character, else 0. */
static size_t
printable_sequence (const uint8_t *p)
{
  /* Bounds of the second byte keep out overlong forms, surrogates, and what
   * is beyond Unicode; after C2 also the control characters 80 to 9F. */
  uint8_t low = 0x80, high = 0xbf;
  size_t n, i;

  if (p[0] < 0x80)
    return p[0] >= 0x20 && p[0] != 0x7f;
  if (p[0] < 0xc2 || p[0] > 0xf4)
    return 0;
  n = p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
  switch (p[0]) {
  case 0xc2: low = 0xa0; break;
  case 0xe0: low = 0xa0; break;
  case 0xed: high = 0x9f; break;
  case 0xf0: low = 0x90; break;
  case 0xf4: high = 0x8f; break;
  }
  if (p[1] < low || p[1] > high)
    return 0;
  for (i = 2; i < n; ++i)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  return n;
}

char *
text_printable (const char *text)
{
  const uint8_t *p = (const uint8_t *) text;
  char *buf, *out;
  size_t n;

  buf = out = malloc (strlen (text) * 4 + 1);
  if (!buf) {
    set_error_errno (errno, "a text cannot be made printable");
    return NULL;
  }
  while (*p) {
    n = printable_sequence (p);
    if (n) {
      memcpy (out, p, n);
      out += n;
      p += n;
    }
    else {
      out += sprintf (out, "\\x%02x", *p);
      ++p;
    }
  }
  *out = '\0';
  return buf;
}

char *
text_format (const char *fmt, ...)
{
  va_list args;
  char *text;
  int r;

  va_start (args, fmt);
  r = vasprintf (&text, fmt, args);
  va_end (args);
  if (r == -1) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "a text cannot be put together: "
               "not enough memory");
    return NULL;
  }
  return text;
}
