#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# Runs a command in a clone of this repository on a fresh Debian:
#
#   scripts/fresh-debian.sh [--keep] SUITE COMMAND...
#   scripts/fresh-debian.sh bookworm make test
#   scripts/fresh-debian.sh trixie make run ARGS=--self-test
#
# A new debootstrap root has git, make and ca-certificates, as a person has who
# can clone and call make, and nothing of Fortnight.  Its processes have a
# process-number space of their own and end with the command.  The way into
# the network (resolver, apt's mirror and settings, certificates, npm's
# settings, proxies) is this machine's.  Prints how long each step took; the
# exit code is the command's.  Needs root and debootstrap.
#
#   --keep     leaves the root there and tells where; give its path in place
#              of SUITE to use it again
#   OFFLINE=1  gives the command no network

set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
keep=
if [ "${1-}" = --keep ]; then keep=1; shift; fi
if [ $# -lt 2 ] || [ "$(id -u)" != 0 ] || ! command -v debootstrap >/dev/null
then
  sed -n 's/^# \{0,1\}//; 4,20p' "$0" >&2
  exit 2
fi
suite=$1
shift

say() { printf 'fresh-debian: %s\n' "$*" >&2; }
timed() {
  local text=$1 start=$SECONDS
  shift
  "$@"
  say "$text: $((SECONDS - start)) s"
}

index() {
  apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' |
    sort -u | grep "$@" -e -security | head -n 1
}

make_root() {
  local mirror security file
  mirror=$(index -v)
  security=$(index || true)
  debootstrap --variant=minbase --include=git,make,ca-certificates \
    "$suite" "$dir" "$mirror" >"$dir.log" 2>&1 || {
    tail -n 5 "$dir.log" >&2
    exit 1
  }
  {
    echo "deb $mirror $suite main"
    [ -z "$security" ] || echo "deb $security $suite-security main"
  } >"$dir/etc/apt/sources.list"
  for file in /etc/apt/apt.conf /etc/apt/apt.conf.d/*; do
    if grep -qs '^ *Acquire::\(Check\|http\|Retries\)' "$file"; then
      cp "$file" "$dir/etc/apt/apt.conf.d/"
    fi
  done
  cp -L /etc/resolv.conf /etc/hosts "$dir/etc/"
  for file in ~/.npmrc /etc/npmrc; do
    [ ! -e "$file" ] || cp "$file" "$dir$file"
  done
  mkdir -p "$dir/usr/local/share/ca-certificates" "$dir/src"
  find /usr/local/share/ca-certificates -name '*.crt' \
    -exec cp {} "$dir/usr/local/share/ca-certificates/" \;
  chroot "$dir" update-ca-certificates >"$dir.log" 2>&1
}

# What the command gets of this machine's environment: the way out.
settings() {
  env | grep -iE '^(https?_proxy|no_proxy|all_proxy|npm_config_[a-z_]*)=' ||
    true
  env | grep -E '=/etc/ssl/certs(/ca-certificates.crt)?$' || true
}

if [ -d "$suite/usr" ]; then
  dir=$suite keep=1
else
  dir=$(mktemp -d "${TMPDIR:-/var/tmp}/fortnight-$suite.XXXXXX")
  # debootstrap wants to make it.
  chmod 755 "$dir"
  timed "debootstrap $suite" make_root
fi

cat >"$dir/inside" <<'EOF'
#!/bin/bash
set -e
mount --make-rprivate /
mount -t proc proc "$DIR/proc"
mount -t sysfs -o ro sysfs "$DIR/sys" || true
mount -t tmpfs -o mode=755 tmpfs "$DIR/dev"
for node in null zero full random urandom tty; do
  touch "$DIR/dev/$node"
  mount --bind "/dev/$node" "$DIR/dev/$node"
done
ln -s /proc/self/fd "$DIR/dev/fd"
ln -s /proc/self/fd/0 "$DIR/dev/stdin"
ln -s /proc/self/fd/1 "$DIR/dev/stdout"
ln -s /proc/self/fd/2 "$DIR/dev/stderr"
mkdir "$DIR/dev/shm" "$DIR/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$DIR/dev/shm"
mount -t devpts -o newinstance,ptmxmode=666 devpts "$DIR/dev/pts"
ln -s pts/ptmx "$DIR/dev/ptmx"
mount --bind "$SOURCE" "$DIR/src"
mount -o remount,bind,ro "$DIR/src"
exec chroot "$DIR" /usr/bin/env -i HOME=/root TERM=dumb LANG=C.UTF-8 \
  PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  "${SETTINGS[@]}" /bin/bash -c '
    [ -z "$OFFLINE" ] || ip link set lo up 2>/dev/null || true
    cd /root
    rm -rf fortnight
    git -c advice.detachedHead=false clone -q /src fortnight
    cd fortnight
    "$@" </dev/null' bash "$@"
EOF
sed -i 's/^exec chroot/mapfile -t SETTINGS <<<"$SETTINGS"\n&/' "$dir/inside"

command=(unshare --mount --pid --fork --kill-child)
[ -z "${OFFLINE-}" ] || command+=(--net)
status=0
start=$SECONDS
DIR=$dir SOURCE=$root SETTINGS="OFFLINE=${OFFLINE-}
$(settings)" "${command[@]}" bash "$dir/inside" "$@" || status=$?
say "$*: exit code $status after $((SECONDS - start)) s"
if [ -n "$keep" ]; then
  say "the root is $dir"
else
  rm -rf --one-file-system "$dir" "$dir.log"
fi
exit $status
