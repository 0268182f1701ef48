/* vhdkit: opening a stack of images, and doing I/O on it.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Everything is opened read-only first, from the image down to the last
 * parent, each with a shared lock.  Becoming writable is a step of its own,
 * taken when the whole chain stands: nothing is written for a disk that then
 * turns out to have no parent.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/text.h"
#include "disk/disk.h"

#define DEFAULT_COMMIT_INTERVAL 5
#define DEFAULT_METADATA_CACHE (64u << 20)
/* A few bitmaps: with less every write commits. */
#define LEAST_CACHE 4096u

#define MASK_WRITES (VHDKIT_ACCESS_ATTACH_RW | VHDKIT_ACCESS_METAOPS)

/*----------------------------------------------------------------------
 * Findings while opening
 *--------------------------------------------------------------------*/

struct opening {
  const struct vhdkit_open_options *opts;
  bool inspect;
  bool strict_parent;
};

/* The parent that was found is not as the child recorded it. */
static bool
is_other_parent (const struct vhdkit_finding *f)
{
  return f->code == VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH
         || f->code == VHDKIT_ERR_PARENT_SIZE_MISMATCH;
}

/* An error keeps the image from opening and is the error of the call; to
 * those who inspect it is something to know. */
static int
on_finding (void *opaque, const struct vhdkit_finding *f)
{
  struct opening *o = opaque;

  if (f->severity == VHDKIT_SEVERITY_ERROR && !o->inspect)
    return 1;
  if (o->strict_parent && is_other_parent (f))
    return 1;
  if (o->opts->on_finding && o->opts->on_finding (o->opts->opaque, f) != 0) {
    set_error (VHDKIT_ERR_CANCELLED, ECANCELED, "ended by the caller");
    return 1;
  }
  return 0;
}

/*----------------------------------------------------------------------
 * The image itself
 *--------------------------------------------------------------------*/

/* Beneath confine_dir, whatever symbolic links there are. */
static struct store *
open_confined (const char *path, const char *dir)
{
  CLEANUP_CLOSE int fd = -1;
  size_t n = strlen (dir);

  fd = open (dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (fd == -1) {
    set_error_errno (errno, "%s", dir);
    return NULL;
  }
  if (strncmp (path, dir, n) == 0 && (n == 0 || path[n] == '/'
                                      || path[n - 1] == '/'))
    for (path += n; *path == '/'; path++)
      ;
  return store_open_file (fd, path, false, true);
}

/* Half is for the bitmaps of the image, half for what its parents hold. */
static uint64_t
cache_share (const struct vhdkit_open_options *opts)
{
  const uint64_t all = opts->metadata_cache ? opts->metadata_cache
                                            : DEFAULT_METADATA_CACHE;

  return MAX_OF (all / 2, LEAST_CACHE);
}

static int
open_top (struct vhdkit_disk *d, const char *path, uint32_t flags,
          const struct vhdkit_open_options *opts, struct report *r)
{
  struct layer *l = &d->layer[0];
  struct image_options o = {
    .size_chs = flags & VHDKIT_OPEN_SIZE_CHS,
    .inspect = d->inspect,
    .commit_interval = opts->commit_interval == 0 ? DEFAULT_COMMIT_INTERVAL
                                                  : opts->commit_interval,
    .cache_bytes = cache_share (opts),
    .report = r
  };
  struct store *s;

  if ((flags & VHDKIT_OPEN_CONFINE) && opts->confine_dir)
    s = open_confined (path, opts->confine_dir);
  else
    s = store_open_file (AT_FDCWD, path, false, false);
  if (s == NULL)
    return -1;
  if (store_identity (s, &l->id) == -1
      || (d->locks && store_lock (s, STORE_LOCK_READ) == -1)
      || image_open (s, &o, &l->image) == -1) {
    struct saved_error e;

    split_explain (path);
    error_save (&e);
    store_close (s);
    error_restore (&e);
    return -1;
  }
  l->store = s;
  l->size = image_size (l->image);
  if (image_footer_missing (l->image))
    return split_report (path, image_data_end (l->image), r);
  return 0;
}

/*----------------------------------------------------------------------
 * Its parents
 *--------------------------------------------------------------------*/

static bool
needs_parent (const struct layer *l)
{
  return l->image && image_footer (l->image)->type == VHD_DIFFERENCING;
}

static int
grow_layers (struct vhdkit_disk *d)
{
  struct layer *p;

  /* Room doubles at each power of two. */
  if ((d->nr_layers & (d->nr_layers - 1)) != 0)
    return 0;
  p = realloc (d->layer, d->nr_layers * 2 * sizeof *p);
  if (p == NULL) {
    set_error_errno (ENOMEM, "%s: chain of parents", d->path);
    return -1;
  }
  d->layer = p;
  return 0;
}

/* Open the parent of the last layer as a new last layer. */
static int
open_parent (struct vhdkit_disk *d, struct parent_search *ps,
             const struct vhdkit_open_options *opts)
{
  size_t n = d->nr_layers;
  struct layer *child;

  if (n >= DISK_MAX_DEPTH) {
    set_error (VHDKIT_ERR_CHAIN_ERROR, ELOOP,
               "%s: found a chain of more than %d images, expected fewer; "
               "merge some of them", d->path, DISK_MAX_DEPTH);
    return -1;
  }
  if (grow_layers (d) == -1)
    return -1;
  child = &d->layer[n - 1];
  memset (&d->layer[n], 0, sizeof d->layer[n]);
  ps->explicit_parents = opts->parents ? opts->parents + n - 1 : NULL;
  ps->nr_explicit = opts->nr_parents >= n ? opts->nr_parents - (n - 1) : 0;
  if (parent_open (child->image, child->path, ps, d->layer, n, &d->layer[n],
                   &child->candidates, &child->nr_candidates) == -1)
    return -1;
  d->nr_layers++;
  return 0;
}

static int
open_parents (struct vhdkit_disk *d, uint32_t flags,
              const struct vhdkit_open_options *opts, struct report *r)
{
  struct parent_search ps = {
    .search = opts->search, .nr_search = opts->nr_search,
    .ignore_id = flags & VHDKIT_OPEN_IGNORE_PARENT_ID,
    .confine = flags & VHDKIT_OPEN_CONFINE,
    .confine_dir = opts->confine_dir,
    .lock = d->locks, .report = r, .inspect = d->inspect
  };

  while (needs_parent (&d->layer[d->nr_layers - 1])) {
    if (open_parent (d, &ps, opts) == 0)
      continue;
    if (!d->inspect || vhdkit_get_error_code () == VHDKIT_ERR_NO_MEMORY
        || vhdkit_get_error_code () == VHDKIT_ERR_CANCELLED)
      return -1;
    error_save (&d->chain_error);
    return 0;
  }
  if (opts->nr_parents >= d->nr_layers && !d->inspect) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %zu parents were given but the chain needs %zu: give no "
               "more than there are, nearest first", d->path,
               opts->nr_parents, d->nr_layers - 1);
    return -1;
  }
  return 0;
}

