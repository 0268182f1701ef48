/* vhdkit: check: is the chain complete?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Opening for inspection ends the chain where a parent cannot be found or
 * used; how parent and child agree where there is one is told by disk/.
 */
#include <config.h>

#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/guid.h"
#include "base/text.h"
#include "operations/check.h"

/* Places that one finding lists. */
#define PLACES 8

/* "PATH (SOURCE): OUTCOME; ..."; malloced. */
static char *
places_text (const struct layer *l)
{
  char *text = text_format ("no parent, of %zu places tried%s",
                            l->nr_candidates, l->nr_candidates ? ": " : "");
  size_t i;

  for (i = 0; text && i < l->nr_candidates && i < PLACES; i++) {
    const struct vhdkit_candidate *c = &l->candidates[i];
    char *more = text_format ("%s%s%s (%s): %s", text, i ? "; " : "", c->path,
                              c->source, c->outcome);

    free (text);
    text = more;
  }
  return text;
}

/* The parent may be there and broken; then the candidate says which. */
static int
report_no_parent (struct check *c, const struct layer *l)
{
  const struct vhd_footer *f = image_footer (l->image);
  const struct vhd_header *h = image_header (l->image);
  struct report r = { check_receive, c, l->path };
  char id[GUID_TEXT_SIZE], expected[80];
  CLEANUP_FREE char *found = places_text (l);

  if (!found)
    return -1;
  if (guid_is_zero (h->parent_id))
    snprintf (expected, sizeof expected, "a raw parent, named by hand");
  else {
    guid_format (h->parent_id, vhd_creator_windows_order (f->creator), id);
    snprintf (expected, sizeof expected, "the image with the id %s", id);
  }
  return report (&r, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_PARENT_NOT_FOUND,
                 "parent", f->data_offset
                 + offsetof (struct vhd_header_disk, parent_id), expected,
                 "what this image lacks cannot be read; bring the parent back, "
                 "or say where it is", "%s", found);
}

int
check_chain (struct check *c)
{
  const struct vhdkit_disk *d = c->disk;
  const struct layer *last = &d->layer[d->nr_layers - 1];

  if ((c->flags & VHDKIT_OPEN_NO_PARENTS) || !last->image
      || image_footer (last->image)->type != VHD_DIFFERENCING)
    return 0;
  return report_no_parent (c, last);
}
