#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Prints the `deb` lines of scripts/lock for what Debian's SUITE holds today:
#
#   scripts/lock-debs.sh [SUITE]        (default: sid)
#
# Run it when Debian has replaced a pinned package, or for a newer Emscripten,
# put the lines into scripts/lock in place of the old ones, and run make test.

set -euo pipefail

suite=${1:-sid}
mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
  grep -v -e security | head -n 1)
packages=$(mktemp)
trap 'rm -f "$packages"' EXIT
curl -fsSL "${mirror%/}/dists/$suite/main/binary-amd64/Packages.xz" |
  xz -dc >"$packages"
llvm=$(awk -v RS= '/^Package: emscripten\n/' "$packages" |
  sed -n 's/^Depends:.*clang-\([0-9]*\).*/\1/p')

# emcc, and what its programs need beyond Python and Node: a C library of their
# own among it, so that the system's may be older.
for name in emscripten node-acorn binaryen "clang-$llvm" "lld-$llvm" \
  "llvm-$llvm" "libclang-common-$llvm-dev" "libclang-cpp$llvm" \
  "libllvm$llvm" libc6 libgcc-s1 libstdc++6 libbsd0 libedit2 libffi8 libmd0 \
  libtinfo6 libxml2-16 libz3-4 libzstd1 zlib1g patchelf; do
  awk -v RS= -v name="$name" '
    index($0, "Package: " name "\n") == 1 {
      split($0, line, "\n")
      for (i in line) {
        split(line[i], word, " ")
        field[word[1]] = word[2]
      }
      print "deb", name, field["Version:"], field["SHA256:"],
        field["Filename:"]
      found = 1
      exit
    }
    END { if (!found) print "# not found:", name }' "$packages"
done
