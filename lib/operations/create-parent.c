/* vhdkit: what a new differencing image records of its parent.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Identity (id, time stamp, size) and three ways to find it: its base name in
 * the header, a path relative to the child (W2ru) and an absolute one (W2ku).
 * Paths are recorded with symbolic links resolved on both sides: the parent is
 * one particular file, not whatever a link leads to later.
 * Source: vhd-format 6.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/guid.h"
#include "base/text.h"
#include "format/vhd.h"
#include "operations/create.h"
#include "operations/paths.h"

uint32_t
create_timestamp (int64_t seconds)
{
  if (seconds < VHD_EPOCH)
    return 0;
  if (seconds - VHD_EPOCH > UINT32_MAX)
    return UINT32_MAX;
  return (uint32_t) (seconds - VHD_EPOCH);
}

/* Length of the folder part, with its slash, that two absolute paths share. */
static size_t
common_folder (const char *a, const char *b)
{
  size_t i, r = 0;

  for (i = 0; a[i] && a[i] == b[i]; i++)
    if (a[i] == '/')
      r = i + 1;
  return r;
}

char *
create_relative_path (const char *from, const char *to)
{
  CLEANUP_FREE char *folder = text_format ("%s/", strcmp (from, "/") == 0 ?
                                           "" : from);
  size_t common, ups = 0;
  const char *p;
  char *r, *q;

  if (!folder)
    return NULL;
  common = common_folder (folder, to);
  if (strchr (to + common, '\\')) {
    set_error (VHDKIT_ERR_INVALID_NAME, EINVAL,
               "%s: a backslash in the name of a parent cannot be recorded, "
               "it separates folders there; rename it", to);
    return NULL;
  }
  for (p = folder + common; *p; p++)
    ups += *p == '/';
  r = malloc (3 * ups + 2 + strlen (to + common) + 1);
  if (!r) {
    set_error_errno (ENOMEM, "%s", to);
    return NULL;
  }
  q = r;
  if (ups == 0)
    q = stpcpy (q, ".\\");
  for (; ups > 0; ups--)
    q = stpcpy (q, "..\\");
  for (p = to + common; *p; p++)
    *q++ = *p == '/' ? '\\' : *p;
  *q = '\0';
  return r;
}

static int
make_locator (struct create_locator *l, const char *text)
{
  l->payload = utf8_to_utf16 (text, false, &l->size);
  if (!l->payload) {
    error_prefix ("the parent's path cannot be recorded");
    return -1;
  }
  if (l->size > VHD_MAX_LOCATOR_BYTES) {
    set_error (VHDKIT_ERR_NAME_TOO_LONG, ENAMETOOLONG,
               "%s: the path takes %zu bytes as UTF-16, an image can record "
               "%u", text, l->size, VHD_MAX_LOCATOR_BYTES);
    return -1;
  }
  return 0;
}

static int
record_name (struct create_parent *p, const char *path)
{
  CLEANUP_FREE void *name = NULL;
  size_t size;

  name = utf8_to_utf16 (strrchr (path, '/') + 1, true, &size);
  if (!name) {
    error_prefix ("the parent's name cannot be recorded");
    return -1;
  }
  if (size > sizeof p->name) {
    set_error (VHDKIT_ERR_NAME_TOO_LONG, ENAMETOOLONG,
               "%s: the name takes %zu bytes as UTF-16, an image can record "
               "%zu", path, size, sizeof p->name);
    return -1;
  }
  memset (p->name, 0, sizeof p->name);
  memcpy (p->name, name, size);
  return 0;
}

/* The real path of the folder that path is in; malloced. */
static char *
real_folder (const char *path)
{
  CLEANUP_FREE char *dir = path_folder (path);
  char *r;

  if (!dir)
    return NULL;
  r = realpath (dir, NULL);
  if (!r && (errno == ENOENT || errno == ENOTDIR))
    set_error (VHDKIT_ERR_PATH_NOT_FOUND, errno,
               "%s: the folder %s does not exist", path, dir);
  else if (!r)
    set_error_errno (errno, "%s", dir);
  return r;
}

