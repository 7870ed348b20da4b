#!/bin/sh
# Installs those of the given Debian packages that this machine lacks, where that is possible:
# as root, with apt-get. Elsewhere it says what is missing and goes on; what needs it will say so.
#
#     tests/support/install_missing.sh postgresql redis-server nodejs npm python3-venv git
set -u

has() {
    case "$1" in
        postgresql) ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || command -v postgres >/dev/null ;;
        nodejs) command -v node >/dev/null ;;
        chromium) command -v chromium || command -v chromium-browser || command -v google-chrome ;;
        fonts-*) [ -d "/usr/share/doc/$1" ] ;;
        python3-venv) python3 -c 'import ensurepip' 2>/dev/null ;;
        *) command -v "$1" >/dev/null ;;
    esac
}

missing=
for package in "$@"; do
    has "$package" >/dev/null || missing="$missing $package"
done
[ -n "$missing" ] || exit 0

if [ "$(id -u)" -ne 0 ] || ! command -v apt-get >/dev/null; then
    echo "Not installed here:$missing. Install it yourself; as root on Debian or Ubuntu this is done for you." >&2
    exit 0
fi

echo "Installing$missing …"
export DEBIAN_FRONTEND=noninteractive
# shellcheck disable=SC2086 # a list of packages
apt-get -o Acquire::Retries=3 -qq update &&
    apt-get -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -qq install -y --no-install-recommends $missing ||
    echo "apt-get could not install$missing (see above). Check the network and /etc/apt, then try again." >&2
