/* vhdkit: the permissions of a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Given none, a file has what the process and its folder give it: 0666 less
 * the umask, or the folder's default access control list.  Given some, it is
 * made for its owner alone, then gets its owner and group, then its
 * permissions: never more on the way than at the end.
 */
#include <config.h>

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "operations/acl.h"
#include "operations/create.h"

#define INHERITED_MODE 0666
#define FIRST_MODE 0600

static bool
sets_permissions (const struct vhdkit_security *s)
{
  return s->set & (VHDKIT_SECURITY_MODE | VHDKIT_SECURITY_ACL);
}

static unsigned
base_mode (const struct vhdkit_security *s)
{
  return s->set & VHDKIT_SECURITY_MODE ? s->mode : FIRST_MODE;
}

int
security_check (const struct vhdkit_security *s, const char *path)
{
  const uint32_t known = VHDKIT_SECURITY_MODE | VHDKIT_SECURITY_OWNER
    | VHDKIT_SECURITY_GROUP | VHDKIT_SECURITY_ACL;
  CLEANUP_FREE void *acl = NULL;
  size_t size;

  if ((s->set & ~known)
      || ((s->set & VHDKIT_SECURITY_MODE) && (s->mode & ~07777u))
      || ((s->set & VHDKIT_SECURITY_OWNER) && s->owner == UINT32_MAX)
      || ((s->set & VHDKIT_SECURITY_GROUP) && s->group == UINT32_MAX)
      || ((s->set & VHDKIT_SECURITY_ACL) && !s->acl)) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: security is set 0x%x, mode 0%o, owner %u, group %u%s; "
               "expected bits of 0x%x, at most 07777, and numbers of a user "
               "and a group", path, s->set, s->mode, s->owner, s->group,
               s->acl ? "" : ", no acl", known);
    return -1;
  }
  if (!(s->set & VHDKIT_SECURITY_ACL))
    return 0;
  acl = acl_encode (s->acl, base_mode (s), &size);
  return acl ? 0 : -1;
}

unsigned
security_first_mode (const struct vhdkit_security *s)
{
  return sets_permissions (s) ? FIRST_MODE : INHERITED_MODE;
}

static int
apply_acl (const struct vhdkit_security *s, int fd, const char *path)
{
  size_t size;
  CLEANUP_FREE void *acl = acl_encode (s->acl, base_mode (s), &size);

  return acl ? acl_set (fd, path, acl, size) : -1;
}

int
security_apply (const struct vhdkit_security *s, int fd, const char *path)
{
  const uid_t owner = s->set & VHDKIT_SECURITY_OWNER ? s->owner : (uid_t) -1;
  const gid_t group = s->set & VHDKIT_SECURITY_GROUP ? s->group : (gid_t) -1;

  if ((s->set & (VHDKIT_SECURITY_OWNER | VHDKIT_SECURITY_GROUP))
      && fchown (fd, owner, group) == -1) {
    set_error_errno (errno, "%s: cannot give the file to user %d, group %d",
                     path, (int) owner, (int) group);
    return -1;
  }
  if (!sets_permissions (s))
    return 0;
  /* What the folder's default list gave is not wanted. */
  if (acl_set (fd, path, NULL, 0) == -1)
    return -1;
  if (fchmod (fd, base_mode (s)) == -1) {
    set_error_errno (errno, "%s: cannot set the mode 0%o", path,
                     base_mode (s));
    return -1;
  }
  return s->set & VHDKIT_SECURITY_ACL ? apply_acl (s, fd, path) : 0;
}
