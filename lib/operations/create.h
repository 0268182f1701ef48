/* vhdkit: what the files of the create operation share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *     create-options.c   can such an image be at all?
 *     create-parent.c    what a child records of its parent
 *     create-plan.c      where everything goes in the file
 *     create.c           a creation: prepared, run, done or undone
 *     create-contents.c  writing the file
 *     security.c         its permissions
 *
 *     create-rules.c     what Windows allows (CreateVirtualDisk)
 *     create-vs2005.c    what Virtual Server 2005 allows
 */
#ifndef VHDKIT_OPERATIONS_CREATE_H
#define VHDKIT_OPERATIONS_CREATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image/image.h"
#include "operations/copy.h"
#include "operations/folders.h"
#include "operations/new-file.h"
#include "operations/operations.h"
#include "vhdkit.h"

/* What Windows makes at least. */
#define CREATE_MIN_SIZE (UINT64_C (3) << 20)

/* A path as a locator stores it: UTF-16LE without terminator. */
struct create_locator {
  void *payload;                /* owned */
  size_t size;                  /* bytes */
};

/* What a new child records of its parent.  The parent stays open, and with it
 * its shared lock, until the child is complete. */
struct create_parent {
  struct image *image;          /* NULL for a raw parent */
  struct store *raw;            /* NULL for a VHD */
  uint64_t size;                /* virtual size */
  uint32_t block_size;          /* 0: it has no blocks */
  uint8_t id[16];               /* all zero for a raw parent */
  uint32_t timestamp;           /* modification time, as VHD counts */
  uint8_t name[512];            /* base name as the header stores it */
  struct create_locator relative, absolute;
};

/* Open the parent and gather all that.  child_path: where the child is, or
 * will be; its folder must exist.
 * Errors: FILE_NOT_FOUND, PARENT_ACCESS_DENIED, SHARING_VIOLATION, CHAIN_ERROR
 * (not a usable image), WRONG_STATE (it has no id), INVALID_NAME (a name that
 * images cannot record), NAME_TOO_LONG. */
extern int create_parent_open (struct create_parent *p, const char *child_path,
                               const char *parent_path, bool raw);
extern void create_parent_close (struct create_parent *p);

/* Path of the file to (absolute, real) as seen from the folder from (the
 * same), the way W2ru has it: ".\b.vhd", "..\a\b.vhd".  NULL: NO_MEMORY,
 * INVALID_NAME if a component holds a backslash. */
extern char *create_relative_path (const char *from, const char *to);

/* Seconds since 1970 as VHD counts them: 0 and UINT32_MAX are the limits. */
extern uint32_t create_timestamp (int64_t seconds);

/*----------------------------------------------------------------------
 * A creation
 *--------------------------------------------------------------------*/

/* What is wanted.  Everything is borrowed, and copied by creation_new. */
struct create_request {
  const char *path;
  struct vhdkit_create_options options; /* size: the final one */
  const char *source_uri;       /* a remote source, which creation_run opens;
                                   then options.size may be 0: the source's */
  const struct vhdkit_security *security;       /* NULL: inherited */
  uint32_t host_flags;          /* VHDKIT_HOST_... */
  bool host_rules;              /* refuse compressed and encrypted places */
  uint64_t free_bytes;          /* the file system must have so many */
  bool full_room;               /* and as many as the file will take */
  bool full_size;               /* and be able to hold it fully grown */
};

struct creation {
  char *path;                   /* owned, as are the strings below */
  struct vhdkit_create_options options;
  char *parent_path, *creator, *acl;
  char *source_uri;             /* NULL: none, or not remote */
  struct vhdkit_security security;      /* set 0: inherited */
  uint32_t host_flags;
  bool host_rules;
  struct copy_source *source;   /* owned; NULL: all zeros, or not yet open */
  bool copied;                  /* all of it, but perhaps: */
  bool left_out;                /* the first sector, see copy.h */
  uint8_t first[SECTOR_SIZE];

  /* create-plan.c */
  uint64_t size;                /* virtual */
  uint32_t block_size;
  struct create_parent parent;
  struct vhd_footer footer;
  struct vhd_header header;     /* not for a fixed image */
  be32 *table;                  /* with a source: its entries, padding and
                                   all; else NULL: all are unused */
  uint64_t table_end;           /* padding included */
  uint64_t footer_offset;

  struct folders folders;
  struct new_file file;
  bool done;                    /* the image is there */
  const struct progress *progress;
};

/* Check all that can be checked before anything is written, and hold on to
 * what was found (folder, parent): options, folder (made if it may be), what
 * has the name already, parent, host rules, limits.  source: the creation
 * takes it over, also on failure; NULL with a source_uri. */
extern int creation_new (const struct create_request *r,
                         struct copy_source *source, struct creation **ret);

/* Make the image, durable and in its place.  Once. */
extern int creation_run (struct creation *c, const struct progress *progress);

/* Take an image that was made away again.  Keeps the last error. */
extern void creation_undo (struct creation *c);

/* NULL is allowed.  If the image was not made nothing is left, the folder
 * neither.  Keeps the last error. */
extern void creation_free (struct creation *c);

/* create-options.c.  Without size_known the size is left for later. */
extern int create_check_options (const char *path,
                                 const struct vhdkit_create_options *o,
                                 bool has_source, bool size_known);

/* create-plan.c */
extern int create_make_plan (struct creation *c);
/* How large the file can become. */
extern uint64_t create_full_size (const struct creation *c);

/* create-contents.c: into the open file, footers last. */
extern int create_write_contents (struct creation *c);

/* security.c */
/* INVALID_PARAMETER, INVALID_NAME (of a user or group). */
extern int security_check (const struct vhdkit_security *s, const char *path);
/* Mode for making the file, so that it never allows more than it will. */
extern unsigned security_first_mode (const struct vhdkit_security *s);
extern int security_apply (const struct vhdkit_security *s, int fd,
                           const char *path);

/*----------------------------------------------------------------------
 * Rules
 *--------------------------------------------------------------------*/

/* create-rules.c: IP-1 to IP-19 except IP-13, and what else needs no look at
 * any file.  has_handle: ret_disk is not NULL. */
extern int create_check_rules (const char *path,
                               const struct vhdkit_create_parameters *p,
                               bool has_handle);

/* create-vs2005.c.  What a call of Virtual Server wants; parent_path is for a
 * differencing image, size_mb for the others.  Checks all in the order that
 * vhdkit.h gives, except for a shutdown. */
extern int vs2005_new (enum vhdkit_disk_type type, const char *image_path,
                       const char *parent_path, int64_t size_mb,
                       uint32_t flags, struct creation **ret);
extern int vs2005_run (struct creation *c, const struct progress *progress);

#endif
