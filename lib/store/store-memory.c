/* vhdkit: a store in memory.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Sparse: chunks of 64 KiB exist where something was written.  They are found
 * by way of groups of 1024 chunks (64 MiB), so that a store of the length of
 * the largest disk costs a table of 256 KiB, and a walk over its holes is
 * short.  What is absent reads as zeros.
 */
#include <config.h>

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/checked.h"
#include "base/error.h"
#include "store/store.h"

#define CHUNK_BYTES 65536u
#define GROUP_CHUNKS 1024u
#define GROUP_BYTES ((uint64_t) CHUNK_BYTES * GROUP_CHUNKS)
/* Above what an image can address, for room; bounds the table of groups. */
#define MAX_LENGTH (UINT64_C (4) << 40)
/* A size that came from outside must not take all memory. */
#define MAX_CHUNKS ((1u << 30) / CHUNK_BYTES)

enum { ID_MEMORY = 3 };

struct group {
  uint8_t *chunk[GROUP_CHUNKS];
  unsigned used;                /* how many are not NULL; freed at 0 */
};

struct memory_store {
  struct store base;            /* first: a store is cast to it */
  uint64_t id;
  /* Guards everything below, the contents of the chunks too. */
  pthread_rwlock_t lock;
  struct group **group;
  size_t nr_groups;
  unsigned nr_chunks;
  uint64_t size;
  int64_t mtime;
};

static inline struct memory_store *
memory_of (struct store *s)
{
  return (struct memory_store *) s;
}

static void
lock_shared (struct memory_store *m)
{
  int r = pthread_rwlock_rdlock (&m->lock);
  assert (r == 0);
  (void) r;
}

static void
lock_alone (struct memory_store *m)
{
  int r = pthread_rwlock_wrlock (&m->lock);
  assert (r == 0);
  (void) r;
}

static void
unlock (struct memory_store *m)
{
  int r = pthread_rwlock_unlock (&m->lock);
  assert (r == 0);
  (void) r;
}

static int
no_memory (struct memory_store *m)
{
  set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "%s: out of memory", m->base.name);
  return -1;
}

/*----------------------------------------------------------------------
 * Chunks.  All with the lock held.
 *--------------------------------------------------------------------*/

/* The group of offset, or NULL. */
static struct group *
group_at_locked (struct memory_store *m, uint64_t offset)
{
  uint64_t g = offset / GROUP_BYTES;

  return g < m->nr_groups ? m->group[g] : NULL;
}

static inline unsigned
chunk_in_group (uint64_t offset)
{
  return offset / CHUNK_BYTES % GROUP_CHUNKS;
}

/* The chunk of offset, or NULL. */
static uint8_t *
chunk_at_locked (struct memory_store *m, uint64_t offset)
{
  struct group *g = group_at_locked (m, offset);

  return g ? g->chunk[chunk_in_group (offset)] : NULL;
}

static int
reserve_groups_locked (struct memory_store *m, size_t n)
{
  struct group **group;

  if (n <= m->nr_groups)
    return 0;
  group = realloc (m->group, n * sizeof *group);
  if (group == NULL)
    return no_memory (m);
  memset (&group[m->nr_groups], 0, (n - m->nr_groups) * sizeof *group);
  m->group = group;
  m->nr_groups = n;
  return 0;
}

/* The chunk of offset, made if it is not there. */
static uint8_t *
make_chunk_locked (struct memory_store *m, uint64_t offset)
{
  uint64_t g = offset / GROUP_BYTES;
  uint8_t **chunk;

  if (reserve_groups_locked (m, g + 1) == -1)
    return NULL;
  if (m->group[g] == NULL) {
    m->group[g] = calloc (1, sizeof *m->group[g]);
    if (m->group[g] == NULL) {
      no_memory (m);
      return NULL;
    }
  }
  chunk = &m->group[g]->chunk[chunk_in_group (offset)];
  if (*chunk == NULL) {
    if (m->nr_chunks == MAX_CHUNKS) {
      set_error (VHDKIT_ERR_DISK_FULL, ENOSPC,
                 "%s: would take more than %u bytes of memory",
                 m->base.name, MAX_CHUNKS * CHUNK_BYTES);
      return NULL;
    }
    *chunk = calloc (1, CHUNK_BYTES);
    if (*chunk == NULL) {
      no_memory (m);
      return NULL;
    }
    m->nr_chunks++;
    m->group[g]->used++;
  }
  return *chunk;
}

