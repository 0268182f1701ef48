/* vhdkit create: by the rules of Virtual Server 2005.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "create.h"

struct creation {
  const struct create_command *command;
  int64_t size_mb;
};

static int
start (void *opaque, vhdkit_task **ret_task)
{
  const struct creation *c = opaque;
  const struct create_command *cmd = c->command;
  const uint32_t flags = cmd->host_flags | VHDKIT_HOST_STRICT;

  switch (cmd->type) {
  case VHDKIT_TYPE_FIXED:
    return vhdkit_create_fixed_mb (NULL, cmd->file, c->size_mb, flags,
                                   ret_task);
  case VHDKIT_TYPE_DYNAMIC:
    return vhdkit_create_dynamic_mb (NULL, cmd->file, c->size_mb, flags,
                                     ret_task);
  default:
    return vhdkit_create_diff (NULL, cmd->file, cmd->parent, flags, ret_task);
  }
}

/* An option that its methods have no argument for, or NULL. */
static const char *
unknown_to_it (const struct create_command *c)
{
  if (c->source)
    return "--source";
  if (c->block_size)
    return "--block-size";
  if (c->id)
    return "--uuid";
  if (c->raw_parent)
    return "--raw-parent";
  if (c->host_flags & VHDKIT_HOST_NO_SYNC)
    return "--no-sync";
  if (c->security.set)
    return "--mode, --owner, --group or --acl";
  return NULL;
}

/* A number of megabytes, of either sign: whether there can be such a disk is
 * the library's to say. */
static int
parse_megabytes (const char *text, int64_t *ret)
{
  char *end;
  long long n;

  errno = 0;
  n = strtoll (text, &end, 10);
  if (end == text || *end || errno) {
    usage_error ("size: with --profile vs2005 a number of megabytes, not %s",
                 text);
    return -1;
  }
  *ret = n;
  return 0;
}

int
create_vs2005 (const struct create_command *cmd)
{
  struct creation c = { .command = cmd };
  const struct watched w = { cmd->file, start, &c };
  const char *option = unknown_to_it (cmd);

  if (option)
    return usage_error ("--profile vs2005 has no %s", option);
  if (cmd->size && parse_megabytes (cmd->size, &c.size_mb) == -1)
    return command->usage_status;
  return watch_task (&w, &cmd->progress);
}

/* Of two paths of which one is relative, it is relative to the folder of the
 * other. */
char *
vs2005_image_path (const struct create_command *c)
{
  const char *slash = c->parent ? strrchr (c->parent, '/') : NULL;
  char *path;
  int r;

  if (slash && c->parent[0] == '/' && c->file[0] != '/')
    r = asprintf (&path, "%.*s/%s", (int) (slash - c->parent), c->parent,
                  c->file);
  else
    r = asprintf (&path, "%s", c->file);
  return checked_alloc (r == -1 ? NULL : path);
}
