# project: tornado, its tests of sockets and HTTP
# version: 6.6.1
# needs: python3-venv
prepare() {
    python3 -m venv venv && venv/bin/pip install -q tornado==6.6.1
}
tests() {
    local modules=() name
    for name in tcpclient tcpserver iostream httpserver simple_httpclient netutil websocket ioloop; do modules+=("tornado.test.${name}_test"); done
    # Alone among those that give a request a tenth of a second and a machine with other work.
    export ASYNC_TEST_TIMEOUT=30
    { "$PLACE/venv/bin/python" -m unittest -v "${@:-${modules[@]}}" 2>&1 || true; } |
        sed -n -e 's/^test[^ ]* (\([^)]*\)).*\.\.\. ok$/pass \1/p' -e 's/^test[^ ]* (\([^)]*\)).*\.\.\. \(FAIL\|ERROR\)$/fail \1/p' \
            -e 's/^test[^ ]* (\([^)]*\)).*\.\.\. skipped.*/skip \1/p'
}
