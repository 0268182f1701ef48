/* vhdkit: how writes become durable.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Data goes to the file at once; what says that it is there (sector bitmaps
 * and table entries) is changed in memory, marked dirty, and written in
 * groups: by flush, FUA, close, a timer, and when much of it is dirty.  The
 * rules, which tests quote by number (docs/write-order.md):
 *
 *  (1) A commit is: sync (data) -> write dirty bitmaps -> write table sectors
 *      -> sync.  Flushes that arrive together join one commit.  With nothing
 *      but data dirty it is one sync; with nothing dirty, none.
 *  (2) After a power cut at any point the image opens, and every sector reads
 *      as last flushed or as written later.
 *  (3) A table entry reaches the disk only when the data, and a bitmap that is
 *      right or all zero, are durable.  Freed space is used again only after
 *      the commit that removed its table entry.
 *  (4) The copy of the footer and the header at the front are not written
 *      here.  Every commit leaves a valid trailing footer.
 *  (5) ENOSPC, EIO or EDQUOT in an allocation changes nothing.
 *  (6) A failed sync is final: no more writes until reopened.
 *  (7) SIGTERM and a normal exit commit; SIGKILL loses what was not flushed.
 *
 * For (3), what is written in the middle is a snapshot taken before the first
 * sync: a bit or an entry that appears while that sync runs stands for data
 * that the sync may not cover, and waits for the next commit.
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/thread.h"
#include "image/internal.h"
#include "image/snapshot.h"

void
commit_init (struct image *i, int interval)
{
  struct commit *c = &i->commit;
  pthread_condattr_t attr;

  pthread_mutex_init (&c->lock, NULL);
  pthread_mutex_init (&c->sync_lock, NULL);
  pthread_cond_init (&c->done, NULL);
  pthread_condattr_init (&attr);
  pthread_condattr_setclock (&attr, CLOCK_MONOTONIC);
  pthread_cond_init (&c->timer_wake, &attr);
  pthread_condattr_destroy (&attr);
  c->interval = interval;
}

void
commit_free (struct image *i)
{
  struct commit *c = &i->commit;

  free (c->dirty_table);
  free (c->freed);
  error_discard (&c->error);
  error_discard (&c->failure);
  pthread_cond_destroy (&c->timer_wake);
  pthread_cond_destroy (&c->done);
  pthread_mutex_destroy (&c->sync_lock);
  pthread_mutex_destroy (&c->lock);
}

/*----------------------------------------------------------------------
 * What is dirty
 *--------------------------------------------------------------------*/

int
commit_remember_freed (struct image *i, uint32_t entry)
{
  struct commit *c = &i->commit;

  if (c->nr_freed == c->max_freed) {
    size_t max = c->max_freed ? c->max_freed * 2 : 64;
    uint32_t *p = realloc (c->freed, max * sizeof *p);

    if (p == NULL) {
      set_error_errno (ENOMEM, "%s: freeing a block", i->store->name);
      return -1;
    }
    c->freed = p;
    c->max_freed = max;
  }
  c->freed[c->nr_freed++] = entry;
  return 0;
}

int
commit_publish (struct image *i, uint32_t block, uint32_t entry)
{
  struct commit *c = &i->commit;
  uint32_t sector = block / ENTRIES_PER_SECTOR;
  LOCK_FOR_SCOPE (&c->lock);

  if (entry == VHD_BAT_UNUSED
      && commit_remember_freed (i, block_entry (i, block)) == -1)
    return -1;
  if (BROKEN (3) && entry == VHD_BAT_UNUSED)
    space_release (i, &c->freed[--c->nr_freed], 1);
  if (entry == VHD_BAT_UNUSED)
    atomic_fetch_sub (&i->blocks_used, 1);
  else
    atomic_fetch_add (&i->blocks_used, 1);
  atomic_store (&i->bat[block], entry); /* see grace.h */
  c->dirty_table[sector / 64] |= UINT64_C (1) << sector % 64;
  c->table_dirty = true;
  return 0;
}

void
commit_bitmap_dirty (struct image *i, struct bitmap *b)
{
  struct commit *c = &i->commit;

  /* The bit was set before this look; a commit clears the mark before it
   * copies the bits.  So a mark seen here stands for a copy still to come. */
  if (atomic_load (&b->dirty))
    return;
  LOCK_FOR_SCOPE (&c->lock);
  if (!atomic_load (&b->dirty)) {
    atomic_fetch_add (&b->busy, 1);     /* before the mark */
    atomic_store (&b->dirty, true);
    b->next_dirty = c->dirty_bitmaps;
    c->dirty_bitmaps = b;
    atomic_fetch_add (&c->dirty_bitmap_bytes, b->entry.bytes);
  }
}

bool
commit_pressure (struct image *i)
{
  /* A racy look is good enough: it only decides who commits when. */
  return atomic_load_explicit (&i->commit.dirty_bitmap_bytes,
                               memory_order_relaxed) > i->bitmaps.limit / 2;
}

int
commit_check (struct image *i)
{
  struct commit *c = &i->commit;

  if (!atomic_load_explicit (&c->failed, memory_order_acquire))
    return 0;
  set_error (VHDKIT_ERR_IO, EIO,
             "%s: refused, because an earlier sync failed and the system may "
             "have dropped data (%s); check the storage and open the image "
             "again", i->store->name,
             c->failure.text ? c->failure.text : "no memory for the reason");
  return -1;
}

