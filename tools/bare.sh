#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# bare.sh - shows that the project sets a bare machine up by itself: makes the smallest Debian or
# Ubuntu in a folder, lets a user without rights ask what is missing, then runs demo.sh and test.sh
# there as root. Needs root, debootstrap, a package mirror; 3 GB of disk; the time of a demo and of
# all default tests. The folder is removed at the end, and when a step fails.
#
#   tools/bare.sh [SUITE [DEBOOTSTRAP-ARGUMENTS...]]
#
# SUITE is bookworm (default), noble or another one. Where debootstrap lacks the keyring or the script of
# a suite, give what it wants behind SUITE: --no-check-gpg --components=main,universe.
# BARE_MIRROR and BARE_SCRIPT are its last two arguments.
set -eu
cd "$(dirname "$0")/.."
suite=${1-bookworm}
[ $# -eq 0 ] || shift
if [ "$(id -u)" -ne 0 ] || ! command -v debootstrap >/dev/null 2>&1; then
  echo "bare: needs root and the command debootstrap (package debootstrap)" >&2
  exit 2
fi

root=$(mktemp -d)
chmod 755 "$root" # the root folder of the user without rights
clean() { # nothing of this machine may be below the folder when it is removed
  local mounted
  for mounted in dev proc sys; do
    umount -R "$root/$mounted" 2>/dev/null || umount -R -l "$root/$mounted" 2>/dev/null || true
  done
  if grep -q " $root/" /proc/mounts; then
    echo "bare: $root is left: something is still mounted there" >&2
  else
    rm -rf --one-file-system "$root"
  fi
}
trap clean EXIT

echo "== debootstrap $suite"
debootstrap --variant=minbase "$@" "$suite" "$root" ${BARE_MIRROR:+"$BARE_MIRROR"} \
  ${BARE_SCRIPT:+"$BARE_SCRIPT"} >"$root.log" 2>&1 || {
  tail -n 5 "$root.log" >&2
  exit 1
}
rm -f "$root.log"
mount -t proc proc "$root/proc"
mount --rbind --make-rslave /sys "$root/sys" # PoCL asks it for the processor
mount --rbind --make-rslave /dev "$root/dev"
cp /etc/resolv.conf /etc/hosts "$root/etc/"
mkdir "$root/opt/sctrun"
git archive HEAD | tar -x -C "$root/opt/sctrun"

inside() { # inside COMMAND: in a shell with nothing of this machine's environment
  chroot "$root" /usr/bin/env -i HOME=/tmp PATH=/usr/sbin:/usr/bin:/sbin:/bin LC_ALL=C \
    SCTRUN_TEST_PATIENCE="${SCTRUN_TEST_PATIENCE:-1}" bash -c "cd /opt/sctrun && $1"
}
echo "== a user who may not install anything"
code=0
inside 'setpriv --reuid=65534 --clear-groups tools/demo.sh' || code=$?
[ "$code" -eq 2 ] || {
  echo "bare: expected exit code 2, found $code" >&2
  exit 1
}
for script in demo test; do
  echo "== tools/$script.sh, load $(cut -d' ' -f1-3 /proc/loadavg)"
  SECONDS=0
  inside "tools/$script.sh"
  echo "== tools/$script.sh took $SECONDS s, load $(cut -d' ' -f1-3 /proc/loadavg)"
done
