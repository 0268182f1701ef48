/* vhdkit: fuzzing a child with its parents.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: 1 byte images, 1 byte choices, 1 byte seed, 2 bytes length of the
 * patches of the child, the same for the first parent, and then those patches,
 * the rest being for the second parent (see patched.h).  What is read through
 * the cache of the parents must be what asking one layer after the other, a
 * sector at a time, says; before and after writing to the child, which reads as
 * a plain array would.
 */
#include <config.h>

#include <string.h>

#include "base/checked.h"
#include "disk/disk.h"
#include "image/image.h"
#include "patched.h"
#include "store-wrap.h"

#define PARENTS 2
#define MAX_SECTORS 1024        /* looked at */
#define OPERATIONS 12

extern int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

struct chain {
  struct image *child;
  struct layer layer[PARENTS];
  size_t n;
  struct below_cache *below;
};

static void
add_parent (struct chain *c, struct store *s)
{
  struct image_options o = { .cache_bytes = 2048 };
  struct layer *l = &c->layer[c->n];

  if (image_open (s, &o, &l->image) == -1) {
    store_close (s);
    return;
  }
  l->store = s;
  l->size = image_size (l->image);
  l->path = s->name;
  c->n++;
}

/* As the opener does: a differencing parent without its own ends the chain,
 * which is then refused; here the rest reads as zeros. */
static bool
open_chain (struct chain *c, struct store *child, struct store **parent,
            bool small_cache)
{
  struct image_options o = { .writable = true, .cache_bytes = 2048 };
  struct below below;
  size_t k;

  memset (c, 0, sizeof *c);
  if (image_open (child, &o, &c->child) == -1) {
    o.writable = false;
    if (image_open (child, &o, &c->child) == -1) {
      store_close (child);
      c->child = NULL;
    }
  }
  for (k = 0; k < PARENTS; k++) {
    if (c->n == k)
      add_parent (c, parent[k]);
    else
      store_close (parent[k]);
  }
  if (c->child == NULL || c->n == 0
      || image_footer (c->child)->type != VHD_DIFFERENCING)
    return false;
  c->below = below_new (c->layer, c->n, small_cache ? 256 : 1 << 20);
  require (c->below != NULL);
  below_interface (c->below, &below);
  image_set_below (c->child, &below);
  return true;
}

static void
close_chain (struct chain *c)
{
  size_t k;

  if (c->child)
    require (image_close (c->child) == 0);
  below_free (c->below);
  for (k = 0; k < c->n; k++)
    image_close (c->layer[k].image);
}

/*----------------------------------------------------------------------
 * One layer after the other
 *--------------------------------------------------------------------*/

static int
note_run (void *opaque, const struct image_run *run)
{
  * (uint64_t *) opaque = run->file_offset;
  return 0;
}

/* -1: it cannot be read. */
static int
sector_of_parents (struct chain *c, uint64_t sector, uint8_t *buf)
{
  size_t k;

  for (k = 0; k < c->n; k++) {
    struct layer *l = &c->layer[k];
    uint64_t at = IMAGE_ABSENT;

    if (sector >= l->size / SECTOR_SIZE)
      break;
    if (image_runs (l->image, sector, 1, note_run, &at) == -1
        || at == IMAGE_BAD)
      return -1;
    if (at != IMAGE_ABSENT)
      return store_pread (l->store, buf, SECTOR_SIZE, at);
  }
  memset (buf, 0, SECTOR_SIZE);
  return 0;
}

static int
sector_of_chain (struct chain *c, uint64_t sector, uint8_t *buf)
{
  uint64_t at = IMAGE_ABSENT;

  if (image_runs (c->child, sector, 1, note_run, &at) == -1
      || at == IMAGE_BAD)
    return -1;
  if (at != IMAGE_ABSENT)
    return store_pread (image_store (c->child), buf, SECTOR_SIZE, at);
  return sector_of_parents (c, sector, buf);
}

static void
compare (struct chain *c)
{
  uint64_t sectors = MIN_OF (image_size (c->child) / SECTOR_SIZE,
                             (uint64_t) MAX_SECTORS), s;
  uint8_t *all = malloc (sectors * SECTOR_SIZE), one[SECTOR_SIZE];
  bool whole;

  require (all != NULL);
  whole = image_pread (c->child, all, sectors * SECTOR_SIZE, 0) == 0;
  for (s = 0; s < sectors; s++) {
    int r = sector_of_chain (c, s, one);

    require (!whole || r == 0);
    if (r == 0 && !whole)
      require (image_pread (c->child, all + s * SECTOR_SIZE, SECTOR_SIZE,
                            s * SECTOR_SIZE) == 0);
    if (r == 0)
      require (memcmp (all + s * SECTOR_SIZE, one, SECTOR_SIZE) == 0);
  }
  free (all);
}

