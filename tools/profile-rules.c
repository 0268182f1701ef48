/* vhdkit check --profile: the rules.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Each looks at one property of the image itself, or of its chain, and puts
 * into words what it is.
 */
#include <config.h>

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "profile.h"

#define KIB (UINT64_C (1) << 10)
#define MIB (UINT64_C (1) << 20)
#define GIB (UINT64_C (1) << 30)

#define SAY(found, ...) snprintf ((found)->s, sizeof (found)->s, __VA_ARGS__)

static bool
is_diff (const struct facts *f)
{
  return f->image->type == VHDKIT_TYPE_DIFFERENCING;
}

/* Rules about parents hold for what has none. */
static bool
no_parent (struct found_text *found)
{
  SAY (found, "no parent");
  return true;
}

bool
judge_sound (const struct facts *f, struct found_text *found)
{
  if (f->disk == NULL)
    SAY (found, "an image that cannot be opened");
  else
    SAY (found, "%" PRIu64 " error%s", f->errors, f->errors == 1 ? "" : "s");
  return f->disk != NULL && f->errors == 0;
}

/*----------------------------------------------------------------------
 * Type and size
 *--------------------------------------------------------------------*/

bool
judge_fixed (const struct facts *f, struct found_text *found)
{
  SAY (found, "%s", type_name (f->image->type));
  return f->image->type == VHDKIT_TYPE_FIXED;
}

bool
judge_blocks (const struct facts *f, struct found_text *found)
{
  SAY (found, "%s", type_name (f->image->type));
  return f->image->type != VHDKIT_TYPE_FIXED;
}

static bool
judge_multiple (const struct facts *f, struct found_text *found, uint64_t of)
{
  SAY (found, "%s", exact_size (f->image->virtual_size).s);
  return f->image->virtual_size % of == 0;
}

bool
judge_whole_mib (const struct facts *f, struct found_text *found)
{
  return judge_multiple (f, found, MIB);
}

bool
judge_whole_2_mib (const struct facts *f, struct found_text *found)
{
  return judge_multiple (f, found, 2 * MIB);
}

bool
judge_exact_file (const struct facts *f, struct found_text *found)
{
  SAY (found, "%" PRIu64 " bytes", f->image->file_size);
  return f->image->file_size == f->image->virtual_size + 512;
}

static bool
judge_least (const struct facts *f, struct found_text *found, uint64_t least)
{
  SAY (found, "%s", human_size (f->image->virtual_size).s);
  return f->image->virtual_size >= least;
}

bool
judge_3_mib (const struct facts *f, struct found_text *found)
{
  return judge_least (f, found, 3 * MIB);
}

bool
judge_20_mib (const struct facts *f, struct found_text *found)
{
  return judge_least (f, found, 20 * MIB);
}

bool
judge_2040_gib (const struct facts *f, struct found_text *found)
{
  SAY (found, "%s", human_size (f->image->virtual_size).s);
  return f->image->virtual_size <= 2040 * GIB;
}

/*----------------------------------------------------------------------
 * Blocks
 *--------------------------------------------------------------------*/

static bool
no_blocks (const struct facts *f, struct found_text *found)
{
  SAY (found, "%s", f->image->block_size
       ? human_size (f->image->block_size).s : "no blocks");
  return f->image->block_size == 0;
}

bool
judge_block_windows (const struct facts *f, struct found_text *found)
{
  return no_blocks (f, found) || f->image->block_size == 512 * KIB
    || f->image->block_size == 2 * MIB;
}

bool
judge_block_2m (const struct facts *f, struct found_text *found)
{
  return no_blocks (f, found) || f->image->block_size == 2 * MIB;
}

bool
judge_aligned (const struct facts *f, struct found_text *found)
{
  if (no_blocks (f, found))
    return true;
  SAY (found, "%s", f->image->data_aligned ? "yes" : "no");
  return f->image->data_aligned;
}

bool
judge_batmap (const struct facts *f, struct found_text *found)
{
  const struct vhdkit_layer_info *l = f->image;
  const bool needed = l->block_size && strcmp (l->creator, "tap") == 0
    && (l->creator_major > 1 || (l->creator_major == 1
                                 && l->creator_minor >= 2));

  SAY (found, "%s, creator \"%.4s\" %u.%u",
       l->has_batmap ? "a batmap" : "no batmap", l->creator, l->creator_major,
       l->creator_minor);
  return l->has_batmap || !needed;
}

/*----------------------------------------------------------------------
 * Footer
 *--------------------------------------------------------------------*/

