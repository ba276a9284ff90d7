# Sourced by the commands beside it: makes .venv with the wanted extras, once for each pyproject.toml.
# shellcheck shell=bash

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
export PIP_DISABLE_PIP_VERSION_CHECK=1

say() { if [ -t 2 ]; then printf '\033[1m%s\033[0m\n' "$*" >&2; else printf '%s\n' "$*" >&2; fi; }
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# Runs a command as root where that is possible; fails quietly where it is not.
as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"
    elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then sudo "$@"
    else return 1
    fi
}

# Installs Debian packages; returns 1 where that is impossible (no root, no network, not Debian).
debian_install() {
    command -v apt-get >/dev/null || return 1
    as_root true || return 1
    local log; log=$(mktemp)
    if as_root apt-get update >"$log" 2>&1 \
        && as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@" >>"$log" 2>&1
    then rm -f "$log"
    else tail -n 5 "$log" >&2; rm -f "$log"; return 1
    fi
}

find_python() {
    local candidate
    for candidate in python3 python3.13 python3.12 python3.11; do
        if command -v "$candidate" >/dev/null \
            && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
        then command -v "$candidate"; return
        fi
    done
    return 1
}

make_venv() {
    [ -x "$root/.venv/bin/python" ] && "$root/.venv/bin/python" -m pip --version >/dev/null 2>&1 && return
    local python
    python=$(find_python) || { debian_install python3 python3-venv && python=$(find_python); } \
        || fail "Python 3.11 or newer is needed (Debian: apt-get install python3 python3-venv)"
    # Debian's python3 comes without ensurepip.
    if ! "$python" -c 'import ensurepip' 2>/dev/null; then
        say "installing python3-venv"
        debian_install python3-venv || fail "Python's venv module is needed: apt-get install python3-venv"
    fi
    say "making .venv"
    rm -rf "$root/.venv"
    "$python" -m venv "$root/.venv" || fail "cannot make $root/.venv"
}

# environment EXTRA...: .venv with the project and these extras.
environment() {
    local extras stamp wanted
    extras=$(IFS=,; echo "$*")
    make_venv
    stamp="$root/.venv/installed-$extras"
    wanted=$(sha256sum "$root/pyproject.toml" | cut -d' ' -f1)
    [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ] && return
    say "installing the project with [$extras] (the first time takes some minutes)"
    "$root/.venv/bin/python" -m pip install --quiet --upgrade pip \
        && "$root/.venv/bin/python" -m pip install --quiet --editable "$root[$extras]" \
        || fail "pip could not install the project; its message stands above"
    echo "$wanted" >"$stamp"
}

# fetch_ohif: the viewer that the tests show results in, as its makers built it, in .cache/ohif; returns 1 where that is
# impossible. Without what it needs for pathology and for segmenting, three quarters of it.
fetch_ohif() {
    local version=3.13.2 sha256=b189d3963bfc58e9394a9db8c7be75d07beb029ec211dbb126d47b62969dd3f1
    local home="$root/.cache/ohif" work
    [ -f "$home/version" ] && [ "$(cat "$home/version")" = "$version" ] && return
    command -v npm >/dev/null || return 1
    say "fetching OHIF $version (50 MB)"
    work=$(mktemp -d)
    if (cd "$work" && npm pack --silent "@ohif/app@$version" >/dev/null && mv ./*.tgz ohif.tgz) \
        && echo "$sha256  $work/ohif.tgz" | sha256sum --check --quiet \
        && rm -rf "$home" && mkdir -p "$home" \
        && tar -xzf "$work/ohif.tgz" -C "$home" --strip-components=2 --no-same-owner --exclude=package/dist/ort \
            --exclude=package/dist/dicom-microscopy-viewer package/dist
    then rm -rf "$work"; echo "$version" >"$home/version"
    else rm -rf "$work"; return 1
    fi
}
