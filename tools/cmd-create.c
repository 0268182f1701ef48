/* vhdkit create: make an image.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "create.h"

enum {
  OPT_RAW_PARENT = OPT_OWN,
  OPT_MODE, OPT_OWNER, OPT_GROUP, OPT_ACL,
  OPT_PROFILE,
  OPT_PARENTS,
  OPT_ALLOW_COMPRESSED, OPT_ALLOW_ENCRYPTED,
  OPT_SPARSE, OPT_PREALLOCATE,
  OPT_NO_SYNC,
  OPT_FORCE_SOURCE, OPT_SOURCE_PARENT,
  OPT_PROGRESS, OPT_PROGRESS_FD
};

/*----------------------------------------------------------------------
 * What the words mean
 *--------------------------------------------------------------------*/

static int
parse_profile (const char *text, enum create_profile *ret)
{
  if (strcmp (text, "win32") == 0)
    *ret = PROFILE_WIN32;
  else if (strcmp (text, "azure") == 0)
    *ret = PROFILE_AZURE;
  else if (strcmp (text, "vs2005") == 0)
    *ret = PROFILE_VS2005;
  else {
    usage_error ("--profile is win32, azure or vs2005, not %s", text);
    return -1;
  }
  return 0;
}

static int
parse_type (struct create_command *c)
{
  const char *text = c->type_name;

  if (text == NULL)
    c->type = c->parent ? VHDKIT_TYPE_DIFFERENCING
      : c->profile == PROFILE_AZURE ? VHDKIT_TYPE_FIXED : VHDKIT_TYPE_DYNAMIC;
  else if (strcmp (text, "fixed") == 0)
    c->type = VHDKIT_TYPE_FIXED;
  else if (strcmp (text, "dynamic") == 0)
    c->type = VHDKIT_TYPE_DYNAMIC;
  else if (strcmp (text, "diff") == 0 || strcmp (text, "differencing") == 0)
    c->type = VHDKIT_TYPE_DIFFERENCING;
  else {
    usage_error ("--type is fixed, dynamic or diff, not %s", text);
    return -1;
  }
  return 0;
}

/* What contradicts itself, in words; NULL if nothing does. */
static const char *
contradiction (const struct create_command *c)
{
  const bool diff = c->type == VHDKIT_TYPE_DIFFERENCING;

  if (c->parent && c->source)
    return "--parent and --source: the new image either lies over another one "
      "or is a copy of it";
  if (c->profile == PROFILE_AZURE && c->type != VHDKIT_TYPE_FIXED)
    return "--profile azure: Azure takes fixed images only";
  if (diff && c->parent == NULL)
    return "a differencing image needs --parent";
  if (!diff && c->parent)
    return "only a differencing image has a parent";
  if (c->raw_parent && c->parent == NULL)
    return "--raw-parent needs --parent";
  if (diff && c->size)
    return "a differencing image has the size of its parent: give no size";
  if (!diff && c->size == NULL && c->source == NULL)
    return "which size?";
  if (c->type == VHDKIT_TYPE_FIXED && c->block_size)
    return "a fixed image has no blocks: give no --block-size";
  return NULL;
}

/* An option that has nothing to work on, or NULL. */
static const char *
useless (const struct create_command *c)
{
  const bool fixed = c->type == VHDKIT_TYPE_FIXED;

  if (c->source == NULL && (c->search.nr || c->source_parents.nr
                            || (c->host_flags & VHDKIT_HOST_FORCE_SOURCE)))
    return "--search, --source-parent and --force-source need --source";
  if (!fixed
      && (c->host_flags & (VHDKIT_HOST_SPARSE | VHDKIT_HOST_PREALLOCATE)))
    return "--sparse and --preallocate are for fixed images";
  if ((c->host_flags & VHDKIT_HOST_SPARSE)
      && (c->host_flags & VHDKIT_HOST_PREALLOCATE))
    return "either --sparse or --preallocate";
  return NULL;
}

static int
check_sense (struct create_command *c)
{
  const enum vhdkit_error code = VHDKIT_ERR_INVALID_PARAMETER;
  const char *problem;

  if (parse_type (c) == -1)
    return -1;
  problem = contradiction (c);
  if (problem) {
    /* What the library would say of such arguments. */
    usage_error ("%s (%s, 0x%08" PRIx32 ")", problem, vhdkit_error_name (code),
                 error_number (code));
    return -1;
  }
  problem = useless (c);
  if (problem) {
    usage_error ("%s", problem);
    return -1;
  }
  return 0;
}

/*----------------------------------------------------------------------
 * The command line
 *--------------------------------------------------------------------*/

