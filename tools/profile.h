/* vhdkit check --profile: will a certain program take this image?
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *     profile.c          the profiles, and what they say of an image
 *     profile-rules.c    the rules
 */
#ifndef VHDKIT_PROFILE_H
#define VHDKIT_PROFILE_H

#include "tools.h"

/* What the rules look at. */
struct facts {
  vhdkit_disk *disk;            /* opened with INSPECT; NULL: cannot be */
  const struct vhdkit_layer_info *image;        /* NULL with the disk */
  uint64_t errors;              /* found by vhdkit_check */
  bool size_differs, time_differs;      /* somewhere in the chain, from the
                                           parent as recorded */
  bool footers_equal;           /* the one at the end, its copy at the start */
};

struct found_text { char s[128]; };

/* Is it so?  And what is it? */
typedef bool (*judge_fn) (const struct facts *f, struct found_text *ret_found);

struct rule {
  const char *name;
  const char *expected;
  const char *why;              /* what happens otherwise */
  judge_fn judge;
  bool advice;                  /* broken, it is only a warning */
};

struct profile {
  const char *name, *title;
  const struct rule *rules;     /* the first is RULE_SOUND; ends with no name */
};

/* NULL after a usage error. */
extern const struct profile *find_profile (const char *name);

/* Gather what the rules look at.  errors, size_differs and time_differs are
 * the caller's.  facts_free closes the disk. */
extern void facts_of_image (struct facts *f, const char *file,
                            const struct image_options *o);
extern void facts_free (struct facts *f);

/* Write the verdict, in words unless json is not NULL; returns whether the
 * image fits. */
extern bool judge_image (const struct profile *p, const struct facts *f,
                         bool quiet, json_t **json);

/* profile-rules.c */
extern bool judge_sound (const struct facts *f, struct found_text *found);
extern bool judge_fixed (const struct facts *f, struct found_text *found);
extern bool judge_blocks (const struct facts *f, struct found_text *found);
extern bool judge_whole_mib (const struct facts *f, struct found_text *found);
extern bool judge_whole_2_mib (const struct facts *f,
                               struct found_text *found);
extern bool judge_exact_file (const struct facts *f,
                              struct found_text *found);
extern bool judge_3_mib (const struct facts *f, struct found_text *found);
extern bool judge_20_mib (const struct facts *f, struct found_text *found);
extern bool judge_2040_gib (const struct facts *f, struct found_text *found);
extern bool judge_block_windows (const struct facts *f,
                                 struct found_text *found);
extern bool judge_block_2m (const struct facts *f, struct found_text *found);
extern bool judge_aligned (const struct facts *f, struct found_text *found);
extern bool judge_features (const struct facts *f, struct found_text *found);
extern bool judge_id (const struct facts *f, struct found_text *found);
extern bool judge_geometry (const struct facts *f, struct found_text *found);
extern bool judge_footers (const struct facts *f, struct found_text *found);
extern bool judge_batmap (const struct facts *f, struct found_text *found);
extern bool judge_saved_state (const struct facts *f,
                               struct found_text *found);
extern bool judge_name (const struct facts *f, struct found_text *found);
extern bool judge_chain (const struct facts *f, struct found_text *found);
extern bool judge_parent_size (const struct facts *f,
                               struct found_text *found);
extern bool judge_parent_time (const struct facts *f,
                               struct found_text *found);
extern bool judge_windows_path (const struct facts *f,
                                struct found_text *found);
extern bool judge_path_name (const struct facts *f, struct found_text *found);

#endif
