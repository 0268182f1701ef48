/* vhdkit tests: scripts in which one thing goes wrong.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * A script is a list of steps on one image, from opening to closing.  It is
 * run again and again, and each time one thing goes wrong: the n-th call of
 * its store fails, or that of its parents', or there is no memory.  After the
 * step that failed
 *
 *   - there is an error with a code, an errno and a sentence;
 *   - the image reads as before the step or, where the step was to change
 *     something, as after it, and nothing else has changed;
 *   - what is in the store opens as an image, which check finds no error in,
 *     and reads as last flushed or as written later;
 *   - if a sync failed, the image refuses to be written until it is opened
 *     again (write order, rule 6);
 *   - else the same step succeeds when it is made again, at once or after a
 *     flush.
 *
 * Then, or without making the step again, the script goes on to its end.
 * Every flush that succeeds leaves a footer at the end of the store.
 */
#ifndef TRIAL_H
#define TRIAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "store-wrap.h"
#include "target.h"

enum step_kind {
  STEP_OPEN, STEP_OPEN_READ_ONLY, STEP_UPGRADE, STEP_READ, STEP_WRITE,
  STEP_ZERO, STEP_DISCARD,      /* may give space back */
  STEP_TRIM,                    /* the same, whole sectors only */
  STEP_RUNS, STEP_FLUSH, STEP_CLOSE
};

struct step {
  enum step_kind kind;
  uint32_t offset, count;
};

struct script {
  const char *name;
  struct image_shape shape;
  bool over_data;               /* a child, of a child, of a fixed image */
  uint32_t cache_bytes;         /* 0: plenty */
  void (*prepare) (struct store *s);    /* change the new image; or NULL */
  const struct step *step;
  size_t nr_steps;
};

extern const struct script trial_scripts[];
extern const size_t trial_nr_scripts;

/* What goes wrong: between arm and disarm only.  disk and parents stand in
 * front of the stores; they may never fail, but must be there. */
struct hazard {
  void (*arm) (struct hazard *h);
  void (*disarm) (struct hazard *h);
  bool (*hit) (const struct hazard *h);
  struct fault disk, parents;
  enum { RETRY, FLUSH_AND_RETRY, GIVE_UP } then;        /* after it */
  uint64_t calls;               /* for arm and disarm */
};

/* Run a script.  False if something is not as it must be: *ret_why says what;
 * static.  folder: for a file that check looks at. */
extern bool trial_run (const struct script *s, struct hazard *h,
                       const char *folder, const char **ret_why);

#endif
