/* vhdkit create: what its files share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *     cmd-create.c       the command line
 *     create-disk.c      profiles win32 (the default) and azure
 *     create-vs2005.c    profile vs2005
 */
#ifndef VHDKIT_CREATE_COMMAND_H
#define VHDKIT_CREATE_COMMAND_H

#include "tools.h"

enum create_profile {
  PROFILE_WIN32 = 0,
  PROFILE_AZURE,
  PROFILE_VS2005
};

/* What the command line says. */
struct create_command {
  enum create_profile profile;
  const char *file;
  const char *type_name, *size, *block_size, *parent, *source, *id;
  enum vhdkit_disk_type type;   /* of type_name, or the default */
  bool raw_parent, quiet;
  uint32_t host_flags;          /* VHDKIT_HOST_... */
  struct vhdkit_security security;
  struct words search, source_parents;  /* of the source */
  struct progress_options progress;
};

/* Make sense of the rest of the command line, and make the image.  Return the
 * exit status, after a message if it is not 0. */
extern int create_disk (const struct create_command *c);
extern int create_vs2005 (const struct create_command *c);

/* Malloced: where the image is that create_vs2005 makes. */
extern char *vs2005_image_path (const struct create_command *c);

#endif
