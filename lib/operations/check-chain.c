/* vhdkit: check: is the chain complete?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening for inspection ends the chain where a parent cannot be found or
 * used; how parent and child agree where there is one is told by disk/.
 */
#include <config.h>

#include <stdio.h>

#include "base/error.h"
#include "base/guid.h"
#include "operations/check.h"

/* What is missing, or cannot be used, as the search for it said. */
static int
report_no_parent (struct check *c, const struct layer *l)
{
  const struct vhd_footer *f = image_footer (l->image);
  const struct vhd_header *h = image_header (l->image);
  const struct saved_error *e = &c->disk->chain_error;
  struct report r = { check_receive, c, l->path };
  char id[GUID_TEXT_SIZE], expected[80];

  if (guid_is_zero (h->parent_id))
    snprintf (expected, sizeof expected, "a raw parent, named by hand");
  else {
    guid_format (h->parent_id, vhd_creator_windows_order (f->creator), id);
    snprintf (expected, sizeof expected, "the image with the id %s", id);
  }
  return report (&r, VHDKIT_SEVERITY_ERROR, e->code, "parent",
                 f->data_offset + offsetof (struct vhd_header_disk, parent_id),
                 expected, "what this image lacks cannot be read; bring the "
                 "parent back, or say where it is", "%s",
                 e->text ? e->text : "none");
}

/* Nothing is wrong with a parent that we may not look at now: then the chain
 * could not be checked. */
static bool
is_out_of_reach (enum vhdkit_error code)
{
  return code == VHDKIT_ERR_SHARING_VIOLATION
    || code == VHDKIT_ERR_ACCESS_DENIED
    || code == VHDKIT_ERR_PARENT_ACCESS_DENIED;
}

int
check_chain (struct check *c)
{
  struct saved_error *e = &c->disk->chain_error;

  if (e->code == VHDKIT_OK)
    return 0;
  if (is_out_of_reach (e->code)) {
    error_restore (e);
    return -1;
  }
  return report_no_parent (c, &c->disk->layer[c->disk->nr_layers - 1]);
}
