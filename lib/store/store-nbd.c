/* vhdkit: a store that is an NBD export, for reading.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/cleanup.h"
#include "base/error.h"
#include "store/store.h"

bool
store_is_nbd_uri (const char *name)
{
  static const char *const scheme[] = {
    "nbd://", "nbds://", "nbd+unix://", "nbds+unix://", "nbd+vsock://",
    "nbds+vsock://"
  };
  size_t i;

  for (i = 0; i < sizeof scheme / sizeof scheme[0]; i++)
    if (strncmp (name, scheme[i], strlen (scheme[i])) == 0)
      return true;
  return false;
}

#ifndef HAVE_LIBNBD

struct store *
store_open_nbd (const char *uri, int (*cancelled) (void *opaque),
                void *opaque)
{
  (void) cancelled;
  (void) opaque;
  set_error (VHDKIT_ERR_NOT_SUPPORTED, ENOTSUP,
             "%s: this library was built without libnbd and cannot read from "
             "NBD servers", uri);
  return NULL;
}

void
store_nbd_cancel (struct store *s)
{
  (void) s;
}

#else /* HAVE_LIBNBD */

#include "store/nbd.h"

/* Servers that do not say allow 32 MiB; more than this at once only costs. */
#define MAX_REQUEST (4u << 20)
/* The protocol's limit of the smallest block. */
#define MAX_ALIGNMENT 65536
/* How far one question about extents goes. */
#define STATUS_BYTES (UINT64_C (1) << 30)

static inline struct nbd_store *
remote_of (struct store *s)
{
  return (struct nbd_store *) s;
}

/*----------------------------------------------------------------------
 * Reading
 *--------------------------------------------------------------------*/

struct read_args {
  void *buf;
  size_t count;
  uint64_t offset;
  size_t received;
};

static int
on_chunk (void *opaque, const void *buf, size_t count, uint64_t offset,
          unsigned status, int *error)
{
  struct read_args *a = opaque;

  (void) buf;
  (void) offset;
  (void) error;
  if (status == LIBNBD_READ_DATA || status == LIBNBD_READ_HOLE)
    a->received += count;
  return 0;
}

static int64_t
issue_read (struct nbd_handle *h, void *opaque, nbd_completion_callback done)
{
  struct read_args *a = opaque;

  return nbd_aio_pread_structured (h, a->buf, a->count, a->offset,
                                   (nbd_chunk_callback) {
                                     .callback = on_chunk, .user_data = a },
                                   done, 0);
}

static int
read_piece (struct nbd_store *n, void *buf, size_t count, uint64_t offset)
{
  struct read_args a = { buf, count, offset, 0 };

  if (n->cancelled)
    return remote_cancelled (n->base.name);
  if (remote_command (n, issue_read, &a, "reading") == -1)
    return -1;
  if (a.received == count)
    return 0;
  /* libnbd looks at this in its synchronous calls only. */
  set_error (VHDKIT_ERR_IO, EIO, "%s: reading: asked for %zu bytes at offset "
             "%" PRIu64 ", the server says that it succeeded and sent %zu",
             n->base.name, count, offset, a.received);
  return -1;
}

/* A few servers want to be asked for whole blocks only. */
static int
read_within_blocks (struct nbd_store *n, void *buf, size_t count,
                    uint64_t offset)
{
  const uint64_t start = round_down (offset, n->alignment);
  const uint64_t end = MIN_OF (round_up (offset + count, n->alignment),
                               n->size);
  CLEANUP_FREE char *blocks = malloc (end - start);

  if (blocks == NULL) {
    set_error_errno (ENOMEM, "%s", n->base.name);
    return -1;
  }
  if (read_piece (n, blocks, end - start, start) == -1)
    return -1;
  memcpy (buf, blocks + (offset - start), count);
  return 0;
}

static int
read_buffer (struct nbd_store *n, char *p, size_t count, uint64_t offset)
{
  while (count > 0) {
    const uint64_t end = round_down (offset, n->alignment) + n->max_request;
    const size_t m = MIN_OF ((uint64_t) count, end - offset);
    int r;

    if ((offset | m) % n->alignment == 0)
      r = read_piece (n, p, m, offset);
    else
      r = read_within_blocks (n, p, m, offset);
    if (r == -1)
      return -1;
    p += m;
    offset += m;
    count -= m;
  }
  return 0;
}

