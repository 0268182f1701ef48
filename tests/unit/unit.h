/* vhdkit tests: what unit tests share.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Include this first: it brings cmocka.h and what that needs.
 */
#ifndef UNIT_H
#define UNIT_H

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vhdkit.h"

/* The last error has this code, and all these words in its text. */
#define assert_last_error(code, ...)                                    \
  assert_last_error_at (code, __FILE__, __LINE__,                       \
                        (const char *[]) { __VA_ARGS__, NULL })

static inline void
assert_last_error_at (enum vhdkit_error code, const char *file, int line,
                      const char *const *words)
{
  if (vhdkit_get_error_code () != code)
    print_error ("expected %s, got %s: %s\n", vhdkit_error_name (code),
                 vhdkit_error_name (vhdkit_get_error_code ()),
                 vhdkit_get_error ());
  _assert_true (vhdkit_get_error_code () == code, "code", file, line);
  for (; *words; words++) {
    if (strstr (vhdkit_get_error (), *words) == NULL)
      print_error ("expected \"%s\" in: %s\n", *words, vhdkit_get_error ());
    _assert_true (strstr (vhdkit_get_error (), *words) != NULL, "text", file,
                  line);
  }
}

/* A call of the library that must succeed. */
#define assert_ok(expr) assert_ok_at ((expr), #expr, __FILE__, __LINE__)

static inline void
assert_ok_at (int r, const char *expr, const char *file, int line)
{
  if (r != 0)
    print_error ("%s: %s\n", expr, vhdkit_get_error ());
  _assert_true (r == 0, expr, file, line);
}

/* A directory of the test's own; a group set-up and tear-down for cmocka.
 * Short: the path of a Unix socket in it has 107 bytes at most. */
__attribute__ ((unused)) static char temp_dir[256];

static inline int
make_temp_dir (void **state)
{
  const char *tmp = getenv ("TMPDIR");

  (void) state;
  snprintf (temp_dir, sizeof temp_dir, "%s/vhdkit-test-XXXXXX",
            tmp && strlen (tmp) < 60 ? tmp : "/tmp");
  return mkdtemp (temp_dir) ? 0 : -1;
}

static inline int
remove_temp_dir (void **state)
{
  char command[300];

  (void) state;
  snprintf (command, sizeof command, "rm -rf '%s'", temp_dir);
  return system (command) == 0 ? 0 : -1;
}

/* PATH of a name in it; the last eight results stay valid. */
static inline const char *
temp_path (const char *name)
{
  static __thread char path[8][512];
  static __thread unsigned next;
  char *p = path[next++ % 8];

  snprintf (p, sizeof path[0], "%s/%s", temp_dir, name);
  return p;
}

#endif
