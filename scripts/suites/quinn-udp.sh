# project: quinn-udp
# version: 0.6.3
# needs: gcc libc6-dev
folder=quinn-udp
prepare() {
    crate_source quinn-udp 0.6.3
    build_tests quinn-udp
}
tests() { run_binaries "$@"; }
