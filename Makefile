# Copyright (c) 2026, distdb contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

SHELL := /bin/bash
.DEFAULT_GOAL := help
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory
export PATH := $(CURDIR)/.venv/bin:$(PATH)
export ANSIBLE_CONFIG := $(CURDIR)/ansible.cfg

INVENTORY ?= inventories/lab
# Options for ansible-playbook in "make site", for instance ARGS="--limit db1".
ARGS ?=

.PHONY: help
help: ## List the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/\1\t\2/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r target meaning; do
		printf '  %-14s %s\n' "$$target" "$$meaning"
	done

.PHONY: venv
venv: ## Make .venv, the virtual environment of the control node
	@tools/venv

.PHONY: setup
setup: venv ## Install what the lab needs on this machine (Debian packages; root)
	@lab/setup

.PHONY: lab
lab: setup ## Four blank hosts: db0, db1, db2, proxy
	@lab/up

.PHONY: site
site: lab ## Lab, cluster and status: everything from nothing
	@ansible-playbook -i $(INVENTORY) site.yml $(ARGS)
	ansible-playbook -i $(INVENTORY) playbooks/status.yml
	lab/which-proxysql

.PHONY: status
status: venv ## Members and hostgroups of the running lab
	@ansible-playbook -i $(INVENTORY) playbooks/status.yml

.PHONY: down
down: ## Remove the lab's hosts, networks and processes
	@lab/down --all

.PHONY: clean
clean: down ## Remove the lab's image and caches too
	@lab/clean

.PHONY: lint
lint: venv ## yamllint, ansible-lint, ruff, vagrant validate, promtool, and the checks of this project's own files
	@tools/vagrant-validate --install
	tools/promtool-check --install
	python3 tools/run_tests.py lint

.PHONY: unit
unit: venv ## Unit tests and their branch coverage of plugins/: no server, no lab
	@python3 tools/run_tests.py unit

.PHONY: mutation
# What to change: gtid, decision, comparison, or several of them.
WHAT ?= gtid decision comparison
mutation: venv ## Change the code in small ways and list the changes that no unit test notices (an hour and more; WHAT=gtid)
	@python3 tools/mutation.py $(WHAT)

.PHONY: integration
integration: setup ## Tests on the lab: from blank hosts to faults and refusals
	@python3 tools/run_tests.py lab

.PHONY: test-long
test-long: setup ## Races, killed controllers, and load on ProxySQL (minutes each; not part of make test)
	@python3 tools/run_tests.py long

.PHONY: molecule
# One scenario instead of all of them, for instance SCENARIO=proxysql.
SCENARIO ?=
molecule: setup ## molecule test of every scenario (on the lab; SCENARIO=proxysql for one)
	@python3 tools/run_tests.py molecule$(SCENARIO:%=:%)

.PHONY: conformance
conformance: venv ## The same tests on the stand-in and, with LAB_PROXYSQL_BIN, on the real ProxySQL; no lab
	@python3 tools/run_tests.py conformance

.PHONY: test
test: setup application-tools backup-tools ## All tests: lint, unit, lab; starts from blank hosts and takes the lab down at its end
	@tools/vagrant-validate --install
	tools/promtool-check --install
	python3 tools/run_tests.py all

.PHONY: matrix
matrix: venv ## ansible-test sanity and unit tests under each ansible-core that this machine has a Python for
	@python3 tools/matrix.py $(ARGS)

.PHONY: release-check
release-check: ## The built collection in Galaxy's importer, its documentation, the execution environment
	@tools/venv release
	.cache/release/bin/python tools/release_check.py

.PHONY: outside
outside: setup ## The built collection, used by a project of its own on the lab's hosts
	@python3 tools/run_tests.py outside

.PHONY: eda
eda: venv ## The rulebook that answers alerts, in a real ansible-rulebook, with a stub instead of recover, and ansible-navigator (installs both, and Java 17)
	@command -v java >/dev/null || apt-get install --yes --no-install-recommends openjdk-17-jre-headless
	tools/venv eda
	python -m pytest -m eda tests/eda

.PHONY: airgap
airgap: setup ## Installation from package files with checksums, the lab's network cut off
	@python3 tools/run_tests.py airgap

.PHONY: bench-proxysql
bench-proxysql: setup ## A whole ProxySQL configuration in one task beside loops over the existing modules
	@python3 bench/proxysql.py

