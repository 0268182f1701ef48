/* vhdkit: the nbdkit plugin: the requests of clients.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * nbdkit has checked ranges and permissions; the library does the rest.  No
 * lock is taken here.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>

#include "plugin.h"

/* nbdkit looks it up by name and sets it before the server starts. */
NBDKIT_DLL_PUBLIC int vhd_debug_io = 0;

#define DEBUG_IO(fmt, ...)                                              \
  do {                                                                  \
    if (vhd_debug_io)                                                   \
      nbdkit_debug ("io: " fmt, __VA_ARGS__);                           \
  } while (0)

/* Hand the library's error to nbdkit. */
static int
io_error (void)
{
  nbdkit_error ("%s", vhdkit_get_error ());
  nbdkit_set_error (vhdkit_get_errno ());
  return -1;
}

static uint32_t
library_flags (uint32_t flags)
{
  return (flags & NBDKIT_FLAG_FUA ? VHDKIT_FUA : 0) |
    (flags & NBDKIT_FLAG_MAY_TRIM ? VHDKIT_MAY_TRIM : 0) |
    (flags & NBDKIT_FLAG_FAST_ZERO ? VHDKIT_FAST_ZERO : 0);
}

/*----------------------------------------------------------------------
 * What a client is told first
 *--------------------------------------------------------------------*/

int64_t
io_get_size (void *handle)
{
  struct handle *h = handle;

  return vhdkit_size (h->disk);
}

int
io_block_size (void *handle, uint32_t *minimum, uint32_t *preferred,
               uint32_t *maximum)
{
  (void) handle;
  /* Any byte can be written.  New blocks have their data at multiples of
   * 4096 bytes in the file, so requests like that touch whole pages.  64 MiB
   * is the most that nbdkit reads or writes in one request. */
  *minimum = 1;
  *preferred = 4096;
  *maximum = 64 * 1024 * 1024;
  return 0;
}

int
io_can_write (void *handle)
{
  struct handle *h = handle;

  return h->writable;
}

int
io_yes (void *handle)
{
  (void) handle;
  return 1;
}

int
io_no (void *handle)
{
  (void) handle;
  return 0;
}

int
io_can_fua (void *handle)
{
  (void) handle;
  return NBDKIT_FUA_NATIVE;
}

int
io_can_cache (void *handle)
{
  (void) handle;
  return NBDKIT_CACHE_NATIVE;
}

/*----------------------------------------------------------------------
 * Data
 *--------------------------------------------------------------------*/

int
io_pread (void *handle, void *buf, uint32_t count, uint64_t offset,
          uint32_t flags)
{
  struct handle *h = handle;

  (void) flags;
  DEBUG_IO ("read offset=%" PRIu64 " count=%" PRIu32, offset, count);
  return vhdkit_pread (h->disk, buf, count, offset) == -1 ? io_error () : 0;
}

int
io_pwrite (void *handle, const void *buf, uint32_t count, uint64_t offset,
           uint32_t flags)
{
  struct handle *h = handle;

  DEBUG_IO ("write offset=%" PRIu64 " count=%" PRIu32 " flags=0x%" PRIx32,
            offset, count, flags);
  if (vhdkit_pwrite (h->disk, buf, count, offset, library_flags (flags)) == -1)
    return io_error ();
  return 0;
}

int
io_zero (void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
  struct handle *h = handle;

  DEBUG_IO ("zero offset=%" PRIu64 " count=%" PRIu32 " flags=0x%" PRIx32,
            offset, count, flags);
  if (vhdkit_zero (h->disk, count, offset, library_flags (flags)) == 0)
    return 0;
  /* An answer, not a failure: the client asked whether it would be fast. */
  if (vhdkit_get_error_code () == VHDKIT_ERR_NOT_SUPPORTED) {
    nbdkit_set_error (ENOTSUP);
    return -1;
  }
  return io_error ();
}

int
io_trim (void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
  struct handle *h = handle;

  DEBUG_IO ("trim offset=%" PRIu64 " count=%" PRIu32 " flags=0x%" PRIx32,
            offset, count, flags);
  if (vhdkit_trim (h->disk, count, offset, library_flags (flags)) == -1)
    return io_error ();
  return 0;
}

int
io_flush (void *handle, uint32_t flags)
{
  struct handle *h = handle;

  DEBUG_IO ("flush flags=0x%" PRIx32, flags);
  return vhdkit_flush (h->disk) == -1 ? io_error () : 0;
}

int
io_cache (void *handle, uint32_t count, uint64_t offset, uint32_t flags)
{
  struct handle *h = handle;

  (void) flags;
  DEBUG_IO ("cache offset=%" PRIu64 " count=%" PRIu32, offset, count);
  return vhdkit_cache (h->disk, count, offset) == -1 ? io_error () : 0;
}

/*----------------------------------------------------------------------
 * Extents
 *--------------------------------------------------------------------*/

/* An answer of more extents than this is cut short, as the protocol allows;
 * the client asks again from where it ends.  Sectors can alternate: the 4 GiB
 * that a client may ask for at once could be 8 million extents. */
#define EXTENTS_MAX 65536

struct extents_walk {
  struct nbdkit_extents *extents;
  uint32_t max;                 /* how many the client is to get */
  uint32_t count;               /* how many of different type so far */
  uint32_t type;                /* of the last one */
  bool failed;                  /* in nbdkit, which has reported it */
};

static int
add_extent (void *opaque, const struct vhdkit_extent *e)
{
  struct extents_walk *w = opaque;
  const uint32_t type =
    (e->flags & VHDKIT_EXTENT_HOLE ? NBDKIT_EXTENT_HOLE : 0) |
    (e->flags & VHDKIT_EXTENT_ZERO ? NBDKIT_EXTENT_ZERO : 0);

  /* Neighbours of one type become one extent to the client, whichever layers
   * they lie in. */
  if (w->count == 0 || type != w->type) {
    if (w->count == w->max)
      return 1;
    w->count++;
    w->type = type;
  }
  if (nbdkit_add_extent (w->extents, e->offset, e->length, type) == -1) {
    w->failed = true;
    return -1;
  }
  return 0;
}

int
io_extents (void *handle, uint32_t count, uint64_t offset, uint32_t flags,
            struct nbdkit_extents *extents)
{
  struct handle *h = handle;
  struct extents_walk walk = {
    .extents = extents,
    .max = flags & NBDKIT_FLAG_REQ_ONE ? 1 : EXTENTS_MAX,
  };

  DEBUG_IO ("extents offset=%" PRIu64 " count=%" PRIu32 " flags=0x%" PRIx32,
            offset, count, flags);
  if (vhdkit_extents (h->disk, count, offset, add_extent, &walk) == 0)
    return 0;
  if (walk.failed)
    return -1;
  return io_error ();
}
