#!/usr/bin/env bash
# The arrows between crates that must not exist, checked with `cargo tree`. See ARCHITECTURE.md.
set -eu
cd "$(dirname "$0")/.."
failed=0

# ban CRATE DEPENDENCY...: CRATE may not depend on any of these, not even through others.
ban() {
    local crate=$1 dependency tree
    shift
    tree=$(cargo tree --package "$crate" --edges normal,build --prefix none --locked)
    for dependency in "$@"; do
        if grep --quiet "^$dependency v" <<<"$tree"; then
            echo "$crate must not depend on $dependency; it does:"
            cargo tree --package "$crate" --edges normal,build --invert "$dependency" --locked
            failed=1
        fi
    done
}

ban ferricorn-unix tokio hyper rustls h2 pyo3 ferricorn-settings ferricorn-telemetry
ban ferricorn-settings tokio hyper rustls h2 pyo3 ferricorn-telemetry
ban ferricorn-application tokio hyper rustls h2 pyo3 ferricorn-settings
ban ferricorn-telemetry tokio hyper rustls h2 pyo3
ban ferricorn-mold tokio hyper rustls h2 pyo3 ferricorn-arbiter ferricorn-worker
ban ferricorn-arbiter tokio hyper rustls h2 pyo3 ferricorn-worker
ban ferricorn-pool pyo3 hyper ferricorn-settings ferricorn-telemetry ferricorn-arbiter ferricorn-mold ferricorn-worker
ban ferricorn-worker pyo3 ferricorn-arbiter ferricorn-mold axum tower
ban ferricorn-server pyo3 axum tower
ban ferricorn pyo3 axum tower

for manifest in crates/*/Cargo.toml; do
    if grep --quiet '^ferricorn-python-bridge' "$manifest"; then
        echo "$manifest must not depend on ferricorn-python-bridge: nothing does"
        failed=1
    fi
done

exit $failed
