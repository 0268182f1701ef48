/* vhdkit tests: the seven rules of the write order hold.
 * SPDX-License-Identifier: BSD-3-Clause
 */
#include <config.h>

#include "unit.h"
#include "rules.h"

#define TEST_OF_RULE(n, name)                   \
  static void                                   \
  name (void **state)                           \
  {                                             \
    const char *why;                            \
    bool holds = rule_holds (n, &why);          \
                                                \
    (void) state;                               \
    if (!holds)                                 \
      print_error ("rule %d: %s\n", n, why);    \
    assert_true (holds);                        \
  }

TEST_OF_RULE (1, rule_1_commit_is_sync_metadata_sync)
TEST_OF_RULE (2, rule_2_last_flushed_or_later)
TEST_OF_RULE (3, rule_3_freed_space_waits_for_the_commit)
TEST_OF_RULE (4, rule_4_commit_leaves_a_trailing_footer)
TEST_OF_RULE (5, rule_5_failed_allocation_changes_nothing)
TEST_OF_RULE (6, rule_6_failed_sync_is_final)
TEST_OF_RULE (7, rule_7_close_commits)

int
main (void)
{
  const struct CMUnitTest tests[] = {
    cmocka_unit_test (rule_1_commit_is_sync_metadata_sync),
    cmocka_unit_test (rule_2_last_flushed_or_later),
    cmocka_unit_test (rule_3_freed_space_waits_for_the_commit),
    cmocka_unit_test (rule_4_commit_leaves_a_trailing_footer),
    cmocka_unit_test (rule_5_failed_allocation_changes_nothing),
    cmocka_unit_test (rule_6_failed_sync_is_final),
    cmocka_unit_test (rule_7_close_commits),
  };

  return cmocka_run_group_tests (tests, NULL, NULL);
}
