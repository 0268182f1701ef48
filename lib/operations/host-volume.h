/* vhdkit: what the place of a new image must be like.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_OPERATIONS_HOST_VOLUME_H
#define VHDKIT_OPERATIONS_HOST_VOLUME_H

#include <stdint.h>

/* Refuse a folder or file whose content is kept compressed or encrypted, where
 * Windows does not attach images, unless flags (VHDKIT_HOST_ALLOW_...) allow
 * it.  Errors: HOST_LIMITATION. */
extern int host_check_volume (int fd, const char *name, uint32_t flags);

/* Has the file system this many bytes left for us?  Errors: DISK_FULL. */
extern int host_check_room (int fd, const char *name, uint64_t bytes);

/* Could a file in this folder grow to so many bytes?  Where that cannot be
 * found out, yes.  Errors: FILE_TOO_LARGE_FOR_FS. */
extern int host_check_file_size (int dirfd, const char *name, uint64_t bytes);

#endif
