/* vhdkit: the nbdkit plugin: what the operator asked for.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The server changes directory when it starts, so every path is made absolute
 * here.  What must exist (directories) is looked at here too; images are
 * looked at by the library.
 */
#include <config.h>

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin.h"

struct vhd_config config = { .lock = true };

const char config_help_text[] =
  "[file=]<IMAGE>              The VHD image to serve.\n"
  "dir=<DIRECTORY>             Serve every image in this directory, by export\n"
  "                            name.\n"
  "mode=rw|ro                  Whether clients may write (default: rw).\n"
  "parent=<IMAGE>              An explicit parent, nearest first; repeatable.\n"
  "                            raw:<FILE> names a raw file.\n"
  "search=<DIRECTORY>          Where to look for parents too; repeatable.\n"
  "ignore-parent-id=<BOOL>     Accept parents with another id\n"
  "                            (default: false).\n"
  "commit-interval=<SECONDS>   Between background commits of metadata\n"
  "                            (default: 5); 0: only when a client flushes.\n"
  "metadata-cache=<SIZE>       Memory for metadata (default: 64M).\n"
  "lock=<BOOL>                 Take file locks (default: true).";

/* Take path over. */
static int
path_list_append (struct path_list *l, char *path)
{
  char **p;

  p = realloc (l->path, (l->count + 1) * sizeof *p);
  if (p == NULL) {
    nbdkit_error ("realloc: %m");
    free (path);
    return -1;
  }
  l->path = p;
  l->path[l->count++] = path;
  return 0;
}

static void
path_list_free (struct path_list *l)
{
  for (size_t i = 0; i < l->count; i++)
    free (l->path[i]);
  free (l->path);
  l->path = NULL;
  l->count = 0;
}

/* The real path of a directory that exists, or NULL. */
static char *
directory_path (const char *key, const char *value)
{
  char *path;
  struct stat st;

  path = nbdkit_realpath (value);
  if (path == NULL)
    return NULL;
  if (stat (path, &st) == -1 || !S_ISDIR (st.st_mode)) {
    nbdkit_error ("%s=%s is not a directory", key, value);
    free (path);
    return NULL;
  }
  return path;
}

static int
set_file (const char *value)
{
  if (config.file != NULL) {
    nbdkit_error ("only one image can be named (%s comes after %s): "
                  "use dir= to serve several", value, config.file);
    return -1;
  }
  if (value[0] == '\0') {
    nbdkit_error ("file= needs the name of an image");
    return -1;
  }
  config.file = nbdkit_absolute_path (value);
  return config.file == NULL ? -1 : 0;
}

static int
set_dir (const char *value)
{
  if (config.dir != NULL) {
    nbdkit_error ("only one directory can be named with dir=");
    return -1;
  }
  config.dir = directory_path ("dir", value);
  return config.dir == NULL ? -1 : 0;
}

static int
set_mode (const char *value)
{
  if (strcmp (value, "rw") == 0)
    config.read_only = false;
  else if (strcmp (value, "ro") == 0)
    config.read_only = true;
  else {
    nbdkit_error ("mode=%s is not known: it must be rw or ro", value);
    return -1;
  }
  return 0;
}

/* A parent must exist only when it is looked for: the library says then where
 * it looked. */
static int
add_parent (const char *value)
{
  static const char raw[] = "raw:";
  const bool is_raw = strncmp (value, raw, strlen (raw)) == 0;
  char *path, *prefixed;

  path = nbdkit_absolute_path (value + (is_raw ? strlen (raw) : 0));
  if (path == NULL)
    return -1;
  if (is_raw) {
    if (asprintf (&prefixed, "%s%s", raw, path) == -1) {
      nbdkit_error ("asprintf: %m");
      free (path);
      return -1;
    }
    free (path);
    path = prefixed;
  }
  return path_list_append (&config.parents, path);
}

static int
add_search (const char *value)
{
  char *path = directory_path ("search", value);

  if (path == NULL)
    return -1;
  return path_list_append (&config.search, path);
}

static int
set_bool (const char *value, bool *ret)
{
  int r = nbdkit_parse_bool (value);

  if (r == -1)
    return -1;
  *ret = r;
  return 0;
}

static int
set_commit_interval (const char *value)
{
  unsigned seconds;

  if (nbdkit_parse_unsigned ("commit-interval", value, &seconds) == -1)
    return -1;
  if (seconds > INT_MAX) {
    nbdkit_error ("commit-interval=%s is too long", value);
    return -1;
  }
  /* The library says "only on flush" with a negative number. */
  config.commit_interval = seconds == 0 ? -1 : (int) seconds;
  return 0;
}

static int
set_metadata_cache (const char *value)
{
  int64_t size = nbdkit_parse_size (value);

  if (size == -1)
    return -1;
  /* To the library 0 is the default; who asks for none gets the least. */
  config.metadata_cache = size == 0 ? 1 : (uint64_t) size;
  return 0;
}

int
config_set (const char *key, const char *value)
{
  if (strcmp (key, "file") == 0)
    return set_file (value);
  if (strcmp (key, "dir") == 0)
    return set_dir (value);
  if (strcmp (key, "mode") == 0)
    return set_mode (value);
  if (strcmp (key, "parent") == 0)
    return add_parent (value);
  if (strcmp (key, "search") == 0)
    return add_search (value);
  if (strcmp (key, "ignore-parent-id") == 0)
    return set_bool (value, &config.ignore_parent_id);
  if (strcmp (key, "commit-interval") == 0)
    return set_commit_interval (value);
  if (strcmp (key, "metadata-cache") == 0)
    return set_metadata_cache (value);
  if (strcmp (key, "lock") == 0)
    return set_bool (value, &config.lock);

  nbdkit_error ("unknown parameter '%s'", key);
  return -1;
}

int
config_check (void)
{
  if (config.file == NULL && config.dir == NULL) {
    nbdkit_error ("name the image to serve (file=IMAGE), or a directory of "
                  "images (dir=DIRECTORY)");
    return -1;
  }
  if (config.file != NULL && config.dir != NULL) {
    nbdkit_error ("file= and dir= cannot be used together");
    return -1;
  }
  if (config.dir != NULL && config.parents.count > 0) {
    nbdkit_error ("parent= belongs to one image and cannot be used with "
                  "dir=: use search=DIRECTORY");
    return -1;
  }
  return 0;
}

void
config_free (void)
{
  free (config.file);
  free (config.dir);
  config.file = config.dir = NULL;
  path_list_free (&config.parents);
  path_list_free (&config.search);
}

uint32_t
config_open_flags (void)
{
  uint32_t flags = 0;

  if (!config.lock)
    flags |= VHDKIT_OPEN_NO_LOCK;
  if (config.ignore_parent_id)
    flags |= VHDKIT_OPEN_IGNORE_PARENT_ID;
  if (config.dir != NULL)
    flags |= VHDKIT_OPEN_CONFINE;
  return flags;
}

void
config_open_options (struct vhdkit_open_options *ret_options)
{
  *ret_options = (struct vhdkit_open_options) {
    .struct_size = sizeof *ret_options,
    .parents = (const char *const *) config.parents.path,
    .nr_parents = config.parents.count,
    .search = (const char *const *) config.search.path,
    .nr_search = config.search.count,
    .confine_dir = config.dir,
    .commit_interval = config.commit_interval,
    .metadata_cache = config.metadata_cache,
  };
}
