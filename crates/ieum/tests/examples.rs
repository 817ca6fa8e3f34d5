//! The examples do what they say.

#[path = "../examples/chat.rs"]
mod chat;
#[path = "../examples/echo.rs"]
mod echo;
#[path = "../examples/one_to_many.rs"]
mod one_to_many;
#[path = "../examples/tls.rs"]
mod tls;
#[path = "../examples/to_socks.rs"]
mod to_socks;
#[path = "../examples/virtual_time.rs"]
mod virtual_time;

#[test]
fn an_echo_comes_back() -> std::io::Result<()> {
    echo::main()
}

#[test]
fn everybody_in_a_chat_hears_everybody() -> std::io::Result<()> {
    chat::main()
}

#[test]
fn one_socket_sends_to_many() -> std::io::Result<()> {
    one_to_many::main()
}

#[test]
fn rustls_asks_and_answers() -> Result<(), tls::Error> {
    tls::main()
}

#[test]
fn what_a_host_connects_to_goes_through_a_proxy() -> std::io::Result<()> {
    to_socks::main()
}

#[test]
fn a_protocol_runs_in_virtual_time_and_again_the_same() {
    virtual_time::main();
}
