# What the jobs beside this file have in common. A job runs in an empty folder of its own, alone on the loopback of a network
# namespace or of ieum's host, and ends with 0 if the program did what it is for.
set -euo pipefail

running=()
# Servers are ended by their ids, with all that they have started, whatever happens; what has no group of its own ends alone.
finish() {
    local code=$?
    for id in "${running[@]}"; do kill -- "-$id" 2>/dev/null || kill "$id" 2>/dev/null || true; done
    for id in "${running[@]}"; do wait "$id" 2>/dev/null || true; done
    exit "$code"
}
trap finish EXIT

# Starts a server, in a process group of its own.
serve() {
    set -m
    "$@" </dev/null >>server.log 2>&1 &
    set +m
    running+=($!)
}

# Until somebody listens on a TCP port of 127.0.0.1, ten seconds at most.
until_open() {
    for _ in $(seq 200); do
        if (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; then return 0; fi
        sleep 0.05
    done
    echo "nobody listens on port $1" >&2
    cat server.log >&2
    return 1
}

# As an ordinary user, for programs that do not serve as root.
ordinary() {
    if [ "$(id -u)" = 0 ]; then
        chown -R nobody . && setpriv --reuid=65534 --regid=65534 --clear-groups "$@"
    else
        "$@"
    fi
}

# A file of so many bytes of chance.
data() { head -c "$2" /dev/urandom >"$1"; }

# nginx in the foreground on the given port, serving ./www.
nginx_conf() {
    cat >"nginx$1.conf" <<CONF
daemon off; pid nginx$1.pid; error_log server.log; worker_processes 2;
events { worker_connections 256; }
http { access_log off; client_body_temp_path tmp; proxy_temp_path tmp; fastcgi_temp_path tmp; uwsgi_temp_path tmp; scgi_temp_path tmp;
    sendfile on; server { listen 127.0.0.1:$1 $2; root $PWD/www; $3 } }
CONF
    if [ "$(id -u)" = 0 ]; then sed -i '1i user root;' "nginx$1.conf"; fi
}
