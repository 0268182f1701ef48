/* vhdkit: one image of a chain: open it, name its parts, put it into JSON.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tools.h"

struct vhdkit_open_options
open_options (const struct image_options *o, vhdkit_finding_fn on_finding,
              void *opaque)
{
  return (struct vhdkit_open_options) {
    .struct_size = sizeof (struct vhdkit_open_options),
    .parents = o->parents.word,
    .nr_parents = o->parents.nr,
    .search = o->search.word,
    .nr_search = o->search.nr,
    .on_finding = on_finding,
    .opaque = opaque,
  };
}

vhdkit_disk *
open_image (const char *file, const struct image_options *o,
            uint32_t more_flags)
{
  return open_image_for (VHDKIT_ACCESS_READ, file, o, more_flags);
}

vhdkit_disk *
open_image_for (uint32_t access_mask, const char *file,
                const struct image_options *o, uint32_t more_flags)
{
  const struct vhdkit_open_options opts = open_options (o, warn_finding, NULL);
  vhdkit_disk *disk;

  if (vhdkit_open (file, access_mask, o->flags | more_flags, &opts,
                   &disk) == -1) {
    complain_library (file);
    return NULL;
  }
  return disk;
}

int
close_image (const char *file, vhdkit_disk *disk, int status)
{
  if (vhdkit_close (disk) == -1) {
    complain_library (file);
    return STATUS_FAILED;
  }
  return status;
}

const struct vhdkit_layer_info *
layer_info (vhdkit_disk *disk, size_t layer)
{
  const struct vhdkit_layer_info *l = vhdkit_layer (disk, layer);

  if (l == NULL) {              /* the file went away, or memory is short */
    complain_library (NULL);
    exit (STATUS_FAILED);
  }
  return l;
}

/*----------------------------------------------------------------------
 * Names
 *--------------------------------------------------------------------*/

const char *
type_name (enum vhdkit_disk_type type)
{
  switch (type) {
  case VHDKIT_TYPE_RAW: return "raw";
  case VHDKIT_TYPE_FIXED: return "fixed";
  case VHDKIT_TYPE_DYNAMIC: return "dynamic";
  case VHDKIT_TYPE_DIFFERENCING: return "differencing";
  }
  return "unknown";
}

const char *
creator_name (const struct vhdkit_layer_info *l)
{
  static const struct { const char *creator, *name; } known[] = {
    { "win", "Windows" },
    { "vpc", "Virtual PC" },
    { "vs", "Virtual Server 2005" },
    { "d2v", "Disk2vhd" },
    { "qemu", "qemu" },
    { "qem2", "qemu with force_size" },
    { "tap", "XenServer, XCP-ng" },
    { "CTXS", "XenConvert" },
    { "wa", "Azure" },
    { "vbox", "VirtualBox" },
    { "dutl", "DiscUtils" },
    { "caml", "ocaml-vhd" },
    { "xo", "Xen Orchestra" },
  };
  size_t i;

  for (i = 0; i < sizeof known / sizeof known[0]; i++)
    if (strcmp (l->creator, known[i].creator) == 0)
      return known[i].name;
  return strcmp (l->creator_os, "FBSD") == 0 ? "FreeBSD mkimg" : NULL;
}

const char *
geometry_readers (const struct vhdkit_layer_info *l)
{
  /* For these, qemu before 10.0 goes by the size as everybody else does.  (It
   * also means to for Disk2vhd, but looks for "d2v" and a blank.) */
  static const char *const by_size[] = { "win", "qem2", "CTXS", "tap" };
  size_t i;

  /* The largest geometry there is cannot stand for a size: qemu never takes
   * it for one. */
  if (l->chs_size == l->virtual_size || l->chs_size == 0
      || (l->cylinders == 65535 && l->heads == 16 && l->sectors == 255))
    return NULL;
  if (strcmp (l->creator, "vpc") == 0)
    return "Virtual PC and qemu";
  if (strcmp (l->creator, "qemu") == 0)
    return "qemu";
  for (i = 0; i < sizeof by_size / sizeof by_size[0]; i++)
    if (strcmp (l->creator, by_size[i]) == 0)
      return NULL;
  return "qemu before 10.0";
}

/*----------------------------------------------------------------------
 * The link to the parent
 *--------------------------------------------------------------------*/

struct link
layer_link (const struct vhdkit_layer_info *l)
{
  struct link link = { "none", NULL };
  size_t i;

  if (l->type != VHDKIT_TYPE_DIFFERENCING)
    return link;
  for (i = 0; i < l->nr_candidates; i++)
    if (l->candidates[i].state == VHDKIT_CANDIDATE_USED) {
      link.state = "ok";
      link.candidate = &l->candidates[i];
      return link;
    }
  if (l->nr_candidates == 0) {
    link.state = "not looked for";
    return link;
  }
  link.state = "missing";
  link.candidate = &l->candidates[0];
  for (i = 0; i < l->nr_candidates; i++)
    if (l->candidates[i].state == VHDKIT_CANDIDATE_UNUSABLE) {
      link.state = "unusable";
      link.candidate = &l->candidates[i];
      break;
    }
  return link;
}

char *
link_text (const struct link *link)
{
  const struct vhdkit_candidate *c = link->candidate;
  char *text, *ret;
  int r;

  if (c == NULL)
    r = asprintf (&text, "%s", link->state);
  else if (strcmp (link->state, "ok") != 0)
    r = asprintf (&text, "%s: %s", link->state, c->outcome);
  else
    r = asprintf (&text, "ok (%s)", c->source);
  checked_alloc (r == -1 ? NULL : text);
  ret = printable (text);
  free (text);
  return ret;
}

