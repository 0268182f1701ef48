/* vhdkit: public entry points: what an error is called elsewhere.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * The code is the identity of an error; what other interfaces call it are
 * views of it, all in one table.  docs/errors.md shows the same table to
 * people, and tests/unit/test-base.c compares the two.
 */
#include <config.h>

#include "vhdkit.h"

struct view {
  const char *name;
  uint32_t win32;               /* winerror.h */
  uint32_t hresult;             /* Virtual Server 2005; 0: has none */
  uint32_t hresult_vds;         /* Virtual Disk Service; 0: has none */
};

#define ERR(name, win32, hresult, vds) \
  [VHDKIT_ERR_ ## name] = { #name, win32, hresult, vds }

static const struct view views[VHDKIT_ERR_LAST_] = {
  [VHDKIT_OK] = { "OK", 0, 0, 0 },
  ERR (NULL_POINTER, 87, 0x80004003, 0x80070057),
  ERR (INVALID_PARAMETER, 87, 0x80070057, 0x80070057),
  ERR (NO_MEMORY, 8, 0x8007000e, 0x8007000e),
  ERR (FILE_NOT_FOUND, 2, 0x80070002, 0x80042405),
  ERR (PATH_NOT_FOUND, 3, 0x80070003, 0x80042416),
  ERR (ACCESS_DENIED, 5, 0x80070005, 0x80042427),
  ERR (READ_ONLY, 19, 0xa004067a, 0x80042428),
  ERR (SHARING_VIOLATION, 32, 0x80070020, 0x80042413),
  ERR (EXISTS, 80, 0x800700b7, 0x8004241d),
  ERR (NAME_TOO_LONG, 111, 0x8007006f, 0x8007006f),
  ERR (DISK_FULL, 112, 0x80070070, 0x8004240f),
  ERR (INVALID_NAME, 123, 0x8007007b, 0x80042546),
  ERR (BAD_PATHNAME, 161, 0x800700a1, 0x80042927),
  ERR (SIZE_TOO_LARGE, 87, 0xa0040683, 0x8004242d),
  ERR (SIZE_TOO_SMALL, 87, 0xa0040684, 0x8004242c),
  ERR (FILE_TOO_LARGE_FOR_FS, 223, 0xa0040679, 0x8004240f),
  ERR (SHUTTING_DOWN, 1223, 0xa0040209, 0x80042514),
  ERR (TIMED_OUT, 1460, 0xa0040202, 0x8004245f),
  ERR (CANCELLED, 995, 0, 0x8004240d),
  ERR (CANCEL_TOO_LATE, 995, 0x80004005, 0x8004240c),
  ERR (NOT_CANCELABLE, 50, 0x80004005, 0x80042400),
  ERR (PENDING, 997, 0, 0x80042409),
  ERR (NOT_SUPPORTED, 50, 0x80004001, 0x80042400),
  ERR (IO, 1117, 0xa0040681, 0x8004242b),
  ERR (UNEXPECTED, 0x803a0001, 0x80020009, 0x80042448),
  ERR (FOOTER_MISSING, 0xc03a0001, 0xa0040682, 0x80042442),
  ERR (FOOTER_CHECKSUM, 0xc03a0002, 0xa0040682, 0x80042442),
  ERR (FOOTER_CORRUPT, 0xc03a0003, 0xa0040682, 0x80042442),
  ERR (FORMAT_UNKNOWN, 0xc03a0004, 0xa0040682, 0x80042442),
  ERR (UNSUPPORTED_VERSION, 0xc03a0005, 0xa0040682, 0x80042442),
  ERR (HEADER_CHECKSUM, 0xc03a0006, 0xa0040682, 0x80042442),
  ERR (HEADER_UNSUPPORTED_VERSION, 0xc03a0007, 0xa0040682, 0x80042442),
  ERR (HEADER_CORRUPT, 0xc03a0008, 0xa0040682, 0x80042442),
  ERR (BLOCK_ALLOCATION_FAILURE, 0xc03a0009, 0xa0040682, 0x80042442),
  ERR (BAT_CORRUPT, 0xc03a000a, 0xa0040682, 0x80042442),
  ERR (INVALID_BLOCK_SIZE, 0xc03a000b, 0xa0040682, 0x80042442),
  ERR (BITMAP_MISMATCH, 0xc03a000c, 0xa0040682, 0x80042442),
  ERR (PARENT_NOT_FOUND, 0xc03a000d, 0xa0040677, 0),
  ERR (PARENT_ID_MISMATCH, 0xc03a000e, 0xa0040685, 0),
  ERR (PARENT_TIMESTAMP_MISMATCH, 0xc03a000f, 0xa0040687, 0),
  ERR (METADATA_READ_FAILURE, 0xc03a0010, 0xa0040681, 0x8004242b),
  ERR (METADATA_WRITE_FAILURE, 0xc03a0011, 0xa0040681, 0x8004242b),
  ERR (INVALID_SIZE, 0xc03a0012, 0xa0040682, 0x80042442),
  ERR (INVALID_FILE_SIZE, 0xc03a0013, 0xa0040682, 0x80042442),
  ERR (PROVIDER_NOT_FOUND, 0xc03a0014, 0xa0040502, 0),
  ERR (NOT_VIRTUAL_DISK, 0xc03a0015, 0xa0040682, 0),
  ERR (PARENT_ACCESS_DENIED, 0xc03a0016, 0x80070005, 0x80042427),
  ERR (PARENT_SIZE_MISMATCH, 0xc03a0017, 0xa0040685, 0),
  ERR (CHAIN_CYCLE, 0xc03a0018, 0xa004067c, 0),
  ERR (CHAIN_ERROR, 0xc03a0019, 0xa004067c, 0),
  ERR (HOST_LIMITATION, 0xc03a001a, 0x80020009, 0),
  ERR (WRONG_TYPE, 0xc03a001b, 0xa004067b, 0x80042400),
  ERR (WRONG_STATE, 0xc03a001c, 0x80070020, 0x8004291a),
  ERR (SECTOR_SIZE, 0xc03a001d, 0, 0x80042530),
  ERR (SOURCE_OWNED, 0xc03a001e, 0, 0),
  ERR (SOURCE_ONLINE, 0xc03a001f, 0, 0),
  ERR (WOULD_TRUNCATE, 0xc03a0025, 0, 0x80042574),
  ERR (NO_MIN_SIZE, 0xc03a0026, 0, 0x80042574),
  ERR (AT_MIN_SIZE, 0xc03a0027, 0, 0x80042574),
  ERR (INSUFFICIENT_BUFFER, 122, 0x8007007a, 0x8007007a),
  ERR (BAD_INDEX, 87, 0x8002000b, 0x80070057),
};

/* A number that is no code of ours gets the view of UNEXPECTED. */
static const struct view *
view_of (enum vhdkit_error code)
{
  unsigned n = code;

  return &views[n < VHDKIT_ERR_LAST_ ? n : VHDKIT_ERR_UNEXPECTED];
}

const char *
vhdkit_error_name (enum vhdkit_error code)
{
  return view_of (code)->name;
}

uint32_t
vhdkit_error_win32 (enum vhdkit_error code)
{
  return view_of (code)->win32;
}

uint32_t
vhdkit_error_hresult (enum vhdkit_error code)
{
  return view_of (code)->hresult;
}

uint32_t
vhdkit_error_hresult_vds (enum vhdkit_error code)
{
  return view_of (code)->hresult_vds;
}

const char *
vhdkit_version (void)
{
  return PACKAGE_NAME " " PACKAGE_VERSION;
}
