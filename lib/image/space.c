/* vhdkit: room for blocks.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 *   metadata | block | gap | block | block | (grown) ... | footer
 *                                   next ^        footer ^
 *
 * A new block goes into the lowest gap that holds one, else behind the last
 * block.  There the file grows a few blocks at a time, in this order:
 *
 *   1. the file is made longer;
 *   2. the footer is written at its new place, the end (and finds out now, not
 *      at the commit, that there is no space);
 *   3. the old footer is overwritten with zeros: its place becomes part of a
 *      block.
 *
 * A power cut that loses 2 leaves the copy at the start to stand in (write
 * order, rule 4), if what the file ends in is no footer.  A client may write
 * footers, so its data must not be there: without 1 the length may be anything
 * up to the new one, and follow the data as that reaches the disk.  With it the
 * old length or the new one is left.  At the old one the bitmap of a new block
 * begins; where that place becomes data, the new length is made durable first.
 *
 * What lies behind the end the file had at open is known to be zero, unless a
 * write failed there.  Space before that, gaps and space freed since, may hold
 * anything and is zeroed before it is used again; that reaches the disk with
 * the first sync of the commit that publishes the block (rule 3).
 *
 * Placement: the data, not the bitmap, begins at a multiple of 4 KiB, as
 * Windows 8 and later place it.  Images whose blocks are packed otherwise keep
 * their style (vhd-format 4.3, 11).
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "image/internal.h"

#define ALIGNMENT UINT64_C (4096)
#define MAX_STEP 32

static uint64_t
slot_bytes (const struct image *i)
{
  return (uint64_t) i->bitmap_bytes + i->block_size;
}

/* The first place for a bitmap at or behind offset. */
static uint64_t
place (const struct image *i, uint64_t offset)
{
  if (!i->space.aligned)
    return round_up (offset, SECTOR_SIZE);
  return round_up (offset + i->bitmap_bytes, ALIGNMENT) - i->bitmap_bytes;
}

/* The place of the footer behind blocks that end at offset. */
static uint64_t
place_footer (const struct image *i, uint64_t offset)
{
  if (!i->space.aligned)
    return round_up (offset, SECTOR_SIZE);
  return round_up (offset + SECTOR_SIZE, ALIGNMENT) - SECTOR_SIZE;
}

static int
add_gap (struct image *i, uint64_t start, uint64_t end)
{
  struct space *s = &i->space;
  struct gap *g;

  if (end < start || end - start < slot_bytes (i))
    return 0;
  /* Room for a power of two. */
  if ((s->nr_gaps & (s->nr_gaps - 1)) == 0) {
    size_t max = s->nr_gaps ? s->nr_gaps * 2 : 1;

    g = realloc (s->gap, max * sizeof *g);
    if (g == NULL) {
      set_error_errno (ENOMEM, "%s: free space", i->store->name);
      return -1;
    }
    s->gap = g;
  }
  s->gap[s->nr_gaps++] = (struct gap) { start, end };
  return 0;
}

/* Keep the style that the image shows.  Without blocks: VirtualBox counts on
 * packed blocks when it compacts, others do not care. */
static bool
wants_alignment (const struct image *i, const uint32_t *entries, size_t n)
{
  size_t k;

  if (i->block_size % ALIGNMENT != 0)
    return false;
  for (k = 0; k < n; k++)
    if (block_data (i, entries[k]) % ALIGNMENT != 0)
      return false;
  return n > 0 || memcmp (i->footer.creator, "vbox", 4) != 0;
}

static int
write_footer (struct image *i, uint64_t offset)
{
  struct vhd_footer_disk d;

  vhd_footer_encode (&i->footer, &d);
  if (BROKEN (4))
    memset (&d, 0, sizeof d);
  return store_pwrite (i->store, &d, sizeof d, offset);
}

/* The file has lost its trailing footer: the end of a session that was killed,
 * or of another program's.  Put it back behind the last block. */
static int
restore_footer (struct image *i)
{
  struct space *s = &i->space;

  s->footer = place_footer (i, s->next);
  if (write_footer (i, s->footer) == -1
      || store_truncate (i->store, s->footer + SECTOR_SIZE) == -1
      || store_flush (i->store) == -1) {
    error_prefix ("restoring the footer");
    return -1;
  }
  i->footer_missing = false;
  return 0;
}

