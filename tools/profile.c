/* vhdkit check --profile: the profiles, and what they say of an image.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "profile.h"

#define RULE_SOUND                                                      \
  { "damage", "none", "the image is damaged", judge_sound, false }
#define RULE_3_MIB                                                      \
  { "smallest", "at least 3 MiB", "Windows makes none below",           \
    judge_3_mib, true }
#define RULE_2040_GIB                                                   \
  { "largest", "at most 2040 GiB", "the limit of the format",           \
    judge_2040_gib, false }
#define RULE_BLOCK_WINDOWS                                              \
  { "block-size", "512 KiB or 2 MiB", "Windows knows these only",       \
    judge_block_windows, false }
#define RULE_FEATURES                                                   \
  { "features", "0x00000002, bit 0 may be set",                         \
    "bits that mean something unknown", judge_features, false }
#define RULE_ID                                                         \
  { "id", "not zero", "parents are recognised by it", judge_id, true }
#define RULE_FOOTERS                                                    \
  { "footers", "two equal ones",                                        \
    "a reader that trusts the other one sees another disk",             \
    judge_footers, false }
#define RULE_STATE                                                      \
  { "saved-state", "none",                                              \
    "it belongs to a suspended machine, which expects it unchanged",    \
    judge_saved_state, true }
#define RULE_NAME                                                       \
  { "name", ".vhd, or .avhd with a parent", "Windows goes by the name", \
    judge_name, true }
#define RULE_CHAIN                                                      \
  { "parents", "all there, each a VHD", "it has no complete data",      \
    judge_chain, false }
#define RULE_PARENT_SIZE                                                \
  { "parent-size", "that of the child",                                 \
    "Windows refuses it: 0xc03a0017", judge_parent_size, false }
#define RULE_PARENT_TIME                                                \
  { "parent-time", "as recorded in the child",                          \
    "Windows may refuse it: 0xc03a000f", judge_parent_time, true }
#define RULE_WINDOWS_PATH                                               \
  { "parent-path", "in the form of Windows",                            \
    "Windows does not find the parent", judge_windows_path, false }
#define END { NULL, NULL, NULL, NULL, false }

static const struct rule azure[] = {
  RULE_SOUND,
  { "type", "fixed", "Azure takes no other", judge_fixed, false },
  { "size", "a whole number of MiB", "Azure refuses it", judge_whole_mib,
    false },
  { "file-size", "the size of the disk and 512 bytes",
    "Azure looks for the footer there", judge_exact_file, false },
  { "smallest", "at least 20 MiB", "too small for a direct upload",
    judge_20_mib, true },
  RULE_2040_GIB,
  RULE_FEATURES,
  END
};

static const struct rule hyperv[] = {
  RULE_SOUND,
  RULE_3_MIB,
  RULE_2040_GIB,
  RULE_BLOCK_WINDOWS,
  RULE_FEATURES,
  RULE_ID,
  RULE_FOOTERS,
  { "aligned", "data at multiples of 4 KiB",
    "slow on disks with sectors of 4 KiB", judge_aligned, true },
  RULE_STATE,
  RULE_NAME,
  RULE_CHAIN,
  RULE_PARENT_SIZE,
  RULE_PARENT_TIME,
  RULE_WINDOWS_PATH,
  END
};

static const struct rule vs2005[] = {
  RULE_SOUND,
  { "smallest", "at least 3 MB", "Virtual Server's limit", judge_3_mib,
    false },
  { "largest", "at most 2088960 MB", "Virtual Server's limit",
    judge_2040_gib, false },
  { "size", "a whole number of megabytes",
    "Virtual Server makes no others", judge_whole_mib, true },
  RULE_BLOCK_WINDOWS,
  RULE_FEATURES,
  RULE_ID,
  { "geometry", "set, and not larger than the disk",
    "its guests see a disk of that size", judge_geometry, false },
  RULE_FOOTERS,
  RULE_STATE,
  RULE_NAME,
  RULE_CHAIN,
  RULE_PARENT_SIZE,
  RULE_PARENT_TIME,
  RULE_WINDOWS_PATH,
  END
};

static const struct rule xen[] = {
  RULE_SOUND,
  { "type", "dynamic or differencing",
    "XenServer's own images are; Xen Orchestra imports no others",
    judge_blocks, true },
  RULE_2040_GIB,
  { "size", "a multiple of 2 MiB", "vhd-util rounds up to that",
    judge_whole_2_mib, true },
  { "block-size", "2 MiB",
    "blktap reads the table of smaller blocks beyond its end",
    judge_block_2m, false },
  { "geometry", "set, and not larger than the disk",
    "vhd-util check refuses it", judge_geometry, false },
  { "footers", "two equal ones", "Xen Orchestra refuses it", judge_footers,
    false },
  { "batmap", "there, if the creator is \"tap\" 1.2 or later",
    "tapdisk does not open it for writing", judge_batmap, false },
  RULE_ID,
  { "parents", "all there, each a VHD",
    "a raw parent has to be attached as such", judge_chain, false },
  { "parent-name", "the same in the header and in all paths",
    "vhd-util check refuses it", judge_path_name, false },
  END
};

static const struct profile profiles[] = {
  { "azure", "Azure", azure },
  { "hyperv", "Hyper-V", hyperv },
  { "vs2005", "Virtual Server 2005", vs2005 },
  { "xen", "XenServer and XCP-ng", xen },
};

const struct profile *
find_profile (const char *name)
{
  size_t i;

  for (i = 0; i < sizeof profiles / sizeof profiles[0]; i++)
    if (strcmp (profiles[i].name, name) == 0)
      return &profiles[i];
  usage_error ("--profile is azure, hyperv, vs2005 or xen, not %s", name);
  return NULL;
}

/*----------------------------------------------------------------------
 * Facts
 *--------------------------------------------------------------------*/