/* For information; a locator that cannot be read says so itself. */
static int
read_locators (struct vhdkit_disk *d)
{
  size_t k;

  for (k = 0; k < d->nr_layers; k++) {
    struct layer *l = &d->layer[k];

    if (needs_parent (l)
        && parent_locators (l->image, &l->locators, &l->nr_locators) == -1)
      return -1;
  }
  return 0;
}

static int
stack_up (struct vhdkit_disk *d, const struct vhdkit_open_options *opts)
{
  struct below below;

  if (d->nr_layers < 2)
    return 0;
  d->below = below_new (&d->layer[1], d->nr_layers - 1, cache_share (opts));
  if (d->below == NULL)
    return -1;
  below_interface (d->below, &below);
  image_set_below (d->layer[0].image, &below);
  return 0;
}

/*----------------------------------------------------------------------
 * Open, upgrade, close
 *--------------------------------------------------------------------*/

static struct vhdkit_disk *
new_disk (const char *path, uint32_t flags)
{
  struct vhdkit_disk *d = calloc (1, sizeof *d);

  if (d == NULL)
    goto error;
  pthread_mutex_init (&d->known_lock, NULL);
  d->inspect = flags & VHDKIT_OPEN_INSPECT;
  d->locks = !(flags & VHDKIT_OPEN_NO_LOCK);
  d->confine = flags & VHDKIT_OPEN_CONFINE;
  d->layer = calloc (1, sizeof d->layer[0]);
  if (d->layer == NULL)
    goto error;
  d->nr_layers = 1;
  d->layer[0].path = strdup (path);
  d->path = d->layer[0].path;
  if (d->path == NULL)
    goto error;
  return d;

 error:
  set_error_errno (ENOMEM, "%s", path);
  if (d)
    free (d->layer);
  free (d);
  return NULL;
}

int
disk_open (const char *path, uint32_t access_mask, uint32_t flags,
           const struct vhdkit_open_options *opts,
           struct vhdkit_disk **ret_disk)
{
  static const struct vhdkit_open_options defaults;
  struct opening opening = {
    .opts = opts ? opts : &defaults, .inspect = flags & VHDKIT_OPEN_INSPECT,
    .strict_parent = flags & VHDKIT_OPEN_STRICT_PARENT
  };
  struct report r = { .fn = on_finding, .opaque = &opening, .file = path };
  struct vhdkit_disk *d = new_disk (path, flags);
  struct saved_error e;

