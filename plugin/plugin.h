/* vhdkit: the nbdkit plugin.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   config.c   what the operator asked for
 *   export.c   the disks that are open, shared by connections
 *   list.c     which exports there are, and how they are described
 *   io.c       the requests of clients
 *   plugin.c   the table of callbacks
 */
#ifndef VHDKIT_PLUGIN_H
#define VHDKIT_PLUGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "vhdkit.h"

/* -D vhd.io=1: a line for every request. */
extern int vhd_debug_io;

/*----------------------------------------------------------------------
 * config.c
 *--------------------------------------------------------------------*/

/* Paths in the order given; each is malloced. */
struct path_list {
  char **path;
  size_t count;
};

/* The parameters.  Written before the server starts, read-only after. */
struct vhd_config {
  char *file;                   /* absolute; NULL in dir= mode */
  char *dir;                    /* absolute, no symbolic links; or NULL */
  bool read_only;               /* mode=ro */
  struct path_list parents, search;
  bool ignore_parent_id;
  bool lock;
  int commit_interval;          /* as vhdkit_open_options has it */
  uint64_t metadata_cache;
};
extern struct vhd_config config;

extern int config_set (const char *key, const char *value);
extern int config_check (void);
extern void config_free (void);
extern const char config_help_text[];

/* What vhdkit_open is to be given: flags, and options (which point into
 * config). */
extern uint32_t config_open_flags (void);
extern void config_open_options (struct vhdkit_open_options *ret_options);

/*----------------------------------------------------------------------
 * export.c
 *--------------------------------------------------------------------*/

struct export;

/* One connection. */
struct handle {
  struct export *export;
  vhdkit_disk *disk;            /* of export: open as long as we use it */
  bool writable;                /* decided when the connection was made */
};

/* Open the image of the server (file= mode), so that errors reach the
 * terminal. */
extern int export_get_ready (void);
/* Close what is still open; may be called twice. */
extern void export_cleanup (void);

extern void *export_open (int readonly);
extern void export_close (void *handle);
extern const char *export_describe (void *handle);

/*----------------------------------------------------------------------
 * list.c
 *--------------------------------------------------------------------*/

extern int list_exports (int readonly, int is_tls,
                         struct nbdkit_exports *exports);
extern const char *list_default_export (int readonly, int is_tls);

/* Is this UTF-8 without control characters? */
extern bool list_name_is_text (const char *name);

/* "differencing VHD, 40 MiB, parent win8.vhd": malloced, or NULL. */
extern char *describe_disk (vhdkit_disk *disk);

/*----------------------------------------------------------------------
 * io.c
 *--------------------------------------------------------------------*/

extern int64_t io_get_size (void *handle);
extern int io_block_size (void *handle, uint32_t *minimum,
                          uint32_t *preferred, uint32_t *maximum);
extern int io_can_write (void *handle);
extern int io_yes (void *handle);
extern int io_no (void *handle);
extern int io_can_fua (void *handle);
extern int io_can_cache (void *handle);
extern int io_pread (void *handle, void *buf, uint32_t count,
                     uint64_t offset, uint32_t flags);
extern int io_pwrite (void *handle, const void *buf, uint32_t count,
                      uint64_t offset, uint32_t flags);
extern int io_zero (void *handle, uint32_t count, uint64_t offset,
                    uint32_t flags);
extern int io_trim (void *handle, uint32_t count, uint64_t offset,
                    uint32_t flags);
extern int io_flush (void *handle, uint32_t flags);
extern int io_extents (void *handle, uint32_t count, uint64_t offset,
                       uint32_t flags, struct nbdkit_extents *extents);
extern int io_cache (void *handle, uint32_t count, uint64_t offset,
                     uint32_t flags);

#endif
