/* vhdkit: the public entry points of the operations: check arguments and call
 * down.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>

#include "api-arguments.h"
#include "base/error.h"
#include "operations/operations.h"
#include "vhdkit.h"

int
vhdkit_create_image (const char *path,
                     const struct vhdkit_create_options *opts)
{
  if (!path)
    return api_null_pointer (__func__, "path");
  if (!opts)
    return api_null_pointer (__func__, "opts");
  if (opts->struct_size != sizeof *opts)
    return api_wrong_size (__func__, "opts", opts->struct_size, sizeof *opts);
  return op_create (path, opts, NULL);
}

int
vhdkit_check (const char *path, uint32_t flags,
              const struct vhdkit_open_options *opts,
              struct vhdkit_check_result *ret_result)
{
  const uint32_t known = VHDKIT_OPEN_NO_PARENTS | VHDKIT_OPEN_NO_LOCK
    | VHDKIT_OPEN_IGNORE_PARENT_ID | VHDKIT_OPEN_CONFINE
    | VHDKIT_OPEN_SIZE_CHS | VHDKIT_OPEN_INSPECT | VHDKIT_CHECK_DATA;

  if (!path)
    return api_null_pointer (__func__, "path");
  if (!ret_result)
    return api_null_pointer (__func__, "ret_result");
  if (opts && opts->struct_size != sizeof *opts)
    return api_wrong_size (__func__, "opts", opts->struct_size, sizeof *opts);
  if (flags & ~known) {
    set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
               "%s: unknown flags 0x%x", __func__, (unsigned) (flags & ~known));
    return -1;
  }
  return op_check (path, flags, opts, ret_result);
}
