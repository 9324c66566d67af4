//! A native application for the tests: an axum router with a route for each thing that is promised.

use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::pin::Pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};
use std::time::Duration;
use std::{env, fs, io, process, thread};

use axum::body::{Body, Bytes};
use axum::extract::RawQuery;
use axum::http::{HeaderMap, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get};
use axum::{Extension, Router};
use clap::Parser;
use ferricorn::{Client, Context, Options, Shutdown};
use http_body::Frame;
use tokio::sync::Barrier;

/// Between two looks at what a test may have done.
const LOOK: Duration = Duration::from_millis(10);
/// The longest name that a program may have been given at its end.
const LONGEST_IMAGE: i64 = 32;

/// The native application of the tests.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// What visitors are greeted with
    #[arg(long, default_value = "hello")]
    greeting: String,
    /// What the factory does: serve, wait, fail or panic
    #[arg(long, default_value = "serve")]
    factory: String,
    #[command(flatten)]
    server: Options,
}

fn main() -> ExitCode {
    let Arguments { greeting, factory, server } = Arguments::parse();
    let image = image().unwrap_or_default();
    if image == "dies" {
        return ExitCode::from(9);
    }
    ferricorn::serve_with(server, async move |context: Context| {
        let does = if image == "fails" || image == "panics" { image.trim_end_matches('s') } else { &factory };
        match does {
            "fail" => return Err(io::Error::other("there is no oil")),
            "panic" => panic!("out of oil"),
            "wait" => gate("factory").await,
            _ => {}
        }
        Ok(router(greeting, image, &context))
    })
}

/// The word at the end of this program's file, where a test has put one.
fn image() -> io::Result<String> {
    let mut program = fs::File::open("/proc/self/exe")?;
    let mut end = Vec::new();
    program.seek(SeekFrom::End(-LONGEST_IMAGE))?;
    program.read_to_end(&mut end)?;
    let end = String::from_utf8_lossy(&end).into_owned();
    Ok(end.rsplit_once('\n').map(|(_, image)| image.to_owned()).unwrap_or_default())
}

fn router(greeting: String, image: String, context: &Context) -> Router {
    let meeting = Arc::new(Barrier::new(2));
    let shutdown = context.shutdown();
    let facts = format!("slot={} workers={}", context.slot(), context.settings().workers);
    Router::new()
        .route("/", get(async move || greeting))
        .route("/image", get(async move || image))
        .route("/facts", get(async move || facts))
        .route("/pid", get(async || process::id().to_string()))
        .route("/token", get(async |RawQuery(token): RawQuery| format!("token={}", token.unwrap_or_default())))
        .route("/gate", get(pass_gate))
        .route("/meet", get(async move || meeting.wait().await.is_leader().to_string()))
        .route("/echo", any(async |body: Body| body))
        .route("/length", any(async |body: Bytes| body.len().to_string()))
        .route("/ignore", any(async || "ignored"))
        .route("/pieces", get(async || Body::new(Pieces(3, End::Good))))
        .route("/broken-pieces", get(async || Body::new(Pieces(3, End::Error))))
        .route("/panic-in-pieces", get(async || Body::new(Pieces(3, End::Panic))))
        .route("/trailers", get(async || Body::new(Pieces(1, End::Trailers))))
        .route("/panic", get(async || -> StatusCode { panic!("out of {}", "oil") }))
        .route("/block", get(async || thread::sleep(Duration::from_secs(60))))
        .route("/closing-time", get(closing_time))
        .route("/client", get(tell_client))
        .route("/env", get(async |RawQuery(name): RawQuery| env::var(name.unwrap_or_default()).unwrap_or_default()))
        .layer(Extension(shutdown))
}

/// Says `<name>.entered` and waits until the test has made the file `name`.
async fn gate(name: &str) {
    fs::write(format!("{name}.entered"), "").expect("the test's directory can be written to");
    while !Path::new(name).exists() {
        tokio::time::sleep(LOOK).await;
    }
}

async fn pass_gate(RawQuery(name): RawQuery) -> &'static str {
    gate(&name.unwrap_or_default()).await;
    "passed"
}

async fn closing_time(Extension(shutdown): Extension<Shutdown>) -> &'static str {
    fs::write("waiting", "").expect("the test's directory can be written to");
    shutdown.begun().await;
    "the shop closes"
}

async fn tell_client(request: Request<Body>) -> Response {
    let Some(client) = request.extensions().get::<Client>() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let address = client.address().map_or("none".to_owned(), |address| address.ip().to_string());
    format!("{address} {}", if client.is_https() { "https" } else { "http" }).into_response()
}

/// A body of so many pieces, and how it ends.
struct Pieces(usize, End);

#[derive(Clone, Copy)]
enum End {
    Good,
    Error,
    Panic,
    Trailers,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        if self.0 > 0 {
            self.0 -= 1;
            return Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(b"piece.")))));
        }
        match std::mem::replace(&mut self.1, End::Good) {
            End::Good => Poll::Ready(None),
            End::Error => Poll::Ready(Some(Err(io::Error::other("the tap ran dry")))),
            End::Panic => panic!("out of water"),
            End::Trailers => {
                let mut trailers = HeaderMap::new();
                trailers.insert("x-litres", HeaderValue::from_static("5"));
                Poll::Ready(Some(Ok(Frame::trailers(trailers))))
            }
        }
    }
}
