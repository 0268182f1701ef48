/* vhdkit: where findings of a validation go.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * One set of validators serves both the opener, which stops at the first
 * error, and check, which collects everything.  They differ only in the
 * function that a report leads to.
 */
#ifndef VHDKIT_BASE_REPORT_H
#define VHDKIT_BASE_REPORT_H

#include "vhdkit.h"

struct report {
  vhdkit_finding_fn fn;         /* NULL: errors stop, the rest is dropped */
  void *opaque;
  const char *file;             /* name of the file examined */
};

/* Report one finding.  found is formatted; the other texts are plain.
 * Returns 0 to go on, -1 to stop, and then the last error is set.  With a NULL
 * r or r->fn, VHDKIT_SEVERITY_ERROR stops with the finding as the last error:
 * "FILE: STRUCTURE at offset N: found F, expected E; MEANING".
 * An error is the last error also when r->fn says go on, because the validator
 * may know that it cannot; r->fn may set a better one. */
extern int report (struct report *r, enum vhdkit_severity severity,
                   enum vhdkit_error code, const char *structure,
                   uint64_t offset, const char *expected, const char *meaning,
                   const char *found, ...)
  __attribute__ ((format (printf, 8, 9)));

/* Make a finding the last error, worded as above.  Damage has the errno EIO. */
extern void report_to_error (const struct vhdkit_finding *f);

#endif
