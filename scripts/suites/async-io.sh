# project: async-io
# version: 2.6.0
# needs: gcc libc6-dev
folder=async-io
prepare() {
    crate_source async-io 2.6.0
    build_tests async-io
}
tests() { run_binaries "$@"; }
