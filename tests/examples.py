#!/usr/bin/python3
"""Print the examples of a manual or Markdown file that are marked for testing,
as one shell script.  See README.md here for the marks.

  examples.py FILE
"""
# SPDX-License-Identifier: BSD-3-Clause
import re
import sys
import textwrap


def commands(block):
    """A block with prompts has output too: keep what follows the prompts."""
    block = textwrap.dedent(block).strip("\n")
    if not re.search(r"^\$ ", block, re.M):
        return block
    kept = []
    continues = False
    for line in block.split("\n"):
        if line.startswith("$ ") or continues:
            kept.append(re.sub(r"^[$>] ", "", line))
            continues = line.endswith("\\")
    return "\n".join(kept)


def of_pod(text):
    """=for test before a verbatim block, or =begin test ... =end test."""
    hidden = r"^=begin test\n(?P<hidden>(?:.*\n)*?)=end test$"
    shown = r"^=for test[ \t]*\n\s*?\n(?P<shown>(?:[ \t]+\S.*\n|[ \t]*\n)+)"
    for m in re.finditer(hidden + "|" + shown, text, re.M):
        yield m.start(), m["hidden"] or m["shown"]


def of_markdown(text):
    """<!-- test --> before a fenced block, or <!-- test ... -->."""
    shown = r"^<!-- test -->\n+```[a-z]*\n(?P<shown>(?:.*\n)*?)```$"
    hidden = r"^<!-- test\n(?P<hidden>(?:.*\n)*?)-->$"
    for m in re.finditer(shown + "|" + hidden, text, re.M):
        yield m.start(), m["hidden"] or m["shown"]


def main():
    path = sys.argv[1]
    with open(path, encoding="utf-8") as f:
        text = f.read()
    find = of_pod if path.endswith(".pod") else of_markdown
    for start, block in find(text):
        line = text.count("\n", 0, start) + 1
        print(f"\necho '--- line {line}'\n{commands(block)}")


main()