void
warn_if_incomplete (vhdkit_disk *disk)
{
  const struct vhdkit_layer_info *l
    = layer_info (disk, vhdkit_layers (disk) - 1);
  const struct link link = layer_link (l);
  const struct vhdkit_candidate *c = link.candidate;

  if (c && c->state != VHDKIT_CANDIDATE_USED)
    complain (l->path, "warning: its parent is %s: %s: %s (places tried: %zu)",
              link.state, c->path, c->outcome, l->nr_candidates);
}

/*----------------------------------------------------------------------
 * JSON
 *--------------------------------------------------------------------*/

static void
add_creator (json_t *o, const struct vhdkit_layer_info *l)
{
  char text[32];

  json_add_text (o, "creator", l->creator);
  json_add_text (o, "creator-name", creator_name (l));
  snprintf (text, sizeof text, "%u.%u", l->creator_major, l->creator_minor);
  json_add_text (o, "creator-version", text);
  json_add_text (o, "creator-os", l->creator_os);
}

static void
add_blocks (json_t *o, const struct vhdkit_layer_info *l)
{
  json_add_uint (o, "header-offset", l->header_offset);
  json_add_uint (o, "table-offset", l->table_offset);
  json_add_uint (o, "table-entries", l->table_entries);
  json_add_uint (o, "block-size", l->block_size);
  json_add_uint (o, "blocks-allocated", l->blocks_allocated);
  json_add_bool (o, "data-aligned", l->data_aligned);
  json_add_bool (o, "batmap", l->has_batmap);
}

static json_t *
locator_json (const struct vhdkit_locator *loc)
{
  json_t *o = json_object ();

  json_add_text (o, "platform", loc->platform);
  json_add_uint (o, "offset", loc->offset);
  json_add_uint (o, "length", loc->length);
  json_add_uint (o, "space", loc->space);
  json_add_text (o, "text", loc->text);
  json_add_text (o, "problem", loc->problem);
  return o;
}

static json_t *
candidate_json (const struct vhdkit_candidate *c)
{
  json_t *o = json_object ();

  json_add_text (o, "filename", c->path);
  json_add_text (o, "source", c->source);
  json_add_text (o, "outcome", c->outcome);
  json_add_bool (o, "used", c->state == VHDKIT_CANDIDATE_USED);
  return o;
}

static void
add_parent (json_t *o, const struct vhdkit_layer_info *l)
{
  const struct link link = layer_link (l);
  json_t *locators = json_array (), *search = json_array ();
  bool found = strcmp (link.state, "ok") == 0;
  size_t i;

  json_add_text (o, "parent-id", l->parent_id_text);
  json_add_uint (o, "parent-timestamp", l->parent_timestamp);
  /* Zero says: not recorded. */
  json_add_text (o, "parent-date", l->parent_timestamp
                 ? vhd_date (l->parent_timestamp).s : NULL);
  json_add_bool (o, "parent-resolved", found);
  json_add_text (o, "parent-state", link.state);
  json_add_text (o, "backing-filename", found ? link.candidate->path : NULL);
  for (i = 0; i < l->nr_locators; i++)
    json_append (locators, locator_json (&l->locators[i]));
  json_add (o, "parent-locators", locators);
  for (i = 0; i < l->nr_candidates; i++)
    json_append (search, candidate_json (&l->candidates[i]));
  json_add (o, "parent-search", search);
}

static void
add_footer (json_t *o, const struct vhdkit_layer_info *l)
{
  char text[32];

  json_add_uint (o, "geometry-size", l->chs_size);
  json_add_uint (o, "cylinders", l->cylinders);
  json_add_uint (o, "heads", l->heads);
  json_add_uint (o, "sectors", l->sectors);
  json_add_text (o, "geometry-readers", geometry_readers (l));
  json_add_uint (o, "original-size", l->original_size);
  json_add_text (o, "id", l->id_text);
  json_add_uint (o, "timestamp", l->timestamp);
  json_add_text (o, "date", vhd_date (l->timestamp).s);
  add_creator (o, l);
  json_add_uint (o, "features", l->features);
  snprintf (text, sizeof text, "%u.%u", l->version >> 16,
            l->version & 0xffff);
  json_add_text (o, "format-version", text);
  json_add_uint (o, "checksum", l->checksum);
  json_add_bool (o, "saved-state", l->saved_state);
  json_add_bool (o, "hidden", l->hidden);
  json_add_bool (o, "footer-missing", l->footer_missing);
}

json_t *
layer_json (const struct vhdkit_layer_info *l)
{
  json_t *o = json_object ();
  bool raw = l->type == VHDKIT_TYPE_RAW;

  /* Named as by qemu-img info where it says the same. */
  json_add_text (o, "filename", l->path);
  json_add_text (o, "format", raw ? "raw" : "vhd");
  json_add_text (o, "type", type_name (l->type));
  json_add_uint (o, "virtual-size", l->virtual_size);
  json_add_uint (o, "file-size", l->file_size);
  json_add_uint (o, "actual-size", l->allocated_size);
  if (!raw)
    add_footer (o, l);
  if (l->block_size)
    add_blocks (o, l);
  if (l->type == VHDKIT_TYPE_DIFFERENCING)
    add_parent (o, l);
  return o;
}