int
space_init (struct image *i)
{
  CLEANUP_FREE uint32_t *entries = NULL;
  struct space *s = &i->space;
  size_t n, k;

  if (bat_sorted (i, &entries, &n) == -1)
    return -1;
  s->aligned = wants_alignment (i, entries, n);
  s->next = i->reserved_end;
  s->nr_gaps = s->first_gap = 0;
  for (k = 0; k < n; k++) {
    uint64_t start = (uint64_t) entries[k] * SECTOR_SIZE;

    if (add_gap (i, s->next, start) == -1)
      return -1;
    s->next = MAX_OF (s->next, start + slot_bytes (i));
  }
  s->step = 1;
  s->grown = false;
  s->footer = i->data_end;
  s->clean_from = i->file_size;
  if (i->footer_missing && restore_footer (i) == -1)
    return -1;
  return 0;
}

void
space_free (struct image *i)
{
  free (i->space.gap);
}

/* The functions down to space_alloc are called with the lock held. */

static bool
from_gap (struct image *i, uint64_t *ret_start)
{
  struct space *s = &i->space;
  size_t k;

  for (k = s->first_gap; k < s->nr_gaps; k++) {
    uint64_t start = place (i, s->gap[k].start);

    if (start + slot_bytes (i) <= s->gap[k].end) {
      s->gap[k].start = start + slot_bytes (i);
      *ret_start = start;
      return true;
    }
    /* Used up, and so are those before it. */
    if (k == s->first_gap)
      s->first_gap++;
  }
  return false;
}

/* The copy at the start must be able to stand in for the footer before the
 * footer moves for the first time (rule 4). */
static int
check_copy (struct image *i)
{
  struct vhd_footer_disk d;

  if (i->space.copy_checked)
    return 0;
  if (i->copy_differs) {
    vhd_footer_encode (&i->footer, &d);
    if (store_pwrite (i->store, &d, sizeof d, 0) == -1
        || commit_sync (i) == -1) {
      error_prefix ("repairing the footer copy at the start");
      return -1;
    }
    i->copy_differs = false;
  }
  i->space.copy_checked = true;
  return 0;
}

/* Where blocks end when as many as step follow the one at start. */
static uint64_t
end_of_step (const struct image *i, uint64_t start, unsigned step)
{
  uint64_t end = start + slot_bytes (i);

  for (; step > 1; step--) {
    uint64_t more = place (i, end) + slot_bytes (i);

    if (more / SECTOR_SIZE >= VHD_BAT_UNUSED)
      break;
    end = more;
  }
  return end;
}

/* Make the file longer, in one step, and write the footer at its new place. */
static int
extend (struct image *i, uint64_t footer)
{
  struct space *s = &i->space;
  struct saved_error e;

  if (store_truncate (i->store, footer + SECTOR_SIZE) == 0
      && write_footer (i, footer) == 0)
    return 0;
  /* Part of it may be there.  The file must end in a footer again; and if it
   * cannot, what is there now is not zero. */
  error_save (&e);
  s->junk_behind = store_truncate (i->store, s->footer + SECTOR_SIZE) == -1;
  if (s->junk_behind)
    commit_data_written (i);    /* the next commit tries again */
  s->clean_from = MAX_OF (s->clean_from, footer + SECTOR_SIZE);
  error_restore (&e);
  return -1;
}

/* What a failed attempt left behind the footer, if it could not be cut then. */
static int
cut_junk (struct image *i)
{
  struct space *s = &i->space;

  if (!s->junk_behind)
    return 0;
  if (store_truncate (i->store, s->footer + SECTOR_SIZE) == -1)
    return -1;
  s->junk_behind = false;
  return 0;
}

/* Move the footer so that a slot at start fits before it, and some more. */
static int
grow (struct image *i, uint64_t start)
{
  static const uint8_t zeros[SECTOR_SIZE];
  struct space *s = &i->space;
  uint64_t old = s->footer, footer;

  if (!i->store->can_grow) {
    set_error (VHDKIT_ERR_DISK_FULL, ENOSPC,
               "%s: a block device cannot grow: no room for another block",
               i->store->name);
    return -1;
  }
  if (check_copy (i) == -1 || cut_junk (i) == -1)
    return -1;
  footer = place_footer (i, end_of_step (i, start, s->step));
  if (extend (i, footer) == -1) {
    /* The host may have a limit that one block still respects. */
    footer = place_footer (i, end_of_step (i, start, 1));
    if (s->step == 1 || s->junk_behind || extend (i, footer) == -1)
      goto no_room;
  }
  s->footer = footer;
  s->grown = true;
  /* A client's data goes where the file may still end after a power cut?  Then
   * the new end first. */
  if ((old >= start + i->bitmap_bytes && commit_sync (i) == -1)
      || store_pwrite (i->store, zeros, sizeof zeros, old) == -1) {
    /* The new footer counts, and the old one is among what must be zeroed
     * before it is used. */
    s->clean_from = MAX_OF (s->clean_from, footer);
    goto no_room;
  }
  if (s->step < MAX_STEP)
    s->step *= 2;
  return 0;

 no_room:
  /* To a client a limit of the file system is a full disk. */
  if (vhdkit_get_errno () == EFBIG)
    error_recode (VHDKIT_ERR_DISK_FULL, ENOSPC);
  error_prefix ("room for a new block");
  return -1;
}

