#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
# Everything in C is as clang-format 14 writes it.
cd "${1:-.}" || exit 1
find src tests tools -name '*.[ch]' -print0 | xargs -0 -r clang-format --dry-run -Werror
