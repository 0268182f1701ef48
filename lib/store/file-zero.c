/* vhdkit: making a range of a file read as zeros.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * From the cheapest way to the dearest: punch a hole (only if the space may
 * go), let the file system or device mark the range as zero, write zeros.
 * None of them changes the length of the file.
 */
#include <config.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sys/ioctl.h>
#include <linux/fs.h>

#include "base/checked.h"
#include "base/error.h"
#include "store/file.h"

/* A piece written at once is 1 MiB: the same zeros over and over. */
#define ZEROS_BYTES 65536
#define ZEROS_REPEAT 16

static uint8_t zeros[ZEROS_BYTES];      /* never written */

enum outcome { FAILED = -1, CANNOT, DONE };

static enum outcome
outcome_of (struct file_store *f, int r, _Atomic bool *cannot,
            uint64_t offset, uint64_t length)
{
  if (r == 0)
    return DONE;
  switch (errno) {
  case EOPNOTSUPP:
  case ENOSYS:
  case ENOTTY:
    *cannot = true;
    return CANNOT;
  case EINVAL:                  /* a device, and not aligned to its sectors */
    return CANNOT;
  default:
    set_error_errno (errno,
                     "%s: zeroing %" PRIu64 " bytes at offset %" PRIu64,
                     f->base.name, length, offset);
    return FAILED;
  }
}

static enum outcome
try_fallocate (struct file_store *f, int mode, _Atomic bool *cannot,
               uint64_t offset, uint64_t length)
{
  int r;

  if (*cannot)
    return CANNOT;
  do
    r = fallocate (f->fd, mode | FALLOC_FL_KEEP_SIZE, (off_t) offset,
                   (off_t) length);
  while (r == -1 && errno == EINTR);
  return outcome_of (f, r, cannot, offset, length);
}

static enum outcome
try_zeroout (struct file_store *f, uint64_t offset, uint64_t length)
{
  uint64_t range[2] = { offset, length };
  int r;

  if (!f->block_device || f->no_zeroout)
    return CANNOT;
  do
    r = ioctl (f->fd, BLKZEROOUT, range);
  while (r == -1 && errno == EINTR);
  return outcome_of (f, r, &f->no_zeroout, offset, length);
}

static int
write_zeros (struct store *s, uint64_t offset, uint64_t length)
{
  struct iovec iov[ZEROS_REPEAT];
  int n;

  while (length > 0) {
    uint64_t piece = 0;

    for (n = 0; n < ZEROS_REPEAT && piece < length; n++) {
      iov[n].iov_base = zeros;
      iov[n].iov_len = MIN_OF (length - piece, (uint64_t) ZEROS_BYTES);
      piece += iov[n].iov_len;
    }
    if (store_pwritev (s, iov, n, offset) == -1)
      return -1;
    offset += piece;
    length -= piece;
  }
  return 0;
}

int
file_zero (struct store *s, uint64_t offset, uint64_t length, uint32_t flags)
{
  struct file_store *f = (struct file_store *) s;
  enum outcome o = CANNOT;

  if (store_check_writable (s) == -1
      || store_check_range (s, offset, length) == -1)
    return -1;
  if (length == 0)
    return 0;

  if (flags & STORE_ZERO_PUNCH)
    o = try_fallocate (f, FALLOC_FL_PUNCH_HOLE, &f->no_punch, offset, length);
  /* A device that has no way to mark a range as zero gets zeros written by
   * the kernel in the two calls below, and does not tell. */
  if (o == CANNOT && !(f->block_device && (flags & STORE_ZERO_FAST)))
    o = try_fallocate (f, FALLOC_FL_ZERO_RANGE, &f->no_zero_range, offset,
                       length);
  if (o == CANNOT && !(flags & STORE_ZERO_FAST))
    o = try_zeroout (f, offset, length);
  if (o != CANNOT)
    return o == DONE ? 0 : -1;

  if (flags & STORE_ZERO_FAST) {
    set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
               "%s: no fast way to zero %" PRIu64 " bytes at offset %" PRIu64,
               s->name, length, offset);
    return -1;
  }
  return write_zeros (s, offset, length);
}
