/* vhdkit: the nbdkit plugin: the table of callbacks.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The plugin has no threads and no state of its own beyond the disks that are
 * open: the library does the work, and every callback may run in parallel
 * with every other.
 */
#include <config.h>

#include <stdio.h>

#include "plugin.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static void
vhd_dump_plugin (void)
{
  printf ("vhd_version=%s\n", PACKAGE_VERSION);
  printf ("vhd_library=%s\n", vhdkit_version ());
  printf ("vhd_types=fixed,dynamic,differencing\n");
}

/* Reached when the server ends after it served: no request is under way. */
static void
vhd_cleanup (void)
{
  export_cleanup ();
}

/* Also reached when the server ends before it served. */
static void
vhd_unload (void)
{
  export_cleanup ();
  config_free ();
}

static struct nbdkit_plugin plugin = {
  .name = "vhd",
  .longname = "VHD disk images",
  .version = PACKAGE_VERSION,
  .description =
    "Serve fixed, dynamic and differencing VHD images, with their parents.",
  .unload = vhd_unload,
  .dump_plugin = vhd_dump_plugin,
  .config = config_set,
  .config_complete = config_check,
  .config_help = config_help_text,
  .magic_config_key = "file",
  .get_ready = export_get_ready,
  .cleanup = vhd_cleanup,

  .list_exports = list_exports,
  .default_export = list_default_export,
  .open = export_open,
  .close = export_close,
  .export_description = export_describe,

  .get_size = io_get_size,
  .block_size = io_block_size,
  .can_write = io_can_write,
  .can_flush = io_yes,
  .is_rotational = io_no,
  .can_trim = io_can_write,
  .can_zero = io_can_write,
  .can_fast_zero = io_can_write,
  .can_extents = io_yes,
  .can_fua = io_can_fua,
  .can_multi_conn = io_yes,
  .can_cache = io_can_cache,
  .pread = io_pread,
  .pwrite = io_pwrite,
  .zero = io_zero,
  .trim = io_trim,
  .flush = io_flush,
  .extents = io_extents,
  .cache = io_cache,
};

/* nbdkit's macro defines it without a declaration. */
extern struct nbdkit_plugin *plugin_init (void);

NBDKIT_REGISTER_PLUGIN (plugin)