static int
record_paths (struct create_parent *p, const char *child_path,
              const char *parent_path)
{
  CLEANUP_FREE char *folder = NULL, *absolute = NULL, *relative = NULL;

  absolute = realpath (parent_path, NULL);
  if (!absolute) {
    set_error_errno (errno, "%s", parent_path);
    return -1;
  }
  folder = real_folder (child_path);
  if (!folder)
    return -1;
  relative = create_relative_path (folder, absolute);
  if (!relative)
    return -1;
  if (record_name (p, absolute) == -1
      || make_locator (&p->relative, relative) == -1
      || make_locator (&p->absolute, absolute) == -1)
    return -1;
  return 0;
}

static struct store *
open_store (const char *path)
{
  struct store *s = store_open_file (AT_FDCWD, path, false, false);

  if (!s) {
    if (vhdkit_get_error_code () == VHDKIT_ERR_ACCESS_DENIED)
      error_recode (VHDKIT_ERR_PARENT_ACCESS_DENIED, EACCES);
    goto error;
  }
  if (store_lock (s, STORE_LOCK_READ) == -1)
    goto error;
  return s;

 error:
  error_prefix ("parent");
  store_close (s);
  return NULL;
}

static int
gather_raw (struct create_parent *p, const char *path, struct store *s)
{
  p->raw = s;
  if (store_size (s, &p->size) == -1)
    return -1;
  if (p->size % SECTOR_SIZE != 0) {
    set_error (VHDKIT_ERR_INVALID_SIZE, EINVAL,
               "parent %s: its size is %llu bytes; a raw parent must be a "
               "multiple of 512", path, (unsigned long long) p->size);
    return -1;
  }
  return 0;
}

static int
gather_image (struct create_parent *p, const char *path, struct store *s)
{
  const struct image_options o = { .cache_bytes = 1 << 20 };
  const struct vhd_footer *f;

  if (image_open (s, &o, &p->image) == -1) {
    struct saved_error e;

    error_save (&e);
    store_close (s);
    error_restore (&e);
    if (vhdkit_get_error_code () != VHDKIT_ERR_NO_MEMORY)
      error_recode (VHDKIT_ERR_CHAIN_ERROR, EIO);
    error_prefix ("parent");
    return -1;
  }
  f = image_footer (p->image);
  if (guid_is_zero (f->id)) {
    set_error (VHDKIT_ERR_WRONG_STATE, EBUSY,
               "parent %s: its unique id is all zero, and in a child that "
               "means a raw parent; give it an id first", path);
    return -1;
  }
  memcpy (p->id, f->id, sizeof p->id);
  p->size = f->current_size;
  if (image_header (p->image))
    p->block_size = image_header (p->image)->block_size;
  return 0;
}

int
create_parent_open (struct create_parent *p, const char *child_path,
                    const char *parent_path, bool raw)
{
  uint64_t allocated;
  int64_t mtime;
  struct store *s;
  int r;

  *p = (struct create_parent) { 0 };
  s = open_store (parent_path);
  if (!s)
    return -1;
  if (raw)
    r = gather_raw (p, parent_path, s);
  else
    r = gather_image (p, parent_path, s);
  if (r == -1)
    goto error;
  if (store_usage (s, &allocated, &mtime) == -1)
    goto error;
  p->timestamp = create_timestamp (mtime);
  if (record_paths (p, child_path, parent_path) == -1)
    goto error;
  return 0;

 error:
  create_parent_close (p);
  return -1;
}

/* Nothing was written to it, so that closing has nothing to tell; but it must
 * not replace the error that the caller is about to return. */
void
create_parent_close (struct create_parent *p)
{
  struct saved_error e;

  error_save (&e);
  if (p->image)
    image_close (p->image);
  store_close (p->raw);
  error_restore (&e);
  free (p->relative.payload);
  free (p->absolute.payload);
  *p = (struct create_parent) { 0 };
}
