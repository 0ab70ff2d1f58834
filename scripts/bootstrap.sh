#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sets up what a make target needs, and nothing that is there already:
#
#   scripts/bootstrap.sh PART...
#
#   native    the C compiler, and the libraries built with it
#   asan      the same libraries under AddressSanitizer
#   wasm      emcc, and the libraries built with it
#   node      a Node.js with JSPI
#   npm       node_modules
#   chromium  firefox  lint      programs of the system
#
# Outside sources are named in scripts/lock and nowhere else.  All that is
# fetched or built goes below ${XDG_CACHE_HOME:-~/.cache}/fortnight, each part
# into a folder named by a hash of all that it is made from.  A folder gets its
# name by a rename once it is complete: what has the name is good, and what was
# interrupted is made again.  Paths are left in build/tools.mk for make.

set -euo pipefail
shopt -s inherit_errexit

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock=$root/scripts/lock
cache=${XDG_CACHE_HOME:-${HOME:?}/.cache}/fortnight
emcc_least=5
node_least=24

say() { printf 'fortnight: %s\n' "$*" >&2; }
die() { say "$*"; exit 1; }

# step TEXT COMMAND...: runs COMMAND, its output kept for the case of failure.
step() {
  local text=$1 log start=$SECONDS
  shift
  log=$(mktemp)
  say "$text ..."
  if "$@" >"$log" 2>&1 </dev/null; then
    say "$text: done in $((SECONDS - start)) s"
    rm -f "$log"
  else
    tail -n 40 "$log" >&2
    rm -f "$log"
    die "$text: failed"
  fi
}

key() { cat "$@" | sha256sum | cut -c1-16; }

# --- system packages -------------------------------------------------------

# COMMAND PACKAGE, by part.  Debian's names; others are close enough to find.
system_packages() {
  case $1 in
    native | asan) echo gcc gcc  /usr/include/stdlib.h libc6-dev ;;
    sources) echo curl curl  xz xz-utils \
      /etc/ssl/certs/ca-certificates.crt ca-certificates ;;
    wasm) echo python3 python3  curl curl  xz xz-utils ;;
    node | npm) echo curl curl ;;
    chromium) echo chromium chromium ;;
    firefox) echo firefox-esr firefox-esr ;;
    lint) echo clang clang  clang-format clang-format  cppcheck cppcheck ;;
  esac
}

