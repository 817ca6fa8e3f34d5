# project: trio, its tests of sockets, streams and TLS
# version: 0.35.0
# needs: python3-venv
prepare() {
    python3 -m venv venv && venv/bin/pip install -q trio==0.35.0 pytest==9.2.0 pyopenssl trustme
}
tests() {
    local modules=() name
    for name in test_socket test_highlevel_socket test_highlevel_open_tcp_listeners test_highlevel_open_tcp_stream \
        test_highlevel_serve_listeners test_highlevel_ssl_helpers test_ssl test_dtls; do modules+=("trio._tests.$name"); done
    modules+=(trio._core._tests.test_io)
    cd "$(echo "$PLACE"/venv/lib/python3*/site-packages)"
    if [ $# != 0 ]; then modules=("$@"); else modules=("${modules[@]//.//}") && modules=("${modules[@]/%/.py}"); fi
    { "$PLACE/venv/bin/python" -m pytest -p no:cacheprovider -p trio._tests.pytest_plugin --rootdir . -v --color=no "${modules[@]}" 2>&1 || true; } |
        sed -n -e 's/^\([^ ]*::[^ ]*\) PASSED.*/pass \1/p' -e 's/^\([^ ]*::[^ ]*\) \(FAILED\|ERROR\).*/fail \1/p' \
            -e 's/^\([^ ]*::[^ ]*\) SKIPPED.*/skip \1/p'
}
