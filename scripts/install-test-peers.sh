#!/bin/sh
# Installs the programs that ieum's tests run or talk to, on Debian 12 and its relatives. May be run again at any time;
# what is there already is left alone, and no service is left running that was not running before.
set -eu

packages="ca-certificates curl dnsutils gcc iproute2 libc-bin libc6-dev mount nginx-light procps python3 redis-server \
redis-tools tshark util-linux"

missing=""
for package in $packages; do
    status=$(dpkg-query --show --showformat='${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$status" = installed ] || missing="$missing $package"
done
if [ -z "$missing" ]; then
    echo "test peers: all installed"
    exit 0
fi
if [ "$(id -u)" != 0 ]; then
    echo "test peers: as root, please; missing:$missing" >&2
    exit 1
fi

# nginx and redis start themselves when they are installed; this file tells the package scripts that services may not
# be started now. One that an administrator has put there is kept.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# tshark asks whether ordinary users may capture; the tests only read files.
export DEBIAN_FRONTEND=noninteractive
echo "test peers: installing$missing"
apt-get update --quiet=2
# shellcheck disable=SC2086
apt-get install --quiet=2 --yes --no-install-recommends $missing </dev/null
echo "test peers: installed"
