/* vhdkit: the nbdkit plugin: which exports there are.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * In dir= mode the directory may hold anything, also what a tenant put there
 * to annoy: only regular files are looked at, one file each (no parents, no
 * locks), and what is no image is left out.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

#include "plugin.h"

/*----------------------------------------------------------------------
 * Descriptions
 *--------------------------------------------------------------------*/

/* NBD allows 4096 bytes in a description; a name that is longer than this
 * comes from no system that wrote VHDs. */
#define PARENT_NAME_MAX 1024

/* "40 MiB", "1.5 GiB", "512 B". */
static void
format_size (uint64_t size, char *buf, size_t len)
{
  static const char *const unit[] = { "B", "KiB", "MiB", "GiB", "TiB" };
  unsigned u = 0;
  uint64_t scale = 1;

  while (u + 1 < sizeof unit / sizeof unit[0] && size >= scale * 1024) {
    scale *= 1024;
    u++;
  }
  if (size % scale == 0)
    snprintf (buf, len, "%" PRIu64 " %s", size / scale, unit[u]);
  else
    snprintf (buf, len, "%.1f %s", (double) size / scale, unit[u]);
}

static const char *
type_name (enum vhdkit_disk_type type)
{
  switch (type) {
  case VHDKIT_TYPE_FIXED: return "fixed VHD";
  case VHDKIT_TYPE_DYNAMIC: return "dynamic VHD";
  case VHDKIT_TYPE_DIFFERENCING: return "differencing VHD";
  case VHDKIT_TYPE_RAW: break;
  }
  return "disk";
}

/* What the image calls its parent: the last part of the relative path, or of
 * any other name it has for it.  NULL if it has none. */
static const char *
parent_name (const struct vhdkit_layer_info *info)
{
  const struct vhdkit_locator *best = NULL, *l;
  const char *name, *p;

  for (size_t i = 0; i < info->nr_locators; i++) {
    l = &info->locators[i];
    if (l->text == NULL || l->text[0] == '\0')
      continue;
    if (best == NULL || strcmp (l->platform, "W2ru") == 0)
      best = l;
  }
  if (best == NULL)
    return NULL;
  for (name = p = best->text; *p != '\0'; p++)
    if ((*p == '/' || *p == '\\') && p[1] != '\0')
      name = p + 1;
  return name;
}

/* The image chose this name: nothing in it may move a terminal's cursor. */
static void
replace_controls (char *s)
{
  for (; *s != '\0'; s++)
    if ((unsigned char) *s < 0x20 || *s == 0x7f)
      *s = '?';
}

char *
describe_disk (vhdkit_disk *disk)
{
  const struct vhdkit_layer_info *info = vhdkit_layer (disk, 0);
  const char *parent = NULL;
  char size[32], *r;

  if (info == NULL)
    return NULL;
  format_size (info->virtual_size, size, sizeof size);
  if (info->type == VHDKIT_TYPE_DIFFERENCING)
    parent = parent_name (info);
  if (parent != NULL && strlen (parent) > PARENT_NAME_MAX)
    parent = NULL;
  if (asprintf (&r, "%s, %s%s%s", type_name (info->type), size,
                parent ? ", parent " : "", parent ? parent : "") == -1)
    return NULL;
  replace_controls (r);
  return r;
}

/*----------------------------------------------------------------------
 * The directory
 *--------------------------------------------------------------------*/

static bool
has_image_suffix (const char *name)
{
  const char *dot = strrchr (name, '.');

  return dot != NULL &&
    (strcasecmp (dot, ".vhd") == 0 || strcasecmp (dot, ".avhd") == 0 ||
     strcasecmp (dot, ".vud") == 0);
}

/* Export names are UTF-8, and clients print them line by line. */
bool
list_name_is_text (const char *name)
{
  const unsigned char *p = (const unsigned char *) name;
  uint32_t c, least;
  int more;

  while (*p != '\0') {
    if (*p < 0x80) { c = *p; more = 0; least = 0x20; }
    else if (*p >= 0xc0 && *p < 0xe0) { c = *p & 0x1f; more = 1; least = 0x80; }
    else if (*p >= 0xe0 && *p < 0xf0) { c = *p & 0xf; more = 2; least = 0x800; }
    else if (*p >= 0xf0 && *p < 0xf8) { c = *p & 7; more = 3; least = 0x10000; }
    else return false;
    for (p++; more > 0; more--, p++) {
      if ((*p & 0xc0) != 0x80)
        return false;
      c = c << 6 | (*p & 0x3f);
    }
    if (c < least || c > 0x10ffff || (c >= 0xd800 && c < 0xe000) ||
        (c >= 0x7f && c < 0xa0))
      return false;
  }
  return true;
}

