# project: tokio, its tests of sockets
# version: 1.54.1
# needs: gcc libc6-dev
folder=tokio
prepare() {
    crate_source tokio 1.54.1
    local chosen=()
    for file in tokio/tests/{tcp_,udp,net_,io_driver,io_async_fd,io_copy_bidirectional,uds_,rt_basic,rt_common,rt_threaded,process_smoke,no_rt,unix_}*.rs; do
        case $file in *emscripten* | *before_park* | *named_pipe*) ;; *) chosen+=(--test "$(basename "$file" .rs)") ;; esac
    done
    build_tests tokio --features full "${chosen[@]}"
}
tests() { run_binaries "$@"; }
