#!/bin/sh
# Installs the programs that ieum's tests run or talk to, on Debian 12 and its relatives. May be run again at any time;
# what is there already is left alone, and no service runs, now or after the next start, that did not before. On a bare
# system about 300 MB are fetched and 1.2 GB of disk used, half of both for Go and Java.
set -eu

packages="ca-certificates curl dnsutils g++ gcc golang-go iperf3 iproute2 iputils-ping libc-bin libc6-dev mount nginx-light \
nodejs openjdk-17-jdk-headless openssh-client openssh-server procps python3 redis-server redis-tools socat tcpdump tshark \
util-linux wrk"

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

# nginx, redis and sshd start themselves when they are installed; this file tells the package scripts that services may not
# be started now. One that an administrator has put there is kept.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    trap 'rm -f "$policy"' EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 755 "$policy"
fi

# Images without manual pages lack the folder in which the JDK's packages want to make links.
mkdir -p /usr/share/man/man1

# tshark asks whether ordinary users may capture; the tests only read files.
export DEBIAN_FRONTEND=noninteractive
echo "test peers: installing$missing"
apt-get update --quiet=2
# shellcheck disable=SC2086
apt-get install --quiet=2 --yes --no-install-recommends $missing </dev/null

# Nor shall they start with the machine.
for service in nginx-light:nginx redis-server:redis-server openssh-server:ssh; do
    case " $missing " in
    *" ${service%%:*} "*)
        if command -v systemctl >/dev/null; then
            systemctl --quiet disable "${service#*:}" >/dev/null 2>&1 || true
        fi
        ;;
    esac
done
echo "test peers: installed"
