//! The examples do what they say.

#[path = "../examples/hyper_server.rs"]
mod hyper_server;

#[test]
fn hyper_serves_and_asks() -> Result<(), hyper_server::Error> {
    hyper_server::main()
}