/* Are the first and the last 512 bytes the same? */
static bool
ends_equal (const char *file)
{
  char first[512], last[512];
  bool equal = false;
  struct stat st;
  int fd = open (file, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

  if (fd == -1)
    return false;
  if (fstat (fd, &st) == 0 && st.st_size >= 1024
      && pread (fd, first, sizeof first, 0) == (ssize_t) sizeof first
      && pread (fd, last, sizeof last, st.st_size - 512)
         == (ssize_t) sizeof last)
    equal = memcmp (first, last, sizeof first) == 0;
  close (fd);
  return equal;
}

void
facts_of_image (struct facts *f, const char *file,
                const struct image_options *o)
{
  const struct vhdkit_open_options opts = open_options (o, NULL, NULL);

  /* Why it cannot be opened the check has said. */
  if (vhdkit_open (file, VHDKIT_ACCESS_READ,
                   o->flags | VHDKIT_OPEN_INSPECT, &opts, &f->disk) == -1)
    return;
  f->image = layer_info (f->disk, 0);
  f->footers_equal = ends_equal (file);
}

void
facts_free (struct facts *f)
{
  if (f->disk)
    vhdkit_close (f->disk);     /* nothing was written */
}

/*----------------------------------------------------------------------
 * The verdict
 *--------------------------------------------------------------------*/

struct verdict {
  unsigned broken, warnings;
  bool words;
  json_t *rules;                /* or NULL */
};

static void
add_rule (struct verdict *v, const struct rule *r, const char *result,
          const char *found)
{
  char *clean = printable (found);
  json_t *o;

  if (v->words && strcmp (result, "ok") == 0)
    printf ("  %-8s %s: %s (%s)\n", result, r->name, clean, r->expected);
  else if (v->words)
    printf ("  %-8s %s: %s; expected %s: %s\n", result, r->name, clean,
            r->expected, r->why);
  if (v->rules) {
    o = json_object ();
    json_add_text (o, "rule", r->name);
    json_add_text (o, "result", result);
    json_add_text (o, "found", found);
    json_add_text (o, "expected", r->expected);
    json_add_text (o, "reason", r->why);
    json_append (v->rules, o);
  }
  free (clean);
}

static void
judge (struct verdict *v, const struct rule *r, const struct facts *f)
{
  struct found_text found = { "" };
  const bool ok = r->judge (f, &found);

  if (!ok && r->advice)
    v->warnings++;
  else if (!ok)
    v->broken++;
  add_rule (v, r, ok ? "ok" : r->advice ? "warning" : "broken", found.s);
}

static void
count (unsigned n, const char *what)
{
  printf ("%u %s%s", n, what, n == 1 ? "" : "s");
}

static void
write_verdict (const struct verdict *v, const struct profile *p)
{
  printf ("Verdict: %s for %s: ", v->broken ? "not fit" : "fit", p->title);
  count (v->broken, "broken rule");
  printf (", ");
  count (v->warnings, "warning");
  printf (".\n");
}

bool
judge_image (const struct profile *p, const struct facts *f, bool quiet,
             json_t **json)
{
  struct verdict v = { .words = !quiet && json == NULL };
  const struct rule *r;
  json_t *o;

  if (json)
    v.rules = checked_alloc (json_array ());
  if (v.words)
    printf ("Profile %s:\n", p->name);
  /* What cannot be opened is damaged; there is nothing else to look at. */
  for (r = p->rules; r->name && (r == p->rules || f->disk); r++)
    judge (&v, r, f);
  if (v.words)
    write_verdict (&v, p);
  if (json) {
    o = checked_alloc (json_object ());
    json_add_text (o, "name", p->name);
    json_add_bool (o, "fit", v.broken == 0);
    json_add_uint (o, "broken", v.broken);
    json_add_uint (o, "warnings", v.warnings);
    json_add (o, "rules", v.rules);
    *json = o;
  }
  return v.broken == 0;
}
