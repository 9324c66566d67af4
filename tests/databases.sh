#!/bin/sh
# Sees to it that Postgres and PgBouncer are there, for the tests of ferricorn.db. Installs Debian's packages where they are not, and
# says so if it cannot.
set -u
have() {
    { ls /usr/lib/postgresql/*/bin/initdb || command -v initdb; } >/dev/null 2>&1 && command -v pgbouncer >/dev/null
}
PATH="$PATH:/usr/sbin:/sbin"
have && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "Postgres or PgBouncer is missing; install the packages postgresql and pgbouncer" >&2
    exit 1
fi
# The tests make clusters of their own; the package would make and start one for everybody.
mkdir -p /etc/postgresql-common/createcluster.d
echo "create_main_cluster = false" >/etc/postgresql-common/createcluster.d/ferricorn-tests.conf
export DEBIAN_FRONTEND=noninteractive
install="apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 postgresql pgbouncer"
{ $install || { apt-get update && $install; }; } >&2
have || { echo "Postgres and PgBouncer cannot be installed with apt-get" >&2; exit 1; }
