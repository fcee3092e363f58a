# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034 # most settings and paths are for the scripts that source this
# Sourced by the lab's scripts: settings, paths, checks. Nothing here changes anything.

set -euo pipefail
umask 022

lab_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)
lab_root=${lab_dir%/*}

say() { printf 'lab: %s\n' "$*" >&2; }
die() { printf 'lab: %s\n' "$*" >&2; exit 1; }

# -- settings (lab/README.md has the table) ---------------------------------------------------
LAB_NAME=${LAB_NAME:-}
LAB_SUBNET=${LAB_SUBNET:-10.213.16.0/24}
LAB_SUBNET6=${LAB_SUBNET6:-fd00:db:16::/64}
LAB_HOSTS=${LAB_HOSTS:-db0 db1 db2 proxy}
LAB_DISK=${LAB_DISK:-4G}
LAB_MEMORY=${LAB_MEMORY:-2G}
LAB_CACHE=${LAB_CACHE:-${XDG_CACHE_HOME:-${HOME:-/root}/.cache}/distdb-mysql-ha-lab}
LAB_MIN_FREE_MB=${LAB_MIN_FREE_MB:-6144}

[[ $LAB_NAME =~ ^[a-z0-9][a-z0-9-]{0,30}$ || -z $LAB_NAME ]] ||
  die "LAB_NAME is '$LAB_NAME'; allowed are up to 31 small letters, digits and dashes."
[[ $LAB_SUBNET =~ ^([0-9]{1,3})\.([0-9]{1,3})\.([0-9]{1,3})\.0/24$ ]] ||
  die "LAB_SUBNET is '$LAB_SUBNET'; allowed is an IPv4 /24 network such as 10.213.16.0/24."
for octet in "${BASH_REMATCH[@]:1:3}"; do
  ((10#$octet <= 255)) || die "LAB_SUBNET is '$LAB_SUBNET'; allowed is an IPv4 /24 network such as 10.213.16.0/24."
done
[[ $LAB_SUBNET != 192.168.16.0/24 ]] ||
  die "LAB_SUBNET is 192.168.16.0/24, which belongs to the Vagrant machines; choose another /24 network."
[[ $LAB_SUBNET != 10.0.2.0/24 ]] ||
  die "LAB_SUBNET is 10.0.2.0/24, which the lab's uplink uses itself; choose another /24 network."
[[ $LAB_SUBNET6 =~ ^[0-9a-fA-F:]+::/64$ || $LAB_SUBNET6 == none ]] ||
  die "LAB_SUBNET6 is '$LAB_SUBNET6'; allowed is an IPv6 /64 network that ends in ::/64, or none."
[[ $LAB_DISK =~ ^[0-9]+[MG]$ || $LAB_DISK == 0 ]] ||
  die "LAB_DISK is '$LAB_DISK'; allowed is a size such as 4G or 800M, or 0 for no limit."
[[ $LAB_MEMORY =~ ^[0-9]+[MG]$ || $LAB_MEMORY == 0 ]] ||
  die "LAB_MEMORY is '$LAB_MEMORY'; allowed is a size such as 2G or 800M, or 0 for no limit."
[[ $LAB_CACHE == /* ]] || die "LAB_CACHE is '$LAB_CACHE'; allowed is an absolute path."

lab_prefix=${LAB_SUBNET%.0/24}
lab_prefix6=${LAB_SUBNET6%/64}

# -- paths ------------------------------------------------------------------------------------
# The unnamed lab lives in .lab itself; named ones (molecule's scenarios) beside it.
lab_state=$lab_root/.lab${LAB_NAME:+/labs/$LAB_NAME}
lab_run=$lab_state/run
lab_hosts_dir=$lab_state/hosts
lab_images=$LAB_CACHE/images
lab_archives=$LAB_CACHE/archives
lab_mysql_variables=$lab_root/inventories/lab/group_vars/mysql_gr/generated.yml
lab_id=distdb-lab-$(printf %s "$lab_state" | cksum | cut -d' ' -f1)
# Inside the holder's mount namespace /run is its own; this file tells whose namespace it is.
lab_mark=/run/distdb-lab/state

lab_inside() { [[ -r $lab_mark && $(<"$lab_mark") == "$lab_state" ]]; }

# The start time (field 22) tells a process from a later one that got the same number.
proc_start() {
  local stat
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  # shellcheck disable=SC2086 # fields
  set -- ${stat##*)}
  printf '%s\n' "${20}"
}

# Prints the holder's process number, fails when there is none.
lab_holder() {
  local pid start now
  [[ -r $lab_run/holder ]] || return 1
  read -r pid start <"$lab_run/holder" || return 1
  now=$(proc_start "$pid") || return 1
  [[ $now == "$start" ]] || return 1
  printf '%s\n' "$pid"
}

# -- checks -----------------------------------------------------------------------------------
check_root() {
  [[ $(id -u) == 0 ]] || die "the lab needs root (namespaces, mounts, debootstrap); run it with sudo."
}

lab_tools="podman:podman crun:crun netavark:netavark conmon:conmon debootstrap:debootstrap
  slirp4netns:slirp4netns iptables:iptables nft:nftables ip:iproute2 nsenter:util-linux unshare:util-linux
  setpriv:util-linux mount:mount mkfs.ext4:e2fsprogs flock:util-linux curl:curl"

# Prints the Debian packages whose tools are missing.
missing_packages() {
  local entry path
  for entry in $lab_tools; do
    path=$(PATH=$PATH:/usr/sbin:/sbin:/usr/lib/podman:/usr/libexec/podman:/usr/local/libexec/podman type -P "${entry%%:*}") &&
      [[ -x $path ]] || printf '%s\n' "${entry#*:}"
  done | sort -u
}

check_tools() {
  local missing
  missing=$(missing_packages | tr '\n' ' ')
  [[ -z $missing ]] || die "missing Debian packages: ${missing% }; lab/setup installs them."
}

check_namespaces() {
  local error
  error=$(unshare --mount --pid --fork --net --uts --ipc --cgroup true 2>&1) ||
    die "this machine does not allow new namespaces (unshare: ${error##*: }); the lab needs them."
  grep -qw cgroup2 /proc/filesystems || die "this kernel has no cgroup v2, which systemd on the hosts needs."
  [[ -c /dev/net/tun ]] || die "there is no /dev/net/tun, which the lab's uplink (slirp4netns) needs."
}

# A directory that may not exist yet → free MB of the file system that will hold it.
free_mb() {
  local dir=$1
  while [[ ! -d $dir ]]; do dir=${dir%/*}; dir=${dir:-/}; done
  df -Pm "$dir" | awk 'NR == 2 { print $4 }'
}

check_disk() {
  local dir free
  for dir in "$lab_state" "$LAB_CACHE"; do
    free=$(free_mb "$dir")
    ((free >= LAB_MIN_FREE_MB)) ||
      die "$dir has $free MB free; the lab needs $LAB_MIN_FREE_MB MB (set LAB_CACHE to use another disk)."
  done
}

# Each host's systemd needs six of the inotify instances that the machine allows root. Without
# them it stops before it can say so.
check_inotify() {
  local hosts=$1 limit used
  limit=$(</proc/sys/fs/inotify/max_user_instances)
  used=$({ find /proc/[0-9]*/fd -lname anon_inode:inotify -printf x 2>/dev/null || :; } | wc -c)
  ((used + 6 * hosts <= limit)) ||
    die "$used of this machine's $limit inotify instances are in use and $hosts more hosts need $((6 * hosts)); raise the limit: sysctl -w fs.inotify.max_user_instances=512"
}

