/* vhdkit: from a path where a parent may be to an open file.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The path comes from an image and so perhaps from an enemy.
 *
 *  - What is there is looked at through an O_PATH descriptor first: a FIFO,
 *    a device or a socket is never opened, for opening can block or act.
 *  - Confined, the file must lie beneath one of the roots with symbolic links
 *    resolved.  Text only chooses the root; that the file is beneath it is
 *    decided by the kernel (openat2, RESOLVE_BENEATH), at the time of opening.
 *  - Where the exact name is missing, the only name that differs in nothing
 *    but case is taken, component by component: Windows does not care.
 */
#include <config.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <locale.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <wctype.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "disk/parents-internal.h"

/* Where to open: name relative to dirfd, and whether it must stay beneath. */
struct spot {
  int dirfd;
  const char *name;
  bool beneath;
};

/* Renames elsewhere in the tree make the kernel give up; then try again. */
#define BENEATH_ATTEMPTS 16

static int
open_spot (const struct spot *s, int flags)
{
  struct open_how how = { 0 };
  int fd, i;

  if (!s->beneath)
    return openat (s->dirfd, s->name, flags | O_CLOEXEC);
  how.flags = (unsigned) flags | O_CLOEXEC;
  how.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS;
  for (i = 0; i < BENEATH_ATTEMPTS; i++) {
    fd = syscall (SYS_openat2, s->dirfd, s->name, &how, sizeof how);
    if (fd >= 0 || errno != EAGAIN)
      return fd;
  }
  return -1;
}

/*----------------------------------------------------------------------
 * Names that differ only in case
 *--------------------------------------------------------------------*/

static bool
same_utf16 (const void *a, const void *b, size_t size, locale_t locale)
{
  uint16_t x, y;
  size_t i;

  for (i = 0; i < size; i += 2) {
    memcpy (&x, (const char *) a + i, 2);
    memcpy (&y, (const char *) b + i, 2);
    if (x != y && towupper_l (x, locale) != towupper_l (y, locale))
      return false;
  }
  return true;
}

/* Windows compares UTF-16 unit by unit, upper-cased; so do we. */
static bool
same_but_for_case (const char *a, const char *b, locale_t locale)
{
  CLEANUP_FREE void *wide_a = NULL, *wide_b = NULL;
  size_t size_a, size_b, i;

  if (strcasecmp (a, b) == 0)
    return true;
  for (i = 0; a[i] && (unsigned char) a[i] < 0x80; i++)
    ;
  if (a[i] == '\0' || locale == (locale_t) 0)
    return false;
  wide_a = utf8_to_utf16 (a, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, &size_a);
  wide_b = utf8_to_utf16 (b, __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__, &size_b);
  return wide_a && wide_b && size_a == size_b &&
    same_utf16 (wide_a, wide_b, size_a, locale);
}

/* The only entry of directory fd that matches name; *ret_name is NULL when
 * there is none, or more than one (then *ret_many).  Takes fd over. */
static int
scan_directory (int fd, const char *name, locale_t locale, char **ret_name,
                bool *ret_many)
{
  DIR *dir = fdopendir (fd);
  struct dirent *d;
  char *found = NULL;

  *ret_name = NULL;
  if (dir == NULL) {
    close (fd);
    return 0;
  }
  while ((d = readdir (dir)) != NULL) {
    if (!same_but_for_case (name, d->d_name, locale))
      continue;
    if (found) {
      *ret_many = true;
      free (found);
      closedir (dir);
      return 0;
    }
    found = text_format ("%s", d->d_name);
    if (found == NULL) {
      closedir (dir);
      return -1;
    }
  }
  closedir (dir);
  *ret_name = found;
  return 0;
}

static bool
spot_exists (const struct spot *s)
{
  CLEANUP_CLOSE int fd = open_spot (s, O_PATH);

  return fd >= 0;
}

/* One component further: *name (which is in the directory that sofar names)
 * becomes what it is called there, or NULL. */
static int
match_component (const struct spot *where, const char *sofar, char **name,
                 locale_t locale, bool *ret_many)
{
  CLEANUP_FREE char *exact = text_format ("%s%s", sofar, *name);
  CLEANUP_FREE char *wanted = NULL;
  struct spot s = *where;
  int fd;

  if (exact == NULL)
    return -1;
  s.name = exact;
  if (spot_exists (&s))
    return 0;
  wanted = *name;
  *name = NULL;
  s.name = sofar[0] ? sofar : ".";
  fd = open_spot (&s, O_RDONLY | O_DIRECTORY | O_NONBLOCK);
  return fd == -1 ? 0 : scan_directory (fd, wanted, locale, name, ret_many);
}

