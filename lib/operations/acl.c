/* vhdkit: POSIX access control lists of files.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <grp.h>
#include <inttypes.h>
#include <linux/posix_acl.h>
#include <linux/posix_acl_xattr.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "operations/acl.h"

#define ATTRIBUTE "system.posix_acl_access"
#define MAX_ENTRIES 64
/* What getpwnam_r and getgrnam_r may need. */
#define MIN_NAME_BUFFER 4096u
#define MAX_NAME_BUFFER (16u << 20)

struct entry {
  uint16_t tag, perm;
  uint32_t id;
};

struct list {
  struct entry entry[MAX_ENTRIES];
  size_t n;
};

static int
malformed (const char *text, const char *entry)
{
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "acl \"%s\": found \"%s\", expected entries such as u:1000:rw, "
             "g::r--, m::rw or o::- separated by commas", text, entry);
  return -1;
}

/* "rwx", "r--", "-", or one octal digit. */
static int
parse_permissions (const char *p, uint16_t *ret)
{
  uint16_t perm = 0;

  if (p[0] >= '0' && p[0] <= '7' && p[1] == '\0') {
    *ret = p[0] - '0';
    return 0;
  }
  if (p[0] == '\0' || strlen (p) > 3)
    return -1;
  for (; *p; p++)
    switch (*p) {
    case 'r': perm |= ACL_READ; break;
    case 'w': perm |= ACL_WRITE; break;
    case 'x': perm |= ACL_EXECUTE; break;
    case '-': break;
    default: return -1;
    }
  *ret = perm;
  return 0;
}

static bool
is_one_of (const char *word, const char *shorter, const char *longer)
{
  return strcmp (word, shorter) == 0 || strcmp (word, longer) == 0;
}

static int
parse_tag (const char *kind, bool named, uint16_t *ret)
{
  if (is_one_of (kind, "u", "user"))
    *ret = named ? ACL_USER : ACL_USER_OBJ;
  else if (is_one_of (kind, "g", "group"))
    *ret = named ? ACL_GROUP : ACL_GROUP_OBJ;
  else if (is_one_of (kind, "m", "mask") && !named)
    *ret = ACL_MASK;
  else if (is_one_of (kind, "o", "other") && !named)
    *ret = ACL_OTHER;
  else
    return -1;
  return 0;
}

/* 0, ENOENT, or what else the system says. */
static int
find_id (const char *name, bool user, char *buf, size_t size,
         uint32_t *ret_id)
{
  struct passwd pw, *found_pw = NULL;
  struct group gr, *found_gr = NULL;
  int err;

  if (user)
    err = getpwnam_r (name, &pw, buf, size, &found_pw);
  else
    err = getgrnam_r (name, &gr, buf, size, &found_gr);
  if (found_pw)
    *ret_id = pw.pw_uid;
  else if (found_gr)
    *ret_id = gr.gr_gid;
  else if (err == 0)
    err = ENOENT;
  return err;
}

static int
look_up (const char *name, bool user, uint32_t *ret_id)
{
  size_t size;
  int err = ERANGE;

  /* ERANGE: a group with very many members. */
  for (size = MIN_NAME_BUFFER; err == ERANGE && size <= MAX_NAME_BUFFER;
       size *= 4) {
    CLEANUP_FREE char *buf = malloc (size);

    err = buf ? find_id (name, user, buf, size, ret_id) : ENOMEM;
  }
  if (err == 0)
    return 0;
  if (err == ENOMEM || err == ERANGE)
    set_error_errno (ENOMEM, "acl");
  else
    set_error (VHDKIT_ERR_INVALID_NAME, EINVAL,
               "acl: there is no %s \"%s\"", user ? "user" : "group", name);
  return -1;
}

static int
parse_id (const char *name, bool user, uint32_t *ret_id)
{
  unsigned long long n;
  char *end;

  if (!isdigit ((unsigned char) name[0]))
    return look_up (name, user, ret_id);
  errno = 0;
  n = strtoull (name, &end, 10);
  if (*end || errno || n >= UINT32_MAX) {
    set_error (VHDKIT_ERR_INVALID_NAME, EINVAL,
               "acl: \"%s\" is not the number of a user or group", name);
    return -1;
  }
  *ret_id = (uint32_t) n;
  return 0;
}

static struct entry *
find (struct list *l, uint16_t tag, uint32_t id)
{
  size_t i;

  for (i = 0; i < l->n; i++)
    if (l->entry[i].tag == tag && l->entry[i].id == id)
      return &l->entry[i];
  return NULL;
}

