/* vhdkit: what Virtual Server calls the end of a task (docs/tasks.md).
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The error is the identity, as everywhere; this is a coarse view of it.
 */
#include <config.h>

#include "tasks/internal.h"
#include "vhdkit.h"

enum vhdkit_task_result
result_of_error (enum vhdkit_error code)
{
  switch (code) {
  case VHDKIT_OK:
    return VHDKIT_RESULT_SUCCESS;
  case VHDKIT_ERR_CANCELLED:
    return VHDKIT_RESULT_CANCELLED;
  case VHDKIT_ERR_NO_MEMORY:
    return VHDKIT_RESULT_OUT_OF_MEMORY;
  case VHDKIT_ERR_TIMED_OUT:
    return VHDKIT_RESULT_TIME_OUT;
  case VHDKIT_ERR_SHUTTING_DOWN:
    return VHDKIT_RESULT_SHUTDOWN_ABORT;

  /* Writing failed, or there is no room. */
  case VHDKIT_ERR_DISK_FULL:
  case VHDKIT_ERR_FILE_TOO_LARGE_FOR_FS:
  case VHDKIT_ERR_IO:
  case VHDKIT_ERR_READ_ONLY:
  case VHDKIT_ERR_METADATA_READ_FAILURE:
  case VHDKIT_ERR_METADATA_WRITE_FAILURE:
    return VHDKIT_RESULT_DISK_RELATED_ERROR;

  /* Something that was given cannot be used: an image ... */
  case VHDKIT_ERR_FOOTER_MISSING:
  case VHDKIT_ERR_FOOTER_CHECKSUM:
  case VHDKIT_ERR_FOOTER_CORRUPT:
  case VHDKIT_ERR_FORMAT_UNKNOWN:
  case VHDKIT_ERR_UNSUPPORTED_VERSION:
  case VHDKIT_ERR_HEADER_CHECKSUM:
  case VHDKIT_ERR_HEADER_UNSUPPORTED_VERSION:
  case VHDKIT_ERR_HEADER_CORRUPT:
  case VHDKIT_ERR_BLOCK_ALLOCATION_FAILURE:
  case VHDKIT_ERR_BAT_CORRUPT:
  case VHDKIT_ERR_INVALID_BLOCK_SIZE:
  case VHDKIT_ERR_BITMAP_MISMATCH:
  case VHDKIT_ERR_PARENT_NOT_FOUND:
  case VHDKIT_ERR_PARENT_ACCESS_DENIED:
  case VHDKIT_ERR_PARENT_ID_MISMATCH:
  case VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH:
  case VHDKIT_ERR_PARENT_SIZE_MISMATCH:
  case VHDKIT_ERR_CHAIN_CYCLE:
  case VHDKIT_ERR_CHAIN_ERROR:
  case VHDKIT_ERR_INVALID_SIZE:
  case VHDKIT_ERR_INVALID_FILE_SIZE:
  case VHDKIT_ERR_NOT_VIRTUAL_DISK:
  case VHDKIT_ERR_WRONG_TYPE:
  case VHDKIT_ERR_SECTOR_SIZE:
  /* ... or a name or a value. */
  case VHDKIT_ERR_INVALID_PARAMETER:
  case VHDKIT_ERR_FILE_NOT_FOUND:
  case VHDKIT_ERR_PATH_NOT_FOUND:
  case VHDKIT_ERR_EXISTS:
  case VHDKIT_ERR_NAME_TOO_LONG:
  case VHDKIT_ERR_INVALID_NAME:
  case VHDKIT_ERR_BAD_PATHNAME:
  case VHDKIT_ERR_SIZE_TOO_LARGE:
  case VHDKIT_ERR_SIZE_TOO_SMALL:
    return VHDKIT_RESULT_ILLEGAL_VALUE;

  default:
    return VHDKIT_RESULT_UNEXPECTED_ERROR;
  }
}
