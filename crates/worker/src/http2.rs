//! HTTP/2: one connection. Each of its streams is one request, which waits for its call in the
//! same queue as those of HTTP/1, and is answered when its turn has come.
//!
//! - `head`: a stream's head as the head of a request
//! - `stream`: one stream, from its head to the end of its response
//! - `flow`: the socket, and what is known of the connection
//!
//! The protocol is the h2 crate's, which bounds what clients can do with frames of headers,
//! settings and pings. What is bounded here: streams that a client opens and takes back.

mod flow;
mod head;
mod stream;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use ferricorn_settings::Http;
use h2::server::{Builder, Connection, SendResponse};
use h2::{Reason, RecvStream};
use http::Request;

use crate::connection::Client;
use crate::socket::Socket;
use flow::{Flow, Traffic};

pub(crate) use stream::Replies;

/// Bytes of a response that wait in a stream for the connection. Streams are many, and their
/// responses wait elsewhere, too.
const SEND_BUFFER: usize = 64 * 1024;

/// Serves a connection until either side ends it.
pub(crate) async fn speak(client: Rc<Client>, socket: Socket) {
    let traffic = Rc::new(Traffic::new(Rc::clone(&client.activity), Rc::clone(&client.shared)));
    client.activity.parting.begin();
    let flow = Flow::new(socket, Rc::clone(&traffic));
    let connection = match builder(&client.shared.settings.http).handshake(flow).await {
        Ok(connection) => connection,
        Err(error) => return log_end(&client, &error),
    };
    if let Err(error) = serve(&client, connection, &traffic).await {
        log_end(&client, &error);
    }
}

fn builder(http: &Http) -> Builder {
    let mut builder = Builder::new();
    builder
        .initial_window_size(http.initial_window_size)
        .max_concurrent_streams(http.max_concurrent_streams)
        .max_frame_size(http.max_frame_size)
        .max_send_buffer_size(SEND_BUFFER);
    if http.max_header_list_size > 0 {
        builder.max_header_list_size(http.max_header_list_size);
    }
    builder
}

fn log_end(client: &Client, error: &h2::Error) {
    log::debug!("HTTP/2 connection from ip={} ended: {error}", client.address());
}

enum Event {
    Stream(Box<(Request<RecvStream>, SendResponse<Bytes>)>),
    /// Somebody thinks that it is time to go.
    Parting,
    End(Result<(), h2::Error>),
}

async fn serve(
    client: &Rc<Client>,
    mut connection: Connection<Flow, Bytes>,
    traffic: &Rc<Traffic>,
) -> Result<(), h2::Error> {
    loop {
        match next(client, &mut connection).await {
            Event::Stream(begun) => {
                let (request, respond) = *begun;
                let (client, stay) = (Rc::clone(client), traffic.enter());
                tokio::task::spawn_local(stream::serve(client, request, respond, stay));
            }
            Event::Parting if traffic.is_flooded() => {
                log::warn!(
                    "Client ip={} opens streams and takes them back: its connection is closed",
                    client.address()
                );
                connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            // The client is told which requests were heard; another that is on its way can be made again.
            Event::Parting if traffic.is_idle() => connection.abrupt_shutdown(Reason::NO_ERROR),
            Event::Parting => connection.graceful_shutdown(),
            Event::End(ended) => return ended,
        }
    }
}

async fn next(client: &Client, connection: &mut Connection<Flow, Bytes>) -> Event {
    let mut parting = pin!(client.activity.parting.asked());
    poll_fn(|context| {
        if parting.as_mut().poll(context).is_ready() {
            return Poll::Ready(Event::Parting);
        }
        connection.poll_accept(context).map(|accepted| match accepted {
            Some(Ok(begun)) => Event::Stream(Box::new(begun)),
            Some(Err(error)) => Event::End(Err(error)),
            None => Event::End(Ok(())),
        })
    })
    .await
}
