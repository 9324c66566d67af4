#!/usr/bin/env bash
# The units in systemd/ under a real systemd, as process 1 of namespaces of its own, with the strict client at work: reload,
# reload of broken code, restart, upgrade, a killed master, a master that stands still, socket activation. Not one request may
# fail. Nothing of this machine is touched; it takes root, and a minute.
set -eu
cd "$(dirname "$0")/.."
root=$PWD

skip() {
    echo "skipped: $1"
    exit 0
}

if [ "${1:-}" != inside ]; then
    [ "$(id -u)" = 0 ] || skip "namespaces of its own take root"
    [ -x /lib/systemd/systemd ] || skip "there is no systemd to run"
    unshare --pid --mount --cgroup --net --fork true 2>/dev/null || skip "new namespaces are not permitted here"
    groups=$(findmnt --noheadings --output TARGET --types cgroup2 | head -n 1)
    [ -n "$groups" ] || skip "there are no control groups of version 2"
    cargo build --quiet --release --package strict-client --locked
    scratch=$(mktemp --directory)
    group=$groups/ferricorn-$$
    mkdir "$group"
    (
        echo "$BASHPID" >"$group/cgroup.procs"
        exec setsid unshare --pid --mount --cgroup --uts --ipc --net --fork --kill-child --propagation private \
            "$root/tests/systemd.sh" inside "$scratch"
    ) >"$scratch/systemd.log" 2>&1 &
    outside=$!
    clean() {
        # Ends all that is inside, as their process 1 ends with it.
        kill -s KILL "$outside" 2>/dev/null || true
        wait "$outside" 2>/dev/null || true
        for _ in $(seq 50); do
            find "$group" -depth -type d -exec rmdir {} + 2>/dev/null && break
            sleep 0.1
        done
        rm -r "$scratch"
    }
    trap clean EXIT
else
    # In here everything is the new namespaces' own.
    scratch=$2
    mount -t proc proc /proc
    mount -t cgroup2 cgroup2 /sys/fs/cgroup
    for folder in /run /srv /var/log /etc/systemd/system /usr/lib/systemd/system; do
        mount -t tmpfs tmpfs "$folder"
    done
    mkdir /run/lock /srv/autoshop /srv/python
    python=$root/.venv/bin/python
    # The unit hides home directories, where Python may be installed.
    mount --bind "$("$python" -c 'import sys; print(sys.base_prefix)')" /srv/python
    /srv/python/bin/python3 -m venv --without-pip /srv/autoshop/venv
    cp -rL "$root/python/ferricorn" /srv/autoshop/venv/lib/python3*/site-packages/
    cp tests/apps/plain.py /srv/autoshop/
    printf '#!/srv/autoshop/venv/bin/python\nimport sys\nfrom ferricorn.__main__ import main\nsys.exit(main())\n' \
        >/srv/autoshop/venv/bin/ferricorn
    chmod +x /srv/autoshop/venv/bin/ferricorn
    for file in passwd group; do
        cp "/etc/$file" "/run/$file"
    done
    echo 'autoshop:x:4242:4242::/srv/autoshop:/usr/sbin/nologin' >>/run/passwd
    echo 'autoshop:x:4242:' >>/run/group
    touch /run/ferricorn.env
    for file in passwd group; do
        mount --bind "/run/$file" "/etc/$file"
    done
    for target in sysinit basic sockets network-online multi-user shutdown umount final trial; do
        printf '[Unit]\nDefaultDependencies=no\n' >"/usr/lib/systemd/system/$target.target"
    done
    sed -e 's#backend.wsgi:application#plain#' -e 's#^EnvironmentFile=.*#EnvironmentFile=/run/ferricorn.env#' \
        -e 's#^WatchdogSec=.*#WatchdogSec=4#' systemd/ferricorn.service >/etc/systemd/system/ferricorn.service
    cp systemd/ferricorn.socket /etc/systemd/system/
    /srv/python/bin/python3 -c '
import fcntl, socket, struct
SIOCSIFFLAGS, IFF_UP = 0x8914, 1
fcntl.ioctl(socket.socket(), SIOCSIFFLAGS, struct.pack("16sh22x", b"lo", IFF_UP))'
    export container=namespaces
    exec /lib/systemd/systemd --system --unit=trial.target --log-target=console --show-status=no
fi

systemd() { pgrep --parent "$outside" --full /lib/systemd/systemd || true; }
inside() { nsenter --target "$(systemd)" --all "$@"; }
show() { inside systemctl show ferricorn --property "$1" --value; }

# Waits until a command succeeds.
eventually() {
    for _ in $(seq 200); do
        "$@" >/dev/null 2>&1 && return
        sleep 0.1
    done
    echo "waited in vain for: $*"
    inside systemctl status --no-pager ferricorn || true
    inside tail -n 30 /var/log/autoshop/error.log || true
    cat "$scratch/systemd.log"
    exit 1
}
is() { [ "$(show "$1")" = "$2" ]; }
has_another_master() { ! is MainPID "$1" && is StatusText "ferricorn is serving"; }
has_two_masters() { [ "$(inside pgrep --count --full 'ferricorn: master')" = 2 ]; }
has_said() { [ "$(inside grep --count "$1" /var/log/autoshop/error.log)" -gt "${2:-0}" ]; }
done_with() { echo "ok: $1"; }

eventually inside systemctl is-active trial.target
inside systemctl start ferricorn
done_with "start returns when the server serves ($(inside systemctl --version | head -n 1))"
inside "$root/target/release/strict-client" http://127.0.0.1:5000/ --seconds 45 --connections 6 --close 0.5 >"$scratch/load" &
load=$!

inside sed -i 's/--log-level warning/--log-level info/' /etc/systemd/system/ferricorn.service
inside systemctl daemon-reload
inside systemctl restart ferricorn
is NFileDescriptorStore 1
done_with "restart, with the socket kept by systemd"

inside systemctl reload ferricorn
eventually has_said "the new workers are good"
inside sh -c 'cp /srv/autoshop/plain.py /run/good.py; echo "def broken(" >/srv/autoshop/plain.py'
inside systemctl reload ferricorn
eventually has_said "Reload failed"
eventually is StatusText "The last reload failed: the old workers go on serving; see the error log"
inside cp /run/good.py /srv/autoshop/plain.py
done_with "a reload, and a reload of broken code"

old=$(show MainPID)
inside systemctl kill --signal USR2 --kill-whom=main ferricorn
eventually has_two_masters
eventually has_said "Using worker" 1
sleep 2
inside systemctl kill --signal TERM --kill-whom=main ferricorn
eventually has_another_master "$old"
is NRestarts 0
done_with "an upgrade, which systemd follows"

wait "$load" || { cat "$scratch/load"; exit 1; }
done_with "the strict client: $(tail -n 1 "$scratch/load")"

old=$(show MainPID)
inside systemctl kill --signal KILL --kill-whom=main ferricorn
eventually is NRestarts 1
eventually has_another_master "$old"
done_with "a killed master is replaced"

old=$(show MainPID)
inside systemctl kill --signal STOP --kill-whom=main ferricorn
eventually is NRestarts 2
eventually has_another_master "$old"
done_with "a master that stands still is replaced"

inside systemctl stop ferricorn
is Result success
inside systemctl start ferricorn.socket
inside "$root/target/release/strict-client" http://127.0.0.1:5000/ --seconds 2 --connections 2 --close 0.5 >"$scratch/load" ||
    { cat "$scratch/load"; exit 1; }
is ActiveState active
done_with "a client starts the service by its socket"
