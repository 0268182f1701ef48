/* vhdkit: what fuzzers of images share.  See patched.h.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <string.h>

#include "base/checked.h"
#include "format/vhd.h"
#include "image/image.h"
#include "patched.h"
#include "store-wrap.h"
#include "target.h"

#define KIB 1024u
#define MIB (1024 * KIB)

#define MAX_INPUT (256u << 10)
#define MAX_LENGTH (8u << 20)   /* of a file made longer */

/*----------------------------------------------------------------------
 * The good images
 *--------------------------------------------------------------------*/

static const struct image_shape shapes[] = {
  { VHD_DYNAMIC, 64 * KIB, 4 * KIB, false, { 1 }, { 0 } },
  { VHD_DIFFERENCING, 64 * KIB, 4 * KIB, false, { 2 }, { 1 } },
  { VHD_FIXED, 16 * KIB, 0, false, { 3 }, { 0 } },
  { VHD_DYNAMIC, 5 * MIB, 2 * MIB, false, { 4 }, { 0 } },
  { VHD_DIFFERENCING, 3 * MIB + 512, 512 * KIB, true, { 5 }, { 4 } },
  { VHD_DIFFERENCING, 60 * KIB, 8 * KIB, true, { 6 }, { 1 } },
  { VHD_DYNAMIC, 200 * KIB, 4 * KIB, true, { 7 }, { 0 } },
};
#define NR_SHAPES (sizeof shapes / sizeof shapes[0])

/* Some sectors, with full blocks and others, and freed space between. */
static void
write_some (struct store *s, uint64_t size, uint32_t block_size)
{
  struct image_options o = { .writable = true };
  uint8_t buf[4096];
  struct image *i;
  uint64_t at;

  require (image_open (wrap_keep (s), &o, &i) == 0);
  for (at = 0; at + sizeof buf <= size; at += MAX_OF (size / 8, 8192u)) {
    memset (buf, 1 + at / 512 % 200, sizeof buf);
    require (image_pwrite (i, buf, at % 3 ? 1536 : sizeof buf, at) == 0);
  }
  if (block_size)
    require (image_zero (i, block_size, block_size, IMAGE_ZERO_TRIM) == 0);
  require (image_close (i) == 0);
}

static struct store *
make_image (unsigned number)
{
  struct image_shape shape = shapes[number % NR_SHAPES];
  struct store *s = store_open_memory ("fuzz");

  require (s != NULL);
  format_image (s, &shape);
  write_some (s, shape.size, shape.block_size);
  return s;
}

/* Made once, then copied. */
static struct store *
good_image (unsigned number)
{
  static struct store *made[NR_SHAPES];
  struct store *s = store_open_memory ("fuzz");

  number %= NR_SHAPES;
  if (made[number] == NULL)
    made[number] = make_image (number);
  require (s != NULL && store_copy (made[number], s) == 0);
  return s;
}

/*----------------------------------------------------------------------
 * Patches
 *--------------------------------------------------------------------*/

static uint64_t
size_of (struct store *s)
{
  uint64_t size;

  require (store_size (s, &size) == 0);
  return size;
}

static void
apply (struct store *s, const uint8_t *p, size_t size)
{
  while (size >= 3) {
    uint64_t place = (uint64_t) p[0] << 8 | p[1], end = size_of (s);
    size_t n = p[2];

    p += 3;
    size -= 3;
    if (n == 0) {
      require (store_truncate (s, place * 64) == 0);
      continue;
    }
    n = MIN_OF (n, size);
    if (place >= 0xfc00 && end >= 0x10000 - place)
      place = end - (0x10000 - place);
    if (n > 0 && place + n <= MAX_LENGTH)
      require (store_pwrite (s, p, n, place) == 0);
    p += n;
    size -= n;
  }
}

/*----------------------------------------------------------------------
 * Checksums
 *--------------------------------------------------------------------*/