need_system() {
  local part what package missing=() sudo=()
  for part; do
    set -- $(system_packages "$part")
    while [ $# -gt 0 ]; do
      what=$1 package=$2
      shift 2
      case $what in
        /*) [ -e "$what" ] && continue ;;
        *) command -v "$what" >/dev/null && continue ;;
      esac
      case " ${missing[*]-} " in
        *" $package "*) ;;
        *) missing+=("$package") ;;
      esac
    done
  done
  [ ${#missing[@]} -gt 0 ] || return 0

  local how="apt-get install --no-install-recommends ${missing[*]}"
  if ! command -v apt-get >/dev/null; then
    die "please install (Debian's names): ${missing[*]}"
  fi
  if [ "$(id -u)" != 0 ]; then
    if command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }
    then
      sudo=(sudo)
    else
      die "please run as root: $how"
    fi
  fi
  say "installing system packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  step 'apt-get update' "${sudo[@]}" apt-get -q update
  step "$how" "${sudo[@]}" env DEBIAN_FRONTEND=noninteractive \
    apt-get -q install -y --no-install-recommends "${missing[@]}"
}

# --- downloads --------------------------------------------------------------

# The roots of the Debian mirrors that apt is set up with, security last.
mirrors() {
  command -v apt-get >/dev/null || return 0
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' \
    2>/dev/null | awk '!seen[$0]++ { print (/security/ ? 1 : 0) " " $0 }' |
    sort -s -n -k 1,1 | cut -d ' ' -f 2- | grep -E '^(https?|file):' || true
}

good() { [ -f "$2" ] && echo "$1  $2" | sha256sum -c --status -; }

# fetch SHA256 FILE URL...: a complete FILE with this hash, or no FILE.
fetch() {
  local sha256=$1 file=$2 url tmp
  shift 2
  good "$sha256" "$file" && return 0
  [ ! -e "$file" ] || say "$(basename "$file") is damaged: fetching it again"
  mkdir -p "$(dirname "$file")"
  tmp=$file.$$
  for url; do
    if curl -fsSL --connect-timeout 10 --retry 2 --max-time 600 \
      --speed-limit 1000 --speed-time 30 -o "$tmp" "$url" 2>"$tmp.log" &&
      good "$sha256" "$tmp"; then
      mv -f "$tmp" "$file"
      rm -f "$tmp.log"
      return 0
    fi
  done
  say "cannot fetch $(basename "$file"): $(tail -n 1 "$tmp.log" |
    sed 's/^curl: //')"
  rm -f "$tmp" "$tmp.log"
  return 1
}

# in_turn NAME: one process at a time below here, for this NAME.
in_turn() {
  mkdir -p "$cache"
  exec 9>"$cache/.$1.lock"
  flock -n 9 || { say "waiting for another set-up of $1"; flock 9; }
}

# --- sources ----------------------------------------------------------------

sources_key=$(grep '^source ' "$lock" | key -)
sources=$cache/sources-$sources_key

# Fetches and unpacks one tarball below $1.
unpack_source() {
  local into=$1 name=$2 version=$3 sha256=$4 pool=$5 upstream=$6 file mirror
  local urls=("$upstream")
  for mirror in "${mirror_list[@]}"; do urls+=("${mirror%/}/$pool"); done
  file=$cache/download/$name-$version.tar.${pool##*.}
  fetch "$sha256" "$file" "${urls[@]}" || return 1
  mkdir -p "$into/$name"
  tar -xf "$file" -C "$into/$name" --strip-components=1 --no-same-owner
}

need_sources() {
  [ ! -d "$sources" ] || return 0
  need_system sources
  in_turn sources
  [ ! -d "$sources" ] || return 0
  local tmp=$sources.tmp kind rest pids=() pid bad=0 start=$SECONDS
  rm -rf "$tmp"
  mapfile -t mirror_list < <(mirrors)
  say "fetching the sources: $(awk '/^source / { printf "%s %s  ", $2, $3 }' \
    "$lock")..."
  while read -r kind rest; do
    [ "$kind" = source ] || continue
    unpack_source "$tmp" $rest &
    pids+=($!)
  done <"$lock"
  for pid in "${pids[@]}"; do wait "$pid" || bad=1; done
  [ $bad = 0 ] || die "the sources are not complete; is there a network?"
  mv "$tmp" "$sources"
  say "fetching the sources: done in $((SECONDS - start)) s"
}

# --- emscripten -------------------------------------------------------------

emcc_dir=
if path=$(command -v emcc) && path=$(dirname "$(readlink -f "$path")") &&
  [ -r "$path/emscripten-version.txt" ] &&
  version=$(tr -d '"' <"$path/emscripten-version.txt") &&
  [ "${version%%.*}" -ge $emcc_least ]; then
  emcc=emcc emar=emar emcc_id="$path $version"
else
  emcc=/nonexistent/emcc emar=/nonexistent/emar emcc_id=none
fi

need_emcc() { need_system wasm; [ "$emcc_id" != none ] || die "no emcc"; }

# --- libraries ----------------------------------------------------------------

deps_recipe=("$root/scripts/deps/deps.mk" "$root/scripts/deps/user_settings.h"
  "$root/scripts/deps/wolfssl/options.h")

cflags_native='-O2 -g'
cflags_asan='-O1 -g -fsanitize=address -fno-omit-frame-pointer'
cflags_wasm='-O3 -sSUPPORT_LONGJMP=wasm'

cc_id=$(readlink -f "$(command -v gcc)" || true)
[ -z "$cc_id" ] || cc_id="$cc_id $(gcc -dumpfullversion -dumpmachine)"

deps_path() {
  local id=$cc_id flags=cflags_$1
  [ "$1" != wasm ] || id=$emcc_id
  printf '%s/libraries-%s-%s' "$cache" "$1" "$( (echo "$id ${!flags}" \
    "$sources_key"; cat "${deps_recipe[@]}") | key -)"
}

need_deps() {
  local variant=$1 flags=cflags_$1 dir cc=gcc ar=ar
  dir=$(deps_path "$variant")
  [ ! -d "$dir" ] || return 0
  need_sources
  in_turn "libraries-$variant"
  [ ! -d "$dir" ] || return 0
  [ "$variant" != wasm ] || cc=$emcc ar=$emar
  rm -rf "$dir.tmp"
  step "building the libraries ($variant)" env -u MAKEFLAGS -u MAKELEVEL \
    make -s -j"$(nproc)" -f "$root/scripts/deps/deps.mk" SRC="$sources" \
    PREFIX="$dir.tmp" CC="$cc" AR="$ar" CFLAGS="-w ${!flags}"
  rm -rf "$dir.tmp/obj"
  mv "$dir.tmp" "$dir"
}

# --- node -----------------------------------------------------------------------

node=node
need_node() { :; }
need_npm() { :; }

# --- main -------------------------------------------------------------------------

write_tools() {
  local file=$root/build/tools.mk
  mkdir -p "$root/build"
  cat >"$file.$$" <<EOF
# Written by scripts/bootstrap.sh.
NODE := $node
EMCC := $emcc
EMAR := $emar
DEPS_native := $(deps_path native)
DEPS_asan := $(deps_path asan)
DEPS_wasm := $(deps_path wasm)
EOF
  if cmp -s "$file.$$" "$file"; then
    rm -f "$file.$$"
  else
    mv -f "$file.$$" "$file"
  fi
}

for part; do
  case $part in
    native | asan) need_system native; (need_deps "$part") ;;
    wasm) need_emcc; (need_deps wasm) ;;
    node) need_node ;;
    npm) need_node; need_npm ;;
    chromium | firefox | lint) need_system "$part" ;;
    *) die "no such part: $part" ;;
  esac
done
write_tools
