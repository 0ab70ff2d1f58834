#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# `make lint`: what a machine can say about the sources.  Every check runs,
# also after one has failed.
#
#   format     clang-format changes nothing
#   warnings   gcc, clang and emcc are silent under -Wall -Wextra -Wconversion
#              -Wshadow -Wstrict-prototypes -Wmissing-prototypes
#   cppcheck   finds nothing
#   types      tsc --checkJs, strict, finds nothing
#   shell      the scripts can be parsed

set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.." || exit 1

node=$(sed -n 's/^NODE := //p' build/tools.mk)
mapfile -t sources < <(find certmgr directsockets scripts server tests \
  -name '*.[ch]' | LC_ALL=C sort)
failed=0

check() {
  local name=$1 log=build/lint-$1.log
  shift
  if "$@" >"$log" 2>&1; then
    echo "ok    $name"
  else
    echo "FAIL  $name"
    grep -v '^  [A-Z]* ' "$log" | sed 's/^/      /'
    [ "$name" != format ] || echo '      (make format does it)'
    failed=$((failed + 1))
  fi
}

# warnings COMPILER VARIANT
warnings() {
  local jobs=()
  [[ ${MAKEFLAGS-} == *-j* ]] || jobs=("-j$(nproc)")
  make -f scripts/build.mk "${jobs[@]}" -k VARIANT="$2" WERROR=1 \
    B="build/lint-$1" ${3+"CC=$3"} objects
}

# Not the tests: cmocka's macros look like errors to it.  Uninitialized
# variables are gcc's and clang's to find, who see more of them and better.
run_cppcheck() {
  cppcheck --quiet --error-exitcode=1 --inline-suppr -j "$(nproc)" --std=c11 \
    --enable=warning,performance,portability --template=gcc -I. \
    --suppress=missingInclude --suppress=missingIncludeSystem \
    --suppress=normalCheckLevelMaxBranches --suppress=nullPointerOutOfMemory \
    --suppress=nullPointerArithmeticOutOfMemory --suppress=uninitvar \
    --suppress='*:*_test.c' certmgr directsockets server tests
}

mkdir -p build
check format clang-format --dry-run -Werror "${sources[@]}"
check warnings-gcc warnings gcc native
check warnings-clang warnings clang native clang
check warnings-emcc warnings emcc wasm
check cppcheck run_cppcheck
check types "$node" node_modules/typescript/bin/tsc -p .
check shell bash -n scripts/*.sh
[ $failed = 0 ]
