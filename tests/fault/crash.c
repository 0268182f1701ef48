/* vhdkit tests: power cuts.  See crash.h.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * What a sector may read as.  Each change of a sector is a version: its bytes,
 * and when the operation began and ended, in ticks of a clock that all threads
 * share and in entries of the record.  For a cut behind the first n entries:
 *
 *   - the oldest version allowed is the last one that had ended when a flush
 *     began that had itself ended within those n entries;
 *   - the newest is the last one that had begun within them.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "base/checked.h"
#include "base/error.h"
#include "crash.h"
#include "image/internal.h"
#include "operations/operations.h"

#define TIMER_PATIENCE 60       /* seconds, on a machine that is busy */

struct version {
  uint64_t began, ended;        /* ticks; ended 0: not yet */
  size_t entry;                 /* of the record, when it began */
  uint8_t bytes[SECTOR_SIZE];
};

struct sector {
  struct version *v;            /* [0]: before everything */
  size_t n, max;
};

struct flush {
  uint64_t began;               /* tick */
  size_t entry;                 /* of the record, when it had ended */
};

struct run {
  const struct scenario *s;
  struct recording recording;
  struct store *disk;           /* the memory store beneath it all */
  struct store *parent_store;
  int file;                     /* a state as a file, for check */
  struct image *parent, *image;
  struct sector *sector;
  uint64_t sectors;
  pthread_mutex_t lock;         /* guards ticks and flushes */
  uint64_t ticks;
  struct flush *flush;
  size_t nr_flushes, max_flushes;
  struct crash_result *result;
};

struct worker {
  struct run *run;
  unsigned number;
  uint64_t seed, at;
};

static uint64_t
next_random (uint64_t *state)
{
  uint64_t z = (*state += UINT64_C (0x9e3779b97f4a7c15));

  z = (z ^ z >> 30) * UINT64_C (0xbf58476d1ce4e5b9);
  z = (z ^ z >> 27) * UINT64_C (0x94d049bb133111eb);
  return z ^ z >> 31;
}

static void
must (int r, const char *what)
{
  if (r == 0)
    return;
  fprintf (stderr, "crash: %s: %s\n", what, vhdkit_get_error ());
  abort ();
}

static void *
grow (void *p, size_t n, size_t *max, size_t size)
{
  if (n < *max)
    return p;
  *max = *max ? *max * 2 : 8;
  p = realloc (p, *max * size);
  if (p == NULL)
    abort ();
  return p;
}

static uint64_t
tick (struct run *r)
{
  uint64_t t;

  pthread_mutex_lock (&r->lock);
  t = ++r->ticks;
  pthread_mutex_unlock (&r->lock);
  return t;
}

/*----------------------------------------------------------------------
 * The model
 *--------------------------------------------------------------------*/

static struct version *
last_version (struct run *r, uint64_t sector)
{
  return &r->sector[sector].v[r->sector[sector].n - 1];
}

/* buf NULL: zeros; otherwise the bytes [within, within + count) change. */
static void
add_version (struct run *r, uint64_t sector, const void *buf, size_t within,
             size_t count)
{
  struct sector *s = &r->sector[sector];
  struct version *v;

  s->v = grow (s->v, s->n, &s->max, sizeof *s->v);
  v = &s->v[s->n];
  *v = s->v[s->n - 1];
  v->began = tick (r);
  v->entry = recording_nr (&r->recording);
  v->ended = 0;
  if (buf)
    memcpy (v->bytes + within, buf, count);
  else
    memset (v->bytes + within, 0, count);
  s->n++;
}

/* Versions of the bytes [offset, offset + count); whole: sectors only touched
 * by the range stay. */
static void
begin_change (struct run *r, const uint8_t *buf, uint64_t offset,
              uint64_t count, bool whole)
{
  while (count > 0) {
    uint64_t within = offset % SECTOR_SIZE;
    uint64_t n = MIN_OF (count, SECTOR_SIZE - within);

    if (!whole || n == SECTOR_SIZE)
      add_version (r, offset / SECTOR_SIZE, buf, within, n);
    if (buf)
      buf += n;
    offset += n;
    count -= n;
  }
}

static void
end_change (struct run *r, uint64_t offset, uint64_t count)
{
  uint64_t s, t = tick (r);

  for (s = offset / SECTOR_SIZE;
       s < div_round_up (offset + count, SECTOR_SIZE); s++)
    if (last_version (r, s)->ended == 0)
      last_version (r, s)->ended = t;
}

