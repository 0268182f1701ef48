/* vhdkit create: make an image.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "tools.h"

/* What the command line says, before it is made sense of. */
struct request {
  const char *type, *size, *block_size, *parent, *id;
  bool raw_parent;
  const char *file;
};

static int
parse_type (const char *text, enum vhdkit_disk_type *ret_type)
{
  if (strcmp (text, "fixed") == 0)
    *ret_type = VHDKIT_TYPE_FIXED;
  else if (strcmp (text, "dynamic") == 0)
    *ret_type = VHDKIT_TYPE_DYNAMIC;
  else if (strcmp (text, "diff") == 0 || strcmp (text, "differencing") == 0)
    *ret_type = VHDKIT_TYPE_DIFFERENCING;
  else {
    usage_error ("--type is fixed, dynamic or diff, not %s", text);
    return -1;
  }
  return 0;
}

/* What contradicts itself, in words; NULL if nothing does. */
static const char *
contradiction (const struct request *r, enum vhdkit_disk_type type)
{
  bool diff = type == VHDKIT_TYPE_DIFFERENCING;

  if (diff && r->parent == NULL)
    return "a differencing image needs --parent";
  if (!diff && r->parent)
    return "only a differencing image has a parent";
  if (r->raw_parent && r->parent == NULL)
    return "--raw-parent needs --parent";
  if (diff && r->size)
    return "a differencing image has the size of its parent: give no size";
  if (!diff && r->size == NULL)
    return "which size?";
  if (type == VHDKIT_TYPE_FIXED && r->block_size)
    return "a fixed image has no blocks: give no --block-size";
  return NULL;
}

static int
make_options (const struct request *r, struct vhdkit_create_options *o)
{
  const char *problem;
  uint64_t n;

  o->type = r->parent ? VHDKIT_TYPE_DIFFERENCING : VHDKIT_TYPE_DYNAMIC;
  if (r->type && parse_type (r->type, &o->type) == -1)
    return -1;
  problem = contradiction (r, o->type);
  if (problem) {
    usage_error ("%s", problem);
    return -1;
  }
  if (r->size && parse_size ("size", r->size, UINT64_MAX, &o->size) == -1)
    return -1;
  if (r->block_size) {
    if (parse_size ("--block-size", r->block_size, UINT32_MAX, &n) == -1)
      return -1;
    if (n == 0) {               /* the library's "default" */
      usage_error ("--block-size cannot be 0");
      return -1;
    }
    o->block_size = (uint32_t) n;
  }
  if (r->id && parse_id ("--uuid", r->id, o->id) == -1)
    return -1;
  o->parent = r->parent;
  if (r->raw_parent)
    o->flags |= VHDKIT_CREATE_RAW_PARENT;
  return 0;
}

/* Creation takes no time worth interrupting, so a signal waits until it is
 * over, and then takes the image away: nothing half-made is left. */
static int
create (const char *file, const struct vhdkit_create_options *opts)
{
  sigset_t stop, old, pending;
  int r;

  sigemptyset (&stop);
  sigaddset (&stop, SIGINT);
  sigaddset (&stop, SIGTERM);
  sigaddset (&stop, SIGHUP);
  sigprocmask (SIG_BLOCK, &stop, &old);
  r = vhdkit_create_image (file, opts);
  sigpending (&pending);
  if (sigismember (&pending, SIGINT) || sigismember (&pending, SIGTERM)
      || sigismember (&pending, SIGHUP)) {
    if (r == 0)
      unlink (file);
    complain (file, "cancelled");
    return STATUS_CANCELLED;
  }
  if (r == -1)
    complain_library (file);
  sigprocmask (SIG_SETMASK, &old, NULL);
  return r == -1 ? STATUS_FAILED : STATUS_OK;
}

static int
show_result (const char *file)
{
  struct image_options o = { .flags = VHDKIT_OPEN_NO_PARENTS };
  vhdkit_disk *disk = open_image (file, &o, 0);

  if (disk == NULL)
    return STATUS_FAILED;
  json_print (layer_json (layer_info (disk, 0)));
  return close_image (file, disk, STATUS_OK);
}

/* FILE [SIZE] */
static int
parse_arguments (int argc, char *argv[], struct request *r)
{
  int n = argc - optind;

  if (n < 1)
    usage_error ("which file?");
  else if (n > 2)
    usage_error ("extra argument: %s", argv[optind + 2]);
  else if (n == 2 && r->size)
    usage_error ("the size is given twice: %s and %s", r->size,
                 argv[optind + 1]);
  else {
    r->file = argv[optind];
    if (n == 2)
      r->size = argv[optind + 1];
    return 0;
  }
  return -1;
}

static int
run (int argc, char *argv[])
{
  static const struct option options[] = {
    HELP_OPTIONS,
    ANSWER_OPTIONS,
    { "type", required_argument, NULL, 't' },
    { "size", required_argument, NULL, 's' },
    { "block-size", required_argument, NULL, 'b' },
    { "parent", required_argument, NULL, 'B' },
    { "backing", required_argument, NULL, 'B' },
    { "uuid", required_argument, NULL, 'u' },
    { "raw-parent", no_argument, NULL, OPT_OWN },
    { NULL, 0, NULL, 0 }
  };
  struct vhdkit_create_options opts = { .struct_size = sizeof opts };
  struct image_options shared = { .json = false };
  struct request r = { .type = NULL };
  int c, status;

  while ((c = getopt_long (argc, argv, HELP_LETTERS "t:s:b:B:u:", options,
                           NULL)) != -1) {
    switch (c) {
    case 't': r.type = optarg; break;
    case 's': r.size = optarg; break;
    case 'b': r.block_size = optarg; break;
    case 'B': r.parent = optarg; break;
    case 'u': r.id = optarg; break;
    case OPT_OWN: r.raw_parent = true; break;
    default:
      status = shared_option (c, &shared);
      if (status != -1)
        return status;
    }
  }
  if (parse_arguments (argc, argv, &r) == -1
      || make_options (&r, &opts) == -1)
    return command->usage_status;

  status = create (r.file, &opts);
  if (status == STATUS_OK && shared.json)
    status = show_result (r.file);
  return status;
}

const struct command cmd_create = {
  .name = "create",
  .summary = "make a fixed, dynamic or differencing image",
  .synopsis = "[OPTIONS] FILE [SIZE]",
  .help =
    "  -t, --type TYPE         fixed, dynamic (the default), or diff (the\n"
    "                          default with --parent)\n"
    "  -s, --size SIZE         bytes, or a number with K, M, G or T\n"
    "  -b, --block-size SIZE   512K or 2M (default: the parent's, or 2M)\n"
    "  -B, --parent FILE       what the new image lies over\n"
    "      --backing FILE      the same\n"
    "      --raw-parent        the parent is a raw file\n"
    "  -u, --uuid ID           unique id (default: a random one)\n"
    ANSWER_HELP,
  .usage_status = STATUS_USAGE,
  .run = run,
};