static void
drop_chunk_locked (struct memory_store *m, uint64_t offset)
{
  struct group *g = group_at_locked (m, offset);
  uint8_t **chunk;

  if (g == NULL)
    return;
  chunk = &g->chunk[chunk_in_group (offset)];
  if (*chunk == NULL)
    return;
  free (*chunk);
  *chunk = NULL;
  m->nr_chunks--;
  if (--g->used == 0) {
    m->group[offset / GROUP_BYTES] = NULL;
    free (g);
  }
}

/* Make [offset, end) absent where whole chunks are in it, zero elsewhere. */
static void
zero_locked (struct memory_store *m, uint64_t offset, uint64_t end)
{
  while (offset < end) {
    uint64_t next = round_down (offset, CHUNK_BYTES) + CHUNK_BYTES;
    uint8_t *chunk;

    if (group_at_locked (m, offset) == NULL)
      next = offset / GROUP_BYTES * GROUP_BYTES + GROUP_BYTES;
    else if (offset % CHUNK_BYTES == 0 && next <= end)
      drop_chunk_locked (m, offset);
    else if ((chunk = chunk_at_locked (m, offset)) != NULL)
      memset (chunk + offset % CHUNK_BYTES, 0,
              MIN_OF (next, end) - offset);
    offset = next;
  }
}

static void
changed_locked (struct memory_store *m)
{
  m->mtime = time (NULL);
}

/*----------------------------------------------------------------------
 * Operations
 *--------------------------------------------------------------------*/

static void
read_locked (struct memory_store *m, uint8_t *buf, size_t count,
             uint64_t offset)
{
  while (count > 0) {
    size_t within = offset % CHUNK_BYTES;
    size_t n = MIN_OF (count, CHUNK_BYTES - within);
    const uint8_t *chunk = chunk_at_locked (m, offset);

    if (chunk)
      memcpy (buf, chunk + within, n);
    else
      memset (buf, 0, n);
    buf += n;
    count -= n;
    offset += n;
  }
}

static int
memory_preadv (struct store *s, const struct iovec *iov, int n,
               uint64_t offset)
{
  struct memory_store *m = memory_of (s);
  size_t count = store_iov_bytes (iov, n);
  uint64_t size;

  lock_shared (m);
  size = m->size;
  if (!range_within (offset, count, size)) {
    unlock (m);
    set_error (VHDKIT_ERR_IO, EIO,
               "%s: %zu bytes at offset %" PRIu64 " are past the end of the "
               "file, which has %" PRIu64 " bytes",
               s->name, count, offset, size);
    return -1;
  }
  for (int i = 0; i < n; i++) {
    read_locked (m, iov[i].iov_base, iov[i].iov_len, offset);
    offset += iov[i].iov_len;
  }
  unlock (m);
  return 0;
}

static int
write_locked (struct memory_store *m, const uint8_t *buf, size_t count,
              uint64_t offset)
{
  while (count > 0) {
    size_t within = offset % CHUNK_BYTES;
    size_t n = MIN_OF (count, CHUNK_BYTES - within);
    uint8_t *chunk = make_chunk_locked (m, offset);

    if (chunk == NULL)
      return -1;
    memcpy (chunk + within, buf, n);
    buf += n;
    count -= n;
    offset += n;
    m->size = MAX_OF (m->size, offset);
  }
  return 0;
}

static int
check_length (struct memory_store *m, uint64_t offset, uint64_t count)
{
  if (range_within (offset, count, MAX_LENGTH))
    return 0;
  set_error (VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS, EFBIG,
             "%s: would become longer than %" PRIu64 " bytes",
             m->base.name, MAX_LENGTH);
  return -1;
}

static int
memory_pwritev (struct store *s, const struct iovec *iov, int n,
                uint64_t offset)
{
  struct memory_store *m = memory_of (s);
  int r = 0;

  if (store_check_writable (s) == -1
      || check_length (m, offset, store_iov_bytes (iov, n)) == -1)
    return -1;
  lock_alone (m);
  for (int i = 0; i < n && r == 0; i++) {
    r = write_locked (m, iov[i].iov_base, iov[i].iov_len, offset);
    offset += iov[i].iov_len;
  }
  changed_locked (m);
  unlock (m);
  return r;
}