/* A later entry for the same replaces an earlier one. */
static int
put (struct list *l, struct entry e)
{
  struct entry *old = find (l, e.tag, e.id);

  if (!old && l->n == MAX_ENTRIES) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "acl: more than %d entries", MAX_ENTRIES);
    return -1;
  }
  *(old ? old : &l->entry[l->n++]) = e;
  return 0;
}

/* KIND:[NAME]:PERMISSIONS; entry is cut to pieces. */
static int
parse_entry (struct list *l, const char *text, char *entry)
{
  CLEANUP_FREE char *whole = strdup (entry);
  struct entry e = { .id = ACL_UNDEFINED_ID };
  char *name, *perm;

  if (!whole) {
    set_error_errno (ENOMEM, "acl");
    return -1;
  }
  name = strchr (entry, ':');
  perm = name ? strchr (name + 1, ':') : NULL;
  if (!perm)
    return malformed (text, whole);
  *name++ = '\0';
  *perm++ = '\0';
  if (parse_tag (entry, name[0] != '\0', &e.tag) == -1
      || parse_permissions (perm, &e.perm) == -1)
    return malformed (text, whole);
  if (name[0] && parse_id (name, e.tag == ACL_USER, &e.id) == -1)
    return -1;
  return put (l, e);
}

/* What the mask must let through: all but the owner and the others. */
static uint16_t
group_class (const struct list *l)
{
  uint16_t perm = 0;
  size_t i;

  for (i = 0; i < l->n; i++)
    if (l->entry[i].tag == ACL_USER || l->entry[i].tag == ACL_GROUP
        || l->entry[i].tag == ACL_GROUP_OBJ)
      perm |= l->entry[i].perm;
  return perm;
}

static int
compare (const void *a, const void *b)
{
  const struct entry *x = a, *y = b;

  if (x->tag != y->tag)
    return x->tag < y->tag ? -1 : 1;
  return x->id < y->id ? -1 : x->id > y->id;
}

static void *
encode (struct list *l, size_t *ret_size)
{
  const size_t size = sizeof (struct posix_acl_xattr_header)
    + l->n * sizeof (struct posix_acl_xattr_entry);
  struct posix_acl_xattr_header *h = malloc (size);
  struct posix_acl_xattr_entry *out;
  size_t i;

  if (!h) {
    set_error_errno (ENOMEM, "acl");
    return NULL;
  }
  qsort (l->entry, l->n, sizeof l->entry[0], compare);
  h->a_version = htole32 (POSIX_ACL_XATTR_VERSION);
  out = (struct posix_acl_xattr_entry *) (h + 1);
  for (i = 0; i < l->n; i++) {
    out[i].e_tag = htole16 (l->entry[i].tag);
    out[i].e_perm = htole16 (l->entry[i].perm);
    out[i].e_id = htole32 (l->entry[i].id);
  }
  *ret_size = size;
  return h;
}

void *
acl_encode (const char *text, unsigned mode, size_t *ret_size)
{
  CLEANUP_FREE char *copy = strdup (text);
  struct list l = { .n = 0 };
  char *entry, *rest;

  if (!copy) {
    set_error_errno (ENOMEM, "acl");
    return NULL;
  }
  put (&l, (struct entry) { ACL_USER_OBJ, mode >> 6 & 7, ACL_UNDEFINED_ID });
  put (&l, (struct entry) { ACL_GROUP_OBJ, mode >> 3 & 7, ACL_UNDEFINED_ID });
  put (&l, (struct entry) { ACL_OTHER, mode & 7, ACL_UNDEFINED_ID });
  for (entry = strtok_r (copy, ",", &rest); entry;
       entry = strtok_r (NULL, ",", &rest))
    if (parse_entry (&l, text, entry) == -1)
      return NULL;
  /* Only those three can do without a mask. */
  if (l.n > 3 && !find (&l, ACL_MASK, ACL_UNDEFINED_ID)
      && put (&l, (struct entry) { ACL_MASK, group_class (&l),
                                   ACL_UNDEFINED_ID }) == -1)
    return NULL;
  return encode (&l, ret_size);
}

int
acl_set (int fd, const char *path, const void *attribute, size_t size)
{
  if (attribute) {
    if (fsetxattr (fd, ATTRIBUTE, attribute, size, 0) == 0)
      return 0;
    set_error_errno (errno, "%s: cannot set the access control list", path);
    return -1;
  }
  if (fremovexattr (fd, ATTRIBUTE) == 0 || errno == ENODATA
      || errno == EOPNOTSUPP)
    return 0;
  set_error_errno (errno, "%s: cannot remove the access control list of the "
                   "folder", path);
  return -1;
}
