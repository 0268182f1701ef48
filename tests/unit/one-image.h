/* vhdkit tests: one image in memory, to open, change by hand, and open again.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef ONE_IMAGE_H
#define ONE_IMAGE_H

#include "unit.h"

#include <errno.h>

#include "base/checked.h"
#include "base/error.h"
#include "store-wrap.h"
#include "target.h"

#define KIB 1024u
#define TABLE 1536u             /* where format_image puts it */

/* An image in memory that outlives the struct image. */
struct fixture {
  struct store *s;
  struct image *i;
};

static inline void
make (struct fixture *f, uint32_t type, uint64_t size, uint32_t block_size,
      bool packed)
{
  struct image_shape shape = {
    .type = type, .size = size, .block_size = block_size, .packed = packed
  };

  f->s = store_open_memory ("image");
  assert_non_null (f->s);
  f->i = NULL;
  format_image (f->s, &shape);
}

/* The image, over a store s in front of that memory. */
static inline int
try_open_over (struct fixture *f, struct store *s, bool writable)
{
  struct image_options o = { .writable = writable };

  if (image_open (s, &o, &f->i) == 0)
    return 0;
  store_close (s);
  f->i = NULL;
  return -1;
}

static inline int
try_open (struct fixture *f, bool writable)
{
  return try_open_over (f, wrap_keep (f->s), writable);
}

static inline void
done (struct fixture *f)
{
  if (f->i)
    assert_ok (image_close (f->i));
  store_close (f->s);
}

static inline uint64_t
size_of (struct fixture *f)
{
  uint64_t size;

  assert_ok (store_size (f->s, &size));
  return size;
}

static inline void
poke (struct fixture *f, uint64_t offset, const void *p, size_t n)
{
  assert_ok (store_pwrite (f->s, p, n, offset));
}

static inline void
poke_entry (struct fixture *f, uint32_t block, uint32_t sector)
{
  be32 v = put_be32 (sector);

  poke (f, TABLE + block * 4, &v, sizeof v);
}

/* Change a field of the header and make its checksum right again. */
static inline void
poke_header (struct fixture *f, size_t at, const void *p, size_t n)
{
  struct vhd_header_disk d;

  assert_ok (store_pread (f->s, &d, sizeof d, 512));
  memcpy ((char *) &d + at, p, n);
  d.checksum = put_be32 (vhd_checksum (&d, sizeof d,
                                       offsetof (struct vhd_header_disk,
                                                 checksum)));
  poke (f, 512, &d, sizeof d);
}

static inline void
poke_footer (struct fixture *f, uint64_t offset, size_t at, const void *p,
             size_t n)
{
  struct vhd_footer_disk d;

  assert_ok (store_pread (f->s, &d, sizeof d, offset));
  memcpy ((char *) &d + at, p, n);
  d.checksum = put_be32 (vhd_checksum (&d, sizeof d,
                                       offsetof (struct vhd_footer_disk,
                                                 checksum)));
  poke (f, offset, &d, sizeof d);
}

static inline void
write_block (struct fixture *f, uint32_t block, int byte)
{
  uint32_t bs = image_header (f->i)->block_size;
  char *p = malloc (bs);

  assert_non_null (p);
  memset (p, byte, bs);
  assert_ok (image_pwrite (f->i, p, bs, (uint64_t) block * bs));
  free (p);
}

static inline int
byte_at (struct fixture *f, uint64_t offset)
{
  unsigned char c;

  assert_ok (image_pread (f->i, &c, 1, offset));
  return c;
}

#endif
