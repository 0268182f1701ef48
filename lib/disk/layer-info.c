/* vhdkit: all there is to know of one layer of a disk.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Filled anew on each request: the sizes of a file that is being written
 * change.  What the image says of itself is made fit for printing; the path
 * is what the file was opened by.
 */
#include <config.h>

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "base/guid.h"
#include "disk/disk.h"

/* Four bytes that should be letters; padding at the end goes. */
static void
four_letters (const uint8_t code[4], char ret[5])
{
  size_t i, n = 4;

  while (n > 0 && (code[n - 1] == '\0' || code[n - 1] == ' '))
    n--;
  for (i = 0; i < n; i++)
    ret[i] = code[i] >= 0x20 && code[i] < 0x7f ? (char) code[i] : '?';
  ret[n] = '\0';
}

static void
fill_footer (struct vhdkit_layer_info *info, const struct vhd_footer *f)
{
  info->type = (enum vhdkit_disk_type) f->type;
  info->chs_size = vhd_chs_size (f);
  info->original_size = f->original_size;
  memcpy (info->id, f->id, sizeof info->id);
  guid_format (f->id, vhd_creator_windows_order (f->creator), info->id_text);
  info->features = f->features;
  info->version = f->version;
  info->timestamp = f->timestamp;
  four_letters (f->creator, info->creator);
  info->creator_major = f->creator_major;
  info->creator_minor = f->creator_minor;
  four_letters (f->creator_os, info->creator_os);
  info->cylinders = f->cylinders;
  info->heads = f->heads;
  info->sectors = f->sectors;
  info->saved_state = f->saved_state;
  info->hidden = f->reserved[0];
  info->checksum = f->checksum;
}

static void
fill_dynamic (struct vhdkit_layer_info *info, const struct vhd_header *h,
              struct image *image)
{
  info->header_offset = image_footer (image)->data_offset;
  info->table_offset = h->table_offset;
  info->table_entries = h->table_entries;
  info->block_size = h->block_size;
  info->blocks_allocated = image_blocks_allocated (image);
  info->data_aligned = image_data_aligned (image);
  info->has_batmap = image_has_batmap (image);
}

/* parent: the layer below, if it is known.  An id is written as the creator
 * of the image that it is of would write it. */
static int
fill_differencing (struct vhdkit_layer_info *info, struct layer *l,
                   const struct layer *parent)
{
  const struct vhd_header *h = image_header (l->image);
  const struct vhd_footer *creator =
    image_footer (parent && parent->image ? parent->image : l->image);

  memcpy (info->parent_id, h->parent_id, sizeof info->parent_id);
  guid_format (h->parent_id, vhd_creator_windows_order (creator->creator),
               info->parent_id_text);
  info->parent_timestamp = h->parent_timestamp;
  if (l->locators == NULL &&
      parent_locators (l->image, &l->locators, &l->nr_locators) == -1)
    return -1;
  info->locators = l->locators;
  info->nr_locators = l->nr_locators;
  info->candidates = l->candidates;
  info->nr_candidates = l->nr_candidates;
  return 0;
}

const struct vhdkit_layer_info *
disk_layer_info (struct vhdkit_disk *d, size_t layer)
{
  struct layer *l;
  struct vhdkit_layer_info info = { 0 };
  const struct vhd_header *h;
  int64_t mtime;

  if (layer >= d->nr_layers) {
    set_error (VHDKIT_ERR_BAD_INDEX, EINVAL,
               "%s: there is no layer %zu: %zu are open, counted from 0",
               d->path, layer, d->nr_layers);
    return NULL;
  }
  l = &d->layer[layer];
  info.path = l->path;
  info.type = VHDKIT_TYPE_RAW;
  info.virtual_size = l->size;
  if (store_size (l->store, &info.file_size) == -1 ||
      store_usage (l->store, &info.allocated_size, &mtime) == -1)
    return NULL;
  if (l->image) {
    fill_footer (&info, image_footer (l->image));
    info.footer_missing = image_footer_missing (l->image);
    h = image_header (l->image);
    if (h)
      fill_dynamic (&info, h, l->image);
    if (h && info.type == VHDKIT_TYPE_DIFFERENCING &&
        fill_differencing (&info, l, layer + 1 < d->nr_layers ?
                           l + 1 : NULL) == -1)
      return NULL;
  }
  l->info = info;
  return &l->info;
}