/* The name that s really has, or *ret_name = NULL. */
static int
match_case (const struct spot *s, locale_t locale, char **ret_name,
            bool *ret_many)
{
  const char *rest = s->name;
  char *sofar = text_format ("%s", rest[0] == '/' ? "/" : ""), *longer;

  *ret_name = NULL;
  if (sofar == NULL)
    return -1;
  while (rest += strspn (rest, "/"), *rest) {
    size_t n = strcspn (rest, "/");
    CLEANUP_FREE char *name = text_format ("%.*s", (int) n, rest);

    if (name == NULL ||
        match_component (s, sofar, &name, locale, ret_many) == -1) {
      free (sofar);
      return -1;
    }
    if (name == NULL) {
      free (sofar);
      return 0;
    }
    rest += n;
    longer = text_format ("%s%s%s", sofar, name, *rest ? "/" : "");
    free (sofar);
    if (longer == NULL)
      return -1;
    sofar = longer;
  }
  *ret_name = sofar;
  return 0;
}

/*----------------------------------------------------------------------
 * Roots
 *--------------------------------------------------------------------*/

/* What of path lies beneath root, or NULL. */
static const char *
part_beneath (const char *root, const char *path)
{
  size_t len = strlen (root);

  while (len > 0 && root[len - 1] == '/')
    len--;
  if (strncmp (path, root, len) != 0 || path[len] != '/')
    return NULL;
  path += len + 1;
  return *path ? path : NULL;
}

static const struct root *
find_root (const struct roots *roots, const char *path, const char **ret_part)
{
  size_t i;

  for (i = 0; i < roots->n; i++) {
    const struct root *r = &roots->root[i];

    if ((r->real && (*ret_part = part_beneath (r->real, path)) != NULL) ||
        (*ret_part = part_beneath (r->named, path)) != NULL)
      return r;
  }
  return NULL;
}

/* required: fail if it is not there; else only what is looked for there is
 * not found. */
static int
add_root (struct roots *roots, const char *dir, bool required)
{
  struct root *r = &roots->root[roots->n++];    /* roots_close frees it */

  r->fd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  r->real = r->fd == -1 ? NULL : realpath (dir, NULL);
  if (r->real == NULL) {
    r->err = errno;
    if (r->fd >= 0)
      close (r->fd);
    r->fd = -1;
    if (required) {
      set_error_errno (r->err, "%s", dir);
      return -1;
    }
  }
  r->named = path_absolute (dir);
  return r->named ? 0 : -1;
}

/* Without confine_dir it is the folder of the child. */
static char *
default_root (const char *child_path)
{
  char *real = realpath (child_path, NULL), *slash;

  if (real == NULL) {
    set_error_errno (errno, "%s", child_path);
    return NULL;
  }
  slash = strrchr (real, '/');
  slash[slash == real ? 1 : 0] = '\0';
  return real;
}

int
roots_open (const struct parent_search *ps, const char *child_path,
            struct roots *ret)
{
  CLEANUP_FREE char *folder = NULL;
  struct roots roots = { NULL, 0 };
  const char *dir = ps->confine_dir;
  size_t i;
  int r;

  if (dir == NULL && (dir = folder = default_root (child_path)) == NULL)
    return -1;
  roots.root = calloc (1 + ps->nr_search, sizeof *roots.root);
  if (roots.root == NULL) {
    set_error_errno (errno, "%s", dir);
    return -1;
  }
  r = add_root (&roots, dir, true);
  for (i = 0; r == 0 && i < ps->nr_search; i++)
    r = add_root (&roots, ps->search[i], false);
  if (r == -1) {
    roots_close (&roots);
    return -1;
  }
  *ret = roots;
  return 0;
}

void
roots_close (struct roots *r)
{
  size_t i;

  for (i = 0; i < r->n; i++) {
    if (r->root[i].fd >= 0)
      close (r->root[i].fd);
    free (r->root[i].real);
    free (r->root[i].named);
  }
  free (r->root);
  r->root = NULL;
  r->n = 0;
}

/*----------------------------------------------------------------------
 * Opening
 *--------------------------------------------------------------------*/

static const char *
outcome_of_errno (int err)
{
  switch (err) {
  case ENOENT:
  case ENOTDIR: return "no such file";
  case EACCES:
  case EPERM: return "permission denied";
  case EXDEV: return "outside of the allowed directories";
  case ELOOP: return "too many symbolic links";
  case ENAMETOOLONG: return "the name is too long";
  case ENOSYS: return "openat2 is missing, which Linux has since 5.6";
  default: return NULL;
  }
}

/* Nobody can go on after these. */
static bool
is_fatal (int err)
{
  return err == ENOMEM || err == EMFILE || err == ENFILE;
}

static const char *
refusal (const struct stat *st, bool device_allowed)
{
  if (S_ISREG (st->st_mode))
    return NULL;
  if (S_ISDIR (st->st_mode))
    return "it is a directory";
  if (S_ISBLK (st->st_mode) && device_allowed)
    return NULL;
  if (device_allowed)
    return "it is not a regular file or block device";
  if (S_ISBLK (st->st_mode) || S_ISCHR (st->st_mode))
    return "it is a device, which an image may not name";
  return "it is not a regular file";
}

struct attempt {
  struct store *store;
  const char *outcome;          /* why not */
  int err;
};

