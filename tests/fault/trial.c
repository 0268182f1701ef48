/* vhdkit tests: scripts in which one thing goes wrong.  See trial.h.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/error.h"
#include "disk/disk.h"
#include "operations/operations.h"
#include "trial.h"

#define LAYERS 2                /* of parents */
#define MAX_VERSIONS 64

static char why[600];

struct trial {
  const struct script *s;
  struct hazard *h;
  const char *folder;
  size_t step;
  uint64_t size;
  bool looking;                 /* at what is there: nothing goes wrong */

  struct store *disk;           /* memory */
  struct store *parent[LAYERS]; /* memory, nearest first */
  struct image *image;          /* NULL: closed */
  struct layer layer[LAYERS];
  struct below_cache *below;

  uint8_t *model;               /* what the image must read as */
  uint8_t *before, *buf;        /* room for as much */
  /* What it read as since the last flush: any of it may be in the store. */
  uint8_t *version[MAX_VERSIONS];
  size_t nr_versions;
};

static bool __attribute__ ((format (printf, 2, 3)))
wrong (const struct trial *t, const char *fmt, ...)
{
  static const char *const names[] = {
    "open", "open read-only", "upgrade", "read", "write", "zero", "discard",
    "trim", "runs", "flush", "close"
  };
  int n = 0;
  va_list ap;

  if (t->step < t->s->nr_steps) {
    const struct step *s = &t->s->step[t->step];

    n = snprintf (why, sizeof why, "%s: step %zu (%s %u+%u): ", t->s->name,
                  t->step, names[s->kind], s->offset, s->count);
  }
  else
    n = snprintf (why, sizeof why, "%s: at the end: ", t->s->name);
  va_start (ap, fmt);
  vsnprintf (why + n, sizeof why - n, fmt, ap);
  va_end (ap);
  return false;
}

static void
must (int r, const char *what)
{
  if (r == 0)
    return;
  fprintf (stderr, "trial: %s: %s\n", what, vhdkit_get_error ());
  abort ();
}

static void *
need (void *p)
{
  if (p == NULL)
    abort ();
  return p;
}

static void
arm (struct trial *t)
{
  if (!t->looking)
    t->h->arm (t->h);
}

static void
disarm (struct trial *t)
{
  if (!t->looking)
    t->h->disarm (t->h);
}

/*----------------------------------------------------------------------
 * What may be in the store
 *--------------------------------------------------------------------*/

static void
add_version (struct trial *t, const uint8_t *bytes)
{
  if (t->nr_versions == MAX_VERSIONS)
    abort ();
  t->version[t->nr_versions] = need (malloc (t->size));
  memcpy (t->version[t->nr_versions++], bytes, t->size);
}

static void
drop_versions (struct trial *t)
{
  while (t->nr_versions > 0)
    free (t->version[--t->nr_versions]);
}

/* All that was is durable now. */
static void
settle (struct trial *t)
{
  drop_versions (t);
  add_version (t, t->model);
}

static bool
is_some_version (const struct trial *t, const uint8_t *bytes, size_t *ret_at)
{
  size_t at, k;

  for (at = 0; at < t->size; at++) {
    for (k = t->nr_versions; k > 0; k--)
      if (t->version[k - 1][at] == bytes[at])
        break;
    if (k == 0) {
      *ret_at = at;
      return false;
    }
  }
  return true;
}

/*----------------------------------------------------------------------
 * Parents
 *--------------------------------------------------------------------*/

/* The nearest holds every third sector and ends before the child; the next is
 * full of data and shorter still. */
static void
make_parents (struct trial *t)
{
  struct image_shape shape[LAYERS] = {
    { .type = VHD_DIFFERENCING, .size = t->size - 4096, .block_size = 8192 },
    { .type = VHD_FIXED, .size = t->size - 8192 },
  };
  struct image_options o = { .writable = true };
  uint64_t sector;
  size_t k;

  for (k = LAYERS; k-- > 0;) {
    struct image *i;

    t->parent[k] = store_open_memory ("parent");
    format_image (t->parent[k], &shape[k]);
    must (image_open (wrap_keep (t->parent[k]), &o, &i), "parent");
    for (sector = 0; sector < shape[k].size / SECTOR_SIZE;
         sector += k == 0 ? 3 : 1) {
      uint8_t *bytes = t->model + sector * SECTOR_SIZE;

      memset (bytes, 0x40 + 0x40 * k + sector % 61, SECTOR_SIZE);
      must (image_pwrite (i, bytes, SECTOR_SIZE, sector * SECTOR_SIZE),
            "parent");
    }
    must (image_close (i), "parent");
  }
  memset (t->model + t->size - 4096, 0, 4096);
}

