/* vhdkit create: by the rules of CreateVirtualDisk, and for Azure.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"

#define MIB (UINT64_C (1) << 20)

/* Whatever the image is called, it is to be a VHD. */
static const struct vhdkit_storage_type vhd = {
  VHDKIT_DEVICE_VHD, VHDKIT_VENDOR_MICROSOFT
};

struct creation {
  const struct create_command *command;
  struct vhdkit_create_parameters params;
  vhdkit_disk *disk;
};

/* Azure refuses an image whose size is not a whole number of MiB. */
static void
round_size (struct creation *c)
{
  const uint64_t asked = c->params.maximum_size;

  if (asked % MIB == 0 || asked > UINT64_MAX - MIB)
    return;
  c->params.maximum_size = (asked / MIB + 1) * MIB;
  if (!c->command->quiet)
    complain (c->command->file, "note: the size is rounded up to whole MiB, "
              "which Azure requires: %s, not %s",
              exact_size (c->params.maximum_size).s, exact_size (asked).s);
}

static int
round_for_azure (struct creation *c)
{
  struct vhdkit_create_parameters *p = &c->params;

  if (p->source_path && p->maximum_size == 0
      && vhdkit_source_size (p->source_path, p->host_flags, p->source_options,
                             &p->maximum_size) == -1)
    return -1;
  round_size (c);
  return 0;
}

static int
start (void *opaque, vhdkit_task **ret_task)
{
  struct creation *c = opaque;

  if (c->command->profile == PROFILE_AZURE && round_for_azure (c) == -1)
    return -1;
  return vhdkit_create (c->command->file, &c->params, ret_task, &c->disk);
}

/* Sizes and id, from words to numbers. */
static int
parse_numbers (const struct create_command *c,
               struct vhdkit_create_parameters *p)
{
  uint64_t n;

  if (c->size && parse_size ("size", c->size, UINT64_MAX,
                             &p->maximum_size) == -1)
    return -1;
  if (c->block_size) {
    if (parse_size ("--block-size", c->block_size, UINT32_MAX, &n) == -1)
      return -1;
    if (n == 0) {               /* the library's "default" */
      usage_error ("--block-size cannot be 0");
      return -1;
    }
    p->block_size = (uint32_t) n;
  }
  return c->id ? parse_id ("--uuid", c->id, p->unique_id) : 0;
}

/* "raw:PATH" as the library wants it; malloced, or NULL: as it is. */
static char *
raw_parent (const struct create_command *c)
{
  char *path;

  if (!c->raw_parent || strncmp (c->parent, "raw:", 4) == 0)
    return NULL;
  return checked_alloc (asprintf (&path, "raw:%s", c->parent) == -1 ? NULL
                        : path);
}

static int
make (struct creation *c)
{
  const struct watched w = { c->command->file, start, c };
  int status = watch_task (&w, &c->command->progress);

  /* A program that was told to make an image has no use for it open. */
  if (status == STATUS_OK)
    status = close_image (c->command->file, c->disk, status);
  return status;
}

int
create_disk (const struct create_command *cmd)
{
  const struct vhdkit_open_options source = {
    .struct_size = sizeof source,
    .parents = cmd->source_parents.word,
    .nr_parents = cmd->source_parents.nr,
    .search = cmd->search.word,
    .nr_search = cmd->search.nr,
    .on_finding = warn_finding,
  };
  char *raw = raw_parent (cmd);
  struct creation c = {
    .command = cmd,
    .params = {
      .struct_size = sizeof c.params,
      .version = 2,
      .storage_type = &vhd,
      .flags = cmd->type == VHDKIT_TYPE_FIXED ?
        VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION : 0,
      .security = cmd->security.set ? &cmd->security : NULL,
      .parent_path = raw ? raw : cmd->parent,
      .source_path = cmd->source,
      /* A raw parent would have to be named again. */
      .open_flags = VHDKIT_OPEN_NO_PARENTS,
      /* One missing folder is made, as by Virtual Server. */
      .host_flags = cmd->host_flags | VHDKIT_HOST_CREATE_FOLDER,
      .source_options = &source,
    },
  };
  int status = command->usage_status;

  if (parse_numbers (cmd, &c.params) == 0)
    status = make (&c);
  free (raw);
  return status;
}
