/* vhdkit: what entry points say of arguments that cannot be.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#ifndef VHDKIT_API_ARGUMENTS_H
#define VHDKIT_API_ARGUMENTS_H

#include <stddef.h>

/* Both return -1. */
extern int api_null_pointer (const char *function, const char *argument);
extern int api_wrong_size (const char *function, const char *argument,
                           size_t is, size_t expected);

#endif
