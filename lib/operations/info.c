/* vhdkit: what Windows' information classes say of a disk.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/checked.h"
#include "disk/disk.h"
#include "format/vhd.h"
#include "operations/operations.h"

/* The caller's buffer. */
struct answer {
  void *buf;
  size_t *len;
};

/* Is there room for so many bytes?  Says how much there is used, or needed. */
static int
claim (const struct answer *a, size_t bytes)
{
  const size_t size = *a->len;

  *a->len = bytes;
  if (a->buf && size >= bytes)
    return 0;
  set_error (VHDKIT_ERR_INSUFFICIENT_BUFFER, ERANGE,
             "vhdkit_get_info: the buffer has %zu bytes, the answer takes %zu",
             a->buf ? size : 0, bytes);
  return -1;
}

static int
give (const struct answer *a, const void *value, size_t bytes)
{
  if (claim (a, bytes) == -1)
    return -1;
  memcpy (a->buf, value, bytes);
  return 0;
}

static int
give_number (const struct answer *a, uint32_t n)
{
  return give (a, &n, sizeof n);
}

static int
not_a_child (struct vhdkit_disk *d)
{
  set_error (VHDKIT_ERR_WRONG_TYPE, EINVAL,
             "%s: is not a differencing image, so it has no parent", d->path);
  return -1;
}

static int
give_size (struct vhdkit_disk *d, const struct answer *a)
{
  struct vhdkit_info_size s = { .sector_size = SECTOR_SIZE };
  const struct vhd_header *h = image_header (d->layer[0].image);
  int64_t mtime;

  s.virtual_size = d->layer[0].size;
  /* A fixed image has no blocks and says the default. */
  s.block_size = h ? h->block_size : VHD_DEFAULT_BLOCK_SIZE;
  if (store_usage (d->layer[0].store, &s.physical_size, &mtime) == -1)
    return -1;
  return give (a, &s, sizeof s);
}

static int
give_storage_type (const struct answer *a)
{
  const struct vhdkit_storage_type t = {
    .device_id = VHDKIT_DEVICE_VHD, .vendor_id = VHDKIT_VENDOR_MICROSOFT
  };

  return give (a, &t, sizeof t);
}

static uint32_t
vs_type (uint32_t type)
{
  return type == VHD_FIXED ? 1 : type == VHD_DYNAMIC ? 0 : 2;
}

/*----------------------------------------------------------------------
 * Where the parent is
 *--------------------------------------------------------------------*/

struct places {
  bool resolved;
  const char *parent;
  const struct vhdkit_candidate *candidate;
  size_t nr_candidates;
};

static int
give_places (const struct places *p, const struct answer *a)
{
  const size_t n = p->resolved ? 1 : p->nr_candidates;
  struct vhdkit_info_parent_location *out = a->buf;
  size_t k, bytes = sizeof *out + n * sizeof (char *);
  const char **path;
  char *text;

  for (k = 0; k < n; k++)
    bytes += strlen (p->resolved ? p->parent : p->candidate[k].path) + 1;
  if (claim (a, bytes) == -1)
    return -1;
  path = (const char **) (out + 1);
  text = (char *) (path + n);
  for (k = 0; k < n; k++) {
    path[k] = text;
    text = stpcpy (text, p->resolved ? p->parent : p->candidate[k].path) + 1;
  }
  out->resolved = p->resolved;
  out->nr_paths = n;
  out->path = path;
  return 0;
}

/* A disk that was opened without its parents: look for the one above.  Which
 * directories a confined one may use was for the call that opened it; its own
 * is one of them. */
