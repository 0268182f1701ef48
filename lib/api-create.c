/* vhdkit: the public entry points of creation by Windows' rules.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What can be refused is refused in the call; what is left to do, a job, is
 * done in the call too or becomes a task.  Of a source on a server nothing is
 * known in the call.
 */
#include <config.h>

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "api-arguments.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "disk/disk.h"
#include "operations/copy.h"
#include "operations/create.h"
#include "operations/paths.h"
#include "tasks/tasks.h"

struct job {
  struct creation *creation;
  uint32_t access_mask, open_flags;
  vhdkit_disk **ret_disk;       /* the caller's */
};

static void
free_job (void *opaque)
{
  struct job *j = opaque;

  creation_free (j->creation);
  free (j);
}

static int
run_job (void *opaque, const struct progress *progress)
{
  struct job *j = opaque;

  if (creation_run (j->creation, progress) == -1)
    return -1;
  if (disk_open (j->creation->path, j->access_mask, j->open_flags, NULL,
                 j->ret_disk) == 0)
    return 0;
  error_prefix ("the image was made but cannot be opened, so it was removed");
  creation_undo (j->creation);
  return -1;
}

/* "create /a/b.vhd (dynamic)"; malloced. */
static char *
describe (const struct creation *c)
{
  CLEANUP_FREE char *path = text_printable (c->path);

  if (!path)
    return NULL;
  return text_format ("create the %s disk %s%s",
                      c->options.type == VHDKIT_TYPE_FIXED ? "fixed"
                      : c->options.type == VHDKIT_TYPE_DYNAMIC ? "dynamic"
                      : "differencing", path,
                      c->source || c->source_uri ? " from a copy" : "");
}

/*----------------------------------------------------------------------
 * vhdkit_create
 *--------------------------------------------------------------------*/

/* Version 2 has no mask: the mode of opening decides. */
static uint32_t
handle_mask (const struct vhdkit_create_parameters *p)
{
  return p->version == 1 ? p->access_mask : VHDKIT_ACCESS_ALL;
}

static enum vhdkit_disk_type
type_of_recipe (const struct vhdkit_create_parameters *p)
{
  if (p->parent_path)
    return VHDKIT_TYPE_DIFFERENCING;
  return p->flags & VHDKIT_CREATE_FLAG_FULL_PHYSICAL_ALLOCATION ?
    VHDKIT_TYPE_FIXED : VHDKIT_TYPE_DYNAMIC;
}

static void
set_parent (struct vhdkit_create_options *o, const char *parent_path)
{
  static const char raw[] = "raw:";

  o->parent = parent_path;
  if (!parent_path || strncmp (parent_path, raw, strlen (raw)) != 0)
    return;
  o->parent = parent_path + strlen (raw);
  o->flags |= VHDKIT_CREATE_RAW_PARENT;
}

static uint32_t
copy_flags (uint32_t host_flags)
{
  return host_flags & VHDKIT_HOST_FORCE_SOURCE ? COPY_FORCE_SOURCE : 0;
}

/* The source, if there is one, and the final size: IP-13.  A remote one, and
 * its size, are for the task. */
static int
open_source (const char *path, const struct vhdkit_create_parameters *p,
             struct create_request *r, struct copy_source **ret_source)
{
  struct copy_source *source;

  *ret_source = NULL;
  r->options.size = p->maximum_size;
  if (!p->source_path)
    return 0;
  if (copy_source_is_remote (p->source_path)) {
    r->source_uri = p->source_path;
    return 0;
  }
  if (copy_source_open (p->source_path, copy_flags (p->host_flags),
                        p->source_options, NULL, &source) == -1)
    return -1;
  if (copy_new_size (source, p->maximum_size, path, &r->options.size) == -1) {
    copy_source_close (source);
    return -1;
  }
  *ret_source = source;
  return 0;
}

/* In a task the path must not depend on the working directory. */
static int
new_creation (const char *path, const struct vhdkit_create_parameters *p,
              struct creation **ret)
{
  CLEANUP_FREE char *absolute = path_from_root (path);
  struct create_request r = {
    .path = absolute,
    .options = {
      .type = type_of_recipe (p),
      /* Version 1 lets a fixed disk have a block size, which means nothing. */
      .block_size = type_of_recipe (p) == VHDKIT_TYPE_FIXED ? 0
        : p->block_size,
    },
    .security = p->security, .host_flags = p->host_flags, .host_rules = true,
  };
  struct copy_source *source;

