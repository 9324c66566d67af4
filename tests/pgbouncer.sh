#!/bin/sh
# Prints the path of a PgBouncer of 1.21 or later, which treats prepared statements otherwise than the one before it. Debian 12
# has 1.18, so where the installed one is too old, the source package of Debian 13 is built into .cache/.
set -u
new_enough() {
    "$1" --version 2>/dev/null | awk 'NR == 1 { split($2, v, "."); good = v[1] > 1 || v[2] >= 21 } END { exit !good }'
}
PATH="$PATH:/usr/sbin:/sbin"
cache=$(cd "$(dirname "$0")/.." && pwd)/.cache/pgbouncer
for program in "$(command -v pgbouncer)" "$cache/pgbouncer"; do
    if [ -n "$program" ] && new_enough "$program"; then
        echo "$program"
        exit 0
    fi
done
fail() {
    echo "a PgBouncer of 1.21 or later is not installed, and $1" >&2
    exit 1
}
[ "$(id -u)" = 0 ] || fail "only root can install what building one takes"
export DEBIAN_FRONTEND=noninteractive
apt-get install -y --no-install-recommends libevent-dev libssl-dev pkg-config make gcc >&2 ||
    { apt-get update && apt-get install -y --no-install-recommends libevent-dev libssl-dev pkg-config make gcc; } >&2 ||
    fail "libevent-dev and libssl-dev cannot be installed"
mkdir -p "$cache/apt/lists/partial" "$cache/apt/cache/archives/partial"
# The mirror that this machine uses, another release of it.
mirror=$(apt-get indextargets --format '$(REPO_URI)' "Codename: $(. /etc/os-release && echo "$VERSION_CODENAME")" | head -n 1)
echo "deb-src [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror trixie main" >"$cache/apt/sources.list"
cd "$cache" || exit 1
options="-o Dir::Etc::sourcelist=$cache/apt/sources.list -o Dir::Etc::sourceparts=- -o Dir::State::lists=$cache/apt/lists
    -o Dir::Cache=$cache/apt/cache -o APT::Sandbox::User=root"
apt-get $options update >&2 && apt-get $options source --download-only pgbouncer >&2 || fail "Debian 13's source cannot be had"
{ mkdir -p source && tar -xzf pgbouncer_*.orig.tar.gz -C source --strip-components 1 &&
    cd source && ./configure --quiet && make -j2; } >build.log 2>&1 || fail "it does not build: $cache/build.log"
mv pgbouncer "$cache/pgbouncer" && rm -rf "$cache/source" "$cache/apt"
new_enough "$cache/pgbouncer" || fail "Debian 13's is older than that"
echo "$cache/pgbouncer"
