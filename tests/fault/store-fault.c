/* vhdkit tests: a store whose n-th call fails.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <inttypes.h>

#include "base/checked.h"
#include "base/error.h"
#include "store-wrap.h"

/* Does the call make the inner store longer? */
static bool
grows (struct wrap *w, const struct call *c)
{
  uint64_t size;

  if (store_size (w->inner, &size) == -1)
    return false;
  switch (c->kind) {
  case CALL_WRITE:
    return c->offset + c->length > size;
  case CALL_TRUNCATE:
    return c->offset > size;
  default:
    return false;
  }
}

/* The first bytes of a write, as a file system may do before it fails. */
static void
write_partially (struct wrap *w, const struct call *c, size_t bytes)
{
  uint64_t offset = c->offset;

  for (int i = 0; i < c->n && bytes > 0; i++) {
    size_t n = MIN_OF (bytes, c->iov[i].iov_len);

    if (store_pwrite (w->inner, c->iov[i].iov_base, n, offset) == -1)
      return;
    offset += n;
    bytes -= n;
  }
}

static int
fault_before (struct wrap *w, const struct call *c)
{
  struct fault *f = w->opaque;
  uint64_t call;

  if (!(c->kind & f->kinds) || (f->growing && !grows (w, c)))
    return 0;
  call = atomic_fetch_add (&f->calls, 1) + 1;
  if (f->fail_at == 0 || call < f->fail_at
      || (call > f->fail_at && !f->for_good))
    return 0;

  /* Several threads may get here at once; one was the first. */
  if (!atomic_exchange (&f->hit, true))
    f->hit_kind = c->kind;
  if (c->kind == CALL_WRITE)
    write_partially (w, c, f->partial);
  set_error_errno (f->err, "%s: fault made in call %" PRIu64,
                   w->base.name, call);
  return -1;
}

struct store *
fault_open (struct store *inner, struct fault *f)
{
  static const struct wrap_hooks hooks = { .before = fault_before };

  return wrap_open (inner, &hooks, f);
}
