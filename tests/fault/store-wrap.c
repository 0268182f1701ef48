/* vhdkit tests: passing calls on to another store.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "store-wrap.h"

static struct wrap *
wrap_of (struct store *s)
{
  return (struct wrap *) s;
}

static int
before (struct wrap *w, const struct call *c)
{
  return w->hooks->before ? w->hooks->before (w, c) : 0;
}

static int
after (struct wrap *w, const struct call *c, int r)
{
  if (w->hooks->after)
    w->hooks->after (w, c, r);
  return r;
}

/* Each operation is: describe the call, hook, inner call, hook. */
#define PASS_ON(s, inner_call, ...)                     \
  do {                                                  \
    struct wrap *w = wrap_of (s);                       \
    const struct call c = { __VA_ARGS__ };              \
    int r = before (w, &c);                             \
                                                        \
    if (r == 0)                                         \
      r = inner_call;                                   \
    return after (w, &c, r);                            \
  } while (0)

static int
wrap_preadv (struct store *s, const struct iovec *iov, int n, uint64_t offset)
{
  PASS_ON (s, store_preadv (w->inner, iov, n, offset),
           .kind = CALL_READ, .offset = offset, .iov = iov, .n = n,
           .length = store_iov_bytes (iov, n));
}

static int
wrap_pwritev (struct store *s, const struct iovec *iov, int n,
              uint64_t offset)
{
  PASS_ON (s, store_pwritev (w->inner, iov, n, offset),
           .kind = CALL_WRITE, .offset = offset, .iov = iov, .n = n,
           .length = store_iov_bytes (iov, n));
}

static int
wrap_zero (struct store *s, uint64_t offset, uint64_t length, uint32_t flags)
{
  PASS_ON (s, store_zero (w->inner, offset, length, flags),
           .kind = CALL_ZERO, .offset = offset, .length = length,
           .flags = flags);
}

static int
wrap_size (struct store *s, uint64_t *ret_size)
{
  PASS_ON (s, store_size (w->inner, ret_size),
           .kind = CALL_SIZE);
}

static int
wrap_truncate (struct store *s, uint64_t size)
{
  PASS_ON (s, store_truncate (w->inner, size),
           .kind = CALL_TRUNCATE, .offset = size);
}

static int
wrap_flush (struct store *s)
{
  PASS_ON (s, store_flush (w->inner),
           .kind = CALL_FLUSH);
}

static int
wrap_next_extent (struct store *s, uint64_t offset, uint64_t end,
                  uint64_t *ret_end, bool *ret_hole)
{
  PASS_ON (s, store_next_extent (w->inner, offset, end, ret_end, ret_hole),
           .kind = CALL_NEXT_EXTENT, .offset = offset, .length = end - offset);
}

static int
wrap_prefetch (struct store *s, uint64_t offset, uint64_t length)
{
  PASS_ON (s, store_prefetch (w->inner, offset, length),
           .kind = CALL_PREFETCH, .offset = offset, .length = length);
}

static int
wrap_lock (struct store *s, enum store_lock lock)
{
  PASS_ON (s, store_lock (w->inner, lock),
           .kind = CALL_LOCK);
}

static int
pass_on_make_writable (struct store *s)
{
  PASS_ON (s, store_make_writable (w->inner),
           .kind = CALL_MAKE_WRITABLE);
}

static int
wrap_make_writable (struct store *s)
{
  int r = pass_on_make_writable (s);

  s->writable = wrap_of (s)->inner->writable;
  return r;
}

static int
wrap_identity (struct store *s, struct store_id *ret_id)
{
  PASS_ON (s, store_identity (w->inner, ret_id),
           .kind = CALL_IDENTITY);
}

static int
wrap_usage (struct store *s, uint64_t *ret_allocated, int64_t *ret_mtime)
{
  PASS_ON (s, store_usage (w->inner, ret_allocated, ret_mtime),
           .kind = CALL_USAGE);
}

/* Closes the inner store even if the hook makes the call fail. */
static int
wrap_close (struct store *s)
{
  struct wrap *w = wrap_of (s);
  const struct call c = { .kind = CALL_CLOSE };
  int r = before (w, &c);

  if (!w->keep_inner && store_close (w->inner) == -1)
    r = -1;
  r = after (w, &c, r);
  free (s->name);
  free (w);
  return r;
}

static const struct store_ops wrap_ops = {
  .preadv = wrap_preadv,
  .pwritev = wrap_pwritev,
  .zero = wrap_zero,
  .size = wrap_size,
  .truncate = wrap_truncate,
  .flush = wrap_flush,
  .next_extent = wrap_next_extent,
  .prefetch = wrap_prefetch,
  .lock = wrap_lock,
  .make_writable = wrap_make_writable,
  .identity = wrap_identity,
  .usage = wrap_usage,
  .close = wrap_close,
};

struct store *
wrap_open (struct store *inner, const struct wrap_hooks *hooks, void *opaque)
{
  struct wrap *w = calloc (1, sizeof *w);

  if (w == NULL || store_init (&w->base, &wrap_ops, inner->name) == -1)
    abort ();
  w->base.writable = inner->writable;
  w->base.can_grow = inner->can_grow;
  w->inner = inner;
  w->hooks = hooks;
  w->opaque = opaque;
  return &w->base;
}

struct store *
wrap_keep (struct store *inner)
{
  static const struct wrap_hooks none = { NULL, NULL };
  struct store *s = wrap_open (inner, &none, NULL);

  wrap_of (s)->keep_inner = true;
  return s;
}

static int
copy_range (struct store *from, struct store *to, uint64_t offset,
            uint64_t end)
{
  uint8_t buf[65536];

  while (offset < end) {
    size_t n = MIN_OF (end - offset, sizeof buf);

    if (store_pread (from, buf, n, offset) == -1
        || store_pwrite (to, buf, n, offset) == -1)
      return -1;
    offset += n;
  }
  return 0;
}

int
store_copy (struct store *from, struct store *to)
{
  uint64_t size, end;
  bool hole;

  if (store_size (from, &size) == -1 || store_truncate (to, size) == -1)
    return -1;
  for (uint64_t offset = 0; offset < size; offset = end) {
    if (store_next_extent (from, offset, size, &end, &hole) == -1)
      return -1;
    if (!hole && copy_range (from, to, offset, end) == -1)
      return -1;
  }
  return 0;
}