static void
add_flush (struct run *r, uint64_t began)
{
  size_t entry = recording_nr (&r->recording);

  pthread_mutex_lock (&r->lock);
  r->flush = grow (r->flush, r->nr_flushes, &r->max_flushes,
                   sizeof *r->flush);
  r->flush[r->nr_flushes++] = (struct flush) { began, entry };
  pthread_mutex_unlock (&r->lock);
}

/*----------------------------------------------------------------------
 * The operations
 *--------------------------------------------------------------------*/

/* Thread t of n owns blocks t, t + n, ... */
static uint64_t
own_block (struct worker *w)
{
  struct run *r = w->run;
  unsigned threads = MAX_OF (r->s->threads, 1);
  uint64_t blocks = div_round_up (r->s->shape.size, r->s->shape.block_size);

  return next_random (&w->seed) % (blocks / threads) * threads + w->number;
}

/* Or it owns sectors t, t + n, ... in pieces of 4, so that threads meet in
 * every block. */
static uint64_t
own_sector (struct worker *w)
{
  struct run *r = w->run;
  unsigned threads = MAX_OF (r->s->threads, 1);
  uint64_t groups = r->sectors / (4 * threads);
  uint64_t group = r->s->sequential ? w->at++ % groups
                                    : next_random (&w->seed) % groups;

  if (r->s->own_blocks)
    return own_block (w) * (r->s->shape.block_size / SECTOR_SIZE)
           + next_random (&w->seed) % (r->s->shape.block_size / SECTOR_SIZE);
  return (group * threads + w->number) * 4 + next_random (&w->seed) % 4;
}

/* Each sector could be the footer of another disk: what a guest that keeps
 * images in its disk writes, or one that means harm. */
static void
make_footers (uint8_t *buf, uint64_t count)
{
  struct vhd_footer f;
  uint64_t k;

  for (k = 0; k < count; k += SECTOR_SIZE) {
    vhd_footer_init (&f, VHD_FIXED, SECTOR_SIZE);
    memcpy (f.id, buf + k, sizeof f.id);
    vhd_footer_encode (&f, (struct vhd_footer_disk *) (buf + k));
  }
}

static void
do_write (struct worker *w, bool part)
{
  struct run *r = w->run;
  uint64_t sector = own_sector (w), left = 4 - sector % 4;
  uint64_t offset = sector * SECTOR_SIZE;
  uint64_t count = (1 + next_random (&w->seed) % left) * SECTOR_SIZE, k;
  uint8_t buf[4 * SECTOR_SIZE];

  if (part) {
    offset += next_random (&w->seed) % 500;
    count = 1 + next_random (&w->seed)
                % ((sector - sector % 4 + 4) * SECTOR_SIZE - offset);
  }
  for (k = 0; k < count; k += 8) {
    uint64_t x = next_random (&w->seed);
    memcpy (buf + k, &x, MIN_OF (8, count - k));
  }
  if (r->s->footers && !part)
    make_footers (buf, count);
  begin_change (r, buf, offset, count, false);
  must (image_pwrite (r->image, buf, count, offset), "write");
  end_change (r, offset, count);
}

static void
do_zero (struct worker *w, bool trim)
{
  struct run *r = w->run;
  uint64_t sector = own_sector (w), left = 4 - sector % 4;
  uint64_t offset = sector * SECTOR_SIZE + next_random (&w->seed) % 3 * 100;
  uint64_t count = left * SECTOR_SIZE - offset % SECTOR_SIZE;

  if (next_random (&w->seed) % 2)
    count = 1 + next_random (&w->seed) % count;
  begin_change (r, NULL, offset, count, trim);
  must (image_zero (r->image, count, offset,
                    trim ? IMAGE_ZERO_TRIM | IMAGE_ZERO_WHOLE
                    : next_random (&w->seed) % 2 ? IMAGE_ZERO_TRIM : 0),
        "zero");
  end_change (r, offset, count);
}

/* A whole block, which must be its own. */
static void
do_free (struct worker *w)
{
  struct run *r = w->run;
  uint64_t bs = r->s->shape.block_size;
  uint64_t offset = own_block (w) * bs;
  uint64_t count = MIN_OF (bs, r->s->shape.size - offset);

  begin_change (r, NULL, offset, count, false);
  must (image_zero (r->image, count, offset, IMAGE_ZERO_TRIM), "free");
  end_change (r, offset, count);
}

