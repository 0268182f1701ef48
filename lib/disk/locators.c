/* vhdkit: what an image says of its parent's whereabouts.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Up to eight locators, each a platform code and a payload somewhere in the
 * file, and the parent name in the header.  All of it may be written by an
 * enemy: a payload that is too long, outside of the file or no text is kept
 * as a problem to show, and the search goes on without it.
 *
 * Byte orders differ: the header's name is big-endian, payloads little-endian
 * (vhd-format 6.3).
 */
#include <config.h>

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "disk/parents-internal.h"

void
platform_text (uint32_t platform, char ret[5])
{
  size_t i;

  if (platform == 0) {
    memcpy (ret, "name", 5);
    return;
  }
  for (i = 0; i < 4; i++) {
    unsigned char c = platform >> (24 - 8 * i);

    ret[i] = c >= 0x20 && c < 0x7f ? (char) c : '?';
  }
  ret[4] = '\0';
}

/* Text that came out of a payload: nothing is as useless as no payload. */
static void
keep_text (struct stored_name *n, char *text)
{
  if (text[0] == '\0') {
    free (text);
    n->problem = "it is empty";
  }
  else
    n->text = text;
}

static int
decode_utf16 (struct stored_name *n, const void *p, size_t size,
              bool big_endian)
{
  char *text = utf16_to_utf8 (p, size, big_endian);

  if (text)
    keep_text (n, text);
  else if (vhdkit_get_error_code () == VHDKIT_ERR_NO_MEMORY)
    return -1;
  else
    n->problem = "it is not valid UTF-16 (unpaired surrogate)";
  return 0;
}

/* A URL, or 8-bit text in a code page that nobody recorded. */
static int
decode_bytes (struct stored_name *n, const uint8_t *p, size_t size)
{
  char *text;
  size_t i, len = strnlen ((const char *) p, size);

  if (n->platform != VHD_PLATFORM_MACX)
    for (i = 0; i < len; i++)
      if (p[i] >= 0x80) {
        n->problem = "it is 8-bit text in an unknown code page";
        return 0;
      }
  text = strndup ((const char *) p, len);
  if (text == NULL) {
    set_error_errno (errno, "parent locator");
    return -1;
  }
  keep_text (n, text);
  return 0;
}

static int
decode_payload (struct stored_name *n, const uint8_t *p)
{
  switch (n->platform) {
  case VHD_PLATFORM_W2RU:
  case VHD_PLATFORM_W2KU:
    return decode_utf16 (n, p, n->length, false);
  case VHD_PLATFORM_WI2R:
  case VHD_PLATFORM_WI2K:
  case VHD_PLATFORM_MACX:
    return decode_bytes (n, p, n->length);
  case VHD_PLATFORM_MAC:
    n->problem = "it is a classic Mac alias, which only a Mac can follow";
    return 0;
  default:
    n->problem = "its platform code is unknown";
    return 0;
  }
}

static int
read_locator (struct image *child, uint64_t file_size, struct stored_name *n)
{
  CLEANUP_FREE uint8_t *payload = NULL;

  if (n->length == 0) {
    n->problem = "it is empty";
    return 0;
  }
  if (n->length > VHD_MAX_LOCATOR_BYTES) {
    n->problem = "it is longer than 64 KiB";
    return 0;
  }
  if (!range_within (n->offset, n->length, file_size)) {
    n->problem = "it lies outside of the file";
    return 0;
  }
  payload = malloc (n->length);
  if (payload == NULL) {
    set_error_errno (errno, "parent locator");
    return -1;
  }
  if (store_pread (image_store (child), payload, n->length, n->offset) == -1) {
    n->problem = "it cannot be read (input/output error)";
    return 0;
  }
  return decode_payload (n, payload);
}

int
stored_names_read (struct image *child,
                   struct stored_name ret[STORED_NAMES_MAX], size_t *ret_nr)
{
  const struct vhd_header *h = image_header (child);
  struct stored_name *n;
  uint64_t file_size;
  size_t i, nr = 0;

  if (h == NULL || image_footer (child)->type != VHD_DIFFERENCING) {
    *ret_nr = 0;
    return 0;
  }
  if (store_size (image_store (child), &file_size) == -1)
    return -1;

  memset (ret, 0, STORED_NAMES_MAX * sizeof *ret);
  for (i = 0; i < VHD_LOCATORS; i++) {
    const struct vhd_locator *l = &h->locator[i];

    if (l->platform == VHD_PLATFORM_NONE)
      continue;
    n = &ret[nr++];
    n->platform = l->platform;
    n->offset = l->offset;
    n->length = l->length;
    n->space = l->space;
    if (read_locator (child, file_size, n) == -1)
      goto error;
  }

  n = &ret[nr++];
  n->offset = image_footer (child)->data_offset
    + offsetof (struct vhd_header_disk, parent_name);
  n->length = sizeof h->parent_name;
  if (decode_utf16 (n, h->parent_name, sizeof h->parent_name, true) == -1)
    goto error;
  *ret_nr = nr;
  return 0;

 error:
  stored_names_free (ret, nr);
  return -1;
}

void
stored_names_free (struct stored_name *names, size_t n)
{
  size_t i;

  for (i = 0; i < n; i++)
    free (names[i].text);
}

/* For people: control characters and bad UTF-8 are escaped. */
static int
fill_locator (struct vhdkit_locator *l, const struct stored_name *n)
{
  platform_text (n->platform, l->platform);
  l->offset = n->offset;
  l->length = n->length;
  l->space = n->space;
  if (n->text && (l->text = text_printable (n->text)) == NULL)
    return -1;
  if (n->problem && (l->problem = text_format ("%s", n->problem)) == NULL)
    return -1;
  return 0;
}

int
parent_locators (struct image *child, struct vhdkit_locator **ret_locators,
                 size_t *ret_nr)
{
  struct stored_name names[STORED_NAMES_MAX];
  struct vhdkit_locator *l;
  size_t i, nr;
  int r = 0;

  if (stored_names_read (child, names, &nr) == -1)
    return -1;
  if (nr == 0) {
    *ret_locators = NULL;
    *ret_nr = 0;
    return 0;
  }
  l = calloc (nr, sizeof *l);
  if (l == NULL) {
    set_error_errno (errno, "parent locators");
    r = -1;
  }
  for (i = 0; r == 0 && i < nr; i++)
    r = fill_locator (&l[i], &names[i]);
  stored_names_free (names, nr);
  if (r == -1) {
    parent_locators_free (l, nr);
    return -1;
  }
  *ret_locators = l;
  *ret_nr = nr;
  return 0;
}

void
parent_locators_free (struct vhdkit_locator *l, size_t n)
{
  size_t i;

  if (l == NULL)
    return;
  for (i = 0; i < n; i++) {
    free ((char *) l[i].text);
    free ((char *) l[i].problem);
  }
  free (l);
}