static int
search_parent (struct vhdkit_disk *d, const struct answer *a)
{
  const struct parent_search ps = { .inspect = true, .confine = d->confine };
  struct vhdkit_candidate *c = NULL;
  struct layer parent = { .image = NULL };
  struct places p = { .resolved = false };
  int r;

  p.resolved = parent_open (d->layer[0].image, d->path, &ps, d->layer, 1,
                            &parent, &c, &p.nr_candidates) == 0;
  if (!p.resolved && vhdkit_get_error_code () == VHDKIT_ERR_NO_MEMORY)
    r = -1;
  else {
    p.parent = parent.path;
    p.candidate = c;
    r = give_places (&p, a);
  }
  /* Opened to read; it has nothing to tell. */
  if (parent.image)
    image_close (parent.image);
  else
    store_close (parent.store);
  free (parent.path);
  parent_candidates_free (c, p.nr_candidates);
  return r;
}

static int
give_parent_location (struct vhdkit_disk *d, const struct answer *a)
{
  const struct places p = {
    .resolved = d->nr_layers > 1,
    .parent = d->nr_layers > 1 ? d->layer[1].path : NULL,
    .candidate = d->layer[0].candidates,
    .nr_candidates = d->layer[0].nr_candidates,
  };

  if (!p.resolved && !d->layer[0].candidates)
    return search_parent (d, a);
  return give_places (&p, a);
}

/*----------------------------------------------------------------------
 * The classes
 *--------------------------------------------------------------------*/

static int
give_of_parent (struct vhdkit_disk *d, enum vhdkit_info_class info_class,
                const struct answer *a)
{
  const struct vhd_header *h = image_header (d->layer[0].image);

  if (image_footer (d->layer[0].image)->type != VHD_DIFFERENCING) {
    if (info_class != VHDKIT_INFO_VS_PARENT)
      return not_a_child (d);
    *a->len = 0;
    return 1;                   /* S_FALSE */
  }
  switch (info_class) {
  case VHDKIT_INFO_PARENT_IDENTIFIER:
    return give (a, h->parent_id, sizeof h->parent_id);
  case VHDKIT_INFO_PARENT_TIMESTAMP:
    return give_number (a, h->parent_timestamp);
  default:
    return give_parent_location (d, a);
  }
}

int
op_get_info (vhdkit_disk *d, enum vhdkit_info_class info_class, void *buf,
             size_t *len)
{
  const struct answer a = { buf, len };
  struct image *image = d->layer[0].image;
  const struct vhd_footer *f = image_footer (image);

  switch (info_class) {
  case VHDKIT_INFO_SIZE:
    return give_size (d, &a);
  case VHDKIT_INFO_IDENTIFIER:
  case VHDKIT_INFO_VIRTUAL_DISK_ID:     /* there is but one id in a VHD */
    return give (&a, f->id, sizeof f->id);
  case VHDKIT_INFO_PARENT_LOCATION:
  case VHDKIT_INFO_PARENT_IDENTIFIER:
  case VHDKIT_INFO_PARENT_TIMESTAMP:
  case VHDKIT_INFO_VS_PARENT:
    return give_of_parent (d, info_class, &a);
  case VHDKIT_INFO_VIRTUAL_STORAGE_TYPE:
    return give_storage_type (&a);
  case VHDKIT_INFO_PROVIDER_SUBTYPE:
    return give_number (&a, f->type);
  case VHDKIT_INFO_IS_4K_ALIGNED:
    return give_number (&a, image_data_aligned (image));
  case VHDKIT_INFO_PHYSICAL_SECTOR_SIZE:
    return give_number (&a, SECTOR_SIZE);
  case VHDKIT_INFO_IS_LOADED:
    return give_number (&a, store_file_used_by_others (d->layer[0].store));
  case VHDKIT_INFO_VS_TYPE:
    return give_number (&a, vs_type (f->type));
  case VHDKIT_INFO_PHYSICAL_DISK:
  case VHDKIT_INFO_SMALLEST_SAFE_VIRTUAL_SIZE:
  case VHDKIT_INFO_FRAGMENTATION:
  case VHDKIT_INFO_CHANGE_TRACKING_STATE:
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "vhdkit_get_info: class %d is not supported for VHD images",
               (int) info_class);
    return -1;
  }
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "vhdkit_get_info: there is no class %d", (int) info_class);
  return -1;
}
