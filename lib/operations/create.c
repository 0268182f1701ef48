/* vhdkit: make a new image.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The layout is that of Windows 8 and later (vhd-format 10.4 and 11), which
 * every reader understands and which keeps block data at multiples of 4 KiB:
 *
 *     fixed     data | footer
 *     dynamic   footer copy | header | table, FF up to the next 4 KiB boundary
 *               P | 3584 zero bytes | footer, where the bitmap of the first
 *               block will go
 *     differencing  the same with the parent's paths from 0x1000 on, each in
 *               whole pages so that a longer path fits later, then the table
 *
 * Rules, where the file has a name while it is written (see new-file.h):
 * (1) Both footers are written last, after everything else is durable.  Until
 *     then no reader takes the file for an image.
 * (2) Whatever fails, or is cancelled, leaves no file.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "base/guid.h"
#include "format/vhd.h"
#include "operations/create.h"
#include "operations/new-file.h"
#include "operations/operations.h"

/* api-semantics 1.11 */
#define MIN_SIZE (UINT64_C (3) << 20)
#define PAGE 4096u
#define TABLE_OFFSET 0x600
/* Where the first parent locator goes, a page for itself. */
#define LOCATOR_OFFSET 0x1000
/* The first bitmap slot from a page boundary: its data begins a page. */
#define FIRST_SLOT (PAGE - SECTOR_SIZE)
/* Work between two looks at the progress callback. */
#define WRITE_CHUNK (1u << 20)
#define RESERVE_CHUNK (UINT64_C (1) << 30)

/* Everything that is decided before the file is made. */
struct plan {
  const char *path;
  const struct vhdkit_create_options *opts;
  const struct progress *progress;
  uint64_t size;                /* virtual */
  uint32_t block_size;
  struct create_parent parent;
  struct vhd_footer footer;
  struct vhd_header header;     /* not for a fixed image */
  uint64_t table_end;           /* padding included */
  uint64_t footer_offset;
};

/* Validation: in the order of api-semantics 1.7, so that the same mistake
 * always gets the same answer. */

static int
invalid (enum vhdkit_error code, const char *path, const char *what)
{
  set_error (code, EINVAL, "%s: %s", path, what);
  return -1;
}

static int
check_block_size (const char *path, const struct vhdkit_create_options *o)
{
  uint32_t b = o->block_size;

  if (b == 0)
    return 0;
  if (o->type == VHDKIT_TYPE_FIXED)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "a fixed image has no blocks: its block size must be 0");
  if (b == 512 << 10 || b == 2 << 20)
    return 0;
  if ((o->flags & VHDKIT_CREATE_ANY_BLOCK_SIZE) && is_power_of_2 (b)
      && b >= VHD_MIN_BLOCK_SIZE && b <= VHD_MAX_BLOCK_SIZE)
    return 0;
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "%s: block size %" PRIu32 " is not possible: %s", path, b,
             o->flags & VHDKIT_CREATE_ANY_BLOCK_SIZE ?
             "a power of two from 4096 to 268435456 is" :
             "524288 (512 KiB) and 2097152 (2 MiB) are");
  return -1;
}

static int
check_size (const char *path, const struct vhdkit_create_options *o)
{
  uint64_t min = o->flags & VHDKIT_CREATE_ANY_SIZE ? SECTOR_SIZE : MIN_SIZE;

  if (o->type == VHDKIT_TYPE_DIFFERENCING) {
    if (o->size != 0)
      return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                      "a differencing image has the size of its parent: the "
                      "size must be 0");
    return 0;
  }
  if (o->size < min) {
    set_error (VHDKIT_ERR_SIZE_TOO_SMALL, EINVAL,
               "%s: %" PRIu64 " bytes is too small: at least %" PRIu64
               " are needed", path, o->size, min);
    return -1;
  }
  if (o->size > VHD_MAX_SIZE) {
    set_error (VHDKIT_ERR_SIZE_TOO_LARGE, EFBIG,
               "%s: %" PRIu64 " bytes is too large: the limit is %" PRIu64
               " (2040 GiB)", path, o->size, VHD_MAX_SIZE);
    return -1;
  }
  if (o->size % SECTOR_SIZE != 0) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %" PRIu64 " bytes is not a multiple of 512", path,
               o->size);
    return -1;
  }
  return 0;
}

