//! TLS by rustls, client and server on two hosts of this process: whatever reads and writes as std's streams do will do for it.

use std::io::{self, Read, Write};
use std::sync::Arc;
use std::thread;

use ieum::Network;
use ieum::net::TcpStream;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::{PrivatePkcs8KeyDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, ServerConfig, ServerConnection, StreamOwned};

/// What goes wrong on the way.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

/// The name in the certificate.
const NAME: &str = "server.example";

/// A server with a certificate made now, and a client that trusts it and nobody else.
fn configured() -> Result<(ServerConfig, ClientConfig), Error> {
    let made = rcgen::generate_simple_self_signed([NAME.to_owned()])?;
    let (certificate, key) =
        (made.cert.der().clone(), PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone())?;
    let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key.into())?;
    let client = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    Ok((server, client))
}

/// Says in capitals what it hears.
fn serve(stream: TcpStream, config: ServerConfig) -> Result<(), Error> {
    let mut tls = StreamOwned::new(ServerConnection::new(Arc::new(config))?, stream);
    let mut bytes = [0; 4096];
    loop {
        match tls.read(&mut bytes)? {
            0 => break,
            count => tls.write_all(&bytes[..count].to_ascii_uppercase())?,
        }
    }
    tls.conn.send_close_notify();
    Ok(tls.flush()?)
}

/// Says something; what comes back, and by which version.
fn ask(stream: TcpStream, config: ClientConfig, words: &str) -> Result<String, Error> {
    let name = ServerName::try_from(NAME)?;
    let mut tls = StreamOwned::new(ClientConnection::new(Arc::new(config), name)?, stream);
    tls.write_all(words.as_bytes())?;
    tls.conn.send_close_notify();
    tls.flush()?;
    let mut answer = String::new();
    tls.read_to_string(&mut answer)?;
    let version = tls.conn.protocol_version().ok_or_else(|| io::Error::from(io::ErrorKind::NotConnected))?;
    Ok(format!("{answer} ({version:?})"))
}

pub(crate) fn main() -> Result<(), Error> {
    let network = Network::new()?;
    let link = network.link();
    let server = network.host().address(&link, "10.1.0.1/24").build()?;
    let client = network.host().address(&link, "10.1.0.2/24").build()?;
    let (server_config, client_config) = configured()?;
    let listener = server.listen("10.1.0.1:443")?;
    let serving = thread::spawn(move || serve(listener.accept()?.0, server_config));
    let answer = ask(client.connect("10.1.0.1:443")?, client_config, "a secret")?;
    serving.join().expect("the server ends in peace")?;
    println!("{answer}");
    assert_eq!(answer, "A SECRET (TLSv1_3)");
    Ok(())
}
