/* vhdkit: check: what only the data shows.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Slow, everything is read: done only when asked for (VHDKIT_CHECK_DATA).
 *   - Sectors that their bitmap says were never written must be zero in the
 *     file.  We do not look at them, but other readers show them.
 *   - qemu puts a new block of an image with aligned blocks over the old
 *     footer, which then appears as a guest's data (vhd-format 8.1).
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "operations/check.h"

#define PIECE (1u << 20)

int
check_data_begin (struct check_image *ci, struct check_data *d)
{
  *d = (struct check_data) { .buf = malloc (PIECE) };
  if (d->buf)
    return 0;
  set_error_errno (ENOMEM, "%s: data", ci->report.file);
  return -1;
}

/* What one block has shown so far. */
struct seen {
  uint32_t unmarked;            /* sectors not zero though never written */
  uint64_t first;               /* where the first of them is in the file */
};

static int
stale_footer (struct check_image *ci, struct check_data *d,
              const struct placed *p, uint32_t sector, const void *bytes)
{
  struct vhd_footer_disk disk;
  struct vhd_footer f;
  char structure[64], meaning[240];

  memcpy (&disk, bytes, sizeof disk);
  if (vhd_footer_decode (&disk, &f) != VHD_FOOTER_VALID
      || memcmp (f.id, ci->footer->id, sizeof f.id) != 0
      || !check_tally (&d->footers))
    return 0;
  snprintf (structure, sizeof structure, "data of block %" PRIu32
            ", sector %" PRIu32, p->block, sector);
  snprintf (meaning, sizeof meaning,
            "a guest sees it at disk byte %" PRIu64 ", where it wrote nothing: "
            "a program (qemu does) put the block over the footer; zero that "
            "sector, unless the guest keeps a copy of this image there",
            block_disk_offset (ci, p->block)
            + (uint64_t) sector * SECTOR_SIZE);
  return report (&ci->report, VHDKIT_SEVERITY_WARNING,
                 VHDKIT_ERR_FOOTER_CORRUPT, structure,
                 placed_data (ci, p) + (uint64_t) sector * SECTOR_SIZE,
                 "what a guest wrote", meaning,
                 "an old footer of this image");
}

static int
look_at_piece (struct check_image *ci, struct check_data *d,
               const struct placed *p, const uint8_t *bitmap, uint32_t first,
               uint32_t n, struct seen *seen)
{
  uint32_t i;

  for (i = 0; i < n; i++) {
    const uint8_t *sector = d->buf + (size_t) i * SECTOR_SIZE;
    const bool marked = bitmap_bit (bitmap, first + i);

    if (marked && memcmp (sector, VHD_FOOTER_COOKIE, 8) == 0) {
      if (stale_footer (ci, d, p, first + i, sector) == -1)
        return -1;
    }
    else if (!marked && !check_all_zero (sector, SECTOR_SIZE)
             && seen->unmarked++ == 0)
      seen->first = placed_data (ci, p) + (uint64_t) (first + i) * SECTOR_SIZE;
  }
  return 0;
}

static int
unreadable (struct check_image *ci, const struct placed *p, uint64_t at)
{
  char structure[40];

  snprintf (structure, sizeof structure, "data of block %" PRIu32, p->block);
  return report (&ci->report, VHDKIT_SEVERITY_ERROR, VHDKIT_ERR_IO, structure,
                 at, "readable data", "the host cannot read this part of the "
                 "file; reads of it fail", "%s", vhdkit_get_error ());
}

static int
tell_unmarked (struct check_image *ci, struct check_data *d,
               const struct placed *p, const struct seen *seen)
{
  const bool child = ci->footer->type == VHD_DIFFERENCING;
  char structure[40];

  if (seen->unmarked == 0 || !check_tally (&d->unmarked))
    return 0;
  snprintf (structure, sizeof structure, "data of block %" PRIu32, p->block);
  return report (&ci->report,
                 child ? VHDKIT_SEVERITY_NOTE : VHDKIT_SEVERITY_WARNING,
                 VHDKIT_ERR_BITMAP_MISMATCH, structure, seen->first,
                 "zeros where the sector bitmap says nothing was written",
                 child ? "ignored, the parents' data is read instead" :
                 "read as zeros; programs that ignore the bitmap (qemu) show "
                 "what is there", "%" PRIu32 " sectors that are not zero",
                 seen->unmarked);
}

int
check_data_block (struct check_image *ci, struct check_data *d,
                  const struct placed *p, const uint8_t *bitmap)
{
  const uint32_t sectors = check_block_sectors (ci, p->block);
  struct seen seen = { 0 };
  uint64_t next;
  uint32_t s, n;
  bool hole;

  for (s = 0; s < sectors; s += n) {
    const uint64_t at = placed_data (ci, p) + (uint64_t) s * SECTOR_SIZE;

    n = MIN_OF (sectors - s, PIECE / SECTOR_SIZE);
    if (store_next_extent (ci->store, at, at + (uint64_t) n * SECTOR_SIZE,
                           &next, &hole) == 0
        && hole && next - at >= SECTOR_SIZE) {
      n = (next - at) / SECTOR_SIZE;
      continue;
    }
    if (store_pread (ci->store, d->buf, (size_t) n * SECTOR_SIZE, at) == -1)
      return unreadable (ci, p, at);
    if (look_at_piece (ci, d, p, bitmap, s, n, &seen) == -1)
      return -1;
  }
  return tell_unmarked (ci, d, p, &seen);
}

int
check_data_end (struct check_image *ci, struct check_data *d)
{
  free (d->buf);
  if (ci->check->stopped)
    return -1;
  if (check_tally_end (ci, &d->footers, VHDKIT_SEVERITY_WARNING,
                       VHDKIT_ERR_FOOTER_CORRUPT,
                       "old footers are among the data") == -1
      || check_tally_end (ci, &d->unmarked,
                          ci->footer->type == VHD_DIFFERENCING ?
                          VHDKIT_SEVERITY_NOTE : VHDKIT_SEVERITY_WARNING,
                          VHDKIT_ERR_BITMAP_MISMATCH,
                          "blocks have bytes in unmarked sectors") == -1)
    return -1;
  return 0;
}