static int
remote_preadv (struct store *s, const struct iovec *iov, int iovcnt,
               uint64_t offset)
{
  int i;

  if (store_check_range (s, offset, store_iov_bytes (iov, iovcnt)) == -1) {
    error_recode (VHDKIT_ERR_IO, EIO);
    return -1;
  }
  for (i = 0; i < iovcnt; i++) {
    if (read_buffer (remote_of (s), iov[i].iov_base, iov[i].iov_len, offset)
        == -1)
      return -1;
    offset += iov[i].iov_len;
  }
  return 0;
}

static int
remote_size (struct store *s, uint64_t *ret_size)
{
  *ret_size = remote_of (s)->size;
  return 0;
}

/*----------------------------------------------------------------------
 * Extents
 *--------------------------------------------------------------------*/

struct status_args {
  struct nbd_store *n;
  uint64_t count, offset;
  bool answered;
};

/* One answer of the server, of which nothing is believed: entries are used as
 * far as they make sense, and neighbours of a kind joined. */
static int
on_extents (void *opaque, const char *context, uint64_t offset,
            uint32_t *entries, size_t nr, int *error)
{
  struct status_args *a = opaque;
  struct nbd_store *n = a->n;
  uint64_t end = offset;
  size_t i;

  if (*error != 0 || a->answered || offset != a->offset
      || strcmp (context, LIBNBD_CONTEXT_BASE_ALLOCATION) != 0)
    return 0;
  a->answered = true;
  n->status_start = offset;
  n->nr_extents = 0;
  for (i = 0; i + 1 < nr && end < n->size; i += 2) {
    bool zero = entries[i + 1] & LIBNBD_STATE_ZERO;

    if (entries[i] == 0)
      break;
    end = MIN_OF (end + entries[i], n->size);
    if (n->nr_extents > 0 && n->extent[n->nr_extents - 1].zero == zero)
      n->extent[n->nr_extents - 1].end = end;
    else if (n->nr_extents == STATUS_ENTRIES)
      break;
    else
      n->extent[n->nr_extents++] = (struct extent) { end, zero };
  }
  return 0;
}

static int64_t
issue_status (struct nbd_handle *h, void *opaque,
              nbd_completion_callback done)
{
  struct status_args *a = opaque;

  return nbd_aio_block_status (h, a->count, a->offset,
                               (nbd_extent_callback) {
                                 .callback = on_extents, .user_data = a },
                               done, 0);
}

/* Find offset in what is known; false: it is not known. */
static bool
look_up (const struct nbd_store *n, uint64_t offset, struct extent *ret)
{
  unsigned low = 0, high = n->nr_extents;

  if (high == 0 || offset < n->status_start
      || offset >= n->extent[high - 1].end)
    return false;
  while (low < high) {
    unsigned middle = (low + high) / 2;

    if (n->extent[middle].end <= offset)
      low = middle + 1;
    else
      high = middle;
  }
  *ret = n->extent[low];
  return true;
}

static int
remote_next_extent (struct store *s, uint64_t offset, uint64_t end,
                    uint64_t *ret_end, bool *ret_hole)
{
  struct nbd_store *n = remote_of (s);
  struct extent e = { end, false };
  LOCK_FOR_SCOPE (&n->status_lock);

  if (n->status && !look_up (n, offset, &e)) {
    struct status_args a = {
      n, MIN_OF (n->size - offset, STATUS_BYTES), offset, false
    };

    n->nr_extents = 0;
    if (remote_command (n, issue_status, &a, "asking for extents") == -1) {
      if (n->cancelled)
        return -1;
      /* It offered to tell and cannot: everything is data then.  If the
       * connection is lost, reading will say so. */
      n->status = false;
    }
    else if (!look_up (n, offset, &e))
      n->status = false;
  }
  *ret_end = MIN_OF (e.end, end);
  *ret_hole = e.zero;
  return 0;
}

/*----------------------------------------------------------------------
 * What an export that is only read does not have
 *--------------------------------------------------------------------*/

static int
remote_pwritev (struct store *s, const struct iovec *iov, int n,
                uint64_t offset)
{
  (void) iov;
  (void) n;
  (void) offset;
  return store_check_writable (s);
}

static int
remote_zero (struct store *s, uint64_t offset, uint64_t length,
             uint32_t flags)
{
  (void) offset;
  (void) length;
  (void) flags;
  return store_check_writable (s);
}

static int
remote_truncate (struct store *s, uint64_t size)
{
  (void) size;
  return store_check_writable (s);
}

static int
remote_make_writable (struct store *s)
{
  return store_check_writable (s);
}

static int
remote_flush (struct store *s)
{
  (void) s;
  return 0;
}