static int
is_candidate (const struct dirent *d)
{
  return d->d_name[0] != '.' && has_image_suffix (d->d_name) &&
    list_name_is_text (d->d_name);
}

static int
compare_names (const void *a, const void *b)
{
  const struct dirent *const *x = a, *const *y = b;

  return strcmp ((*x)->d_name, (*y)->d_name);
}

/* The description of the image called name in the directory dirfd; NULL if
 * there is none that could be served. */
static char *
describe_file (int dirfd, const char *name)
{
  struct vhdkit_open_options options;
  vhdkit_disk *disk;
  struct stat st;
  char *path, *r = NULL;
  int opened;

  if (fstatat (dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == -1 ||
      !S_ISREG (st.st_mode))
    return NULL;
  if (asprintf (&path, "%s/%s", config.dir, name) == -1)
    return NULL;
  config_open_options (&options);
  opened = vhdkit_open (path, VHDKIT_ACCESS_GET_INFO,
                        config_open_flags () | VHDKIT_OPEN_INSPECT |
                        VHDKIT_OPEN_NO_PARENTS | VHDKIT_OPEN_NO_LOCK,
                        &options, &disk);
  free (path);
  if (opened == -1) {
    nbdkit_debug ("not listed: %s", vhdkit_get_error ());
    return NULL;
  }
  r = describe_disk (disk);
  if (vhdkit_close (disk) == -1)
    nbdkit_debug ("%s", vhdkit_get_error ());
  return r;
}

/* Call fn for each image of the directory, in the order of names, until it
 * returns non-zero; that is returned then, else 0.  -1 on errors. */
static int
for_each_image (int (*fn) (void *opaque, const char *name,
                           const char *description),
                void *opaque)
{
  struct dirent **entry = NULL;
  char *description;
  int dirfd, n, i, r = 0;

  dirfd = open (config.dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (dirfd == -1) {
    nbdkit_error ("%s: %m", config.dir);
    return -1;
  }
  n = scandirat (dirfd, ".", &entry, is_candidate, NULL);
  if (n == -1) {
    nbdkit_error ("%s: %m", config.dir);
    r = -1;
  }
  if (n > 0)
    qsort (entry, n, sizeof entry[0], compare_names);
  for (i = 0; i < n && r == 0; i++) {
    description = describe_file (dirfd, entry[i]->d_name);
    if (description != NULL)
      r = fn (opaque, entry[i]->d_name, description);
    free (description);
  }
  for (i = 0; i < n; i++)
    free (entry[i]);
  free (entry);
  close (dirfd);
  return r;
}

/*----------------------------------------------------------------------
 * Callbacks
 *--------------------------------------------------------------------*/

static int
add_export (void *opaque, const char *name, const char *description)
{
  return nbdkit_add_export (opaque, name, description);
}

int
list_exports (int readonly, int is_tls, struct nbdkit_exports *exports)
{
  (void) readonly;
  (void) is_tls;
  if (config.file != NULL)
    return nbdkit_use_default_export (exports);
  return for_each_image (add_export, exports);
}

/* The names seen on the way to a default export. */
struct default_search {
  char *name;                   /* the first */
  bool several;
};

static int
see_image (void *opaque, const char *name, const char *description)
{
  struct default_search *s = opaque;

  (void) description;
  if (s->name != NULL) {
    s->several = true;
    return 1;
  }
  s->name = strdup (name);
  if (s->name == NULL) {
    nbdkit_error ("strdup: %m");
    return -1;
  }
  return 0;
}

const char *
list_default_export (int readonly, int is_tls)
{
  struct default_search s = { NULL, false };
  const char *r = NULL;

  (void) readonly;
  (void) is_tls;
  if (config.file != NULL)
    return "";
  if (for_each_image (see_image, &s) != -1) {
    if (s.several)
      nbdkit_error ("there are several images in %s: name one as export, "
                    "for example nbd://HOST/%s (nbdinfo --list shows all)",
                    config.dir, s.name);
    else if (s.name == NULL)
      nbdkit_error ("there is no image in %s", config.dir);
    else
      r = nbdkit_strdup_intern (s.name);
  }
  free (s.name);
  return r;
}
