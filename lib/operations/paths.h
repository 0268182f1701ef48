/* vhdkit: what a path may look like.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Looks at texts only, never at files.  strict: by the rules of Virtual Server
 * 2005 as they are carried over to POSIX: absolute, fewer than 260 UTF-16 code
 * units, none of the characters that Windows forbids, nor a backslash, which
 * would separate folders there and does not here.
 */
#ifndef VHDKIT_OPERATIONS_PATHS_H
#define VHDKIT_OPERATIONS_PATHS_H

#include <stdbool.h>

#define PATHS_STRICT_MAX 259    /* UTF-16 code units */

/* what: "image" or "parent", for the message.  Errors: BAD_PATHNAME. */
extern int path_check_given (const char *path, const char *what);
extern int path_check_absolute (const char *path, const char *what);
/* Does it name a file, not a folder (nothing after the last slash, "." or
 * "..")?  Errors: INVALID_NAME. */
extern int path_check_names_file (const char *path);
/* Strict rules.  Errors: INVALID_NAME; NAME_TOO_LONG. */
extern int path_check_characters (const char *path, const char *what);
extern int path_check_length (const char *path, const char *what);

/* path as seen from the folder that other is in; a copy if it is absolute.
 * Malloced; NULL: NO_MEMORY. */
extern char *path_beside (const char *path, const char *other);

/* path from the root on, so that it stays the same if the process changes its
 * working directory.  Malloced; NULL: NO_MEMORY, or what getcwd says. */
extern char *path_from_root (const char *path);

/* The last component, in path. */
extern const char *path_name (const char *path);

/* The folder that path is in: "." if it names none.  Malloced; NULL:
 * NO_MEMORY. */
extern char *path_folder (const char *path);

#endif