static int
remote_prefetch (struct store *s, uint64_t offset, uint64_t length)
{
  (void) s;
  (void) offset;
  (void) length;
  return 0;
}

static int
remote_lock (struct store *s, enum store_lock lock)
{
  (void) s;
  (void) lock;
  return 0;
}

static int
remote_identity (struct store *s, struct store_id *ret_id)
{
  (void) s;
  *ret_id = (struct store_id) { 0 };
  return 0;
}

static int
remote_usage (struct store *s, uint64_t *ret_allocated, int64_t *ret_mtime)
{
  *ret_allocated = remote_of (s)->size;
  *ret_mtime = 0;
  return 0;
}

static int
remote_store_close (struct store *s)
{
  struct nbd_store *n = remote_of (s);
  unsigned i;

  for (i = 0; i < n->nr_conns; i++)
    connection_end (n, &n->conn[i]);
  pthread_mutex_destroy (&n->status_lock);
  free (s->name);
  free (n);
  return 0;
}

static const struct store_ops remote_ops = {
  .preadv = remote_preadv,
  .pwritev = remote_pwritev,
  .zero = remote_zero,
  .size = remote_size,
  .truncate = remote_truncate,
  .flush = remote_flush,
  .next_extent = remote_next_extent,
  .prefetch = remote_prefetch,
  .lock = remote_lock,
  .make_writable = remote_make_writable,
  .identity = remote_identity,
  .usage = remote_usage,
  .close = remote_store_close,
};

/*----------------------------------------------------------------------
 * Opening
 *--------------------------------------------------------------------*/

/* What the first connection tells of the export. */
static int
examine (struct nbd_store *n)
{
  struct nbd_handle *h = n->conn[0].h;
  int64_t size = nbd_get_size (h);
  int64_t min = nbd_get_block_size (h, LIBNBD_SIZE_MINIMUM);
  int64_t max = nbd_get_block_size (h, LIBNBD_SIZE_MAXIMUM);

  if (size == -1)
    return remote_failed (n->base.name, "size of the export");
  n->size = size;
  n->alignment = min > 0 && min <= MAX_ALIGNMENT && is_power_of_2 (min) ?
                 min : 1;
  n->max_request = max > 0 ? MIN_OF (max, (int64_t) MAX_REQUEST) : MAX_REQUEST;
  n->max_request = MAX_OF (round_down (n->max_request, n->alignment),
                           n->alignment);
  n->status = nbd_can_meta_context (h, LIBNBD_CONTEXT_BASE_ALLOCATION) == 1;
  return 0;
}

/* As many as are of use.  A server that does not want so many is taken at its
 * word. */
static int
more_connections (struct nbd_store *n, int (*cancelled) (void *opaque),
                  void *opaque)
{
  if (nbd_can_multi_conn (n->conn[0].h) != 1)
    return 0;
  while (n->nr_conns < MAX_CONNECTIONS) {
    if (connection_start (n, cancelled, opaque) == 0)
      continue;
    if (vhdkit_get_error_code () == VHDKIT_ERR_CANCELLED)
      return -1;
    connection_end (n, &n->conn[--n->nr_conns]);
    break;
  }
  return 0;
}

struct store *
nbd_store_open (const char *uri, int (*cancelled) (void *opaque),
                void *opaque)
{
  struct nbd_store *n;
  struct saved_error e;

  if (libnbd_load () == -1) {
    error_prefix ("%s", uri);
    return NULL;
  }
  n = calloc (1, sizeof *n);
  if (n == NULL) {
    set_error_errno (ENOMEM, "%s", uri);
    return NULL;
  }
  pthread_mutex_init (&n->status_lock, NULL);
  if (store_init (&n->base, &remote_ops, uri) == -1)
    goto error;
  n->base.writable = n->base.can_grow = false;
  if (connection_start (n, cancelled, opaque) == -1 || examine (n) == -1)
    goto error;
  if (more_connections (n, cancelled, opaque) == -1)
    goto error;
  return &n->base;

 error:
  error_save (&e);
  /* Who has stopped waiting does not wait for goodbyes either. */
  n->cancelled = e.code == VHDKIT_ERR_CANCELLED;
  remote_store_close (&n->base);
  error_restore (&e);
  return NULL;
}

void
store_nbd_cancel (struct store *s)
{
  struct nbd_store *n = remote_of (s);
  unsigned i;

  if (s->ops != &remote_ops)
    return;
  n->cancelled = true;
  for (i = 0; i < n->nr_conns; i++)
    connection_quit (&n->conn[i]);
}

#endif /* HAVE_LIBNBD */