static int
armed_open (struct trial *t, struct store *s, const struct image_options *o,
            struct image **ret)
{
  int r;

  arm (t);
  r = image_open (s, o, ret);
  disarm (t);
  if (r == -1) {
    struct saved_error e;

    error_save (&e);
    store_close (s);
    error_restore (&e);
  }
  return r;
}

static int
open_below (struct trial *t)
{
  struct image_options o = { .cache_bytes = 4096 };
  size_t k;

  memset (t->layer, 0, sizeof t->layer);
  for (k = 0; k < LAYERS; k++) {
    struct layer *l = &t->layer[k];
    struct store *s = fault_open (wrap_keep (t->parent[k]), &t->h->parents);

    if (armed_open (t, s, &o, &l->image) == -1) {
      l->image = NULL;
      return -1;
    }
    l->store = s;
    l->size = image_size (l->image);
    l->path = s->name;
  }
  arm (t);
  t->below = below_new (t->layer, LAYERS, 4096);
  disarm (t);
  return t->below ? 0 : -1;
}

static void
close_below (struct trial *t)
{
  size_t k;

  below_free (t->below);
  t->below = NULL;
  for (k = 0; k < LAYERS; k++)
    if (t->layer[k].image) {
      image_close (t->layer[k].image);
      t->layer[k].image = NULL;
    }
}

/*----------------------------------------------------------------------
 * The steps
 *--------------------------------------------------------------------*/

static void
set_below (struct trial *t, struct image *i)
{
  struct below below = below_image (NULL);

  if (image_footer (i)->type != VHD_DIFFERENCING)
    return;
  if (t->below)
    below_interface (t->below, &below);
  image_set_below (i, &below);
}

static int
open_all (struct trial *t, bool writable)
{
  struct image_options o = {
    .writable = writable, .cache_bytes = t->s->cache_bytes
  };
  struct saved_error e;

  if ((t->s->over_data && open_below (t) == -1)
      || armed_open (t, fault_open (wrap_keep (t->disk), &t->h->disk), &o,
                     &t->image) == -1) {
    t->image = NULL;
    error_save (&e);
    close_below (t);
    error_restore (&e);
    return -1;
  }
  set_below (t, t->image);
  return 0;
}

static int
close_all (struct trial *t)
{
  struct saved_error e = { 0 };
  int r;

  arm (t);
  r = image_close (t->image);
  disarm (t);
  t->image = NULL;
  if (r == -1)
    error_save (&e);
  close_below (t);
  if (r == -1)
    error_restore (&e);
  return r;
}

/* The step as the model knows it. */
static void
change_model (struct trial *t, const struct step *s)
{
  uint32_t a = s->offset, b = s->offset + s->count, k;

  switch (s->kind) {
  case STEP_WRITE:
    for (k = a; k < b; k++)
      t->model[k] = 0x80 ^ t->step ^ k * 7;
    break;
  case STEP_TRIM:
    a = round_up (a, SECTOR_SIZE);
    b = round_down (b, SECTOR_SIZE);
    /* fall through */
  case STEP_ZERO:
  case STEP_DISCARD:
    if (a < b)
      memset (t->model + a, 0, b - a);
    break;
  default:
    break;
  }
}

static int
count_run (void *opaque, const struct image_run *run)
{
  * (uint64_t *) opaque += run->count;
  return 0;
}

static int
look_at_runs (struct trial *t, const struct step *s)
{
  uint64_t n = 0;

  if (image_runs (t->image, s->offset / SECTOR_SIZE, s->count / SECTOR_SIZE,
                  count_run, &n) == -1)
    return -1;
  if (n != s->count / SECTOR_SIZE)
    abort ();
  return 0;
}

static int
do_io (struct trial *t, const struct step *s)
{
  switch (s->kind) {
  case STEP_UPGRADE:
    return image_make_writable (t->image);
  case STEP_READ:
    return image_pread (t->image, t->buf, s->count, s->offset);
  case STEP_WRITE:
    return image_pwrite (t->image, t->model + s->offset, s->count, s->offset);
  case STEP_ZERO:
    return image_zero (t->image, s->count, s->offset, 0);
  case STEP_DISCARD:
    return image_zero (t->image, s->count, s->offset, IMAGE_ZERO_TRIM);
  case STEP_TRIM:
    return image_zero (t->image, s->count, s->offset,
                       IMAGE_ZERO_TRIM | IMAGE_ZERO_WHOLE);
  case STEP_RUNS:
    return look_at_runs (t, s);
  case STEP_FLUSH:
    return image_flush (t->image);
  default:
    abort ();
  }
}

