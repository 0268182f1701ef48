/* vhdkit: the parts of the search for a parent.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *     locators.c         what the image says: its locators and its name field
 *     stored-path.c      what such a text means as a path; no I/O
 *     parent-paths.c     all paths to try, in order; no I/O but realpath
 *     parent-files.c     a path to an open file, confined if asked for
 *     parents.c          one path after the other until one is the parent
 *
 * For disk/ only.
 */
#ifndef VHDKIT_PARENTS_INTERNAL_H
#define VHDKIT_PARENTS_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "disk/disk.h"

/*----------------------------------------------------------------------
 * locators.c
 *--------------------------------------------------------------------*/

/* A locator or the header's parent name as stored: text is what the image
 * holds, whatever bytes that may be.  Never print it as it is. */
struct stored_name {
  uint32_t platform;            /* 0: the header's parent name */
  uint64_t offset;
  uint32_t length;
  uint32_t space;
  char *text;                   /* owned; NULL if it cannot be read */
  const char *problem;          /* why not; a constant */
};

#define STORED_NAMES_MAX (VHD_LOCATORS + 1)

/* The locators in the order of their slots, then the header's name. */
extern int stored_names_read (struct image *child,
                              struct stored_name ret[STORED_NAMES_MAX],
                              size_t *ret_nr);
extern void stored_names_free (struct stored_name *names, size_t n);

/* "W2ru", ..., "name" for the header's name; printable. */
extern void platform_text (uint32_t platform, char ret[5]);

/*----------------------------------------------------------------------
 * stored-path.c
 *--------------------------------------------------------------------*/

enum path_kind {
  PATH_RELATIVE,                /* .\a\b.vhd, ..\b.vhd, b.vhd */
  PATH_POSIX,                   /* /a/b.vhd */
  PATH_DRIVE,                   /* C:\a\b.vhd, \a\b.vhd */
  PATH_UNC                      /* \\server\share\a\b.vhd */
};

/* rest: the components, joined by '/', without "." and with ".." only at the
 * start of a relative path; without root, drive or prefix, but with server
 * and share.  tail: where the part below the share begins (else rest). */
struct stored_path {
  enum path_kind kind;
  char *rest;                   /* owned */
  const char *tail;             /* in rest */
  const char *base;             /* last component, in rest */
};

/* Returns 1, 0 if text names no file (empty, "..", only a drive), or -1 with
 * NO_MEMORY. */
extern int stored_path_parse (const char *text, struct stored_path *ret);
extern void stored_path_free (struct stored_path *p);

/* The path that a MacX locator's URL holds.  decode: percent escapes are
 * replaced.  Returns 1, 0 if there is none (bad escape, %00), or -1. */
extern int url_path (const char *url, bool decode, char **ret_path);

/* folder joined with rest: leading ".." go up textually, as Windows does. */
extern char *path_join (const char *folder, const char *rest);

/*----------------------------------------------------------------------
 * parent-paths.c
 *--------------------------------------------------------------------*/

struct parent_path {
  char *path;                   /* absolute, except perhaps an explicit one */
  char source[16];              /* "parent=", "W2ru", ..., "search=" */
  bool is_explicit;             /* by the caller, not by the image */
  bool raw;
};

struct parent_paths {
  struct parent_path *p;
  size_t n;
};

/* What an image of creator tap calls a URL needs no decoding. */
extern int parent_paths_list (const char *child_path, bool creator_is_tap,
                              const struct stored_name *names, size_t nr_names,
                              const struct parent_search *ps,
                              struct parent_paths *ret);
extern void parent_paths_free (struct parent_paths *l);

/* path from the root directory on; not resolved.  NULL: NO_MEMORY, or no
 * working directory. */
extern char *path_absolute (const char *path);

/*----------------------------------------------------------------------
 * parent-files.c
 *--------------------------------------------------------------------*/

/* The directories that parents must lie beneath; none: anywhere. */
struct root {
  int fd;                       /* -1: it cannot be opened, for */
  int err;                      /* this reason */
  char *real;                   /* symbolic links resolved; NULL without fd */
  char *named;                  /* as the operator wrote it, made absolute */
};

struct roots {
  struct root *root;
  size_t n;
};

extern int roots_open (const struct parent_search *ps, const char *child_path,
                       struct roots *ret);
extern void roots_close (struct roots *r);

/* Open the file of p read-only.  Only an explicit one may be a device; only
 * others may differ in case.  With confine, others must lie beneath one of
 * the roots.  *ret_store is NULL where there is no such file or it is out of
 * the question, and *ret_outcome says why, *ret_err holds an errno (EACCES:
 * no permission).  On success *ret_path is how the file is really called.
 * Returns -1 only where going on makes no sense (NO_MEMORY, no descriptors).
 */
extern int parent_file_open (const struct parent_path *p, bool confine,
                             const struct roots *roots,
                             struct store **ret_store, char **ret_path,
                             char **ret_outcome, int *ret_err);

#endif
