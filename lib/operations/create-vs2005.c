/* vhdkit: what Virtual Server 2005 allows.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The rules of its three Create methods, in this order: size below 1, empty or
 * relative paths, characters, length, limits of the size, folder, what exists,
 * the host.  NULL was before, and whether the context still takes tasks comes
 * after (api-create.c).
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "operations/create.h"
#include "operations/paths.h"

#define MB (INT64_C (1) << 20)
#define MIN_MB 3
#define MAX_MB 2088960          /* is still accepted */
#define STRICT_FREE_BYTES (8 * MB)

struct vs_call {
  enum vhdkit_disk_type type;
  const char *image, *parent;
  int64_t size_mb;
  uint32_t flags;
  bool diff, strict;
  char *image_path, *parent_path;       /* owned; as they are meant */
};

static int
check_arguments (const struct vs_call *v)
{
  const uint32_t known = VHDKIT_HOST_STRICT | VHDKIT_HOST_ALLOW_COMPRESSED
    | VHDKIT_HOST_ALLOW_ENCRYPTED | VHDKIT_HOST_CREATE_FOLDER
    | VHDKIT_HOST_CREATE_FOLDERS
    | (v->type == VHDKIT_TYPE_FIXED ?
       VHDKIT_HOST_SPARSE | VHDKIT_HOST_PREALLOCATE : 0);

  if (!v->diff && v->size_mb <= 0) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: the size is %" PRId64 " MB, expected %d to %d", v->image,
               v->size_mb, MIN_MB, MAX_MB);
    return -1;
  }
  if (v->flags & ~known) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: flags are 0x%" PRIx32 ", expected only bits of 0x%" PRIx32,
               v->image, v->flags, known);
    return -1;
  }
  return 0;
}

/* Which file each path means: one of the two may be relative to the other. */
static int
resolve_paths (struct vs_call *v)
{
  if (path_check_given (v->image, "image") == -1
      || (v->diff && path_check_given (v->parent, "parent") == -1))
    return -1;
  if (v->strict && (!v->diff || v->parent[0] != '/')
      && path_check_absolute (v->image, "image") == -1) {
    if (v->diff)
      error_prefix ("neither path is absolute");
    return -1;
  }
  v->image_path = v->diff && v->parent[0] == '/' ?
    path_beside (v->image, v->parent) : path_from_root (v->image);
  if (!v->image_path)
    return -1;
  if (!v->diff)
    return 0;
  v->parent_path = v->image[0] == '/' ? path_beside (v->parent, v->image)
    : path_from_root (v->parent);
  return v->parent_path ? 0 : -1;
}

static int
check_names (const struct vs_call *v)
{
  if (!v->strict)
    return 0;
  if (path_check_characters (v->image, "image") == -1
      || (v->diff && path_check_characters (v->parent, "parent") == -1)
      || path_check_length (v->image_path, "image") == -1
      || (v->diff && path_check_length (v->parent_path, "parent") == -1))
    return -1;
  return 0;
}

static int
check_size (const struct vs_call *v)
{
  if (v->diff || (v->size_mb >= MIN_MB && v->size_mb <= MAX_MB))
    return 0;
  if (v->size_mb < MIN_MB)
    set_error (VHDKIT_ERR_SIZE_TOO_SMALL, EINVAL,
               "%s: the size is %" PRId64 " MB, expected at least %d",
               v->image, v->size_mb, MIN_MB);
  else
    set_error (VHDKIT_ERR_SIZE_TOO_LARGE, EFBIG,
               "%s: the size is %" PRId64 " MB, expected at most %d (2040 "
               "GB)", v->image, v->size_mb, MAX_MB);
  return -1;
}

/* These methods know one kind of "not found"; and what their arguments
 * are not to blame for, and no rule foresees, is unexpected. */
static void
vs_error (void)
{
  switch (vhdkit_get_error_code ()) {
  case VHDKIT_ERR_FILE_NOT_FOUND:
    error_recode (VHDKIT_ERR_PATH_NOT_FOUND, vhdkit_get_errno ());
    break;
  case VHDKIT_ERR_INVALID_PARAMETER:
  case VHDKIT_ERR_NULL_POINTER:
  case VHDKIT_ERR_NOT_SUPPORTED:
    error_recode (VHDKIT_ERR_UNEXPECTED, EIO);
    break;
  default:
    break;
  }
}

static int
prepare (const struct vs_call *v, struct creation **ret)
{
  const bool strict_fixed = v->strict && v->type == VHDKIT_TYPE_FIXED;
  struct create_request r = {
    .path = v->image_path,
    .options = {
      .type = v->type, .size = v->diff ? 0 : (uint64_t) (v->size_mb * MB),
      .parent = v->parent_path,
    },
    .host_flags = (v->flags & ~VHDKIT_HOST_STRICT)
      | VHDKIT_HOST_CREATE_FOLDER,
    .host_rules = true,
    .free_bytes = v->strict && !strict_fixed ? STRICT_FREE_BYTES : 0,
    .full_room = strict_fixed && !(v->flags & VHDKIT_HOST_SPARSE),
    .full_size = true,
  };

  if (creation_new (&r, NULL, ret) == 0)
    return 0;
  vs_error ();
  return -1;
}

int
vs2005_new (enum vhdkit_disk_type type, const char *image_path,
            const char *parent_path, int64_t size_mb, uint32_t flags,
            struct creation **ret)
{
  struct vs_call v = {
    .type = type, .image = image_path, .parent = parent_path,
    .size_mb = size_mb, .flags = flags,
    .diff = type == VHDKIT_TYPE_DIFFERENCING,
    .strict = flags & VHDKIT_HOST_STRICT,
  };
  int r = -1;

  if (check_arguments (&v) == 0 && resolve_paths (&v) == 0
      && check_names (&v) == 0 && check_size (&v) == 0)
    r = prepare (&v, ret);
  free (v.image_path);
  free (v.parent_path);
  return r;
}

int
vs2005_run (struct creation *c, const struct progress *progress)
{
  if (creation_run (c, progress) == 0)
    return 0;
  vs_error ();
  return -1;
}
