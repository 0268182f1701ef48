/* vhdkit: check: space that no block uses.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Small gaps are normal: they put data at multiples of 4 KiB.  A gap that a
 * whole block fits in is lost space, but only as far as the host file takes
 * space there: holes that were punched when a block was freed, or grown ahead
 * of need, cost nothing and are used again.
 */
#include <config.h>

#include <inttypes.h>
#include <string.h>

#include "base/checked.h"
#include "operations/check.h"

/* Punching a hole leaves the file system's own blocks at its ends, which are
 * zeroed.  In an image of small blocks these edges alone can be a block and
 * more; so what is less than this counts only if something is in it. */
#define EDGES 65536
/* How far behind the last block a footer is looked for. */
#define JUNK_SEARCH (1u << 20)

/* Bytes of [start, end) that the host file takes.  Where the file system
 * cannot tell, all. */
static uint64_t
taken_bytes (struct check_image *ci, uint64_t start, uint64_t end)
{
  uint64_t taken = 0, next;
  bool hole;

  for (; start < end; start = next) {
    if (store_next_extent (ci->store, start, end, &next, &hole) == -1
        || next <= start)
      return taken + (end - start);
    if (!hole)
      taken += next - start;
  }
  return taken;
}

/* Is there anything but zeros in [start, end)?  What cannot be read counts as
 * something.  At most EDGES bytes of it are not holes. */
static bool
has_content (struct check_image *ci, uint64_t start, uint64_t end)
{
  char buf[4096];
  uint64_t next;
  size_t n;
  bool hole;

  for (; start < end; start = next) {
    if (store_next_extent (ci->store, start, end, &next, &hole) == -1
        || next <= start)
      return true;
    if (hole)
      continue;
    n = MIN_OF (next - start, sizeof buf);
    next = start + n;
    if (store_pread (ci->store, buf, n, start) == -1
        || !check_all_zero (buf, n))
      return true;
  }
  return false;
}

static int
check_gap (struct check_image *ci, uint64_t start, uint64_t end,
           struct tally *t)
{
  uint64_t taken;

  if (end <= start || end - start < ci->block_span)
    return 0;
  taken = taken_bytes (ci, start, end);
  if (taken < MIN_OF (ci->block_span, EDGES)
      || (taken < EDGES && !has_content (ci, start, end)))
    return 0;
  ci->check->result.leaked_bytes += taken;
  if (!check_tally (t))
    return 0;
  return report (&ci->report, VHDKIT_SEVERITY_LEAK,
                 VHDKIT_ERR_BLOCK_ALLOCATION_FAILURE, "unused space", start,
                 "gaps smaller than a block",
                 "no block uses this space; no data is missing, the file is "
                 "larger than it needs to be",
                 "%" PRIu64 " bytes up to byte %" PRIu64 ", of which the host "
                 "file takes %" PRIu64, end - start, end, taken);
}

/* The footer is not at the end of the file: is it a little before?  end: of
 * the last block. */
static int
check_junk (struct check_image *ci, uint64_t end)
{
  struct vhd_footer_disk d;
  struct vhd_footer f;
  uint64_t at;

  if (!image_footer_missing (ci->image))
    return 0;
  for (at = end; at - end < JUNK_SEARCH
         && range_within (at, sizeof d, ci->file_size); at += SECTOR_SIZE) {
    if (store_pread (ci->store, &d, sizeof d, at) == -1)
      return 0;                 /* that the footer is missing was told */
    if (vhd_footer_decode (&d, &f) != VHD_FOOTER_VALID
        || memcmp (f.id, ci->footer->id, sizeof f.id) != 0)
      continue;
    return report (&ci->report, VHDKIT_SEVERITY_WARNING,
                   VHDKIT_ERR_INVALID_FILE_SIZE, "end of file",
                   at + sizeof d, "the footer to be the last 512 bytes",
                   "something was added to the file, or it was not cut when "
                   "the image became smaller; no data is missing",
                   "%" PRIu64 " bytes behind the footer",
                   ci->file_size - at - sizeof d);
  }
  return 0;
}

int
check_space (struct check_image *ci)
{
  struct tally t = { 0 };
  uint64_t end = ci->metadata_end;
  size_t k;

  for (k = 0; k < ci->nr_placed; k++) {
    const uint64_t start = placed_offset (&ci->placed[k]);

    if (check_gap (ci, end, start, &t) == -1)
      return -1;
    end = MAX_OF (end, start + ci->block_span);
  }
  if (ci->layer == 0)
    ci->check->result.image_end_offset = MIN_OF (end, ci->file_size);
  if (check_gap (ci, end, ci->data_end, &t) == -1
      || check_junk (ci, end) == -1)
    return -1;
  return check_tally_end (ci, &t, VHDKIT_SEVERITY_LEAK,
                          VHDKIT_ERR_BLOCK_ALLOCATION_FAILURE,
                          "unused spaces");
}