/*----------------------------------------------------------------------
 * The commit
 *--------------------------------------------------------------------*/

void
commit_give_up (struct image *i)
{
  struct commit *c = &i->commit;
  LOCK_FOR_SCOPE (&c->lock);

  if (atomic_load (&c->failed))
    return;
  error_save (&c->failure);
  atomic_store_explicit (&c->failed, true, memory_order_release);
}

/* Rule 6: whoever syncs for a disk that is being written, by this.  The system
 * tells of a failure once.  Of two syncs at a time one would succeed, and one
 * after the failed one would too, without what has been lost: so they come one
 * at a time, and none behind that. */
int
commit_sync (struct image *i)
{
  struct commit *c = &i->commit;
  LOCK_FOR_SCOPE (&c->sync_lock);

  if (!BROKEN (6) && commit_check (i) == -1)
    return -1;
  if (store_flush (i->store) == 0 || BROKEN (6))
    return 0;
  error_recode (VHDKIT_ERR_IO, EIO);
  commit_give_up (i);
  set_error (VHDKIT_ERR_IO, EIO, "%s",
             c->failure.text ? c->failure.text : "sync failed");
  return -1;
}

static int
do_commit (struct image *i)
{
  struct snapshot s;

  if (i->dynamic)
    space_commit_begins (i);
  if (snapshot_take (i, &s) == -1)
    return -1;
  if (snapshot_write (i, &s) == -1) {
    struct saved_error e;

    error_save (&e);
    snapshot_take_back (i, &s);
    error_restore (&e);
    snapshot_free (&s);
    return -1;
  }
  snapshot_settle (i, &s);
  if (i->dynamic)
    space_committed (i);
  snapshot_free (&s);
  return 0;
}

static bool
anything_dirty_locked (const struct commit *c)
{
  return atomic_load (&c->data_dirty) || c->table_dirty || c->dirty_bitmaps;
}

/* Everything completed before the call is durable after it.  Callers that
 * arrive while a commit runs wait for it, and then one of them runs the next
 * for all. */
int
commit_run (struct image *i)
{
  struct commit *c = &i->commit;
  uint64_t ticket;
  int r;

  if (commit_check (i) == -1)
    return -1;
  mutex_lock (&c->lock);
  if (!c->running && !anything_dirty_locked (c)) {
    mutex_unlock (&c->lock);
    return 0;
  }
  /* The next one to start covers us, whoever runs it. */
  ticket = c->started + 1;
  while (c->finished < ticket) {
    if (c->running) {
      pthread_cond_wait (&c->done, &c->lock);
      continue;
    }
    c->running = true;
    c->started++;
    mutex_unlock (&c->lock);
    r = do_commit (i);
    mutex_lock (&c->lock);
    error_discard (&c->error);
    if (r == -1)
      error_save (&c->error);
    c->running = false;
    c->finished = c->started;
    pthread_cond_broadcast (&c->done);
  }
  r = 0;
  if (c->error.code != VHDKIT_OK) {
    set_error (c->error.code, c->error.err, "%s",
               c->error.text ? c->error.text : i->store->name);
    r = -1;
  }
  mutex_unlock (&c->lock);
  return r;
}

/*----------------------------------------------------------------------
 * The timer
 *--------------------------------------------------------------------*/

/* Commits metadata, not mere data: the system writes that back by itself, and
 * it is where it belongs. */
static void *
timer_main (void *arg)
{
  struct image *i = arg;
  struct commit *c = &i->commit;
  struct timespec next;
  bool dirty;

  mutex_lock (&c->lock);
  while (!c->timer_stop) {
    clock_gettime (CLOCK_MONOTONIC, &next);
    next.tv_sec += c->interval;
    while (!c->timer_stop
           && pthread_cond_timedwait (&c->timer_wake, &c->lock, &next) == 0)
      ;
    dirty = c->table_dirty || c->dirty_bitmaps;
    if (c->timer_stop || !dirty)
      continue;
    mutex_unlock (&c->lock);
    /* An error stays for the next flush to find: what failed is dirty still,
     * or the disk refuses everything. */
    (void) commit_run (i);
    mutex_lock (&c->lock);
  }
  mutex_unlock (&c->lock);
  return NULL;
}

int
commit_start_timer (struct image *i)
{
  struct commit *c = &i->commit;
  int r;

  if (i->dynamic && c->dirty_table == NULL) {
    c->dirty_table = calloc (div_round_up (table_sectors (i), 64), 8);
    if (c->dirty_table == NULL) {
      set_error_errno (ENOMEM, "%s: block table", i->store->name);
      return -1;
    }
  }
  if (!i->dynamic || c->interval <= 0 || c->timer_running)
    return 0;
  c->timer_stop = false;
  r = thread_start (&c->timer, false, timer_main, i);
  if (r != 0) {
    set_error_errno (r, "%s: commit thread", i->store->name);
    return -1;
  }
  c->timer_running = true;
  return 0;
}

void
commit_stop_timer (struct image *i)
{
  struct commit *c = &i->commit;

  if (!c->timer_running)
    return;
  mutex_lock (&c->lock);
  c->timer_stop = true;
  pthread_cond_signal (&c->timer_wake);
  mutex_unlock (&c->lock);
  pthread_join (c->timer, NULL);
  c->timer_running = false;
}