  if (d == NULL)
    return -1;
  d->access_mask = access_mask;
  opts = opening.opts;
  if (open_top (d, path, flags, opts, &r) == -1
      || (!(flags & VHDKIT_OPEN_NO_PARENTS)
          && open_parents (d, flags, opts, &r) == -1)
      || read_locators (d) == -1
      || stack_up (d, opts) == -1
      || ((access_mask & MASK_WRITES) && disk_upgrade (d) == -1)) {
    error_save (&e);
    disk_close (d);
    error_restore (&e);
    return -1;
  }
  *ret_disk = d;
  return 0;
}

int
disk_upgrade (struct vhdkit_disk *d)
{
  struct layer *top = &d->layer[0];
  struct saved_error e;

  if (image_writable (top->image))
    return 0;
  if (d->inspect) {
    set_error (VHDKIT_ERR_WRONG_STATE, EPERM,
               "%s: opened for information only", d->path);
    return -1;
  }
  if (store_make_writable (top->store) == -1)
    return -1;
  if (d->locks && store_lock (top->store, STORE_LOCK_WRITE) == -1)
    return -1;
  if (image_make_writable (top->image) == -1) {
    error_save (&e);
    if (d->locks)
      store_lock (top->store, STORE_LOCK_READ);
    error_restore (&e);
    return -1;
  }
  disk_extents_forget (d);
  return 0;
}

static int
close_layer (struct layer *l)
{
  int r = 0;

  if (l->image)
    r = image_close (l->image);
  else if (l->store)
    r = store_close (l->store);
  parent_candidates_free (l->candidates, l->nr_candidates);
  parent_locators_free (l->locators, l->nr_locators);
  free (l->path);
  return r;
}

int
disk_close (struct vhdkit_disk *d)
{
  struct saved_error e = { VHDKIT_OK, 0, NULL };
  size_t k;

  if (d == NULL)
    return 0;
  /* The top first: its last commit may still need the others. */
  for (k = 0; k < d->nr_layers; k++)
    if (close_layer (&d->layer[k]) == -1 && e.code == VHDKIT_OK)
      error_save (&e);
  below_free (d->below);
  error_discard (&d->chain_error);
  pthread_mutex_destroy (&d->known_lock);
  free (d->layer);
  free (d);
  if (e.code == VHDKIT_OK)
    return 0;
  error_restore (&e);
  return -1;
}

/*----------------------------------------------------------------------
 * Data.  The caller has checked the range.
 *--------------------------------------------------------------------*/

int
disk_pread (struct vhdkit_disk *d, void *buf, size_t count, uint64_t offset)
{
  return image_pread (d->layer[0].image, buf, count, offset);
}

static int
flush_if_fua (struct vhdkit_disk *d, int r, uint32_t flags)
{
  if (r == 0 && (flags & VHDKIT_FUA))
    return disk_flush (d);
  return r;
}

int
disk_pwrite (struct vhdkit_disk *d, const void *buf, size_t count,
             uint64_t offset, uint32_t flags)
{
  return flush_if_fua (d, image_pwrite (d->layer[0].image, buf, count,
                                        offset), flags);
}

int
disk_zero (struct vhdkit_disk *d, uint64_t count, uint64_t offset,
           uint32_t flags)
{
  uint32_t f = (flags & VHDKIT_MAY_TRIM ? IMAGE_ZERO_TRIM : 0)
               | (flags & VHDKIT_FAST_ZERO ? IMAGE_ZERO_FAST : 0);

  disk_extents_forget (d);
  return flush_if_fua (d, image_zero (d->layer[0].image, count, offset, f),
                       flags);
}

int
disk_trim (struct vhdkit_disk *d, uint64_t count, uint64_t offset,
           uint32_t flags)
{
  disk_extents_forget (d);
  return flush_if_fua (d, image_zero (d->layer[0].image, count, offset,
                                      IMAGE_ZERO_TRIM | IMAGE_ZERO_WHOLE),
                       flags);
}

int
disk_flush (struct vhdkit_disk *d)
{
  return image_flush (d->layer[0].image);
}

static int
prefetch (void *opaque, const struct vhdkit_extent *e)
{
  struct vhdkit_disk *d = opaque;

  if (e->layer < 0 || e->file_offset == UINT64_MAX)
    return 0;
  return store_prefetch (d->layer[e->layer].store, e->file_offset, e->length);
}

int
disk_cache (struct vhdkit_disk *d, uint64_t count, uint64_t offset)
{
  return disk_extents (d, count, offset, prefetch, d);
}
