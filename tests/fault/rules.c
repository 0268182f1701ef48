/* vhdkit tests: the rules of the write order, each as a question.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "crash.h"
#include "rules.h"

static char why[500];

#define BLOCK 4096u
#define BLOCKS 24u

#define DYNAMIC                                                         \
  { .type = VHD_DYNAMIC, .size = BLOCKS * BLOCK, .block_size = BLOCK }
#define DIFFERENCING                                                    \
  { .type = VHD_DIFFERENCING, .size = BLOCKS * BLOCK, .block_size = BLOCK }

static const struct image_shape dynamic = DYNAMIC;

static bool
survives (const struct scenario *s)
{
  struct crash_result r;

  crash_run (s, 7, 1, 6, &r);
  snprintf (why, sizeof why, "%llu states, %llu violations: %s",
            (unsigned long long) r.states, (unsigned long long) r.violations,
            r.first);
  return r.violations == 0;
}

static struct image *
open_over (struct store *s, struct fault *f)
{
  struct image_options o = { .writable = true };
  struct image *i;
  struct store *top = fault_open (wrap_keep (s), f);

  if (image_open (top, &o, &i) == -1) {
    fprintf (stderr, "rules: %s\n", vhdkit_get_error ());
    abort ();
  }
  return i;
}

static struct store *
formatted (const struct image_shape *shape)
{
  struct image_shape copy = *shape;
  struct store *s = store_open_memory ("image");

  format_image (s, &copy);
  return s;
}

static bool
no (const char *text)
{
  snprintf (why, sizeof why, "%s", text);
  return false;
}

/* (1) sync -> metadata -> sync; one sync for data alone; none for nothing. */
static bool
commit_is_sync_metadata_sync (void)
{
  static const struct scenario s = {
    .name = "rule 1", .shape = DIFFERENCING, .over_data = true,
    .operations = 60, .write = 6, .part = 2, .flush = 2
  };
  struct store *m = formatted (&dynamic);
  struct fault f = { .kinds = CALL_FLUSH };
  struct image *i = open_over (m, &f);
  uint64_t first, second, third;
  char buf[512] = "x";
  bool ok;

  ok = image_pwrite (i, buf, sizeof buf, 0) == 0 && image_flush (i) == 0;
  first = f.calls;
  ok = ok && image_pwrite (i, buf, sizeof buf, 0) == 0
       && image_flush (i) == 0;
  second = f.calls;
  ok = ok && image_flush (i) == 0;
  third = f.calls;
  image_close (i);
  store_close (m);
  if (!ok || first != 2 || second != 3 || third != 3)
    return no ("not two syncs for a new block, one for data, none for "
               "nothing");
  return survives (&s);
}

/* (2) last flushed or later, never anything third. */
static bool
never_anything_third (void)
{
  static const struct scenario s = {
    .name = "rule 2", .shape = DYNAMIC, .operations = 80,
    .write = 6, .part = 2, .free_block = 3, .flush = 3
  };

  return survives (&s);
}

/* (3) freed space waits for the commit. */
static bool
freed_space_waits (void)
{
  static const struct scenario s = {
    .name = "rule 3", .shape = DYNAMIC, .operations = 80,
    .write = 8, .free_block = 4, .flush = 2
  };

  return survives (&s);
}

/* (4) every commit leaves a valid trailing footer. */
static bool
footer_at_the_end (void)
{
  struct store *m = formatted (&dynamic);
  struct fault f = { 0 };
  struct image *i = open_over (m, &f);
  struct vhd_footer_disk d;
  struct vhd_footer decoded;
  char buf[512] = "x";
  bool ok = true;
  uint64_t size, k;

  for (k = 0; k < BLOCKS && ok; k++) {
    ok = image_pwrite (i, buf, sizeof buf, k * BLOCK) == 0
         && image_flush (i) == 0 && store_size (m, &size) == 0
         && store_pread (m, &d, sizeof d, size - sizeof d) == 0
         && vhd_footer_decode (&d, &decoded) == VHD_FOOTER_VALID;
  }
  image_close (i);
  store_close (m);
  return ok ? true : no ("no valid footer at the end after a commit");
}