static void
do_flush (struct worker *w)
{
  uint64_t began = tick (w->run);

  must (image_flush (w->run->image), "flush");
  add_flush (w->run, began);
}

static void
open_image (struct run *r, struct store *s, bool must_succeed,
            struct image **ret)
{
  struct image_options o = {
    .writable = true, .cache_bytes = r->s->cache_bytes,
    .commit_interval = r->s->commit_interval
  };
  struct below below;

  *ret = NULL;
  if (image_open (s, &o, ret) == -1) {
    if (must_succeed)
      must (-1, "open");
    return;
  }
  if (r->s->over_data) {
    below = below_image (r->parent);
    image_set_below (*ret, &below);
  }
}

static void
do_reopen (struct worker *w)
{
  struct run *r = w->run;
  uint64_t began = tick (r);

  must (image_close (r->image), "close");
  add_flush (r, began);
  /* wrap_keep in front of the recorder lets it live on. */
  open_image (r, wrap_keep (r->disk), true, &r->image);
}

/* Is a commit due that the timer must make?  The next one to start. */
static bool
timer_is_due (struct commit *c, uint64_t *ret_ticket)
{
  LOCK_FOR_SCOPE (&c->lock);

  *ret_ticket = c->started + 1;
  return c->table_dirty || c->dirty_bitmaps;
}

static bool
has_committed (struct commit *c, uint64_t ticket)
{
  LOCK_FOR_SCOPE (&c->lock);

  return c->finished >= ticket;
}

static void
do_pause (struct worker *w)
{
  const struct timespec nap = { 0, 10 * 1000 * 1000 };
  struct commit *c = &w->run->image->commit;
  time_t until = time (NULL) + TIMER_PATIENCE;
  uint64_t began = tick (w->run), ticket;

  if (!timer_is_due (c, &ticket))
    return;
  while (!has_committed (c, ticket)) {
    nanosleep (&nap, NULL);
    if (time (NULL) > until) {
      set_error (VHDKIT_ERR_IO, ETIMEDOUT, "nothing was committed");
      must (-1, "timer");
    }
  }
  add_flush (w->run, began);
}

static void *
work (void *arg)
{
  struct worker *w = arg;
  const struct scenario *s = w->run->s;
  unsigned total = s->write + s->part + s->zero + s->trim + s->free_block
                   + s->flush + s->reopen + s->pause;
  unsigned k;

  for (k = 0; k < s->operations; k++) {
    unsigned pick = next_random (&w->seed) % total;

    if (pick < s->write)
      do_write (w, false);
    else if ((pick -= s->write) < s->part)
      do_write (w, true);
    else if ((pick -= s->part) < s->zero)
      do_zero (w, false);
    else if ((pick -= s->zero) < s->trim)
      do_zero (w, true);
    else if ((pick -= s->trim) < s->free_block)
      do_free (w);
    else if ((pick -= s->free_block) < s->flush)
      do_flush (w);
    else if ((pick -= s->flush) < s->reopen)
      do_reopen (w);
    else
      do_pause (w);
  }
  return NULL;
}

/*----------------------------------------------------------------------
 * Setting up
 *--------------------------------------------------------------------*/

/* A fixed parent with data in every sector. */
static void
make_parent (struct run *r)
{
  struct image_shape shape = { .type = VHD_FIXED, .size = r->s->shape.size };
  struct image_options o = { .writable = true };
  uint8_t bytes[SECTOR_SIZE];
  uint64_t k;

  r->parent_store = store_open_memory ("parent");
  format_image (r->parent_store, &shape);
  must (image_open (r->parent_store, &o, &r->parent), "open parent");
  for (k = 0; k < r->sectors; k++) {
    memset (bytes, 0x80 + k % 64, sizeof bytes);
    must (image_pwrite (r->parent, bytes, sizeof bytes, k * SECTOR_SIZE),
          "write parent");
    memcpy (r->sector[k].v[0].bytes, bytes, sizeof bytes);
  }
}

