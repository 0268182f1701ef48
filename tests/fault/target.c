/* vhdkit tests: images and disks to do I/O on.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "store-wrap.h"
#include "target.h"

#define MAX_LAYERS 8

/*----------------------------------------------------------------------
 * What lies below
 *--------------------------------------------------------------------*/

static int
below_pread (void *opaque, void *buf, size_t count, uint64_t offset)
{
  struct image *i = opaque;
  uint64_t size = i ? image_size (i) : 0;
  size_t n = offset < size ? MIN_OF (count, size - offset) : 0;

  memset ((char *) buf + n, 0, count - n);
  return n > 0 ? image_pread (i, buf, n, offset) : 0;
}

static int
held (void *opaque, const struct image_run *run)
{
  if (run->file_offset != IMAGE_ABSENT)
    * (bool *) opaque = false;
  return 0;
}

static int
below_is_zero (void *opaque, uint64_t sector, uint64_t count, bool *ret_zero)
{
  struct image *i = opaque;
  uint64_t sectors = i ? image_size (i) / SECTOR_SIZE : 0;

  *ret_zero = true;
  if (sector >= sectors)
    return 0;
  return image_runs (i, sector, MIN_OF (count, sectors - sector), held,
                     ret_zero);
}

struct below
below_image (struct image *i)
{
  return (struct below) { below_pread, below_is_zero, i };
}

/*----------------------------------------------------------------------
 * An image
 *--------------------------------------------------------------------*/

struct image_target {
  struct target base;
  struct store *store;
  struct image *image;
  struct image_target *over;
  struct image_options options;
};

static struct image_target *
image_of (struct target *t)
{
  return (struct image_target *) t;
}

static int
it_open (struct image_target *t)
{
  struct store *s = wrap_keep (t->store);
  struct below below;

  if (image_open (s, &t->options, &t->image) == -1) {
    store_close (s);
    return -1;
  }
  if (image_footer (t->image)->type == VHD_DIFFERENCING) {
    below = below_image (t->over ? t->over->image : NULL);
    image_set_below (t->image, &below);
  }
  t->base.size = image_size (t->image);
  return 0;
}

static int
it_pread (struct target *t, void *buf, size_t count, uint64_t offset)
{
  return image_pread (image_of (t)->image, buf, count, offset);
}

static int
it_pwrite (struct target *t, const void *buf, size_t count, uint64_t offset)
{
  return image_pwrite (image_of (t)->image, buf, count, offset);
}

static int
it_zero (struct target *t, uint64_t count, uint64_t offset, bool may_trim)
{
  return image_zero (image_of (t)->image, count, offset,
                     may_trim ? IMAGE_ZERO_TRIM : 0);
}

static int
it_trim (struct target *t, uint64_t count, uint64_t offset)
{
  return image_zero (image_of (t)->image, count, offset,
                     IMAGE_ZERO_TRIM | IMAGE_ZERO_WHOLE);
}

static int
it_flush (struct target *t)
{
  return image_flush (image_of (t)->image);
}

struct run_translation {
  struct image_target *t;
  target_extent_fn fn;
  void *opaque;
};

static int
translate_run (void *opaque, const struct image_run *run)
{
  struct run_translation *tr = opaque;
  bool absent = run->file_offset == IMAGE_ABSENT;
  struct target_extent e = {
    .offset = run->sector * SECTOR_SIZE,
    .length = run->count * SECTOR_SIZE,
    .zero = absent && image_footer (tr->t->image)->type == VHD_DYNAMIC,
    .store = absent ? NULL : tr->t->store,
    .file_offset = run->file_offset,
  };

  return tr->fn (tr->opaque, &e);
}

static int
it_extents (struct target *t, uint64_t sector, uint64_t count,
            target_extent_fn fn, void *opaque)
{
  struct run_translation tr = { image_of (t), fn, opaque };

  return image_runs (tr.t->image, sector, count, translate_run, &tr);
}

static int
it_reopen (struct target *t)
{
  int r = image_close (image_of (t)->image);

  image_of (t)->image = NULL;
  return it_open (image_of (t)) == -1 ? -1 : r;
}

static int
it_close (struct target *t)
{
  struct image_target *it = image_of (t);
  int r = it->image ? image_close (it->image) : 0;

  if (store_close (it->store) == -1)
    r = -1;
  free (it);
  return r;
}

