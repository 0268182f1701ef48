/* vhdkit: what a path may look like.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "operations/paths.h"

/* '/' separates folders and is therefore not among them. */
static const char forbidden[] = "*?:<>|\"\\";

int
path_check_given (const char *path, const char *what)
{
  if (path[0] != '\0')
    return 0;
  set_error (VHDKIT_ERR_BAD_PATHNAME, ENOENT,
             "the path of the %s is empty", what);
  return -1;
}

int
path_check_absolute (const char *path, const char *what)
{
  if (path[0] == '/')
    return 0;
  set_error (VHDKIT_ERR_BAD_PATHNAME, EINVAL,
             "%s: the path of the %s is relative, expected one that begins "
             "with \"/\"", path, what);
  return -1;
}

const char *
path_name (const char *path)
{
  const char *slash = strrchr (path, '/');

  return slash ? slash + 1 : path;
}

int
path_check_names_file (const char *path)
{
  const char *name = path_name (path);

  if (name[0] && strcmp (name, ".") != 0 && strcmp (name, "..") != 0)
    return 0;
  set_error (VHDKIT_ERR_INVALID_NAME, EINVAL,
             "%s: the name of a file is expected, this names a folder",
             path[0] ? path : "(empty)");
  return -1;
}

int
path_check_characters (const char *path, const char *what)
{
  const char *bad = strpbrk (path, forbidden);
  CLEANUP_FREE void *wide = NULL;
  size_t size;

  if (bad) {
    set_error (VHDKIT_ERR_INVALID_NAME, EINVAL,
               "%s: the path of the %s contains \"%c\", which Windows does not "
               "allow: none of %s may be in it", path, what, *bad, forbidden);
    return -1;
  }
  wide = utf8_to_utf16 (path, false, &size);
  if (wide)
    return 0;
  error_prefix ("the path of the %s", what);
  return -1;
}

int
path_check_length (const char *path, const char *what)
{
  CLEANUP_FREE void *wide = NULL;
  size_t size;

  wide = utf8_to_utf16 (path, false, &size);
  if (!wide)
    return -1;
  if (size / 2 <= PATHS_STRICT_MAX)
    return 0;
  set_error (VHDKIT_ERR_NAME_TOO_LONG, ENAMETOOLONG,
             "%s: the path of the %s has %zu characters, expected at most %d",
             path, what, size / 2, PATHS_STRICT_MAX);
  return -1;
}

char *
path_beside (const char *path, const char *other)
{
  const char *slash = strrchr (other, '/');

  if (path[0] == '/' || !slash)
    return text_format ("%s", path);
  return text_format ("%.*s%s", (int) (slash - other) + 1, other, path);
}

char *
path_from_root (const char *path)
{
  CLEANUP_FREE char *cwd = NULL;

  if (path[0] == '/')
    return text_format ("%s", path);
  cwd = getcwd (NULL, 0);
  if (!cwd) {
    set_error_errno (errno, "%s: the working directory", path);
    return NULL;
  }
  return text_format ("%s/%s", strcmp (cwd, "/") == 0 ? "" : cwd, path);
}

char *
path_folder (const char *path)
{
  const char *slash = strrchr (path, '/');

  if (!slash)
    return text_format (".");
  while (slash > path && slash[-1] == '/')
    slash--;
  return text_format ("%.*s", slash == path ? 1 : (int) (slash - path), path);
}
