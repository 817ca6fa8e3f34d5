# redis and its benchmark in one host: waits for the server's own word that it accepts connections.
#   redis.sh DIRECTORY
redis-server --port 6379 --save '' --dir "$1" | {
    while read -r line; do
        case $line in *'Ready to accept connections'*) break ;; esac
    done
    redis-benchmark -p 6379 -q -n 20000 -t get,set
    redis-cli -p 6379 shutdown nosave
    cat >/dev/null
}