static int
check_parent (const char *path, const struct vhdkit_create_options *o)
{
  if (o->type == VHDKIT_TYPE_DIFFERENCING) {
    if (!o->parent || !o->parent[0])
      return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                      "a differencing image needs a parent");
    return 0;
  }
  if (o->parent)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "only a differencing image has a parent");
  if (o->flags & VHDKIT_CREATE_RAW_PARENT)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "a raw parent is asked for, but only a differencing image "
                    "has a parent");
  return 0;
}

static int
check_creator (const char *path, const char *creator)
{
  size_t i;

  if (!creator)
    return 0;
  for (i = 0; creator[i]; i++)
    if (i == 4 || creator[i] < ' ' || creator[i] > '~')
      break;
  if (i != 4 || creator[i])
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "the creator must be four ASCII characters");
  /* Readers of XenServer expect its batmap, and refuse an image without. */
  if (strncmp (creator, "tap", 3) == 0)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "the creator cannot be \"tap\": such images have a batmap, "
                    "which is not written");
  return 0;
}

static int
check_options (const char *path, const struct vhdkit_create_options *o)
{
  const uint32_t known = VHDKIT_CREATE_RAW_PARENT
    | VHDKIT_CREATE_ANY_BLOCK_SIZE | VHDKIT_CREATE_ANY_SIZE
    | VHDKIT_CREATE_PREALLOCATE | VHDKIT_CREATE_SPARSE;
  const uint32_t space = VHDKIT_CREATE_PREALLOCATE | VHDKIT_CREATE_SPARSE;

  if (o->type != VHDKIT_TYPE_FIXED && o->type != VHDKIT_TYPE_DYNAMIC
      && o->type != VHDKIT_TYPE_DIFFERENCING)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "the type must be fixed, dynamic or differencing");
  if (o->flags & ~known) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: unknown flags 0x%" PRIx32, path, o->flags & ~known);
    return -1;
  }
  if ((o->flags & space) == space)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "an image cannot be both preallocated and sparse");
  if ((o->flags & space) && o->type != VHDKIT_TYPE_FIXED)
    return invalid (VHDKIT_ERR_INVALID_PARAMETER, path,
                    "only the space of a fixed image can be allocated ahead");
  if (check_block_size (path, o) == -1 || check_size (path, o) == -1
      || check_parent (path, o) == -1 || check_creator (path, o->creator) == -1)
    return -1;
  return 0;
}

/* Planning. */

static int
adopt_parent (struct plan *p)
{
  const uint64_t size = p->parent.size;

  if (size == 0 || size > VHD_MAX_SIZE) {
    set_error (size ? VHDKIT_ERR_SIZE_TOO_LARGE : VHDKIT_ERR_SIZE_TOO_SMALL,
               size ? EFBIG : EINVAL,
               "parent %s: its size is %" PRIu64 " bytes, a child can have 512 "
               "to %" PRIu64 " (2040 GiB)", p->opts->parent, size,
               VHD_MAX_SIZE);
    return -1;
  }
  p->size = size;
  if (p->block_size == 0)
    p->block_size = p->parent.block_size;
  return 0;
}

/* The next locator of the header; returns where the one after it goes. */
static uint64_t
place_locator (struct vhd_locator *l, uint32_t platform,
               const struct create_locator *payload, uint64_t offset)
{
  l->platform = platform;
  l->space = MAX_OF (round_up (payload->size, PAGE), PAGE);
  l->length = payload->size;
  l->offset = offset;
  return offset + l->space;
}

