/* vhdkit: the calling thread's last error.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Set it once, where the fault is found, with everything a person needs: the
 * object, the place, what was there, what was expected.  Callers return -1; a
 * caller that knows more puts it in front with error_prefix.
 */
#ifndef VHDKIT_BASE_ERROR_H
#define VHDKIT_BASE_ERROR_H

#include "vhdkit.h"

extern void set_error (enum vhdkit_error code, int err, const char *fmt, ...)
  __attribute__ ((format (printf, 3, 4)));

/* The same with the code that fits errno value err; ": strerror" is added. */
extern void set_error_errno (int err, const char *fmt, ...)
  __attribute__ ((format (printf, 2, 3)));
extern enum vhdkit_error error_code_of_errno (int err);

/* "PREFIX: what was there". */
extern void error_prefix (const char *fmt, ...)
  __attribute__ ((format (printf, 1, 2)));

/* Change only the code and errno of the last error, keep the sentence. */
extern void error_recode (enum vhdkit_error code, int err);

/* Carry an error from one thread, or over other calls, to later. */
struct saved_error {
  enum vhdkit_error code;
  int err;
  char *text;                   /* malloced; NULL if memory was short */
};
extern void error_save (struct saved_error *e);
extern void error_restore (struct saved_error *e);     /* frees what it holds */
extern void error_discard (struct saved_error *e);     /* leaves "no error" */

#endif