.PHONY: failover
FAULT ?= kill
failover: setup ## A fault under load on the running lab (FAULT=kill, stop, freeze, ...), with a report
	@ansible-playbook -i $(INVENTORY) bench/failover/failover.yml -e failover_fault=$(FAULT)

.PHONY: failover-table
RUNS ?= 5
MINUTES ?= inf
failover-table: setup ## Every fault and all planned work RUNS times, and their table in docs/measurements/failover.md; goes on where it was (MINUTES=8: ends after these)
	@python3 tools/failover_series.py --runs $(RUNS) --minutes $(MINUTES) --blank --docs

APPLICATION_PACKAGES := php-cli php-mysql php-illuminate-database php-illuminate-events php-illuminate-filesystem php-illuminate-pagination sysbench
.PHONY: application-tools
application-tools: setup
	@dpkg --status $(APPLICATION_PACKAGES) >/dev/null 2>&1 || lab/setup $(APPLICATION_PACKAGES)
	python -m pip install --quiet --requirement tests/integration/applications/requirements.txt
	python -m pip install --quiet --upgrade --target .cache/django-mysql-8.0 --requirement tests/integration/applications/requirements-mysql-8.0.txt

# The tools that backups are made with: without them their unit tests are skipped, and say so.
BACKUP_PACKAGES := age rclone zstd
.PHONY: backup-tools
backup-tools: setup
	@dpkg --status $(BACKUP_PACKAGES) >/dev/null 2>&1 || lab/setup $(BACKUP_PACKAGES)
	tools/venv s3

.PHONY: applications
applications: export LAB_WRITERS := one
applications: application-tools site ## Laravel, Django and sysbench through the proxy, also during restarts and kills (RUNS=20; TESTS="-k without" for a part)
	@python -m pytest -s -m applications tests/integration/applications --runs $(RUNS) $(TESTS)

.PHONY: anomalies
anomalies: setup ## Stale reads, lost updates, write skew, latency and faults for each choice and level of consistency, in docs/measurements/consistency.md; goes on where it was (hours; MINUTES=60: ends after these)
	@python3 bench/anomalies/series.py --provoke
	python3 bench/anomalies/series.py --runs $(RUNS) --minutes $(MINUTES) --docs

.PHONY: outages
outages: setup ## One kind of outage after the other on the running lab under load, and how its guards end it, in docs/measurements/guard.md; goes on where it was (RUNS=5)
	@python3 bench/chaos/outages.py --docs $(if $(filter-out inf,$(RUNS)),--runs $(RUNS))

.PHONY: chaos
chaos: setup ## Random faults on the running lab while clients write, and whether a row was lost, there were two groups or a person was needed (MINUTES=60 SEED=7)
	@python3 bench/chaos/chaos.py --docs $(if $(filter-out inf,$(MINUTES)),--minutes $(MINUTES)) $(SEED:%=--seed %)

.PHONY: backup-bench
# GB of data; the hosts' disks are made for them.
SIZE ?= 10
# What the place speaks: sftp, or webdav without TLS.
PLACE ?= sftp
backup-bench: export LAB_DISK := $(shell echo $$(( 2 * $(SIZE) + 4 )))G
backup-bench: export LAB_WRITERS := one
backup-bench: setup application-tools ## Blank hosts with SIZE=10 GB of data: backup, restore and replay beside what is done by hand, and RUNS=5 of what goes wrong, in docs/measurements/backup.md (hours; eight times SIZE free on the disk)
	@lab/down
	lab/up
	ansible-playbook -i $(INVENTORY) site.yml
	python3 bench/backup/bench.py --size $(SIZE) --place $(PLACE) fill prepare full floor increment replay restore by_hand remove
	lab/down
	lab/up
	ansible-playbook -i $(INVENTORY) site.yml
	python3 bench/backup/bench.py --size 0.5 $(if $(filter-out inf,$(RUNS)),--runs $(RUNS)) --docs fill prepare fatal_drop backup_host_off source_off drill remove

.PHONY: drill
drill: site ## A backup of the running lab, and RUNS=5 rehearsals of its restore with their reports
	@python3 bench/backup/bench.py $(if $(filter-out inf,$(RUNS)),--runs $(RUNS)) --docs prepare drill remove

