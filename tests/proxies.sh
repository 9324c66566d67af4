#!/bin/sh
# Sees to it that haproxy and nginx are there, which some promises put in front of the server. Installs Debian's packages where
# they are not, and says so if it cannot.
set -u
have() {
    command -v haproxy >/dev/null && command -v nginx >/dev/null && [ -e /usr/lib/nginx/modules/ngx_stream_module.so ]
}
PATH="$PATH:/usr/sbin:/sbin"
have && exit 0
if [ "$(id -u)" != 0 ]; then
    echo "haproxy, nginx or nginx's stream module is missing; install the packages haproxy, nginx and libnginx-mod-stream" >&2
    exit 1
fi
export DEBIAN_FRONTEND=noninteractive
install="apt-get install -y --no-install-recommends -o Dpkg::Use-Pty=0 haproxy nginx libnginx-mod-stream"
{ $install || { apt-get update && $install; }; } >&2
have || { echo "haproxy, nginx and nginx's stream module cannot be installed with apt-get" >&2; exit 1; }