static int
append (struct image *i, uint64_t *ret_start)
{
  struct space *s = &i->space;
  uint64_t start = place (i, s->next), end = start + slot_bytes (i);

  if (start / SECTOR_SIZE >= VHD_BAT_UNUSED) {
    set_error (VHDKIT_ERR_DISK_FULL, ENOSPC,
               "%s: no room for another block: the block table reaches 2 TiB "
               "at most", i->store->name);
    return -1;
  }
  if (end > s->footer && grow (i, start) == -1)
    return -1;
  s->next = end;
  *ret_start = start;
  return 0;
}

int
space_alloc (struct image *i, uint32_t *ret_entry)
{
  struct space *s = &i->space;
  uint64_t start, clean;
  uint32_t entry;

  mutex_lock (&s->lock);
  if (from_gap (i, &start))
    clean = UINT64_MAX;
  else if (append (i, &start) == 0)
    clean = s->clean_from;
  else {
    mutex_unlock (&s->lock);
    return -1;
  }
  mutex_unlock (&s->lock);

  entry = start / SECTOR_SIZE;
  if (start < clean && !BROKEN (2)
      && store_zero (i->store, start, slot_bytes (i), STORE_ZERO_PUNCH) == -1) {
    error_prefix ("room for a new block");
    space_release (i, &entry, 1);
    return -1;
  }
  *ret_entry = entry;
  return 0;
}

/* Merge the (sorted) entries with what is left of the gaps.  The padding
 * between neighbours, less than the alignment, is free as well. */
static struct gap *
merge_gaps (struct image *i, const uint32_t *entries, size_t n, size_t *ret_n)
{
  struct space *s = &i->space;
  size_t g = s->first_gap, e = 0, out = 0, room = 1;
  struct gap *merged, next;

  while (room < s->nr_gaps - g + n)
    room *= 2;
  merged = malloc (room * sizeof *merged);
  if (merged == NULL)
    return NULL;
  while (g < s->nr_gaps || e < n) {
    if (e == n || (g < s->nr_gaps
                   && s->gap[g].start
                      < (uint64_t) entries[e] * SECTOR_SIZE))
      next = s->gap[g++];
    else {
      next.start = (uint64_t) entries[e++] * SECTOR_SIZE;
      next.end = next.start + slot_bytes (i);
    }
    if (out > 0 && is_padding (i, merged[out - 1].end, next.start))
      merged[out - 1].end = next.end;
    else
      merged[out++] = next;
  }
  *ret_n = out;
  return merged;
}

/* Without memory for the list the space stays unused until the image is
 * opened again: no harm. */
void
space_release (struct image *i, uint32_t *entries, size_t n)
{
  LOCK_FOR_SCOPE (&i->space.lock);
  struct gap *merged;
  size_t nr;

  qsort (entries, n, sizeof *entries, bat_compare);
  merged = merge_gaps (i, entries, n, &nr);
  if (merged == NULL)
    return;
  free (i->space.gap);
  i->space.gap = merged;
  i->space.nr_gaps = nr;
  i->space.first_gap = 0;
}

/* A commit leaves a file that ends in a footer (rule 4), if the host lets us.
 */
void
space_commit_begins (struct image *i)
{
  LOCK_FOR_SCOPE (&i->space.lock);

  (void) cut_junk (i);
}

void
space_committed (struct image *i)
{
  LOCK_FOR_SCOPE (&i->space.lock);

  i->space.step = 1;
  if (i->space.junk_behind)
    commit_data_written (i);
}

int
space_trim_end (struct image *i)
{
  struct space *s = &i->space;
  CLEANUP_FREE uint32_t *entries = NULL;
  uint64_t end = i->reserved_end, footer;
  size_t n;

  if (cut_junk (i) == -1)
    return -1;
  if (!s->grown)
    return 0;
  if (bat_sorted (i, &entries, &n) == -1)
    return -1;
  if (n > 0)
    end = MAX_OF (end, (uint64_t) entries[n - 1] * SECTOR_SIZE
                       + slot_bytes (i));
  footer = place_footer (i, end);
  if (footer >= s->footer)
    return 0;
  /* The new footer is durable before the old one goes. */
  if (write_footer (i, footer) == -1
      || store_flush (i->store) == -1
      || store_truncate (i->store, footer + SECTOR_SIZE) == -1
      || store_flush (i->store) == -1) {
    error_prefix ("footer at the end");
    return -1;
  }
  s->footer = footer;
  return 0;
}