static int
perform (struct trial *t, const struct step *s)
{
  int r;

  if (s->kind == STEP_OPEN || s->kind == STEP_OPEN_READ_ONLY)
    return open_all (t, s->kind == STEP_OPEN);
  if (s->kind == STEP_CLOSE)
    return close_all (t);
  arm (t);
  r = do_io (t, s);
  disarm (t);
  return r;
}

/*----------------------------------------------------------------------
 * Looking at what is there
 *--------------------------------------------------------------------*/

static bool
good_error (struct trial *t, int err)
{
  if (vhdkit_get_error_code () == VHDKIT_OK || vhdkit_get_errno () == 0
      || vhdkit_get_error ()[0] == '\0')
    return wrong (t, "failed without an error");
  if (vhdkit_get_errno () != err && vhdkit_get_errno () != EIO)
    return wrong (t, "errno is %d, not %d: %s", vhdkit_get_errno (), err,
                  vhdkit_get_error ());
  return true;
}

/* After the step failed: old or new where it was at work, old elsewhere.
 * Then the model is what is there. */
static bool
memory_is_right (struct trial *t, const struct step *s)
{
  size_t k;

  if (image_pread (t->image, t->buf, t->size, 0) == -1)
    return wrong (t, "reading after the failure: %s", vhdkit_get_error ());
  for (k = 0; k < t->size; k++)
    if (t->buf[k] != t->before[k]
        && (k < s->offset || k >= (uint64_t) s->offset + s->count
            || t->buf[k] != t->model[k]))
      return wrong (t, "after the failure byte %zu is %02x; was %02x, was to "
                    "become %02x", k, t->buf[k], t->before[k], t->model[k]);
  memcpy (t->model, t->buf, t->size);
  add_version (t, t->model);
  return true;
}

/* Take the image in the store, as a crash of the process would leave it, and
 * read all of it into buf. */
static bool
read_store (struct trial *t)
{
  struct store *copy = need (store_open_memory ("copy"));
  struct image_options o = { 0 };
  struct image *i;
  bool had_below = t->below != NULL, ok = true;

  must (store_copy (t->disk, copy), "copy");
  if (image_open (copy, &o, &i) == -1) {
    store_close (copy);
    return wrong (t, "the image in the store does not open: %s",
                  vhdkit_get_error ());
  }
  t->looking = true;
  if (t->s->over_data && !had_below)
    must (open_below (t), "parents");
  t->looking = false;
  set_below (t, i);
  if (image_pread (i, t->buf, t->size, 0) == -1)
    ok = wrong (t, "the image in the store: %s", vhdkit_get_error ());
  image_close (i);
  if (!had_below)
    close_below (t);
  return ok;
}

static int
on_finding (void *opaque, const struct vhdkit_finding *f)
{
  char *text = opaque;

  if (f->severity == VHDKIT_SEVERITY_ERROR)
    snprintf (text, 300, "%s: found %s, expected %s", f->structure, f->found,
              f->expected);
  return 0;
}

static bool
check_finds_nothing (struct trial *t)
{
  char path[400], text[300] = "";
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .on_finding = on_finding, .opaque = text
  };
  struct vhdkit_check_result result;
  struct store *file;

  snprintf (path, sizeof path, "%s/check.vhd", t->folder);
  unlink (path);
  file = need (store_create_file (path, 0600));
  must (store_copy (t->disk, file), "copy");
  must (store_close (file), "copy");
  if (op_check (path, VHDKIT_OPEN_NO_PARENTS, &o, &result) == -1)
    return wrong (t, "check: %s", vhdkit_get_error ());
  if (result.errors > 0)
    return wrong (t, "check: %s", text);
  return true;
}

static bool
store_is_right (struct trial *t)
{
  size_t at;

  if (!read_store (t))
    return false;
  if (!is_some_version (t, t->buf, &at))
    return wrong (t, "byte %zu is %02x in the store, neither as flushed nor "
                  "as written later (now %02x)", at, t->buf[at],
                  t->model[at]);
  return check_finds_nothing (t);
}

/* Write order, rule 4. */
static bool
ends_in_footer (struct trial *t)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;
  uint64_t size;

  must (store_size (t->disk, &size), "size");
  must (store_pread (t->disk, &d, sizeof d, size - sizeof d), "footer");
  if (vhd_footer_decode (&d, &f) != VHD_FOOTER_VALID)
    return wrong (t, "no footer at the end of the store");
  return true;
}

/*----------------------------------------------------------------------
 * When a step has failed
 *--------------------------------------------------------------------*/

/* What is in the store is what there is. */
static bool
start_from_store (struct trial *t)
{
  if (!store_is_right (t))
    return false;
  memcpy (t->model, t->buf, t->size);
  settle (t);
  return true;
}

