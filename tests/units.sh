#!/usr/bin/env bash
# The units in systemd/, checked by systemd's own parser. The command that they start has to exist for it: a copy of the units
# names one that does.
set -eu
cd "$(dirname "$0")/.."
if ! command -v systemd-analyze >/dev/null; then
    apt-get update --quiet >/dev/null
    apt-get install --quiet --yes --no-install-recommends systemd >/dev/null
fi
copy=$(mktemp --directory)
trap 'rm -r "$copy"' EXIT
for unit in systemd/*; do
    sed 's#^ExecStart=[^ ]*#ExecStart=/bin/true#' "$unit" >"$copy/$(basename "$unit")"
done
cp "$copy/ferricorn@.service" "$copy/ferricorn@shop.service"
found=$(systemd-analyze verify "$copy/ferricorn.service" "$copy/ferricorn.socket" "$copy/ferricorn@shop.service" 2>&1 || true)
# What it says of other units of this machine is none of ours.
if grep --quiet ferricorn <<<"$found"; then
    echo "$found"
    exit 1
fi