/* FILE [SIZE] */
static int
parse_arguments (int argc, char *argv[], struct create_command *c)
{
  int n = argc - optind;

  if (n < 1)
    usage_error ("which file?");
  else if (n > 2)
    usage_error ("extra argument: %s", argv[optind + 2]);
  else if (n == 2 && c->size)
    usage_error ("the size is given twice: %s and %s", c->size,
                 argv[optind + 1]);
  else {
    c->file = argv[optind];
    if (n == 2)
      c->size = argv[optind + 1];
    return 0;
  }
  return -1;
}

/* Returns -1 to go on, or the exit status. */
static int
host_option (int o, struct create_command *c)
{
  switch (o) {
  case OPT_PARENTS: c->host_flags |= VHDKIT_HOST_CREATE_FOLDERS; break;
  case OPT_ALLOW_COMPRESSED:
    c->host_flags |= VHDKIT_HOST_ALLOW_COMPRESSED;
    break;
  case OPT_ALLOW_ENCRYPTED:
    c->host_flags |= VHDKIT_HOST_ALLOW_ENCRYPTED;
    break;
  case OPT_SPARSE: c->host_flags |= VHDKIT_HOST_SPARSE; break;
  case OPT_PREALLOCATE: c->host_flags |= VHDKIT_HOST_PREALLOCATE; break;
  case OPT_NO_SYNC: c->host_flags |= VHDKIT_HOST_NO_SYNC; break;
  case OPT_FORCE_SOURCE: c->host_flags |= VHDKIT_HOST_FORCE_SOURCE; break;
  default: abort ();            /* an option in the table and nowhere else */
  }
  return -1;
}

static int
own_option (int o, struct create_command *c)
{
  int r = 0;

  switch (o) {
  case 't': c->type_name = optarg; break;
  case 's': c->size = optarg; break;
  case 'b': c->block_size = optarg; break;
  case 'B': c->parent = optarg; break;
  case 'S': c->source = optarg; break;
  case 'u': c->id = optarg; break;
  case 'q': c->quiet = true; break;
  case OPT_RAW_PARENT: c->raw_parent = true; break;
  case OPT_SEARCH: words_add (&c->search, optarg); break;
  case OPT_SOURCE_PARENT: words_add (&c->source_parents, optarg); break;
  case OPT_MODE: r = parse_mode (optarg, &c->security); break;
  case OPT_OWNER: r = parse_owner (optarg, &c->security); break;
  case OPT_GROUP: r = parse_group (optarg, &c->security); break;
  case OPT_ACL:
    c->security.acl = optarg;
    c->security.set |= VHDKIT_SECURITY_ACL;
    break;
  case OPT_PROFILE: r = parse_profile (optarg, &c->profile); break;
  case OPT_PROGRESS: r = parse_progress (optarg, &c->progress); break;
  case OPT_PROGRESS_FD: r = parse_progress_fd (optarg, &c->progress); break;
  default: return host_option (o, c);
  }
  return r == 0 ? -1 : command->usage_status;
}

static bool
is_shared (int o)
{
  return o == 'h' || o == 'V' || o == '?' || o == OPT_JSON || o == OPT_OUTPUT;
}

static int
parse (int argc, char *argv[], struct image_options *shared,
       struct create_command *c)
{
  static const struct option options[] = {
    HELP_OPTIONS,
    ANSWER_OPTIONS,
    { "type", required_argument, NULL, 't' },
    { "size", required_argument, NULL, 's' },
    { "block-size", required_argument, NULL, 'b' },
    { "parent", required_argument, NULL, 'B' },
    { "backing", required_argument, NULL, 'B' },
    { "source", required_argument, NULL, 'S' },
    { "uuid", required_argument, NULL, 'u' },
    { "quiet", no_argument, NULL, 'q' },
    { "raw-parent", no_argument, NULL, OPT_RAW_PARENT },
    { "mode", required_argument, NULL, OPT_MODE },
    { "owner", required_argument, NULL, OPT_OWNER },
    { "group", required_argument, NULL, OPT_GROUP },
    { "acl", required_argument, NULL, OPT_ACL },
    { "profile", required_argument, NULL, OPT_PROFILE },
    { "parents", no_argument, NULL, OPT_PARENTS },
    { "allow-compressed", no_argument, NULL, OPT_ALLOW_COMPRESSED },
    { "allow-encrypted", no_argument, NULL, OPT_ALLOW_ENCRYPTED },
    { "sparse", no_argument, NULL, OPT_SPARSE },
    { "preallocate", no_argument, NULL, OPT_PREALLOCATE },
    { "no-sync", no_argument, NULL, OPT_NO_SYNC },
    { "force-source", no_argument, NULL, OPT_FORCE_SOURCE },
    { "source-parent", required_argument, NULL, OPT_SOURCE_PARENT },
    { "search", required_argument, NULL, OPT_SEARCH },
    { "progress", optional_argument, NULL, OPT_PROGRESS },
    { "progress-fd", required_argument, NULL, OPT_PROGRESS_FD },
    { NULL, 0, NULL, 0 }
  };
  int o, status = -1;

