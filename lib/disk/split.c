/* vhdkit: images in pieces.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Where a file could not be larger than 4 GiB, Virtual PC up to 2004 cut an
 * image into NAME.vhd, NAME.v01, NAME.v02 ...: the file, piece by piece, with
 * the footer in the last one.  No program opens these; who has one should at
 * least be told what it is.  Source: vhd-format 7.4.
 */
#include <config.h>

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "disk/disk.h"

/* The piece that follows the image path, if there is one: malloced. */
static char *
second_piece (const char *path)
{
  static const char *const suffix[] = { ".v01", ".V01" };
  const char *dot = strrchr (path, '.');
  struct stat st;
  char *piece;
  size_t k;

  if (dot == NULL || strcasecmp (dot, ".vhd") != 0)
    return NULL;
  for (k = 0; k < sizeof suffix / sizeof suffix[0]; k++) {
    if (asprintf (&piece, "%.*s%s", (int) (dot - path), path, suffix[k]) == -1)
      return NULL;
    if (lstat (piece, &st) == 0 && S_ISREG (st.st_mode))
      return piece;
    free (piece);
  }
  return NULL;
}

void
split_explain (const char *path)
{
  CLEANUP_FREE char *piece = NULL;

  if (vhdkit_get_error_code () != VHDKIT_ERR_FORMAT_UNKNOWN
      && vhdkit_get_error_code () != VHDKIT_ERR_FOOTER_MISSING)
    return;
  piece = second_piece (path);
  if (piece)
    set_error (VHDKIT_ERR_FORMAT_UNKNOWN, EIO,
               "%s: found no footer, but %s beside it: the image was cut into "
               "pieces, and this is the first; join them into one file, in "
               "the order of their names", path, piece);
}

int
split_report (const char *path, uint64_t end, struct report *r)
{
  CLEANUP_FREE char *piece = second_piece (path);

  if (piece == NULL)
    return 0;
  return report (r, VHDKIT_SEVERITY_WARNING, VHDKIT_ERR_FOOTER_MISSING,
                 "end of file", end, "no further piece of the image",
                 "the image was cut into pieces, and this is only the first; "
                 "join them into one file, in the order of their names",
                 "%s", piece);
}
