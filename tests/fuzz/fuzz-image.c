/* vhdkit: fuzzing images: opening, reading, telling, and writing.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Input: see patched.h.  An image that opens must keep its promises: what is
 * read twice is the same, runs cover what they were asked for and lie in the
 * file, and an image that can be written reads as a plain array would, now and
 * when it has been opened again.
 */
#include <config.h>

#include <string.h>

#include "base/checked.h"
#include "image/image.h"
#include "patched.h"
#include "store-wrap.h"

#define SMALL (512u << 10)      /* images read as a whole */
#define PIECE 4096u
#define OPERATIONS 12

extern int LLVMFuzzerTestOneInput (const uint8_t *data, size_t size);

/* Over a store that stays; NULL if it is refused. */
static struct image *
open_image (const struct patched *p, bool writable)
{
  struct report r = { .fn = go_on, .file = "fuzz" };
  struct image_options o = {
    .writable = writable, .size_chs = p->choices & CHOOSE_CHS,
    .inspect = (p->choices & CHOOSE_INSPECT) && !writable,
    .cache_bytes = p->choices & CHOOSE_SMALL_CACHE ? 2048 : 0, .report = &r
  };
  struct store *s = wrap_keep (p->store);
  struct image *i;

  if (image_open (s, &o, &i) == 0) {
    require (image_size (i) > 0 && image_size (i) % SECTOR_SIZE == 0);
    return i;
  }
  require (vhdkit_get_error_code () != VHDKIT_OK
           && vhdkit_get_error ()[0] != '\0');
  store_close (s);
  return NULL;
}

/*----------------------------------------------------------------------
 * Looking
 *--------------------------------------------------------------------*/

struct runs {
  uint64_t next, file_size;
  unsigned n;
};

static int
check_run (void *opaque, const struct image_run *run)
{
  struct runs *r = opaque;

  require (run->sector == r->next && run->count > 0);
  r->next += run->count;
  if (run->file_offset != IMAGE_ABSENT && run->file_offset != IMAGE_BAD)
    require (range_within (run->file_offset, run->count * SECTOR_SIZE,
                           r->file_size)
             /* the last block may be cut short behind the disk's end */
             || run->file_offset < r->file_size);
  return ++r->n > 10000;
}

static void
look_at_runs (const struct patched *p, struct image *i)
{
  struct runs r = { 0 };
  uint64_t sectors = image_size (i) / SECTOR_SIZE;

  require (store_size (p->store, &r.file_size) == 0);
  if (image_runs (i, 0, sectors, check_run, &r) == 0)
    require (r.next == sectors);
}

/* Reads here and there; the same bytes in one piece and in two. */
static void
look_at_data (struct image *i)
{
  static uint8_t one[PIECE], two[PIECE];
  uint64_t size = image_size (i), at, step = MAX_OF (size / 16, PIECE);

  for (at = 0; at < size; at += step) {
    size_t n = MIN_OF (PIECE, size - at), half = n / 2 - n % 3;

    if (image_pread (i, one, n, at) == -1)
      continue;
    require (image_pread (i, two, half, at) == 0
             && image_pread (i, two + half, n - half, at + half) == 0
             && memcmp (one, two, n) == 0);
  }
}

static void
look (const struct patched *p)
{
  struct image *i = open_image (p, false);

  if (i == NULL)
    return;
  look_at_runs (p, i);
  look_at_data (i);
  require (image_blocks_allocated (i) <= image_table_entries (i));
  image_data_aligned (i);
  require (image_close (i) == 0);
}

/*----------------------------------------------------------------------
 * Writing
 *--------------------------------------------------------------------*/

static uint8_t *
read_all (struct image *i)
{
  uint64_t size = image_size (i);
  uint8_t *buf = malloc (size);

  require (buf && image_pread (i, buf, size, 0) == 0);
  return buf;
}

static void
must_equal (struct image *i, const uint8_t *model)
{
  uint8_t *found = read_all (i);

  require (memcmp (found, model, image_size (i)) == 0);
  free (found);
}

static void
change (const struct patched *p)
{
  struct image *i = open_image (p, true);
  uint8_t *model;
  unsigned k;

  if (i == NULL)
    return;
  if (image_size (i) > SMALL) {
    static const uint8_t data[PIECE] = "data";

    /* It may be that there is no room: then it says so. */
    if (image_pwrite (i, data, PIECE, image_size (i) - PIECE) == 0)
      require (image_zero (i, PIECE, image_size (i) / 2, IMAGE_ZERO_TRIM)
               == 0);
    require (image_close (i) == 0);
    return;
  }
  model = read_all (i);
  for (k = 0; k < OPERATIONS; k++)
    patched_operate (i, model, image_size (i));
  must_equal (i, model);
  require (image_close (i) == 0);
  i = open_image (p, true);
  require (i != NULL);
  must_equal (i, model);
  require (image_close (i) == 0);
  free (model);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size)
{
  struct patched p;

  if (patched_store (data, size, &p) == NULL)
    return 0;
  patched_seed (p.seed);
  look (&p);
  if (!(p.choices & CHOOSE_READ_ONLY))
    change (&p);
  store_close (p.store);
  return 0;
}
