# project: libevent, `regress`
# version: 2.1.12
# needs: gcc libc6-dev cmake make dpkg-dev zlib1g-dev
prepare() {
    debian_source libevent 2.1.12-stable-8+deb12u1 libevent
    cmake -S libevent -B build -DEVENT__DISABLE_OPENSSL=ON -DEVENT__DISABLE_BENCHMARK=ON -DEVENT__DISABLE_SAMPLES=ON \
        -DEVENT__LIBRARY_TYPE=STATIC >/dev/null
    make -C build regress
}
tests() {
    local name='^\([a-z0-9_]*/[^ :]*\):'
    { "$PLACE/build/bin/regress" "$@" 2>&1 || true; } |
        sed -n -e "s|$name.*\bOK\$|pass \1|p" -e "s|$name.*\bSKIPPED\$|skip \1|p" -e 's|^ *\[\([^ ]*\) FAILED\]$|fail \1|p'
}