  if (!absolute || open_source (path, p, &r, &source) == -1)
    return -1;
  memcpy (r.options.id, p->unique_id, sizeof r.options.id);
  set_parent (&r.options, p->parent_path);
  return creation_new (&r, source, ret);
}

static int
new_job (const char *path, const struct vhdkit_create_parameters *p,
         vhdkit_disk **ret_disk, struct job **ret)
{
  struct job *j = malloc (sizeof *j);

  if (!j) {
    set_error_errno (ENOMEM, "%s", path);
    return -1;
  }
  *j = (struct job) {
    .access_mask = handle_mask (p),
    .open_flags = p->version == 1 ? 0 : p->open_flags,
    .ret_disk = ret_disk,
  };
  if (new_creation (path, p, &j->creation) == -1
      || context_check_open (p->context) == -1) {
    free_job (j);
    return -1;
  }
  *ret = j;
  return 0;
}

int
vhdkit_create (const char *path, const struct vhdkit_create_parameters *params,
               vhdkit_task **ret_task, vhdkit_disk **ret_disk)
{
  CLEANUP_FREE char *description = NULL;
  struct job *j;
  int r;

  if (create_check_rules (path, params, ret_disk != NULL) == -1
      || new_job (path, params, ret_disk, &j) == -1)
    return -1;
  if (!ret_task) {
    r = run_job (j, NULL);
    free_job (j);
    return r;
  }
  description = describe (j->creation);
  if (!description
      || task_start (params->context, "create", description, true, run_job,
                     free_job, j, ret_task) == -1) {
    free_job (j);
    return -1;
  }
  return 0;
}

int
vhdkit_source_size (const char *source_path, uint32_t host_flags,
                    const struct vhdkit_open_options *opts,
                    uint64_t *ret_size)
{
  struct copy_source *source;

  if (!source_path)
    return api_null_pointer (__func__, "source_path");
  if (!ret_size)
    return api_null_pointer (__func__, "ret_size");
  if (opts && opts->struct_size != sizeof *opts)
    return api_wrong_size (__func__, "opts", opts->struct_size, sizeof *opts);
  if (copy_source_open (source_path, copy_flags (host_flags), opts, NULL,
                        &source) == -1)
    return -1;
  *ret_size = copy_source_size (source);
  copy_source_close (source);
  return 0;
}

/*----------------------------------------------------------------------
 * Virtual Server 2005
 *--------------------------------------------------------------------*/

static int
run_vs (void *opaque, const struct progress *progress)
{
  return vs2005_run (opaque, progress);
}

static void
free_vs (void *opaque)
{
  creation_free (opaque);
}

static int
start_vs (const char *function, struct vhdkit_context *context,
          enum vhdkit_disk_type type, const char *image_path,
          const char *parent_path, int64_t size_mb, uint32_t flags,
          vhdkit_task **ret_task)
{
  CLEANUP_FREE char *description = NULL;
  struct creation *c;

  if (!image_path)
    return api_null_pointer (function, "image_path");
  if (type == VHDKIT_TYPE_DIFFERENCING && !parent_path)
    return api_null_pointer (function, "parent_path");
  if (!ret_task)
    return api_null_pointer (function, "ret_task");
  if (vs2005_new (type, image_path, parent_path, size_mb, flags, &c) == -1)
    return -1;
  description = describe (c);
  if (!description || context_check_open (context) == -1
      || task_start (context, "create", description, true, run_vs, free_vs, c,
                     ret_task) == -1) {
    creation_free (c);
    return -1;
  }
  return 0;
}

int
vhdkit_create_fixed_mb (vhdkit_context *context, const char *image_path,
                        int64_t size_mb, uint32_t flags,
                        vhdkit_task **ret_task)
{
  return start_vs (__func__, context, VHDKIT_TYPE_FIXED, image_path, NULL,
                   size_mb, flags, ret_task);
}

int
vhdkit_create_dynamic_mb (vhdkit_context *context, const char *image_path,
                          int64_t size_mb, uint32_t flags,
                          vhdkit_task **ret_task)
{
  return start_vs (__func__, context, VHDKIT_TYPE_DYNAMIC, image_path, NULL,
                   size_mb, flags, ret_task);
}

int
vhdkit_create_diff (vhdkit_context *context, const char *image_path,
                    const char *parent_path, uint32_t flags,
                    vhdkit_task **ret_task)
{
  return start_vs (__func__, context, VHDKIT_TYPE_DIFFERENCING, image_path,
                   parent_path, 0, flags, ret_task);
}
