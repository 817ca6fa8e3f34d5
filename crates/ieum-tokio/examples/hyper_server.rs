//! An HTTP server and its client by hyper, on two hosts of this process: hyper takes whatever reads and writes as
//! tokio's streams do.

use std::convert::Infallible;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use ieum::Network;
use ieum_tokio::{TcpListener, TcpStream};

/// What goes wrong on the way.
pub(crate) type Error = Box<dyn std::error::Error + Send + Sync>;

async fn answer(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let (status, body) = match (request.method(), request.uri().path()) {
        (&Method::GET, "/hello") => (StatusCode::OK, "Hello from a TCP of its own\n"),
        _ => (StatusCode::NOT_FOUND, "Nothing here\n"),
    };
    let mut response = Response::new(Full::new(Bytes::from_static(body.as_bytes())));
    *response.status_mut() = status;
    Ok(response)
}

async fn serve(listener: TcpListener) -> Result<(), Error> {
    loop {
        let (stream, _) = listener.accept().await?;
        let serving = hyper::server::conn::http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service_fn(answer));
        tokio::spawn(serving);
    }
}

/// Asks for each of `paths` over one connection.
async fn ask(stream: TcpStream, paths: &[&str]) -> Result<Vec<(u16, String)>, Error> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let mut answers = Vec::new();
    for path in paths {
        let request = Request::get(*path).header("host", "10.1.0.1").body(Full::<Bytes>::default())?;
        let response = sender.send_request(request).await?;
        let status = response.status().as_u16();
        let body = response.into_body().collect().await?.to_bytes();
        answers.push((status, String::from_utf8(body.into())?));
    }
    Ok(answers)
}

#[tokio::main(flavor = "current_thread")]
pub(crate) async fn main() -> Result<(), Error> {
    let network = Network::new()?;
    let link = network.link();
    let server = network.host().address(&link, "10.1.0.1/24").build()?;
    let client = network.host().address(&link, "10.1.0.2/24").build()?;
    let listener = TcpListener::from_std(server.listen("10.1.0.1:80")?)?;
    let serving = tokio::spawn(serve(listener));
    let stream = TcpStream::connect_from(&client, "10.1.0.1:80").await?;
    let answers = ask(stream, &["/hello", "/nobody", "/hello"]).await?;
    serving.abort();
    println!("{answers:?}");
    let hello = (200, "Hello from a TCP of its own\n".to_owned());
    assert_eq!(answers, [hello.clone(), (404, "Nothing here\n".to_owned()), hello]);
    Ok(())
}