/* (5) an allocation that fails changes nothing, and succeeds later. */
static bool
failed_allocation_changes_nothing (void)
{
  struct store *m = formatted (&dynamic);
  struct fault f = { .kinds = CALLS_CHANGING, .err = ENOSPC };
  struct image *i = open_over (m, &f);
  char one[512], buf[512], zero[512] = { 0 };
  unsigned n, hits = 0;
  bool ok = true;

  memset (one, 1, sizeof one);
  for (n = 0; n < BLOCKS && ok; n++) {
    f.fail_at = f.calls + 1 + n % 3;
    if (image_pwrite (i, one, sizeof one, n * BLOCK + 1024) == 0)
      continue;
    hits++;
    ok = vhdkit_get_errno () == ENOSPC
         && image_table_entry (i, n) == VHD_BAT_UNUSED
         && image_pread (i, buf, sizeof buf, n * BLOCK + 1024) == 0
         && memcmp (buf, zero, sizeof buf) == 0;
    f.fail_at = 0;
    ok = ok && image_pwrite (i, one, sizeof one, n * BLOCK + 1024) == 0
         && image_pread (i, buf, sizeof buf, n * BLOCK + 1024) == 0
         && memcmp (buf, one, sizeof buf) == 0;
  }
  f.fail_at = 0;
  image_close (i);
  store_close (m);
  if (!ok)
    return no ("an allocation that failed left a trace");
  return hits >= BLOCKS / 3 ? true : no ("too few failures to tell");
}

/* (6) a failed sync is final. */
static bool
failed_sync_is_final (void)
{
  struct store *m = formatted (&dynamic);
  struct fault f = { .kinds = CALL_FLUSH, .err = EIO };
  struct image *i = open_over (m, &f);
  char buf[512] = "x";
  bool ok;

  ok = image_pwrite (i, buf, sizeof buf, 0) == 0;
  f.fail_at = f.calls + 1;
  ok = ok && image_flush (i) == -1 && vhdkit_get_errno () == EIO;
  f.fail_at = 0;
  ok = ok && image_pwrite (i, buf, sizeof buf, 0) == -1
       && vhdkit_get_errno () == EIO
       && image_flush (i) == -1
       && image_zero (i, BLOCK, 0, IMAGE_ZERO_TRIM) == -1
       && image_pread (i, buf, sizeof buf, 0) == 0;
  ok = image_close (i) == -1 && ok;     /* it says so once more */
  i = open_over (m, &f);
  ok = ok && image_pwrite (i, buf, sizeof buf, 0) == 0;
  image_close (i);
  store_close (m);
  return ok ? true : no ("writes went on after a failed sync");
}

/* (7) a normal end commits everything. */
static bool
close_commits (void)
{
  struct store *m = formatted (&dynamic);
  struct fault f = { 0 };
  struct image *i = open_over (m, &f);
  char buf[512] = "x", back[512];
  bool ok;

  ok = image_pwrite (i, buf, sizeof buf, 3 * BLOCK) == 0;
  ok = image_close (i) == 0 && ok;
  i = open_over (m, &f);
  ok = ok && image_pread (i, back, sizeof back, 3 * BLOCK) == 0
       && memcmp (buf, back, sizeof buf) == 0;
  image_close (i);
  store_close (m);
  return ok ? true : no ("what was written is not there after close");
}

bool
rule_holds (unsigned rule, const char **ret_why)
{
  static bool (*const question[NR_RULES]) (void) = {
    commit_is_sync_metadata_sync, never_anything_third, freed_space_waits,
    footer_at_the_end, failed_allocation_changes_nothing,
    failed_sync_is_final, close_commits
  };

  *why = '\0';
  *ret_why = why;
  return question[rule - 1] ();
}
