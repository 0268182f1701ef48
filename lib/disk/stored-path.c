/* vhdkit: what a path stored in an image means here.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Images carry paths of other systems.  Here they are taken apart into what
 * can be used on this one: components, and where these hang.  Only text is
 * looked at, no file.  ".." goes up textually, as on Windows: "a\..\b" is "b"
 * whatever a is.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/error.h"
#include "base/text.h"
#include "disk/parents-internal.h"

#define ANY_SEPARATOR "/\\"

static bool
is_separator (char c)
{
  return c == '/' || c == '\\';
}

/* Drop the last component of [floor, end); returns the new end. */
static char *
drop_last (char *floor, char *end)
{
  while (end > floor && end[-1] != '/')
    end--;
  if (end > floor)
    end--;
  return end;
}

/* The components of text joined by '/', "." and ".." resolved.  ".." at the
 * start stays if keep_up, else it is dropped (there is nothing above a root).
 */
static char *
normalise (const char *text, const char *separators, bool keep_up)
{
  char *out = malloc (strlen (text) + 1);
  char *end = out, *floor = out;
  bool up;

  if (out == NULL) {
    set_error_errno (errno, "path of a parent");
    return NULL;
  }
  while (*text) {
    size_t n = strcspn (text, separators);

    up = n == 2 && text[0] == '.' && text[1] == '.';
    if (up && end > floor)
      end = drop_last (floor, end);
    else if (n > 0 && !(n == 1 && text[0] == '.') && (!up || keep_up)) {
      if (end > out)
        *end++ = '/';
      memcpy (end, text, n);
      end += n;
      if (up)
        floor = end;
    }
    text += n;
    if (*text)
      text++;
  }
  *end = '\0';
  return out;
}

static bool
is_drive (const char *text)
{
  char c = text[0] | 0x20;

  return c >= 'a' && c <= 'z' && text[1] == ':';
}

/* Take the root off text. */
static const char *
split_root (const char *text, enum path_kind *ret_kind)
{
  bool verbatim = false;

  if (text[0] == '/') {
    *ret_kind = PATH_POSIX;
    return text;
  }
  if (strncmp (text, "\\\\?\\", 4) == 0 || strncmp (text, "\\\\.\\", 4) == 0) {
    text += 4;
    verbatim = true;
  }
  if (verbatim && strncasecmp (text, "UNC\\", 4) == 0) {
    *ret_kind = PATH_UNC;
    return text + 4;
  }
  if (is_drive (text)) {
    *ret_kind = PATH_DRIVE;
    return text + 2;
  }
  if (verbatim) {               /* \\?\Volume{guid}\x */
    *ret_kind = PATH_DRIVE;
    return text + strcspn (text, ANY_SEPARATOR);
  }
  if (text[0] == '\\' && is_separator (text[1])) {
    *ret_kind = PATH_UNC;
    return text + 2;
  }
  *ret_kind = text[0] == '\\' ? PATH_DRIVE : PATH_RELATIVE;
  return text;
}

/* Below server and share. */
static const char *
below_share (const char *rest)
{
  int i;

  for (i = 0; i < 2; i++) {
    rest += strcspn (rest, "/");
    if (*rest == '\0')
      return NULL;
    rest++;
  }
  return rest;
}

int
stored_path_parse (const char *text, struct stored_path *ret)
{
  struct stored_path p = { 0 };
  const char *slash;

  text = split_root (text, &p.kind);
  p.rest = normalise (text, p.kind == PATH_POSIX ? "/" : ANY_SEPARATOR,
                      p.kind == PATH_RELATIVE);
  if (p.rest == NULL)
    return -1;
  slash = strrchr (p.rest, '/');
  p.base = slash ? slash + 1 : p.rest;
  p.tail = p.kind == PATH_UNC ? below_share (p.rest) : p.rest;
  if (p.base[0] == '\0' || strcmp (p.base, "..") == 0 || p.tail == NULL) {
    free (p.rest);
    return 0;
  }
  *ret = p;
  return 1;
}

void
stored_path_free (struct stored_path *p)
{
  free (p->rest);
  p->rest = NULL;
}

static int
hex_digit (char c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place; false for a bad escape or one that would end the string. */
static bool
percent_decode (char *s)
{
  char *to = s;
  int high, low;

  while (*s) {
    if (*s != '%') {
      *to++ = *s++;
      continue;
    }
    high = hex_digit (s[1]);
    low = high == -1 ? -1 : hex_digit (s[2]);
    if (low == -1 || high * 16 + low == 0)
      return false;
    *to++ = (char) (high * 16 + low);
    s += 3;
  }
  *to = '\0';
  return true;
}

int
url_path (const char *url, bool decode, char **ret_path)
{
  char *path;

  if (strncasecmp (url, "file:", 5) == 0) {
    url += 5;
    if (strncmp (url, "//", 2) == 0) {
      url += 2;
      if (strncasecmp (url, "localhost/", 10) == 0)
        url += 9;
    }
  }
  path = strdup (url);
  if (path == NULL) {
    set_error_errno (errno, "path of a parent");
    return -1;
  }
  if (path[0] == '\0' || (decode && !percent_decode (path))) {
    free (path);
    return 0;
  }
  *ret_path = path;
  return 1;
}

char *
path_join (const char *folder, const char *rest)
{
  size_t len = strlen (folder), start;

  while (len > 0 && folder[len - 1] == '/')
    len--;
  while (strncmp (rest, "../", 3) == 0) {
    for (start = len; start > 0 && folder[start - 1] != '/'; start--)
      ;
    /* What the operator wrote with "..", only the kernel may resolve. */
    if ((len - start == 2 && memcmp (folder + start, "..", 2) == 0) ||
        (len - start == 1 && folder[start] == '.'))
      break;
    len = start;
    while (len > 0 && folder[len - 1] == '/')
      len--;
    rest += 3;
  }
  return text_format ("%.*s/%s", (int) len, folder, rest);
}
