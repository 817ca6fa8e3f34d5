# project: libuv
# version: 1.44.2
# needs: gcc libc6-dev cmake make dpkg-dev
# as: ordinary
prepare() {
    debian_source libuv1 1.44.2-1+deb12u1 libuv
    cmake -S libuv -B build -DBUILD_TESTING=ON >/dev/null
    make -C build uv_run_tests_a
}
tests() {
    # Its tests write beside themselves, and find their files by that.
    cp -r "$PLACE/libuv/test" . && mkdir build && cd build && cp "$PLACE/build/uv_run_tests_a" .
    local found='s/^ok [0-9]* - \([^ ]*\)$/pass \1/p; s/^ok [0-9]* - \([^ ]*\) # SKIP.*/skip \1/p; s/^not ok [0-9]* - \([^ ]*\).*/fail \1/p'
    if [ $# = 0 ]; then
        { ./uv_run_tests_a || true; } | sed -n "$found"
    fi
    for name in "$@"; do
        { ./uv_run_tests_a "$name" && echo "pass $name" || echo "fail $name"; } | grep -E "^(pass|fail) "
    done
}
