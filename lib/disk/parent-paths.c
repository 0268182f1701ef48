/* vhdkit: the paths at which to look for a parent, in order.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *  1. what the caller gave (parent=);
 *  2. W2ru, relative to the folder of the child;
 *  3. W2ku and MacX as far as they are paths of this system, or relative;
 *  4. the header's name, beside the child;
 *  5. the base names of the locators, beside the child;
 *  6. in each search= directory the base names of 4 and 5, the relative path
 *     of 2, and what lies below the drive or the share in a Windows path.
 *
 * "The folder of the child" is that of the file itself, symbolic links
 * resolved, and then the one that it was opened by, if that is another.  The
 * deprecated Wi2r and Wi2k go with W2ru and W2ku.  A path comes once only.
 */
#include <config.h>

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "disk/parents-internal.h"

/* A text of the image, taken apart.  A MacX locator can give two. */
struct place {
  struct stored_path path;
  uint32_t platform;
};

struct list {
  struct parent_paths out;
  struct place *place;
  size_t nr_places;
  char *folder[2];              /* real, as named; NULL if there is none */
};

static int
add_path (struct list *l, char *path, const char *source, bool is_explicit,
          bool raw)
{
  struct parent_path *p;
  size_t i;

  if (path == NULL)
    return -1;
  for (i = 0; i < l->out.n; i++)
    if (l->out.p[i].raw == raw && strcmp (l->out.p[i].path, path) == 0) {
      free (path);
      return 0;
    }
  p = realloc (l->out.p, (l->out.n + 1) * sizeof *p);
  if (p == NULL) {
    free (path);
    set_error_errno (errno, "paths of parents");
    return -1;
  }
  l->out.p = p;
  p = &p[l->out.n++];
  p->path = path;
  snprintf (p->source, sizeof p->source, "%s", source);
  p->is_explicit = is_explicit;
  p->raw = raw;
  return 0;
}

static int
add_beside_child (struct list *l, const char *rest, uint32_t platform)
{
  char source[5];
  size_t i;

  platform_text (platform, source);
  for (i = 0; i < 2; i++)
    if (l->folder[i] &&
        add_path (l, path_join (l->folder[i], rest), source, false,
                  false) == -1)
      return -1;
  return 0;
}

static int
add_explicit (struct list *l, const char *parent)
{
  bool raw = strncmp (parent, "raw:", 4) == 0;

  return add_path (l, text_format ("%s", raw ? parent + 4 : parent),
                   "parent=", true, raw);
}

/* 2 and 3: one locator as it stands. */
static int
add_locator (struct list *l, const struct place *p)
{
  char source[5];

  switch (p->path.kind) {
  case PATH_RELATIVE:
    return add_beside_child (l, p->path.rest, p->platform);
  case PATH_POSIX:
    platform_text (p->platform, source);
    return add_path (l, path_join ("", p->path.rest), source, false, false);
  default:
    return 0;                   /* only below a search directory */
  }
}

static int
add_locators_of (struct list *l, uint32_t platform, uint32_t deprecated)
{
  size_t i;

  for (i = 0; i < l->nr_places; i++) {
    const struct place *p = &l->place[i];

    if ((p->platform == platform || p->platform == deprecated) &&
        add_locator (l, p) == -1)
      return -1;
  }
  return 0;
}

/* 4 and 5: is_name tells which. */
static int
add_base_names (struct list *l, bool is_name)
{
  size_t i;

  for (i = 0; i < l->nr_places; i++) {
    const struct place *p = &l->place[i];

    if ((p->platform == 0) == is_name &&
        add_beside_child (l, p->path.base, p->platform) == -1)
      return -1;
  }
  return 0;
}

static int
add_below (struct list *l, const char *dir, const char *rest)
{
  return add_path (l, path_join (dir, rest), "search=", false, false);
}

/* 6: what a text says of a place below a search directory. */
static int
add_tail (struct list *l, const char *dir, const struct place *p)
{
  switch (p->path.kind) {
  case PATH_RELATIVE:
    return add_below (l, dir, p->path.rest);
  case PATH_UNC:
    if (add_below (l, dir, p->path.rest) == -1)
      return -1;
    return add_below (l, dir, p->path.tail);
  case PATH_DRIVE:
    return add_below (l, dir, p->path.tail);
  default:
    return 0;
  }
}

static int
add_search_dir (struct list *l, const char *search)
{
  CLEANUP_FREE char *dir = path_absolute (search);
  size_t i;
  int is_name;

  if (dir == NULL)
    return -1;
  for (is_name = 1; is_name >= 0; is_name--)
    for (i = 0; i < l->nr_places; i++)
      if ((l->place[i].platform == 0) == is_name &&
          add_below (l, dir, l->place[i].path.base) == -1)
        return -1;
  for (i = 0; i < l->nr_places; i++)
    if (add_tail (l, dir, &l->place[i]) == -1)
      return -1;
  return 0;
}