bool
judge_features (const struct facts *f, struct found_text *found)
{
  SAY (found, "0x%08" PRIx32, f->image->features);
  return (f->image->features & ~UINT32_C (1)) == 2;
}

bool
judge_id (const struct facts *f, struct found_text *found)
{
  static const uint8_t zero[16];

  SAY (found, "%s", f->image->id_text);
  return memcmp (f->image->id, zero, sizeof zero) != 0;
}

/* It may be smaller: it is rounded down to whole cylinders. */
bool
judge_geometry (const struct facts *f, struct found_text *found)
{
  const struct vhdkit_layer_info *l = f->image;

  SAY (found, "%u/%u/%u, %s", l->cylinders, l->heads, l->sectors,
       exact_size (l->chs_size).s);
  return l->chs_size > 0 && l->chs_size <= l->virtual_size;
}

bool
judge_footers (const struct facts *f, struct found_text *found)
{
  if (f->image->type == VHDKIT_TYPE_FIXED) {
    SAY (found, "one footer");
    return true;
  }
  SAY (found, "%s", f->image->footer_missing ? "no footer at the end"
       : f->footers_equal ? "equal" : "different");
  return f->footers_equal && !f->image->footer_missing;
}

bool
judge_saved_state (const struct facts *f, struct found_text *found)
{
  SAY (found, "%s", f->image->saved_state ? "a saved state"
       : "no saved state");
  return !f->image->saved_state;
}

/* Differencing images of checkpoints are called .avhd. */
bool
judge_name (const struct facts *f, struct found_text *found)
{
  const char *slash = strrchr (f->image->path, '/');
  const char *dot = strrchr (slash ? slash : f->image->path, '.');

  SAY (found, "%.20s", dot ? dot : "no extension");
  return dot && (strcasecmp (dot, ".vhd") == 0
                 || (is_diff (f) && strcasecmp (dot, ".avhd") == 0));
}

/*----------------------------------------------------------------------
 * Parents
 *--------------------------------------------------------------------*/

bool
judge_chain (const struct facts *f, struct found_text *found)
{
  const size_t n = vhdkit_layers (f->disk);
  const struct vhdkit_layer_info *last;

  if (!is_diff (f))
    return no_parent (found);
  last = layer_info (f->disk, n - 1);
  SAY (found, "%zu parent%s, the last one is %s", n - 1, n == 2 ? "" : "s",
       last->type == VHDKIT_TYPE_DIFFERENCING ? "missing"
       : type_name (last->type));
  return last->type == VHDKIT_TYPE_FIXED || last->type == VHDKIT_TYPE_DYNAMIC;
}

bool
judge_parent_size (const struct facts *f, struct found_text *found)
{
  if (!is_diff (f))
    return no_parent (found);
  SAY (found, "%s", f->size_differs ? "another size" : "the same size");
  return !f->size_differs;
}

bool
judge_parent_time (const struct facts *f, struct found_text *found)
{
  if (!is_diff (f))
    return no_parent (found);
  SAY (found, "%s", f->time_differs ? "another time" : "as recorded");
  return !f->time_differs;
}

bool
judge_windows_path (const struct facts *f, struct found_text *found)
{
  size_t i, n = 0;

  if (!is_diff (f))
    return no_parent (found);
  for (i = 0; i < f->image->nr_locators; i++) {
    const struct vhdkit_locator *loc = &f->image->locators[i];
    n += (strcmp (loc->platform, "W2ru") == 0
          || strcmp (loc->platform, "W2ku") == 0) && loc->text;
  }
  SAY (found, "%zu path%s of Windows", n, n == 1 ? "" : "s");
  return n > 0;
}

static const char *
last_component (const char *path)
{
  const char *p, *last = path;

  for (p = path; *p; p++)
    if (*p == '/' || *p == '\\')
      last = p + 1;
  return last;
}

/* blktap compares the name in the header with the end of each path. */
bool
judge_path_name (const struct facts *f, struct found_text *found)
{
  const struct vhdkit_layer_info *l = f->image;
  const char *name = NULL;
  bool same = true;
  size_t i;

  if (!is_diff (f))
    return no_parent (found);
  for (i = 0; i < l->nr_locators; i++)
    if (strcmp (l->locators[i].platform, "name") == 0)
      name = l->locators[i].text;
  for (i = 0; i < l->nr_locators; i++)
    if (l->locators[i].platform[0] != 'n' && l->locators[i].text)
      same = same && name
        && strcmp (last_component (l->locators[i].text), name) == 0;
  SAY (found, "%s", same ? "the same name" : "different names");
  return same;
}
