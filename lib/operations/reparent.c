/* vhdkit: another parent, another id.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A child holds the sectors that differ from its parent, so the new parent
 * must be the same disk as the old one: a copy, or the file itself in its new
 * place.  That shows in its id and its size.  Whoever knows better forces it.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/error.h"
#include "base/guid.h"
#include "disk/disk.h"
#include "format/vhd.h"
#include "operations/create.h"
#include "operations/operations.h"

static int
check_id (struct vhdkit_disk *d, const struct create_parent *p,
          const char *path)
{
  const struct vhd_header *h = image_header (d->layer[0].image);
  const bool windows =
    vhd_creator_windows_order (image_footer (d->layer[0].image)->creator);
  char found[GUID_TEXT_SIZE], expected[GUID_TEXT_SIZE];

  if (memcmp (h->parent_id, p->id, sizeof p->id) == 0)
    return 0;
  guid_format (p->id, windows, found);
  guid_format (h->parent_id, windows, expected);
  set_error (VHDKIT_ERR_PARENT_ID_MISMATCH, ESTALE,
             "%s: the new parent %s has the id %s, expected %s: it is another "
             "disk, over which the data of this one is garbage; it can be "
             "forced", d->path, path, found, expected);
  return -1;
}

static int
check_size (struct vhdkit_disk *d, const struct create_parent *p,
            const char *path)
{
  const uint64_t mine = image_footer (d->layer[0].image)->current_size;

  if (p->size == mine)
    return 0;
  set_error (VHDKIT_ERR_PARENT_SIZE_MISMATCH, ESTALE,
             "%s: the new parent %s has %" PRIu64 " bytes, expected %" PRIu64
             ": it is another disk; it can be forced", d->path, path, p->size,
             mine);
  return -1;
}

static int
is_cycle (struct vhdkit_disk *d, const char *path)
{
  set_error (VHDKIT_ERR_CHAIN_CYCLE, ELOOP,
             "%s: the new parent %s is this image or needs it as a parent "
             "itself; there would be no data to read", d->path, path);
  return -1;
}

/* Does the new parent stand on this disk?  Its chain need not be complete. */
static int
check_cycle (struct vhdkit_disk *d, const char *path)
{
  struct vhdkit_disk *chain;
  bool cycle = false;
  size_t k;

  if (disk_open (path, VHDKIT_ACCESS_GET_INFO,
                 VHDKIT_OPEN_INSPECT | VHDKIT_OPEN_NO_LOCK, NULL,
                 &chain) == -1)
    return -1;
  for (k = 0; k < chain->nr_layers; k++)
    cycle |= store_id_equal (&chain->layer[k].id, &d->layer[0].id);
  disk_close (chain);
  return cycle ? is_cycle (d, path) : 0;
}

/* Before it is opened, and locked: our own lock would keep us out. */
static int
check_itself (struct vhdkit_disk *d, const char *path)
{
  struct store *s = store_open_file (AT_FDCWD, path, false, false);
  struct store_id id;
  int r;

  if (!s)
    return 0;                   /* create_parent_open says it better */
  r = store_identity (s, &id);
  store_close (s);
  if (r == -1)
    return -1;
  return store_id_equal (&id, &d->layer[0].id) ? is_cycle (d, path) : 0;
}

static int
record (struct vhdkit_disk *d, const struct create_parent *p)
{
  struct image_parent parent = {
    .timestamp = p->timestamp,
    .path = {
      { VHD_PLATFORM_W2KU, p->absolute.payload, p->absolute.size },
      { VHD_PLATFORM_W2RU, p->relative.payload, p->relative.size },
    },
  };
  struct layer *l = &d->layer[0];

  memcpy (parent.id, p->id, sizeof parent.id);
  memcpy (parent.name, p->name, sizeof parent.name);
  if (image_set_parent (l->image, &parent) == -1)
    return -1;
  /* What was read of them before. */
  parent_locators_free (l->locators, l->nr_locators);
  l->locators = NULL;
  l->nr_locators = 0;
  return 0;
}

int
op_reparent (vhdkit_disk *d, const char *parent_path, bool force)
{
  struct create_parent p;
  int r;

  if (image_footer (d->layer[0].image)->type != VHD_DIFFERENCING) {
    set_error (VHDKIT_ERR_WRONG_TYPE, EINVAL,
               "%s: is not a differencing image, so it has no parent",
               d->path);
    return -1;
  }
  if (check_itself (d, parent_path) == -1
      || create_parent_open (&p, d->path, parent_path, false) == -1)
    return -1;
  if ((!force && (check_id (d, &p, parent_path) == -1
                  || check_size (d, &p, parent_path) == -1))
      || check_cycle (d, parent_path) == -1)
    r = -1;
  else
    r = record (d, &p);
  create_parent_close (&p);
  return r;
}

int
op_set_id (vhdkit_disk *d, const uint8_t id[16])
{
  if (guid_is_zero (id)) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: the new id is all zero, which means \"none\"", d->path);
    return -1;
  }
  return image_set_id (d->layer[0].image, id);
}