static int
plan_layout (struct plan *p)
{
  const uint64_t entries = div_round_up (p->size, p->block_size);
  uint64_t table_offset = TABLE_OFFSET, next = LOCATOR_OFFSET;
  struct vhd_locator locator[2] = { 0 };

  if (entries * 4 > VHD_MAX_TABLE_BYTES) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: %" PRIu64 " bytes in blocks of %" PRIu32 " need a table "
               "of %" PRIu64 " bytes, more than %u: use larger blocks",
               p->path, p->size, p->block_size, entries * 4,
               VHD_MAX_TABLE_BYTES);
    return -1;
  }
  if (p->opts->type == VHDKIT_TYPE_DIFFERENCING) {
    next = place_locator (&locator[0], VHD_PLATFORM_W2KU,
                          &p->parent.absolute, next);
    next = place_locator (&locator[1], VHD_PLATFORM_W2RU,
                          &p->parent.relative, next);
    table_offset = next;
  }
  vhd_header_init (&p->header, p->size, p->block_size, table_offset);
  if (p->opts->type == VHDKIT_TYPE_DIFFERENCING) {
    memcpy (p->header.locator, locator, sizeof locator);
    memcpy (p->header.parent_id, p->parent.id, sizeof p->header.parent_id);
    memcpy (p->header.parent_name, p->parent.name,
            sizeof p->header.parent_name);
    p->header.parent_timestamp = p->parent.timestamp;
  }
  p->table_end = round_up (table_offset + entries * 4, PAGE);
  p->footer_offset = p->table_end + FIRST_SLOT;
  return 0;
}

static int
make_plan (struct plan *p)
{
  const struct vhdkit_create_options *o = p->opts;

  p->size = o->size;
  p->block_size = o->block_size;
  if (o->type == VHDKIT_TYPE_DIFFERENCING
      && (create_parent_open (&p->parent, p->path, o) == -1
          || adopt_parent (p) == -1))
    return -1;
  if (p->block_size == 0)
    p->block_size = VHD_DEFAULT_BLOCK_SIZE;

  if (o->type == VHDKIT_TYPE_FIXED)
    p->footer_offset = p->size;
  else if (plan_layout (p) == -1)
    return -1;

  vhd_footer_init (&p->footer, o->type, p->size);
  p->footer.timestamp = create_timestamp (time (NULL));
  if (o->creator)
    memcpy (p->footer.creator, o->creator, sizeof p->footer.creator);
  if (guid_is_zero (o->id))
    guid_random (p->footer.id);
  else
    memcpy (p->footer.id, o->id, sizeof p->footer.id);
  return 0;
}

/* Making the file. */

static int
tell (struct plan *p, uint64_t done, uint64_t total)
{
  if (!p->progress || !p->progress->fn
      || p->progress->fn (p->progress->opaque, done, total) == 0)
    return 0;
  set_error (VHDKIT_ERR_CANCELLED, ECANCELED,
             "%s: creation was cancelled", p->path);
  return -1;
}

/* length bytes of value from offset on. */
static int
write_fill (struct plan *p, struct new_file *f, int value, uint64_t offset,
            uint64_t length)
{
  CLEANUP_FREE void *buf = malloc (MIN_OF (length, WRITE_CHUNK));
  uint64_t done, n;

  if (!buf) {
    set_error_errno (ENOMEM, "%s", p->path);
    return -1;
  }
  memset (buf, value, MIN_OF (length, WRITE_CHUNK));
  for (done = 0; done < length; done += n) {
    n = MIN_OF (length - done, WRITE_CHUNK);
    if (tell (p, done, length) == -1
        || new_file_write (f, buf, n, offset + done) == -1)
      return -1;
  }
  return tell (p, length, length);
}

/* Would length bytes fill the file system for certain?  Asked before, because
 * some take all there is before they find out. */
