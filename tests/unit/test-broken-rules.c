/* vhdkit tests: the tests of the write order can fail.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * Linked with a library in which each rule can be broken (the switches are in
 * lib/image/internal.h).  What defends a rule must notice.
 */
#include <config.h>

#include "unit.h"
#include "rules.h"

int vhdkit_broken_rule;

static void
nothing_broken_all_hold (void **state)
{
  const char *why;
  unsigned rule;

  (void) state;
  for (rule = 1; rule <= NR_RULES; rule++)
    assert_true (rule_holds (rule, &why));
}

static void
each_broken_rule_is_noticed (void **state)
{
  const char *why;
  unsigned rule;

  (void) state;
  for (rule = 1; rule <= NR_RULES; rule++) {
    bool holds;

    vhdkit_broken_rule = rule;
    holds = rule_holds (rule, &why);
    vhdkit_broken_rule = 0;
    print_message ("rule %u broken: %s\n", rule, holds ? "NOT NOTICED" : why);
    assert_false (holds);
  }
}

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (nothing_broken_all_hold),
    cmocka_unit_test (each_broken_rule_is_noticed),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
