# project: polling
# version: 3.11.0
# needs: gcc libc6-dev
folder=polling
prepare() {
    crate_source polling 3.11.0
    build_tests polling
}
tests() { run_binaries "$@"; }