  while (status == -1
         && (o = getopt_long (argc, argv, HELP_LETTERS "t:s:b:B:S:u:q",
                              options, NULL)) != -1)
    status = is_shared (o) ? shared_option (o, shared) : own_option (o, c);
  if (status != -1)
    return status;
  if (c->profile == PROFILE_VS2005)
    show_hresults ();
  if (c->quiet && c->progress.mode != PROGRESS_JSON)
    c->progress.mode = PROGRESS_NONE;
  if (parse_arguments (argc, argv, c) == -1 || check_sense (c) == -1)
    return command->usage_status;
  return -1;
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

/* A child can be made although something further up is missing: it may be
 * where only --search or --parent leads.  But nobody should find that out when
 * the image is wanted.  A raw parent always has to be named. */
static void
note_broken_chain (const struct create_command *c, const char *file)
{
  vhdkit_disk *disk;

  if (!c->parent || c->raw_parent || strncmp (c->parent, "raw:", 4) == 0
      || c->quiet)
    return;
  if (vhdkit_open (file, VHDKIT_ACCESS_ATTACH_RO, 0, NULL, &disk) == 0)
    vhdkit_close (disk);
  else
    complain (file, "note: it cannot be opened as things are now: %s",
              vhdkit_get_error ());
}

static int
create (const struct create_command *c, bool json)
{
  char *path = NULL;
  int status;

  if (c->profile != PROFILE_VS2005)
    status = create_disk (c);
  else {
    status = create_vs2005 (c);
    path = vs2005_image_path (c);
  }
  if (status == STATUS_OK)
    note_broken_chain (c, path ? path : c->file);
  if (status == STATUS_OK && json)
    status = show_result (path ? path : c->file);
  free (path);
  return status;
}

static int
run (int argc, char *argv[])
{
  struct image_options shared = { .json = false };
  struct create_command c = {
    .progress = { PROGRESS_AUTO, STDOUT_FILENO },
  };
  int status = parse (argc, argv, &shared, &c);

  if (status == -1)
    status = create (&c, shared.json);
  free (c.search.word);
  free (c.source_parents.word);
  return status;
}

const struct command cmd_create = {
  .name = "create",
  .summary = "make a fixed, dynamic or differencing image, empty or a copy",
  .synopsis = "[OPTIONS] FILE [SIZE]",
  .help =
    "  -t, --type TYPE         fixed, dynamic (the default), or diff (the\n"
    "                          default with --parent)\n"
    "  -s, --size SIZE         bytes, or a number with K, M, G or T\n"
    "  -b, --block-size SIZE   512K or 2M (default: the parent's, or 2M)\n"
    "  -B, --parent FILE       what the new image lies over; raw:FILE for a\n"
    "                          raw file\n"
    "      --backing FILE      the same\n"
    "      --raw-parent        the parent is a raw file\n"
    "  -S, --source FROM       copy an image with all its parents, raw:FILE,\n"
    "                          a block device, or an NBD URI\n"
    "      --source-parent FILE\n"
    "                          a parent of the source, nearest first; may be\n"
    "                          repeated\n"
    "      --search DIR        look for parents of the source in DIR too; may\n"
    "                          be repeated\n"
    "      --force-source      a block device in use, too\n"
    "  -u, --uuid ID           unique id (default: a random one)\n"
    "      --profile PROFILE   win32 (the default); azure: fixed, whole MiB;\n"
    "                          vs2005: by its rules, sizes in megabytes\n"
    "      --mode MODE         permissions in octal (default: by the umask)\n"
    "      --owner USER        owner, a name or a number\n"
    "      --group GROUP       group, a name or a number\n"
    "      --acl ENTRIES       access control list, as setfacl has it\n"
    "      --parents           make all folders that are missing, not only\n"
    "                          the last one\n"
    "      --sparse            fixed: reserve no space\n"
    "      --preallocate       fixed: write zeros where space cannot be\n"
    "                          reserved\n"
    "      --no-sync           do not wait until the image is on the disk\n"
    "      --allow-compressed  where the file system compresses, too\n"
    "      --allow-encrypted   where the file system encrypts, too\n"
    "      --progress[=HOW]    bar, json, none, or auto: a bar on a terminal\n"
    "                          after a second (the default)\n"
    "      --progress-fd FD    lines of JSON, to this file descriptor\n"
    "  -q, --quiet             no bar and no notes\n"
    ANSWER_HELP,
  .usage_status = STATUS_USAGE,
  .run = run,
};