/* All blocks are there, and the batmap says so. */
static void
make_batmap (struct run *r, struct store *memory)
{
  const struct image_shape *shape = &r->s->shape;
  struct image_options o = { .writable = true };
  struct image *i;
  uint8_t *bytes = malloc (shape->size);
  uint64_t k;

  if (bytes == NULL)
    abort ();
  memset (bytes, 0x11, shape->size);
  format_add_batmap (memory);
  must (image_open (wrap_keep (memory), &o, &i), "open to fill");
  must (image_pwrite (i, bytes, shape->size, 0), "fill");
  must (image_close (i), "close");
  format_fill_batmap (memory, div_round_up (shape->size, shape->block_size));
  for (k = 0; k < r->sectors; k++)
    memcpy (r->sector[k].v[0].bytes, bytes, SECTOR_SIZE);
  free (bytes);
}

static void
set_up (struct run *r)
{
  struct image_shape shape = r->s->shape;
  struct store *memory = store_open_memory ("disk");
  uint64_t k;

  r->sectors = shape.size / SECTOR_SIZE;
  r->sector = calloc (r->sectors, sizeof *r->sector);
  if (r->sector == NULL)
    abort ();
  for (k = 0; k < r->sectors; k++) {
    struct sector *s = &r->sector[k];

    s->v = grow (NULL, 0, &s->max, sizeof *s->v);
    memset (&s->v[0], 0, sizeof s->v[0]);
    s->n = 1;
  }
  pthread_mutex_init (&r->lock, NULL);
  recording_init (&r->recording);
  if (r->s->over_data)
    make_parent (r);
  format_image (memory, &shape);
  if (r->s->batmap)
    make_batmap (r, memory);
  r->file = memfd_create ("crash", MFD_CLOEXEC);
  if (r->file == -1)
    abort ();
  r->disk = record_open (memory, &r->recording);
  open_image (r, wrap_keep (r->disk), true, &r->image);
}

static void
tear_down (struct run *r)
{
  uint64_t k;

  must (image_close (r->image), "close");
  store_close (r->disk);
  if (r->parent)
    image_close (r->parent);
  for (k = 0; k < r->sectors; k++)
    free (r->sector[k].v);
  free (r->sector);
  free (r->flush);
  recording_destroy (&r->recording);
  pthread_mutex_destroy (&r->lock);
  close (r->file);
}

/*----------------------------------------------------------------------
 * After the cut
 *--------------------------------------------------------------------*/

static void
violation (struct run *r, size_t entry, const char *what, uint64_t sector)
{
  if (r->result->violations++ == 0)
    snprintf (r->result->first, sizeof r->result->first,
              "%s: cut behind %zu of %zu: %s (sector %llu)", r->s->name, entry,
              r->recording.nr, what, (unsigned long long) sector);
}

/* The tick before which all that had ended must be there. */
static uint64_t
flushed_tick (const struct run *r, size_t entry)
{
  uint64_t t = 0;
  size_t k;

  for (k = 0; k < r->nr_flushes; k++)
    if (r->flush[k].entry <= entry && r->flush[k].began > t)
      t = r->flush[k].began;
  return t;
}

static bool
allowed (const struct sector *s, uint64_t flushed, size_t entry,
         const uint8_t *bytes)
{
  size_t k = s->n;

  while (k-- > 0) {
    const struct version *v = &s->v[k];

    if (k > 0 && v->entry >= entry)     /* began behind the cut */
      continue;
    if (memcmp (v->bytes, bytes, SECTOR_SIZE) == 0)
      return true;
    if (v->ended != 0 && v->ended < flushed)
      return false;
  }
  return false;
}

static void
check_sectors (struct run *r, struct image *i, size_t entry)
{
  uint64_t flushed = flushed_tick (r, entry), k;
  uint8_t bytes[SECTOR_SIZE];

  for (k = 0; k < r->sectors; k++) {
    if (image_pread (i, bytes, sizeof bytes, k * SECTOR_SIZE) == -1)
      violation (r, entry, vhdkit_get_error (), k);
    else if (!allowed (&r->sector[k], flushed, entry, bytes))
      violation (r, entry, "neither flushed nor written later", k);
  }
}

/* The place and the meaning of the first error, for the message. */
static int
on_finding (void *opaque, const struct vhdkit_finding *f)
{
  char *text = opaque;

  if (f->severity == VHDKIT_SEVERITY_ERROR && text[0] == '\0')
    snprintf (text, 200, "check: %s: found %s, expected %s", f->structure,
              f->found, f->expected);
  return 0;
}

