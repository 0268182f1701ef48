#!/bin/bash -
# Every file of the tree says what its license is.
# SPDX-License-Identifier: BSD-3-Clause
source ./functions.sh
set -e

cd "$top_srcdir"
count=0 bad=0
while IFS= read -r file; do
    count=$((count + 1))
    if ! grep -q 'SPDX-License-Identifier: BSD-3-Clause' "$file"; then
        echo "$file has no SPDX line"
        bad=$((bad + 1))
    fi
done < <(find README.md common-pod.mk configure.ac run.in quickstart .ci/run \
              lib plugin tools docs tests -type f \
              \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.py' \
                 -o -name '*.sh' -o -name '*.in' -o -name '*.am' \
                 -o -name '*.mk' -o -name '*.ac' -o -name '*.md' \
                 -o -name '*.pod' -o -name '*.syms' -o -name '*.bash' \
                 -o -name run -o -name quickstart -o -name layers \
                 -o -name behaviours -o -name summary \) \
              ! -name Makefile.in)
[ $count -gt 200 ] || fail "only $count files were looked at"
[ $bad -eq 0 ] || fail "$bad files without a license"