struct target *
target_image (struct store *s, struct target *over,
              const struct image_options *o)
{
  static const struct target_ops ops = {
    it_pread, it_pwrite, it_zero, it_trim, it_flush, it_extents, it_reopen,
    it_close
  };
  struct image_target *t = calloc (1, sizeof *t);

  if (t == NULL)
    abort ();
  t->base.ops = &ops;
  t->store = s;
  t->over = over ? image_of (over) : NULL;
  t->options = *o;
  if (it_open (t) == -1) {
    free (t);
    return NULL;
  }
  return &t->base;
}

/*----------------------------------------------------------------------
 * A chain of files
 *--------------------------------------------------------------------*/

struct disk_target {
  struct target base;
  char *path[MAX_LAYERS];
  struct store *store[MAX_LAYERS];      /* to look at, without locks */
  size_t n;
  vhdkit_disk *disk;
};

static struct disk_target *
disk_of (struct target *t)
{
  return (struct disk_target *) t;
}

static int
dt_open (struct disk_target *t)
{
  struct vhdkit_open_options opts = {
    .struct_size = sizeof opts,
    .parents = (const char *const *) &t->path[1],
    .nr_parents = t->n - 1,
    .commit_interval = -1,
  };

  if (vhdkit_open (t->path[0], VHDKIT_ACCESS_ATTACH_RW, 0, &opts, &t->disk)
      == -1)
    return -1;
  t->base.size = vhdkit_size (t->disk);
  return 0;
}

static int
dt_pread (struct target *t, void *buf, size_t count, uint64_t offset)
{
  return vhdkit_pread (disk_of (t)->disk, buf, count, offset);
}

static int
dt_pwrite (struct target *t, const void *buf, size_t count, uint64_t offset)
{
  /* Now and then durable at once; by the offset, to be repeatable. */
  return vhdkit_pwrite (disk_of (t)->disk, buf, count, offset,
                        offset % 61 == 0 ? VHDKIT_FUA : 0);
}

static int
dt_zero (struct target *t, uint64_t count, uint64_t offset, bool may_trim)
{
  return vhdkit_zero (disk_of (t)->disk, count, offset,
                      may_trim ? VHDKIT_MAY_TRIM : 0);
}

static int
dt_trim (struct target *t, uint64_t count, uint64_t offset)
{
  return vhdkit_trim (disk_of (t)->disk, count, offset, 0);
}

static int
dt_flush (struct target *t)
{
  return vhdkit_flush (disk_of (t)->disk);
}

struct extent_translation {
  struct disk_target *t;
  target_extent_fn fn;
  void *opaque;
};

static int
translate_extent (void *opaque, const struct vhdkit_extent *x)
{
  struct extent_translation *tr = opaque;
  struct target_extent e = {
    .offset = x->offset,
    .length = x->length,
    .zero = x->flags & VHDKIT_EXTENT_ZERO,
    .store = x->layer >= 0 && x->file_offset != UINT64_MAX
             ? tr->t->store[x->layer] : NULL,
    .file_offset = x->file_offset,
  };

  return tr->fn (tr->opaque, &e);
}

static int
dt_extents (struct target *t, uint64_t sector, uint64_t count,
            target_extent_fn fn, void *opaque)
{
  struct extent_translation tr = { disk_of (t), fn, opaque };

  return vhdkit_extents (tr.t->disk, count * SECTOR_SIZE, sector * SECTOR_SIZE,
                         translate_extent, &tr);
}

static int
dt_reopen (struct target *t)
{
  int r = vhdkit_close (disk_of (t)->disk);

  disk_of (t)->disk = NULL;
  return dt_open (disk_of (t)) == -1 ? -1 : r;
}

static int
dt_close (struct target *t)
{
  struct disk_target *dt = disk_of (t);
  int r = vhdkit_close (dt->disk);

  for (size_t k = 0; k < dt->n; k++) {
    store_close (dt->store[k]);
    free (dt->path[k]);
  }
  free (dt);
  return r;
}

struct target *
target_disk (const char *const *path, size_t n)
{
  static const struct target_ops ops = {
    dt_pread, dt_pwrite, dt_zero, dt_trim, dt_flush, dt_extents, dt_reopen,
    dt_close
  };
  struct disk_target *t = calloc (1, sizeof *t);

  if (t == NULL || n > MAX_LAYERS)
    abort ();
  t->base.ops = &ops;
  t->n = n;
  for (size_t k = 0; k < n; k++) {
    const char *plain = strncmp (path[k], "raw:", 4) == 0 ? path[k] + 4
      : path[k];

    t->path[k] = strdup (path[k]);
    t->store[k] = store_open_file (AT_FDCWD, plain, false, false);
    if (t->path[k] == NULL || t->store[k] == NULL)
      abort ();
  }
  if (dt_open (t) == -1) {
    dt_close (&t->base);
    return NULL;
  }
  return &t->base;
}