static void
seal_header (struct store *s, uint64_t at)
{
  struct vhd_header_disk d;

  if (!range_within (at, sizeof d, size_of (s)))
    return;
  require (store_pread (s, &d, sizeof d, at) == 0);
  if (memcmp (d.cookie, VHD_HEADER_COOKIE, 8) != 0)
    return;
  d.checksum = put_be32 (vhd_checksum (&d, sizeof d,
                                       offsetof (struct vhd_header_disk,
                                                 checksum)));
  require (store_pwrite (s, &d, sizeof d, at) == 0);
}

static void
seal_footer (struct store *s, uint64_t at)
{
  struct vhd_footer_disk d;

  require (store_pread (s, &d, sizeof d, at) == 0);
  if (memcmp (d.cookie, VHD_FOOTER_COOKIE, 8) != 0)
    return;
  d.checksum = put_be32 (vhd_checksum (&d, sizeof d,
                                       offsetof (struct vhd_footer_disk,
                                                 checksum)));
  require (store_pwrite (s, &d, sizeof d, at) == 0);
  seal_header (s, get_be64 (d.data_offset));
}

static void
seal_all (struct store *s)
{
  uint64_t size = size_of (s);

  if (size < sizeof (struct vhd_footer_disk))
    return;
  seal_footer (s, 0);
  seal_footer (s, size - sizeof (struct vhd_footer_disk));
}

/*----------------------------------------------------------------------
 * The two kinds of input
 *--------------------------------------------------------------------*/

static bool
is_file (const uint8_t *data, size_t size)
{
  const size_t footer = sizeof (struct vhd_footer_disk);

  return size >= footer
         && (memcmp (data, VHD_FOOTER_COOKIE, 8) == 0
             || memcmp (data + size - footer, VHD_FOOTER_COOKIE, 8) == 0);
}

struct store *
patched_image (unsigned number, const uint8_t *patches, size_t size, bool seal)
{
  struct store *s = good_image (number);

  apply (s, patches, size);
  if (seal)
    seal_all (s);
  return s;
}

struct store *
patched_store (const uint8_t *data, size_t size, struct patched *ret)
{
  if (size < 3 || size > MAX_INPUT)
    return NULL;
  if (is_file (data, size)) {
    ret->choices = data[size - 1];
    ret->seed = data[size - 2];
    ret->store = store_open_memory ("fuzz");
    require (ret->store && store_pwrite (ret->store, data, size, 0) == 0);
    if (!(ret->choices & CHOOSE_UNSEALED))
      seal_all (ret->store);
    return ret->store;
  }
  ret->choices = data[1];
  ret->seed = data[2];
  ret->store = patched_image (data[0], data + 3, size - 3,
                              !(ret->choices & CHOOSE_UNSEALED));
  return ret->store;
}

/*----------------------------------------------------------------------
 * Writing
 *--------------------------------------------------------------------*/

#define PIECE 4096u

static uint64_t random_state;

void
patched_seed (uint64_t seed)
{
  random_state = seed;
}

static uint64_t
next_random (void)
{
  random_state = random_state * UINT64_C (6364136223846793005) + 1442695041;
  return random_state >> 33;
}

void
patched_operate (struct image *i, uint8_t *model, uint64_t size)
{
  static uint8_t buf[PIECE];
  uint64_t offset = next_random () % size;
  size_t n = 1 + next_random () % MIN_OF (PIECE, size - offset);

  if (next_random () % 2) {
    offset = round_down (offset, PIECE);
    n = MIN_OF (PIECE, size - offset);
  }
  switch (next_random () % 8) {
  case 0:
    require (image_zero (i, n, offset, 0) == 0);
    memset (model + offset, 0, n);
    break;
  case 1: case 2:
    require (image_zero (i, n, offset, IMAGE_ZERO_TRIM) == 0);
    memset (model + offset, 0, n);
    break;
  case 3:
    require (image_flush (i) == 0);
    break;
  default:
    memset (buf, 1 + next_random () % 255, n);
    require (image_pwrite (i, buf, n, offset) == 0);
    memcpy (model + offset, buf, n);
  }
}
