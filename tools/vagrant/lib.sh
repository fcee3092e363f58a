# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
# shellcheck shell=bash
# shellcheck disable=SC2034,SC2154 # settings and paths are for the scripts that source this; lab_root comes from the lab
# Sourced by the scripts of this folder. The namespaces are a lab of its own, without hosts: what isolates and ends
# the lab (lab/README.md) does the same for libvirt and its machines.

export LAB_NAME=vagrant
. "$(dirname "${BASH_SOURCE[0]}")/../../lab/lib.sh"

say() { printf 'vagrant-test: %s\n' "$*" >&2; }
die() { printf 'vagrant-test: %s\n' "$*" >&2; exit 1; }

VAGRANT_TEST_DRIVER=${VAGRANT_TEST_DRIVER:-}
[[ $VAGRANT_TEST_DRIVER =~ ^(kvm|qemu|)$ ]] ||
  die "VAGRANT_TEST_DRIVER is '$VAGRANT_TEST_DRIVER'; allowed are kvm, qemu (software emulation), or nothing for a probe."

vt_dir=$lab_root/tools/vagrant
vt_state=$lab_root/.cache/vagrant-test
# Machines of all checkouts run from copies of one box.
vt_boxes=$LAB_CACHE/boxes
