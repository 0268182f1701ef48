/* vhdkit: POSIX access control lists of files.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The kernel takes them as an extended attribute, whose layout is fixed
 * (linux/posix_acl_xattr.h); libacl is not needed for setting one.
 */
#ifndef VHDKIT_OPERATIONS_ACL_H
#define VHDKIT_OPERATIONS_ACL_H

#include <stddef.h>

/* The attribute for a list as setfacl -m has it, entries separated by commas,
 * over the permission bits of mode.  Malloced; NULL: INVALID_PARAMETER (not
 * such a list), INVALID_NAME (no such user or group), NO_MEMORY. */
extern void *acl_encode (const char *text, unsigned mode, size_t *ret_size);

/* Set it.  attribute NULL: remove what the folder's default list gave. */
extern int acl_set (int fd, const char *path, const void *attribute,
                    size_t size);

#endif