.PHONY: growth
# Sizes of one cluster, and how many of the clusters in one inventory are real ones.
SIZES ?= 3 5 7 9
REAL ?= 1
growth: setup ## How times grow: clusters of SIZES="3 5 7 9" members, 1 to 50 clusters of which REAL=1 are real, 10 to 1000 users, in docs/measurements/growth.md; blank hosts; goes on where it was (RUN=NAME begins anew; half an hour and more)
	@python3 bench/growth/growth.py compute rows status $(RUN:%=--run %)
	python3 bench/growth/growth.py members proxysql --sizes $(SIZES) $(RUN:%=--run %)
	python3 bench/growth/growth.py sites status --real $(REAL) $(RUN:%=--run %)

.PHONY: versions
# Folders of .deb files, each of one version of MySQL, oldest first; Debian releases; ProxySQL programs.
PACKAGES ?= distribution
SUITES ?= bookworm trixie sid
PROXYSQL ?= $(LAB_PROXYSQL_BIN)
versions: setup application-tools ## MySQL (PACKAGES="DIR DIR") × Debian (SUITES=bookworm) × ProxySQL (PROXYSQL=PROGRAM): site, outage, planned work, fail-over, Django, upgrade (RUNS=5), scenarios, in docs/reference/tested-versions.md; goes on where it was (MINUTES=60: ends after these)
	@python3 tools/versions.py --packages $(PACKAGES) --suites $(SUITES) --proxysql $(PROXYSQL) --runs $(RUNS) --minutes $(MINUTES) --docs

.PHONY: demonstration
demonstration: site ## Stop a member, change data in the example application, start it, look there; with a report
	@ansible-playbook -i $(INVENTORY) examples/simkp/deploy.yml
	ansible-playbook -i $(INVENTORY) examples/simkp/demonstration.yml

.PHONY: browser
browser: site ## The example application in a real browser, also while a member is down (installs chromium and selenium)
	@dpkg --status chromium chromium-driver >/dev/null 2>&1 || apt-get install --yes --no-install-recommends chromium chromium-driver
	python -m pip install --quiet --requirement examples/simkp/requirements.txt
	lab/enter python -m pytest -m browser tests/integration/failover/test_browser.py
	python -m pytest -m browser tests/integration/status

.PHONY: status-page
status-page: venv ## The status page in a real browser, by recorded answers: no lab (installs chromium and selenium; STATUS_PICTURES=docs/images renews its pictures)
	@dpkg --status chromium chromium-driver >/dev/null 2>&1 || apt-get install --yes --no-install-recommends chromium chromium-driver
	python -m pip install --quiet --requirement examples/simkp/requirements.txt
	python -m pytest -m browser tests/integration/status

.PHONY: vagrant-test
vagrant-test: venv ## The Vagrantfile on real virtual machines, from a home-made box to "vagrant destroy" (root; half an hour and more)
	@tools/vagrant/test

.PHONY: vagrant-down
vagrant-down: ## End what an interrupted "make vagrant-test" left running
	@tools/vagrant/down

.PHONY: operations
# Options for pytest, for instance TESTS="-k backup".
TESTS ?=
operations: site ## Planned work under load: no statement may fail (about 20 minutes; TESTS="-k backup" for a part)
	@python -m pytest -s -m operations tests/integration/operations tests/integration/site/test_4_accounts.py tests/integration/proxysql/test_px_address.py $(TESTS)

.PHONY: address
address: site ## The proxies' shared address: each fault RUNS times under load of clients that know this address only (RUNS=5: 25 minutes; TESTS="-k frozen"), and their table in docs/measurements/address.md
	@failed=0
	python -m pytest -s -m operations tests/integration/operations/test_address.py --runs $(RUNS) $(TESTS) || failed=$$?
	# What failed is recorded, too.
	python3 bench/address.py --docs .cache/address
	exit $$failed

.PHONY: ports
ports: site ## Every port of every host, from outside and from each other, behind ufw, firewalld and nftables (15 minutes; TESTS="-k firewalld")
	@python -m pytest -s -m "operations or not operations" tests/integration/site/test_9_ports.py $(TESTS)

.PHONY: docs
docs: venv ## Renew the role variables in the READMEs and build the documentation site, in .cache/docs/html
	@python tools/role_readme.py --write
	tools/venv release
	.cache/release/bin/python tools/docs_site.py
