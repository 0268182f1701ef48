/* vhdkit: what entry points say of arguments that cannot be.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>

#include "api-arguments.h"
#include "base/error.h"

int
api_null_pointer (const char *function, const char *argument)
{
  set_error (VHDKIT_ERR_NULL_POINTER, EINVAL, "%s: %s is NULL", function,
             argument);
  return -1;
}

int
api_wrong_size (const char *function, const char *argument, size_t is,
                size_t expected)
{
  set_error (VHDKIT_ERR_INVALID_PARAMETER, EINVAL,
             "%s: %s->struct_size is %zu, expected %zu: was the program "
             "compiled for another version?", function, argument, is,
             expected);
  return -1;
}