/* -1: fatal, the error is set. */
static int
failed (struct attempt *a, const struct spot *s, int err)
{
  if (is_fatal (err)) {
    set_error_errno (err, "%s", s->name);
    return -1;
  }
  a->err = err;
  a->outcome = outcome_of_errno (err);
  if (a->outcome == NULL)
    a->outcome = "it cannot be opened";
  return 0;
}

/* Look at s, and open it if it is what we want. */
static int
open_file (const struct spot *s, bool device_allowed, struct attempt *a)
{
  CLEANUP_CLOSE int fd = -1;
  struct stat st;

  memset (a, 0, sizeof *a);
  if (strlen (s->name) >= PATH_MAX)
    return failed (a, s, ENAMETOOLONG);
  fd = open_spot (s, O_PATH);
  if (fd == -1 || fstat (fd, &st) == -1)
    return failed (a, s, errno);
  if ((a->outcome = refusal (&st, device_allowed)) != NULL) {
    a->err = EINVAL;
    return 0;
  }
  a->store = store_open_file (s->dirfd, s->name, false, s->beneath);
  if (a->store == NULL)
    return failed (a, s, vhdkit_get_errno ());
  /* Another file may have taken the name in between. */
  if (fstat (store_file_fd (a->store), &st) == -1 ||
      (a->outcome = refusal (&st, device_allowed)) != NULL) {
    store_close (a->store);
    a->store = NULL;
    a->err = EINVAL;
    if (a->outcome == NULL)
      a->outcome = "it cannot be examined";
  }
  return 0;
}

/* For comparing letters beyond ASCII.  Made once, kept to the end: a library
 * does not know when its last caller has gone. */
static locale_t case_locale;

static void
make_case_locale (void)
{
  case_locale = newlocale (LC_CTYPE_MASK, "C.UTF-8", (locale_t) 0);
}

/* The exact name, else the same but for case.  *ret_name (malloced) is set
 * when another name was opened. */
static int
open_any_case (const struct spot *s, struct attempt *a, char **ret_name)
{
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  struct spot other = *s;
  bool many = false;

  *ret_name = NULL;
  if (open_file (s, false, a) == -1)
    return -1;
  if (a->store || a->err != ENOENT)
    return 0;
  pthread_once (&once, make_case_locale);
  if (match_case (s, case_locale, ret_name, &many) == -1)
    return -1;
  if (many) {
    a->outcome = "no such file, but several whose names differ only in case";
    a->err = EINVAL;
  }
  if (*ret_name == NULL)
    return 0;
  other.name = *ret_name;
  return open_file (&other, false, a);
}

/* ret_path: how the file beneath root is called from the root directory on. */
static int
open_beneath (const struct root *root, const char *part, struct attempt *a,
              char **ret_path)
{
  struct spot s = { root->fd, part, true };
  CLEANUP_FREE char *name = NULL;

  if (root->fd == -1)
    return failed (a, &s, root->err);
  if (open_any_case (&s, a, &name) == -1)
    return -1;
  if (a->store &&
      (*ret_path = path_join (root->real, name ? name : part)) == NULL) {
    store_close (a->store);
    return -1;
  }
  return 0;
}

static int
open_confined (const char *path, const struct roots *roots, struct attempt *a,
               char **ret_path)
{
  CLEANUP_FREE char *real = NULL;
  const char *part;
  const struct root *root = find_root (roots, path, &part);

  memset (a, 0, sizeof *a);
  a->err = EXDEV;
  a->outcome = outcome_of_errno (EXDEV);
  if (root == NULL)
    return 0;
  if (open_beneath (root, part, a, ret_path) == -1)
    return -1;
  if (a->store || a->err != EXDEV)
    return 0;
  /* A link out of this root may lead into another, or be absolute. */
  real = realpath (path, NULL);
  root = real ? find_root (roots, real, &part) : NULL;
  return root ? open_beneath (root, part, a, ret_path) : 0;
}

static int
open_anywhere (const char *path, struct attempt *a, char **ret_path)
{
  struct spot s = { AT_FDCWD, path, false };
  char *name;

  if (open_any_case (&s, a, &name) == -1) {
    free (name);
    return -1;
  }
  *ret_path = name;
  return 0;
}

int
parent_file_open (const struct parent_path *p, bool confine,
                  const struct roots *roots, struct store **ret_store,
                  char **ret_path, char **ret_outcome, int *ret_err)
{
  struct spot s = { AT_FDCWD, p->path, false };
  struct attempt a;
  char *path = NULL;
  int r;

  if (p->is_explicit)
    r = open_file (&s, true, &a);
  else if (confine)
    r = open_confined (p->path, roots, &a, &path);
  else
    r = open_anywhere (p->path, &a, &path);
  if (r == -1)
    goto error;

  if (a.store && path == NULL && (path = text_format ("%s", p->path)) == NULL)
    goto error_close;
  if (a.store == NULL && (*ret_outcome = text_format ("%s", a.outcome)) == NULL)
    goto error;
  if (a.store == NULL) {
    free (path);
    path = NULL;
  }
  *ret_store = a.store;
  *ret_path = path;
  *ret_err = a.err;
  return 0;

 error_close:
  store_close (a.store);
 error:
  free (path);
  return -1;
}
