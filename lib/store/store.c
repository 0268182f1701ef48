/* vhdkit: what all stores share.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/checked.h"
#include "base/error.h"
#include "store/store.h"

int
store_init (struct store *s, const struct store_ops *ops, const char *name)
{
  s->ops = ops;
  s->name = strdup (name);
  if (s->name == NULL) {
    set_error (VHDKIT_ERR_NO_MEMORY, ENOMEM, "%s: out of memory", name);
    return -1;
  }
  s->writable = true;
  s->can_grow = true;
  return 0;
}

int
store_check_writable (const struct store *s)
{
  if (s->writable)
    return 0;
  set_error (VHDKIT_ERR_READ_ONLY, EPERM,
             "%s: is opened read-only and cannot be changed", s->name);
  return -1;
}

int
store_check_range (struct store *s, uint64_t offset, uint64_t length)
{
  uint64_t size;

  if (store_size (s, &size) == -1)
    return -1;
  if (range_within (offset, length, size))
    return 0;
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "%s: the range of %" PRIu64 " bytes at offset %" PRIu64
             " is not within its %" PRIu64 " bytes",
             s->name, length, offset, size);
  return -1;
}

int
store_close (struct store *s)
{
  if (s == NULL)
    return 0;
  return s->ops->close (s);
}