static int
check_room (struct plan *p, struct new_file *f, uint64_t length)
{
  struct statvfs v;

  if (fstatvfs (f->dirfd, &v) == -1 || v.f_blocks == 0 || v.f_frsize == 0)
    return 0;
  if (length / v.f_frsize <= v.f_bfree)
    return 0;
  set_error (VHDKIT_ERR_DISK_FULL, ENOSPC,
             "%s: %" PRIu64 " bytes are needed, the file system has %" PRIu64
             " free", p->path, length, (uint64_t) v.f_bfree * v.f_frsize);
  return -1;
}

/* Space for the data of a fixed image.  Unless it must be sparse it is
 * reserved: a disk of fixed size that fails a write for lack of space is not
 * what was ordered. */
static int
reserve_data (struct plan *p, struct new_file *f)
{
  uint64_t done, n;

  if (p->opts->flags & VHDKIT_CREATE_SPARSE)
    return 0;
  if (check_room (p, f, p->size + SECTOR_SIZE) == -1)
    return -1;
  for (done = 0; done < p->size; done += n) {
    n = MIN_OF (p->size - done, RESERVE_CHUNK);
    if (tell (p, done, p->size) == -1)
      return -1;
    if (new_file_reserve (f, done, n) == 0)
      continue;
    if (vhdkit_get_error_code () != VHDKIT_ERR_NOT_SUPPORTED)
      return -1;
    if (p->opts->flags & VHDKIT_CREATE_PREALLOCATE)
      return write_fill (p, f, 0, 0, p->size);
    return 0;
  }
  return tell (p, p->size, p->size);
}

static int
write_metadata (struct plan *p, struct new_file *f)
{
  const struct vhd_header *h = &p->header;
  struct vhd_header_disk d;

  vhd_header_encode (h, &d);
  if (new_file_write (f, &d, sizeof d, p->footer.data_offset) == -1)
    return -1;
  if (p->opts->type == VHDKIT_TYPE_DIFFERENCING
      && (new_file_write (f, p->parent.absolute.payload, h->locator[0].length,
                          h->locator[0].offset) == -1
          || new_file_write (f, p->parent.relative.payload,
                             h->locator[1].length,
                             h->locator[1].offset) == -1))
    return -1;
  /* VHD_BAT_UNUSED throughout, the padding too. */
  return write_fill (p, f, 0xff, h->table_offset,
                     p->table_end - h->table_offset);
}

static int
write_contents (struct plan *p, struct new_file *f)
{
  struct vhd_footer_disk footer;

  vhd_footer_encode (&p->footer, &footer);
  if (new_file_set_size (f, p->footer_offset + sizeof footer) == -1)
    return -1;
  if (p->opts->type == VHDKIT_TYPE_FIXED) {
    if (reserve_data (p, f) == -1)
      return -1;
  }
  else if (write_metadata (p, f) == -1)
    return -1;

  /* Rule (1). */
  if (new_file_sync (f) == -1)
    return -1;
  if (p->opts->type != VHDKIT_TYPE_FIXED
      && new_file_write (f, &footer, sizeof footer, 0) == -1)
    return -1;
  return new_file_write (f, &footer, sizeof footer, p->footer_offset);
}

int
op_create (const char *path, const struct vhdkit_create_options *opts,
           const struct progress *progress)
{
  struct plan p = { .path = path, .opts = opts, .progress = progress };
  struct new_file f;
  int r = -1;

  if (check_options (path, opts) == -1)
    return -1;
  /* The file first: EXISTS does not depend on what the parent is like. */
  if (new_file_open (&f, path, 0666) == -1)
    return -1;
  if (make_plan (&p) == 0 && write_contents (&p, &f) == 0)
    r = new_file_commit (&f);
  else
    new_file_abandon (&f);      /* rule (2) */
  create_parent_close (&p.parent);
  return r;
}