static void
check_errors (struct run *r, struct store *state, size_t entry)
{
  char path[40], text[200] = "";
  struct vhdkit_open_options o = {
    .struct_size = sizeof o, .on_finding = on_finding, .opaque = text
  };
  struct vhdkit_check_result result = { 0 };
  struct store *file;

  snprintf (path, sizeof path, "/proc/self/fd/%d", r->file);
  file = store_open_file (AT_FDCWD, path, false, false);
  if (file == NULL || store_make_writable (file) == -1
      || store_truncate (file, 0) == -1)
    must (-1, path);
  must (store_copy (state, file), path);
  must (store_close (file), path);
  if (op_check (path, VHDKIT_OPEN_NO_PARENTS, &o, &result) == -1)
    violation (r, entry, vhdkit_get_error (), 0);
  else if (result.errors > 0)
    violation (r, entry, text, 0);
}

/* Life goes on: a write to each block, a commit, and all else unchanged. */
static void
check_life (struct run *r, struct image *i, size_t entry)
{
  uint32_t bs = r->s->shape.block_size;
  uint64_t size = r->s->shape.size, at;
  uint8_t *before = malloc (size), *after = malloc (size);

  if (before == NULL || after == NULL)
    abort ();
  if (image_pread (i, before, size, 0) == 0) {
    for (at = 0; at < size; at += bs) {
      memset (before + at, 0x5a, SECTOR_SIZE);
      if (image_pwrite (i, before + at, SECTOR_SIZE, at) == -1)
        violation (r, entry, vhdkit_get_error (), at / SECTOR_SIZE);
    }
    if (image_flush (i) == -1 || image_pread (i, after, size, 0) == -1)
      violation (r, entry, vhdkit_get_error (), 0);
    else if (memcmp (before, after, size) != 0)
      violation (r, entry, "later writes damaged other sectors", 0);
  }
  free (before);
  free (after);
}

static void
check_state (struct run *r, size_t durable, size_t entry, survives_fn survives,
             void *opaque, bool life)
{
  struct store *s = recording_cut (&r->recording, durable, entry, survives,
                                   opaque);
  struct image *i;

  r->result->states++;
  check_errors (r, s, entry);
  open_image (r, s, false, &i);
  if (i == NULL) {
    violation (r, entry, vhdkit_get_error (), 0);
    store_close (s);
    return;
  }
  check_sectors (r, i, entry);
  if (life)
    check_life (r, i, entry);
  image_close (i);
}

static bool
none (void *opaque, size_t entry, uint64_t offset)
{
  (void) opaque;
  (void) entry;
  (void) offset;
  return false;
}

static bool
all (void *opaque, size_t entry, uint64_t offset)
{
  (void) opaque;
  (void) entry;
  (void) offset;
  return true;
}

static void
cut_everywhere (struct run *r, uint64_t seed, unsigned step, unsigned chances)
{
  size_t entry, nr = recording_nr (&r->recording);
  unsigned k;

  for (entry = 0; entry <= nr; entry += step) {
    size_t durable = recording_durable (&r->recording, entry);
    bool life = entry % (8 * step) == 0;

    check_state (r, durable, entry, none, NULL, life);
    if (durable == entry)
      continue;
    check_state (r, durable, entry, all, NULL, life);
    for (k = 0; k < chances; k++)
      check_state (r, durable, entry, survives_by_chance, &seed, false);
  }
}

void
crash_run (const struct scenario *s, uint64_t seed, unsigned step,
           unsigned chances, struct crash_result *ret)
{
  struct run r = { .s = s, .result = ret };
  unsigned threads = MAX_OF (s->threads, 1), k;
  pthread_t *thread = calloc (threads, sizeof *thread);
  struct worker *w = calloc (threads, sizeof *w);

  if (thread == NULL || w == NULL)
    abort ();
  memset (ret, 0, sizeof *ret);
  set_up (&r);
  for (k = 0; k < threads; k++) {
    w[k] = (struct worker) { .run = &r, .number = k, .seed = seed + k };
    if (pthread_create (&thread[k], NULL, work, &w[k]) != 0)
      abort ();
  }
  for (k = 0; k < threads; k++)
    pthread_join (thread[k], NULL);
  cut_everywhere (&r, seed, step, chances);
  tear_down (&r);
  free (thread);
  free (w);
}