static int
memory_zero (struct store *s, uint64_t offset, uint64_t length,
             uint32_t flags)
{
  struct memory_store *m = memory_of (s);

  (void) flags;                 /* every zero is fast, and gives space back */
  if (store_check_writable (s) == -1
      || store_check_range (s, offset, length) == -1)
    return -1;
  lock_alone (m);
  zero_locked (m, offset, offset + length);
  changed_locked (m);
  unlock (m);
  return 0;
}

static int
memory_size (struct store *s, uint64_t *ret_size)
{
  struct memory_store *m = memory_of (s);

  lock_shared (m);
  *ret_size = m->size;
  unlock (m);
  return 0;
}

static int
memory_truncate (struct store *s, uint64_t size)
{
  struct memory_store *m = memory_of (s);

  if (store_check_writable (s) == -1 || check_length (m, size, 0) == -1)
    return -1;
  lock_alone (m);
  if (size < m->size)
    zero_locked (m, size, round_up (m->size, CHUNK_BYTES));
  m->size = size;
  changed_locked (m);
  unlock (m);
  return 0;
}

static int
memory_flush (struct store *s)
{
  (void) s;
  return 0;
}

static int
memory_next_extent (struct store *s, uint64_t offset, uint64_t end,
                    uint64_t *ret_end, bool *ret_hole)
{
  struct memory_store *m = memory_of (s);
  bool hole;

  lock_shared (m);
  hole = chunk_at_locked (m, offset) == NULL;
  while (offset < end && (chunk_at_locked (m, offset) == NULL) == hole) {
    uint64_t step = group_at_locked (m, offset) ? CHUNK_BYTES : GROUP_BYTES;

    offset = offset / step * step + step;
  }
  unlock (m);
  *ret_end = MIN_OF (offset, end);
  *ret_hole = hole;
  return 0;
}

static int
memory_prefetch (struct store *s, uint64_t offset, uint64_t length)
{
  (void) s;
  (void) offset;
  (void) length;
  return 0;
}

/* No other process can reach it. */
static int
memory_lock (struct store *s, enum store_lock lock)
{
  (void) s;
  (void) lock;
  return 0;
}

static int
memory_make_writable (struct store *s)
{
  s->writable = true;
  return 0;
}

static int
memory_identity (struct store *s, struct store_id *ret_id)
{
  *ret_id = (struct store_id) { ID_MEMORY, 0, memory_of (s)->id };
  return 0;
}

static int
memory_usage (struct store *s, uint64_t *ret_allocated, int64_t *ret_mtime)
{
  struct memory_store *m = memory_of (s);

  lock_shared (m);
  *ret_allocated = (uint64_t) m->nr_chunks * CHUNK_BYTES;
  *ret_mtime = m->mtime;
  unlock (m);
  return 0;
}

static int
memory_close (struct store *s)
{
  struct memory_store *m = memory_of (s);

  zero_locked (m, 0, m->nr_groups * GROUP_BYTES);
  for (size_t g = 0; g < m->nr_groups; g++)
    free (m->group[g]);         /* left where memory for a chunk was short */
  free (m->group);
  pthread_rwlock_destroy (&m->lock);
  free (s->name);
  free (m);
  return 0;
}

static const struct store_ops memory_ops = {
  .preadv = memory_preadv,
  .pwritev = memory_pwritev,
  .zero = memory_zero,
  .size = memory_size,
  .truncate = memory_truncate,
  .flush = memory_flush,
  .next_extent = memory_next_extent,
  .prefetch = memory_prefetch,
  .lock = memory_lock,
  .make_writable = memory_make_writable,
  .identity = memory_identity,
  .usage = memory_usage,
  .close = memory_close,
};

struct store *
store_open_memory (const char *name)
{
  static _Atomic uint64_t last_id;
  struct memory_store *m = calloc (1, sizeof *m);

  if (m == NULL) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "%s: out of memory", name);
    return NULL;
  }
  pthread_rwlock_init (&m->lock, NULL);
  m->id = atomic_fetch_add (&last_id, 1) + 1;
  m->mtime = time (NULL);
  if (store_init (&m->base, &memory_ops, name) == -1) {
    memory_close (&m->base);
    return NULL;
  }
  return &m->base;
}
