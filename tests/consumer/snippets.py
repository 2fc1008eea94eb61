#!/usr/bin/env python3
"""Writes what the pages have in C++ and C as files to compile: snippets.py FOLDER README.md deploying.md."""

import pathlib
import re
import sys

DEPLOYING = """{before}
const unsigned char int8_model[1] = {{0}};
const size_t int8_model_size = 1;

int main(void) {{
  static float pixels[64 * 64];
{statements}  return error != NULL;
}}
"""


def snippets(page, language):
    found = re.findall(rf"^```{language}\n(.*?)^```", pathlib.Path(page).read_text(), re.S | re.M)
    if not found:
        sys.exit(f"{page} has no snippet in {language}")
    return "".join(found)


folder, readme, deploying = sys.argv[1:]
(pathlib.Path(folder) / "readme.inc").write_text(snippets(readme, "cpp"))
# What declares goes before main(), what does into it.
lines = snippets(deploying, "c").splitlines(keepends=True)
declares = re.compile(r"#include|extern")
text = DEPLOYING.format(
    before="#include <stddef.h>\n" + "".join(line for line in lines if declares.match(line)),
    statements="".join(line for line in lines if not declares.match(line)),
)
(pathlib.Path(folder) / "deploying.c").write_text(text)
