/* vhdkit tests: the rules of the write order, each as a question.
 * SPDX-License-Identifier: BSD-3-Clause
 *
 * rule_holds (n) runs what defends rule n of docs/write-order.md and answers
 * whether it held.  test-rules asks it of the library as it is, where all must
 * hold, and test-broken-rules of one in which that rule is broken, where the
 * answer must be no.
 */
#ifndef RULES_H
#define RULES_H

#include <stdbool.h>

#define NR_RULES 7

/* *ret_why: in words; static. */
extern bool rule_holds (unsigned rule, const char **ret_why);

#endif