# hybrid = cgroup v1 controllers with or without a v2 tree beside them; unified = cgroup v2 only.
cgroup_mode() {
  if [[ $(stat -f -c %T /sys/fs/cgroup 2>/dev/null) == cgroup2fs ]]; then echo unified; else echo hybrid; fi
}

# -- hosts ------------------------------------------------------------------------------------
# What root may do on a host: what podman grants, and what systemd, mysqld, nft and tc need.
# shellcheck disable=SC2034
lab_capabilities="CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID KILL NET_BIND_SERVICE NET_ADMIN NET_RAW
  SETFCAP SETGID SETPCAP SETUID SYS_CHROOT SYS_ADMIN SYS_NICE SYS_PTRACE IPC_LOCK AUDIT_WRITE MKNOD"

# The last part of a host's address, the same in IPv4 and (read as hexadecimal) IPv6. The reference
# deployment's hosts keep its numbers: dbN is 130+N, proxy 129, proxyN 129-N; others get 200 and up.
host_number() {
  local number used
  if [[ $1 =~ ^db([0-9]|[1-6][0-9])$ ]]; then
    echo $((130 + BASH_REMATCH[1]))
  elif [[ $1 == proxy ]]; then
    echo 129
  elif [[ $1 =~ ^proxy([1-9]|[1-9][0-9])$ ]]; then
    echo $((129 - BASH_REMATCH[1]))
  else
    (
      flock 7
      used=$(cat "$lab_run/numbers" 2>/dev/null || true)
      number=$(awk -v name="$1" '$1 == name { print $2 }' <<<"$used")
      if [[ -z $number && ${2:-} == reserve ]]; then
        for number in {200..254}; do
          grep -q " $number$" <<<"$used" || break
        done
        echo "$1 $number" >>"$lab_run/numbers"
      fi
      [[ -n $number ]] || die "there is no host $1 in this lab."
      echo "$number"
    ) 7>"$lab_run/numbers.lock"
  fi
}

# The hosts that exist.
lab_hosts() {
  local dir
  for dir in "$lab_hosts_dir"/*/; do
    [[ ! -d $dir ]] || basename "$dir"
  done
}

hosts_file() {
  local host number
  printf '127.0.0.1\tlocalhost\n::1\tlocalhost ip6-localhost ip6-loopback\n'
  for host in $(lab_hosts); do
    number=$(host_number "$host")
    printf '%s.%s\t%s\n' "$lab_prefix" "$number" "$host"
    [[ ! -e $lab_run/ipv6 ]] || printf '%s%s\t%s\n' "$lab_prefix6" "$number" "$host"
  done
}

# Packages that a host has fetched go to the cache, for the next hosts.
keep_packages() {
  local dir=$lab_hosts_dir/$1/archives
  [[ -d $dir && -d $lab_archives ]] || return 0
  find "$dir" -maxdepth 1 -name '*.deb' -print0 | xargs -0 -r cp -lnt "$lab_archives" 2>/dev/null ||
    find "$dir" -maxdepth 1 -name '*.deb' -print0 | xargs -0 -r cp -nt "$lab_archives"
}
