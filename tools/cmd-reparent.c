/* vhdkit reparent: record another file as the parent of an image.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <string.h>

#include "tools.h"

static int
reparent (const char *file, const char *parent, bool force)
{
  /* The parent that is recorded may be lost: that is what this is for. */
  struct image_options none = { .json = false };
  vhdkit_disk *disk = open_image_for (VHDKIT_ACCESS_METAOPS, file, &none,
                                      VHDKIT_OPEN_NO_PARENTS);
  int status = STATUS_OK;

  if (disk == NULL)
    return STATUS_FAILED;
  if (vhdkit_set_info (disk, VHDKIT_SET_INFO_PARENT_PATH, parent,
                       strlen (parent) + 1,
                       force ? VHDKIT_SET_INFO_FORCE : 0) == -1) {
    complain_library (file);
    status = STATUS_FAILED;
  }
  return close_image (file, disk, status);
}

static int
show_result (const char *file)
{
  struct image_options o = { .json = true };
  vhdkit_disk *disk = open_image (file, &o, VHDKIT_OPEN_INSPECT);

  if (disk == NULL)
    return STATUS_FAILED;
  json_print (layer_json (layer_info (disk, 0)));
  return close_image (file, disk, STATUS_OK);
}

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    ANSWER_OPTIONS,
    { "force", no_argument, NULL, OPT_OWN },
    { NULL, 0, NULL, 0 }
  };
  struct image_options shared = { .json = false };
  bool force = false;
  int c, status;

  while ((c = getopt_long (argc, argv, HELP_LETTERS, options, NULL)) != -1) {
    if (c == OPT_OWN)
      force = true;
    else {
      status = shared_option (c, &shared);
      if (status != -1)
        return status;
    }
  }
  if (argc - optind < 2)
    return usage_error (argc - optind < 1 ? "which file?" : "which parent?");
  if (argc - optind > 2)
    return usage_error ("extra argument: %s", argv[optind + 2]);

  status = reparent (argv[optind], argv[optind + 1], force);
  if (status == STATUS_OK && shared.json)
    status = show_result (argv[optind]);
  return status;
}

const struct command cmd_reparent = {
  .name = "reparent",
  .summary = "record another file as the parent of an image",
  .synopsis = "[OPTIONS] FILE PARENT",
  .help =
    "  --force                 although it is another disk than the parent so\n"
    "                          far\n"
    ANSWER_HELP,
  .usage_status = STATUS_USAGE,
  .run = run,
};
