/* vhdkit: tests: receivers of findings that remember them.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * To be included after cmocka.h.
 */
#ifndef VHDKIT_TEST_FINDINGS_H
#define VHDKIT_TEST_FINDINGS_H

#include <stdio.h>
#include <string.h>

#include "vhdkit.h"

struct seen {
  int n;
  struct {
    enum vhdkit_severity severity;
    enum vhdkit_error code;
    uint64_t offset;
    char structure[64], found[64], expected[160];
  } f[16];
};

static inline int
remember (void *opaque, const struct vhdkit_finding *f)
{
  struct seen *s = opaque;

  assert_in_range (s->n, 0, 15);
  s->f[s->n].severity = f->severity;
  s->f[s->n].code = f->code;
  s->f[s->n].offset = f->offset;
  snprintf (s->f[s->n].structure, 64, "%s", f->structure);
  snprintf (s->f[s->n].found, 64, "%s", f->found);
  snprintf (s->f[s->n].expected, 160, "%s", f->expected);
  assert_true (strlen (f->meaning) > 10);
  s->n++;
  return 0;
}

static inline int
stop_at_once (void *opaque, const struct vhdkit_finding *f)
{
  remember (opaque, f);
  return 1;
}

#define assert_finding(s, i, sev, c, where, off)                        \
  do {                                                                  \
    assert_true ((s)->n > (i));                                         \
    assert_int_equal ((s)->f[i].severity, VHDKIT_SEVERITY_ ## sev);     \
    assert_int_equal ((s)->f[i].code, VHDKIT_ERR_ ## c);                \
    assert_string_equal ((s)->f[i].structure, where);                   \
    assert_int_equal ((s)->f[i].offset, off);                           \
  } while (0)

#endif