static bool
refuses_writes (struct trial *t)
{
  char byte = 1;

  if (image_pwrite (t->image, &byte, 1, 0) == 0)
    return wrong (t, "a write succeeds after a failed sync");
  if (vhdkit_get_errno () != EIO)
    return wrong (t, "refused with errno %d", vhdkit_get_errno ());
  if (image_zero (t->image, 512, 0, IMAGE_ZERO_TRIM) == 0
      || image_flush (t->image) == 0)
    return wrong (t, "a zero or a flush succeeds after a failed sync");
  return true;
}

/* Closed and opened again, it is a new life. */
static bool
live_again (struct trial *t)
{
  if (close_all (t) == 0)
    return wrong (t, "closing succeeds after a failed sync");
  if (!start_from_store (t))
    return false;
  if (open_all (t, true) == -1)
    return wrong (t, "opening again: %s", vhdkit_get_error ());
  return true;
}

/* ... of an image that is being written, and has not been opened anew. */
static bool
sync_failed (const struct trial *t, const struct step *s)
{
  return t->h->disk.hit && t->h->disk.hit_kind == CALL_FLUSH
         && s->kind != STEP_CLOSE && t->image && image_writable (t->image);
}

static bool
after_failure (struct trial *t, const struct step *s)
{
  int err = t->h->disk.err;

  if (!t->h->hit (t->h))
    return wrong (t, "failed though nothing was made to: %s",
                  vhdkit_get_error ());
  if (!good_error (t, err))
    return false;
  add_version (t, t->model);
  if (s->kind == STEP_CLOSE) {
    if (!start_from_store (t) || open_all (t, true) == -1)
      return false;
  }
  else if (t->image && (!memory_is_right (t, s) || !store_is_right (t)))
    return false;
  else if (t->image == NULL && !store_is_right (t))
    return false;
  if (sync_failed (t, s) && (!refuses_writes (t) || !live_again (t)))
    return false;
  return true;
}

/* Without opening and closing there is nothing to go on with. */
static bool
may_give_up (const struct step *s)
{
  return s->kind != STEP_OPEN && s->kind != STEP_OPEN_READ_ONLY
         && s->kind != STEP_UPGRADE && s->kind != STEP_CLOSE;
}

static bool
make_again (struct trial *t, const struct step *s)
{
  if (t->h->then == FLUSH_AND_RETRY && t->image && image_flush (t->image) == -1)
    return wrong (t, "flush after the failure: %s", vhdkit_get_error ());
  change_model (t, s);
  if (perform (t, s) == -1)
    return wrong (t, "failed a second time: %s", vhdkit_get_error ());
  return true;
}

static bool
run_step (struct trial *t)
{
  const struct step *s = &t->s->step[t->step];

  memcpy (t->before, t->model, t->size);
  change_model (t, s);
  if (perform (t, s) == -1) {
    if (!after_failure (t, s))
      return false;
    if (t->h->then == GIVE_UP && may_give_up (s))
      return true;
    if (!make_again (t, s))
      return false;
  }
  if (s->kind == STEP_READ
      && memcmp (t->buf, t->model + s->offset, s->count) != 0)
    return wrong (t, "reads something else");
  if (s->kind != STEP_FLUSH && s->kind != STEP_CLOSE) {
    add_version (t, t->model);
    return true;
  }
  settle (t);
  return ends_in_footer (t);
}

static bool
end_is_right (struct trial *t)
{
  if (!read_store (t))
    return false;
  if (memcmp (t->buf, t->model, t->size) != 0)
    return wrong (t, "reads something else");
  return check_finds_nothing (t);
}

bool
trial_run (const struct script *s, struct hazard *h, const char *folder,
           const char **ret_why)
{
  struct trial t = { .s = s, .h = h, .folder = folder,
                     .size = s->shape.size };
  struct image_shape shape = s->shape;
  bool ok = true;
  size_t k;

  *ret_why = why;
  h->calls = 0;
  t.model = need (calloc (1, t.size));
  t.before = need (malloc (t.size));
  t.buf = need (malloc (t.size));
  t.disk = need (store_open_memory ("image"));
  format_image (t.disk, &shape);
  if (s->prepare)
    s->prepare (t.disk);
  if (s->over_data)
    make_parents (&t);
  settle (&t);

  for (t.step = 0; t.step < s->nr_steps && ok; t.step++)
    ok = run_step (&t);
  ok = ok && end_is_right (&t);

  if (t.image)
    image_close (t.image);
  close_below (&t);
  store_close (t.disk);
  for (k = 0; k < LAYERS; k++)
    store_close (t.parent[k]);
  drop_versions (&t);
  free (t.model);
  free (t.before);
  free (t.buf);
  return ok;
}