/*----------------------------------------------------------------------
 * Runs of the parents as one
 *--------------------------------------------------------------------*/

struct runs {
  struct chain *c;
  uint64_t next;
  unsigned n;
};

static int
check_run (void *opaque, const struct below_run *run)
{
  struct runs *r = opaque;

  require (run->sector == r->next && run->count > 0);
  require (run->layer >= -1 && run->layer < (int) r->c->n);
  r->next += run->count;
  return ++r->n > 10000;
}

static void
look_at_runs (struct chain *c)
{
  struct runs r = { .c = c };
  uint64_t sectors = image_size (c->child) / SECTOR_SIZE;

  if (below_runs (c->below, 0, sectors, check_run, &r) == 0)
    require (r.next == sectors);
}

/*----------------------------------------------------------------------
 * Writing
 *--------------------------------------------------------------------*/

/* What a write and a zero leave is what they say, whatever lies below. */
static void
change_blindly (struct chain *c, unsigned seed)
{
  uint64_t size = image_size (c->child), at = seed * UINT64_C (977) % size;
  uint8_t buf[700], back[700];
  size_t n = MIN_OF (sizeof buf, size - at);

  memset (buf, seed, sizeof buf);
  /* It may fail: to complete a sector the parents are read. */
  if (image_pwrite (c->child, buf, n, at) == 0)
    require (image_pread (c->child, back, n, at) == 0
             && memcmp (buf, back, n) == 0);
  memset (buf, 0, sizeof buf);
  at = size - n;
  if (image_zero (c->child, n, at, seed % 2 ? IMAGE_ZERO_TRIM : 0) == 0)
    require (image_pread (c->child, back, n, at) == 0
             && memcmp (buf, back, n) == 0);
  require (image_flush (c->child) == 0);
}

static void
must_equal (struct chain *c, const uint8_t *model, uint64_t size)
{
  uint8_t *found = malloc (size);

  require (found && image_pread (c->child, found, size, 0) == 0
           && memcmp (found, model, size) == 0);
  free (found);
}

static void
reopen_child (struct chain *c, struct store *store)
{
  struct image_options o = { .writable = true, .cache_bytes = 2048 };
  struct below below;

  require (image_close (c->child) == 0);
  require (image_open (wrap_keep (store), &o, &c->child) == 0);
  below_interface (c->below, &below);
  image_set_below (c->child, &below);
}

/* Where all can be read, all can be written, and reads as an array would: now,
 * and when the child has been opened again. */
static void
change (struct chain *c, struct store *store, unsigned seed)
{
  uint64_t size = MIN_OF (image_size (c->child),
                          (uint64_t) MAX_SECTORS * SECTOR_SIZE);
  uint8_t *model = malloc (size);
  unsigned k;

  require (model != NULL);
  if (image_pread (c->child, model, size, 0) == 0) {
    patched_seed (seed);
    for (k = 0; k < OPERATIONS; k++)
      patched_operate (c->child, model, size);
    must_equal (c, model, size);
    reopen_child (c, store);
    must_equal (c, model, size);
  }
  else
    change_blindly (c, seed);
  free (model);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  static const unsigned children[] = { 1, 4, 5, 1 };
  struct store *child, *parent[PARENTS];
  struct chain c;
  size_t length[2];
  bool seal;

  if (size < 7 || size > 8192)
    return 0;
  seal = !(data[1] & CHOOSE_UNSEALED);
  length[0] = MIN_OF (((size_t) data[3] << 8 | data[4]), size - 7);
  length[1] = MIN_OF (((size_t) data[5] << 8 | data[6]),
                      size - 7 - length[0]);
  child = patched_image (children[data[0] & 3], data + 7, length[0], seal);
  parent[0] = patched_image (data[0] >> 2 & 7, data + 7 + length[0],
                             length[1], seal);
  parent[1] = patched_image (data[0] >> 5, data + 7 + length[0] + length[1],
                             size - 7 - length[0] - length[1], seal);
  if (open_chain (&c, wrap_keep (child), parent, data[1] & CHOOSE_SMALL_CACHE)) {
    look_at_runs (&c);
    compare (&c);
    if (image_writable (c.child)) {
      change (&c, child, data[2]);
      compare (&c);
    }
  }
  close_chain (&c);
  store_close (child);
  return 0;
}