static int
add_place (struct list *l, const char *text, uint32_t platform)
{
  struct place *p = &l->place[l->nr_places];
  int r = stored_path_parse (text, &p->path);

  if (r == 1) {
    p->platform = platform;
    l->nr_places++;
  }
  return r == -1 ? -1 : 0;
}

/* Programs of the tap family store the path as it is; a file may really be
 * called "a%20b".  All others escape, as the specification says. */
static int
add_url_places (struct list *l, const char *url, bool literal_first)
{
  int turn, r;

  for (turn = 0; turn < 2; turn++) {
    CLEANUP_FREE char *path = NULL;

    r = url_path (url, (turn == 0) != literal_first, &path);
    if (r == -1 || (r == 1 && add_place (l, path, VHD_PLATFORM_MACX) == -1))
      return -1;
  }
  return 0;
}

static int
parse_names (struct list *l, const struct stored_name *names, size_t n,
             bool creator_is_tap)
{
  size_t i;
  int r;

  l->place = calloc (2 * n + 1, sizeof *l->place);
  if (l->place == NULL) {
    set_error_errno (errno, "paths of parents");
    return -1;
  }
  for (i = 0; i < n; i++) {
    if (names[i].text == NULL)
      continue;
    if (names[i].platform == VHD_PLATFORM_MACX)
      r = add_url_places (l, names[i].text, creator_is_tap);
    else
      r = add_place (l, names[i].text, names[i].platform);
    if (r == -1)
      return -1;
  }
  return 0;
}

char *
path_absolute (const char *path)
{
  CLEANUP_FREE char *cwd = NULL;

  if (path[0] == '/')
    return text_format ("%s", path);
  cwd = getcwd (NULL, 0);
  if (cwd == NULL) {
    set_error_errno (errno, "%s: the working directory", path);
    return NULL;
  }
  return text_format ("%s/%s", cwd, path);
}

/* Folder of path, made absolute; links in it stay. */
static char *
folder_as_named (const char *path)
{
  char *folder = path_absolute (path), *real;
  char *slash;

  if (folder == NULL)
    return NULL;
  slash = strrchr (folder, '/');
  slash[slash == folder ? 1 : 0] = '\0';
  /* With "." and ".." in it only the kernel knows where it leads. */
  if (strstr (folder, "/.") && (real = realpath (folder, NULL)) != NULL) {
    free (folder);
    folder = real;
  }
  return folder;
}

static int
find_folders (struct list *l, const char *child_path)
{
  char *real = realpath (child_path, NULL), *slash;

  if (real) {
    slash = strrchr (real, '/');
    slash[slash == real ? 1 : 0] = '\0';
    l->folder[0] = real;
  }
  l->folder[1] = folder_as_named (child_path);
  return l->folder[1] ? 0 : -1;
}

static int
build_list (struct list *l, const char *child_path, bool creator_is_tap,
            const struct stored_name *names, size_t nr_names,
            const struct parent_search *ps)
{
  size_t i;

  if (find_folders (l, child_path) == -1 ||
      parse_names (l, names, nr_names, creator_is_tap) == -1)
    return -1;
  if (ps->nr_explicit > 0 && add_explicit (l, ps->explicit_parents[0]) == -1)
    return -1;
  if (add_locators_of (l, VHD_PLATFORM_W2RU, VHD_PLATFORM_WI2R) == -1 ||
      add_locators_of (l, VHD_PLATFORM_W2KU, VHD_PLATFORM_WI2K) == -1 ||
      add_locators_of (l, VHD_PLATFORM_MACX, VHD_PLATFORM_MACX) == -1 ||
      add_base_names (l, true) == -1 ||
      add_base_names (l, false) == -1)
    return -1;
  for (i = 0; i < ps->nr_search; i++)
    if (add_search_dir (l, ps->search[i]) == -1)
      return -1;
  return 0;
}

int
parent_paths_list (const char *child_path, bool creator_is_tap,
                   const struct stored_name *names, size_t nr_names,
                   const struct parent_search *ps, struct parent_paths *ret)
{
  struct list l = { 0 };
  size_t i;
  int r = build_list (&l, child_path, creator_is_tap, names, nr_names, ps);

  for (i = 0; i < l.nr_places; i++)
    stored_path_free (&l.place[i].path);
  free (l.place);
  free (l.folder[0]);
  free (l.folder[1]);
  if (r == -1) {
    parent_paths_free (&l.out);
    return -1;
  }
  *ret = l.out;
  return 0;
}

void
parent_paths_free (struct parent_paths *l)
{
  size_t i;

  for (i = 0; i < l->n; i++)
    free (l->p[i].path);
  free (l->p);
  l->p = NULL;
  l->n = 0;
}
