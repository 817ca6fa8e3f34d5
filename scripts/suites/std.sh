# project: Rust's standard library, `std::net`
# version: 1.63.0
# needs: gcc libc6-dev
folder=net
prepare() {
    rm -rf net deb && mkdir -p net/tests deb
    (cd deb && apt-get -qq -o APT::Sandbox::User=root download rust-src=1.63.0+dfsg1-2)
    dpkg-deb --fsys-tarfile deb/*.deb | tar xf - -C deb --wildcards --strip-components=8 '*/library/std/src/net/*'
    mkdir net/src && : >net/src/lib.rs
    printf '[package]\nname = "net"\nversion = "0.0.0"\nedition = "2021"\n' >net/Cargo.toml
    for kind in tcp udp; do
        # Inside the library it says `crate`, and knows what is not public: of that, what shows as text is left out.
        {
            echo '#![feature(io_error_uncategorized, tcp_linger)]'
            sed -e 's/\bcrate::net::test::/self::helpers::/' -e 's/\bcrate::/std::/g' "deb/$kind/tests.rs" |
                awk '/^fn debug\(/ { skip = 1 } !skip { print } skip && /^}/ { skip = 0; print "#[ignore]\nfn debug() {}" }'
            echo 'mod helpers {'
            sed -e 's/\bcrate::\(env\|net\|sync\)/std::\1/g' -e 's/^#!\[.*//' deb/test.rs
            echo '}'
        } >net/tests/$kind.rs
    done
    RUSTC_BOOTSTRAP=1 build_tests net
}
tests() { run_binaries "$@"; }
