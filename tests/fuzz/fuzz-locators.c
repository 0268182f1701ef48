/* vhdkit: fuzzing what an image says of its parent's whereabouts.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: 1 byte choices, and then up to eight locators and the header's name:
 * each 1 byte platform, 1 byte length n, n bytes.  They are put into an image,
 * read from it, and made into paths.
 */
#include <config.h>

#include <string.h>

#include "base/checked.h"
#include "base/text.h"
#include "disk/parents-internal.h"
#include "image/image.h"
#include "patched.h"
#include "store-wrap.h"

#define PAYLOADS 65536u         /* where they go in the file */

extern int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/*----------------------------------------------------------------------
 * The text
 *--------------------------------------------------------------------*/

static bool
is_printable (const char *s)
{
  for (; *s; s++)
    if ((unsigned char) *s < 0x20 || *s == 0x7f)
      return false;
  return true;
}

/* There and back again is the same. */
static void
utf16 (const uint8_t *p, size_t size, bool big_endian)
{
  char *text = utf16_to_utf8 (p, size, big_endian), *shown;
  void *again;
  size_t n, k;

  if (text == NULL)
    return;
  again = utf8_to_utf16 (text, big_endian, &n);
  require (again != NULL && n <= size && memcmp (again, p, n) == 0);
  /* All of it, up to a NUL. */
  for (k = n; k + 1 < size && k < n + 2; k++)
    require (p[k] == 0);
  shown = text_printable (text);
  require (shown && is_printable (shown));
  free (shown);
  free (again);
  free (text);
}

/* Components are whole: no empty one, no ".", and ".." only where it may be. */
static void
check_components (const struct stored_path *p)
{
  const char *s = p->rest;
  bool may_go_up = p->kind == PATH_RELATIVE;

  while (*s) {
    size_t n = strcspn (s, "/");

    require (n > 0 && !(n == 1 && s[0] == '.'));
    if (n == 2 && s[0] == '.' && s[1] == '.')
      require (may_go_up);
    else
      may_go_up = false;
    if (p->kind != PATH_POSIX)
      require (memchr (s, '\\', n) == NULL);
    s += n;
    if (*s)
      require (*++s != '\0');
  }
}

static void
stored_path (const char *text)
{
  struct stored_path p;
  int r = stored_path_parse (text, &p);

  require (r != -1);
  if (r == 0)
    return;
  check_components (&p);
  require (p.base[0] != '\0' && strchr (p.base, '/') == NULL
           && strcmp (p.base, "..") != 0);
  require (p.tail >= p.rest && p.tail <= p.rest + strlen (p.rest));
  stored_path_free (&p);
}

static void
url (const char *text)
{
  char *path;
  int decode, r;

  for (decode = 0; decode < 2; decode++) {
    r = url_path (text, decode, &path);
    require (r != -1);
    if (r == 1) {
      require (path[0] != '\0' && strlen (path) <= strlen (text));
      stored_path (path);
      free (path);
    }
  }
}

static void
texts (const uint8_t *data, size_t size)
{
  char *text = malloc (size + 1);

  require (text != NULL);
  memcpy (text, data, size);
  text[size] = '\0';
  utf16 (data, size, false);
  utf16 (data, size, true);
  stored_path (text);
  url (text);
  free (text);
}

/*----------------------------------------------------------------------
 * The image
 *--------------------------------------------------------------------*/

static void
put_header (struct store *s, const uint8_t *data, size_t size)
{
  static const uint32_t platforms[] = {
    VHD_PLATFORM_W2RU, VHD_PLATFORM_W2KU, VHD_PLATFORM_MACX,
    VHD_PLATFORM_WI2R, VHD_PLATFORM_WI2K, VHD_PLATFORM_MAC, 0, 0x41424344
  };
  struct vhd_header_disk d;
  unsigned k;

  require (store_pread (s, &d, sizeof d, 512) == 0);
  for (k = 0; k <= VHD_LOCATORS && size >= 2; k++) {
    size_t n = MIN_OF ((size_t) data[1], size - 2);

    if (k == VHD_LOCATORS) {
      memset (d.parent_name, 0, sizeof d.parent_name);
      memcpy (d.parent_name, data + 2, n);
      break;
    }
    d.locator[k].platform = put_be32 (platforms[data[0] & 7]);
    d.locator[k].length = put_be32 (data[0] & 8 ? n * 31 : n);
    d.locator[k].space = put_be32 (data[0] >> 4);
    d.locator[k].offset = put_be64 (PAYLOADS + k * 512);
    if (n > 0)
      require (store_pwrite (s, data + 2, n, PAYLOADS + k * 512) == 0);
    data += 2 + n;
    size -= 2 + n;
  }
  d.checksum = put_be32 (vhd_checksum (&d, sizeof d,
                                       offsetof (struct vhd_header_disk,
                                                 checksum)));
  require (store_pwrite (s, &d, sizeof d, 512) == 0);
}

static void
check_paths (const struct stored_name *names, size_t n, bool tap)
{
  static const char *const search[] = { "/search", "relative" };
  struct parent_search ps = { .search = search, .nr_search = 2 };
  struct parent_paths l;
  size_t k;

  require (parent_paths_list ("/folder/child.vhd", tap, names, n, &ps, &l)
           == 0);
  for (k = 0; k < l.n; k++)
    require (l.p[k].path[0] == '/' && !l.p[k].is_explicit && !l.p[k].raw
             && l.p[k].source[0] != '\0');
  parent_paths_free (&l);
}

static void
names (struct image *i, bool tap)
{
  struct stored_name name[STORED_NAMES_MAX];
  struct vhdkit_locator *l;
  size_t n, nr, k;

  require (stored_names_read (i, name, &n) == 0);
  for (k = 0; k < n; k++)
    require ((name[k].text == NULL) != (name[k].problem == NULL));
  check_paths (name, n, tap);
  stored_names_free (name, n);

  require (parent_locators (i, &l, &nr) == 0 && nr == n);
  for (k = 0; k < nr; k++)
    require ((l[k].text == NULL) != (l[k].problem == NULL)
             && (l[k].text == NULL || is_printable (l[k].text)));
  parent_locators_free (l, nr);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct image_options o = { 0 };
  struct store *s;
  struct image *i;

  if (size < 1 || size > 4096)
    return 0;
  texts (data + 1, size - 1);
  s = patched_image (1, NULL, 0, false);
  put_header (s, data + 1, size - 1);
  /* A footer behind the payloads. */
  require (store_truncate (s, PAYLOADS + VHD_LOCATORS * 512) == 0);
  if (image_open (s, &o, &i) == 0) {
    names (i, data[0] & 1);
    image_close (i);
  }
  else
    store_close (s);
  return 0;
}
