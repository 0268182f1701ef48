/* vhdkit: make a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * In two steps, which may be in two threads: all that can be refused without
 * writing anything is refused in the first one, so that whoever asked gets
 * the answer at once; the second one makes the file.  A source on a server is
 * opened in the second one, too: nobody knows how long that takes, and the
 * second one can be cancelled.
 *
 * (1) Both footers are written last, after everything else is durable.  Until
 *     then no reader takes the file for an image (create-contents.c).
 * (2) Whatever fails, or is cancelled, leaves no file, nor a folder that was
 *     made for it.
 * (3) The file has its permissions before it has data.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "operations/create.h"
#include "operations/host-volume.h"
#include "operations/paths.h"

/* A copy of text, if there is one. */
static int
keep (const char *text, char **ret)
{
  if (!text)
    return 0;
  *ret = strdup (text);
  if (*ret)
    return 0;
  set_error_errno (ENOMEM, "%s", text);
  return -1;
}

static int
keep_request (struct creation *c, const struct create_request *r)
{
  if (keep (r->path, &c->path) == -1
      || keep (r->options.parent, &c->parent_path) == -1
      || keep (r->options.creator, &c->creator) == -1
      || keep (r->source_uri, &c->source_uri) == -1
      || (r->security && keep (r->security->acl, &c->acl) == -1))
    return -1;
  c->options = r->options;
  c->options.parent = c->parent_path;
  c->options.creator = c->creator;
  if (r->security)
    c->security = *r->security;
  c->security.acl = c->acl;
  c->host_flags = r->host_flags;
  c->host_rules = r->host_rules;
  if (r->host_flags & VHDKIT_HOST_SPARSE)
    c->options.flags |= VHDKIT_CREATE_SPARSE;
  if (r->host_flags & VHDKIT_HOST_PREALLOCATE)
    c->options.flags |= VHDKIT_CREATE_PREALLOCATE;
  return 0;
}

static enum folders_missing
missing_folders (uint32_t host_flags)
{
  if (host_flags & VHDKIT_HOST_CREATE_FOLDERS)
    return FOLDERS_ALL;
  return host_flags & VHDKIT_HOST_CREATE_FOLDER ? FOLDERS_ONE : FOLDERS_NONE;
}

static int
check_limits (const struct creation *c, const struct create_request *r)
{
  if (c->host_rules
      && host_check_volume (c->file.dirfd, c->path, c->host_flags) == -1)
    return -1;
  if (r->free_bytes
      && host_check_room (c->file.dirfd, c->path, r->free_bytes) == -1)
    return -1;
  if (r->full_room
      && host_check_room (c->file.dirfd, c->path, create_full_size (c)) == -1)
    return -1;
  if (r->full_size
      && host_check_file_size (c->file.dirfd, c->path,
                               create_full_size (c)) == -1)
    return -1;
  return 0;
}

int
creation_new (const struct create_request *r, struct copy_source *source,
              struct creation **ret)
{
  const bool later = r->source_uri != NULL;
  struct creation *c = calloc (1, sizeof *c);

  assert (!later || !(source || r->full_room || r->full_size));
  if (!c) {
    copy_source_close (source);
    set_error_errno (ENOMEM, "%s", r->path);
    return -1;
  }
  c->source = source;
  c->file.dirfd = c->file.fd = -1;
  /* What has the name first: EXISTS does not depend on what the parent is
   * like. */
  if (keep_request (c, r) == -1
      || create_check_options (c->path, &c->options, source || later,
                               !later || c->options.size) == -1
      || security_check (&c->security, c->path) == -1
      || path_check_names_file (c->path) == -1
      || folders_make (&c->folders, c->path,
                       missing_folders (c->host_flags)) == -1
      || new_file_place (&c->file, c->path) == -1
      || (!later && create_make_plan (c) == -1)
      || check_limits (c, r) == -1) {
    creation_free (c);
    return -1;
  }
  *ret = c;
  return 0;
}

/* And do what had to wait for its size. */
static int
open_remote_source (struct creation *c)
{
  struct vhdkit_create_options *o = &c->options;

  if (copy_source_open (c->source_uri, 0, NULL, c->progress, &c->source) == -1
      || copy_new_size (c->source, o->size, c->path, &o->size) == -1
      || create_check_options (c->path, o, true, true) == -1)
    return -1;
  return create_make_plan (c);
}

static int
make_file (struct creation *c)
{
  if (c->source_uri && open_remote_source (c) == -1)
    return -1;
  c->file.no_sync = c->host_flags & VHDKIT_HOST_NO_SYNC;
  if (new_file_make (&c->file, security_first_mode (&c->security)) == -1)
    return -1;
  /* Folders hand these properties down to their files, but not all of them
   * show in a folder. */
  if (c->host_rules
      && host_check_volume (c->file.fd, c->path, c->host_flags) == -1)
    return -1;
  if (security_apply (&c->security, c->file.fd, c->path) == -1 /* (3) */
      || create_write_contents (c) == -1
      || (!c->file.no_sync && folders_sync (&c->folders) == -1)
      || new_file_commit (&c->file) == -1)
    return -1;
  c->done = true;
  return 0;
}

/* Writing beyond the limit of ulimit -f fails with EFBIG, and raises a signal
 * that would end the process.  It is meant for the thread that writes. */
int
creation_run (struct creation *c, const struct progress *progress)
{
  const struct timespec now = { 0, 0 };
  sigset_t xfsz, old, pending;
  int r;

  sigemptyset (&xfsz);
  sigaddset (&xfsz, SIGXFSZ);
  pthread_sigmask (SIG_BLOCK, &xfsz, &old);
  sigpending (&pending);

  c->progress = progress;
  r = make_file (c);
  c->progress = NULL;

  /* One that was there before is not ours to take. */
  if (!sigismember (&pending, SIGXFSZ))
    while (sigtimedwait (&xfsz, NULL, &now) == -1 && errno == EINTR)
      ;
  pthread_sigmask (SIG_SETMASK, &old, NULL);
  return r;
}

void
creation_undo (struct creation *c)
{
  if (c->done)
    new_file_remove (&c->file);
  c->done = false;
}

void
creation_free (struct creation *c)
{
  struct saved_error e;

  if (!c)
    return;
  error_save (&e);
  new_file_abandon (&c->file);  /* (2) */
  if (c->done)
    folders_free (&c->folders);
  else
    folders_undo (&c->folders);
  create_parent_close (&c->parent);
  copy_source_close (c->source);
  free (c->table);
  free (c->path);
  free (c->parent_path);
  free (c->creator);
  free (c->source_uri);
  free (c->acl);
  free (c);
  error_restore (&e);
}

int
op_create (const char *path, const struct vhdkit_create_options *opts,
           const struct progress *progress)
{
  const struct create_request r = { .path = path, .options = *opts };
  struct creation *c;
  int ret;

  if (creation_new (&r, NULL, &c) == -1)
    return -1;
  ret = creation_run (c, progress);
  creation_free (c);
  return ret;
}
