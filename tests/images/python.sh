# vhdkit: tests that need Python with libnbd source this after functions.sh
# SPDX-License-Identifier: BSD-3-Clause

# The system's Python has libnbd's module; another one that comes first in
# PATH need not.
python=python3
"$python" -c 'import nbd' 2>/dev/null || python=/usr/bin/python3
export SANITIZE

requires_python_nbd ()
{
    requires "$python" -c 'import nbd'
}
