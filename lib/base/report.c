/* vhdkit: where findings of a validation go.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "base/report.h"
#include "base/text.h"

/* Damage is EIO, which an NBD client understands.  What is sound but beyond
 * us is not damage. */
static int
errno_of_finding (enum vhdkit_error code)
{
  switch (code) {
  case VHDKIT_ERR_NOT_SUPPORTED:
  case VHDKIT_ERR_UNSUPPORTED_VERSION:
  case VHDKIT_ERR_HEADER_UNSUPPORTED_VERSION:
    return ENOTSUP;
  case VHDKIT_ERR_NO_MEMORY:
    return ENOMEM;
  case VHDKIT_ERR_PARENT_TIMESTAMP_MISMATCH:
  case VHDKIT_ERR_PARENT_SIZE_MISMATCH:
    return ESTALE;
  default:
    return EIO;
  }
}

void
report_to_error (const struct vhdkit_finding *f)
{
  int err = errno_of_finding (f->code);
  CLEANUP_FREE char *sentence =
    text_format ("%s%s%s at offset %" PRIu64 ": found %s, expected %s; %s",
                 f->file ? f->file : "", f->file ? ": " : "",
                 f->structure, f->offset, f->found, f->expected, f->meaning);
  /* File names and what was found come from outside. */
  CLEANUP_FREE char *printable = sentence ? text_printable (sentence) : NULL;

  set_error (f->code, err, "%s", printable ? printable : f->meaning);
}

int
report (struct report *r, enum vhdkit_severity severity,
        enum vhdkit_error code, const char *structure, uint64_t offset,
        const char *expected, const char *meaning, const char *found, ...)
{
  struct vhdkit_finding f = {
    .severity = severity, .code = code, .file = r ? r->file : NULL,
    .structure = structure, .offset = offset,
    .expected = expected, .meaning = meaning,
  };
  CLEANUP_FREE char *text = NULL;
  va_list args;

  if ((!r || !r->fn) && severity < VHDKIT_SEVERITY_ERROR)
    return 0;

  va_start (args, found);
  if (vasprintf (&text, found, args) == -1)
    text = NULL;
  va_end (args);
  f.found = text ? text : "something that memory is too short to show";

  if (!r || !r->fn) {
    report_to_error (&f);
    return -1;
  }

  /* Before the callback, so that it may put a better error in its place. */
  if (severity >= VHDKIT_SEVERITY_ERROR)
    report_to_error (&f);
  if (r->fn (r->opaque, &f) == 0)
    return 0;
  if (severity < VHDKIT_SEVERITY_ERROR)
    report_to_error (&f);
  return -1;
}
