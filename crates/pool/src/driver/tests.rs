use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

use tokio::runtime::{Builder, Runtime};
use tokio_postgres::config::{SslMode, SslNegotiation};
use tokio_postgres::{Client, Config};

use super::*;
use crate::channel::Made;
use crate::tap::SharedJournal;
use crate::way::Stream;

const LONG: Duration = Duration::from_secs(60);
const MOMENT: Duration = Duration::from_millis(5);

fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    [&[kind], &(body.len() as u32 + 4).to_be_bytes()[..], body].concat()
}

/// A server that answers a statement when it is told to, with what it is told.
fn serve(mut socket: UnixStream, answers: Receiver<Vec<u8>>) {
    let mut length = [0; 4];
    socket.read_exact(&mut length).unwrap();
    let mut startup = vec![0; u32::from_be_bytes(length) as usize - 4];
    socket.read_exact(&mut startup).unwrap();
    socket.write_all(&[message(b'R', &[0; 4]), message(b'Z', b"I")].concat()).unwrap();
    for answer in answers {
        let mut header = [0; 5];
        socket.read_exact(&mut header).unwrap();
        let mut body = vec![0; u32::from_be_bytes(*header.last_chunk().unwrap()) as usize - 4];
        socket.read_exact(&mut body).unwrap();
        socket.write_all(&answer).unwrap();
    }
    // As in the crash of another server process.
    socket.write_all(&message(b'N', b"SWARNING\0VWARNING\0C57P02\0Mterminating connection\0\0")).unwrap();
}

fn done() -> Vec<u8> {
    [message(b'C', b"SELECT 0\0"), message(b'Z', b"I")].concat()
}

struct Connected {
    runtime: Runtime,
    client: Client,
    driver: Driver,
    answers: Sender<Vec<u8>>,
    server: thread::JoinHandle<()>,
}

fn connect() -> Connected {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let (answers, orders) = channel();
    let server = thread::spawn(move || serve(theirs, orders));
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let way = Way::default();
    let (client, engine) = runtime.block_on(async {
        ours.set_nonblocking(true).unwrap();
        let socket = Socket::Unix(tokio::net::UnixStream::from_std(ours).unwrap());
        assert!(socket.plain().is_some());
        let tap = Tap::new(socket, SharedJournal::default(), way.clone());
        let mut session = Config::new();
        session.user("somebody").ssl_mode(SslMode::Require).ssl_negotiation(SslNegotiation::Direct);
        session.connect_raw(tap, Made).await.unwrap()
    });
    let driver = Driver::new(engine, way, true, Notices::default(), String::new());
    let background = driver.clone();
    runtime.spawn(async move { background.run().await });
    Connected { runtime, client, driver, answers, server }
}

#[test]
fn a_statement_is_waited_for_past_the_runtime() {
    let Connected { client, driver, answers, .. } = connect();
    let line = driver.line().unwrap();
    for size in [0, 100, 20_000, 300_000] {
        answers.send([message(b'D', &vec![0; 2 + size]), done()].concat()).unwrap();
        let mut statement = pin!(driver.drive(client.batch_execute("select")));
        assert!(matches!(line.wait_for(LONG, statement.as_mut()), Waited::Ended(Ok(()))), "{size}");
    }
}

#[test]
fn a_long_statement_is_sent_as_there_is_room() {
    let Connected { client, driver, answers, .. } = connect();
    answers.send(done()).unwrap();
    let long = "x".repeat(5_000_000);
    let mut statement = pin!(driver.drive(client.batch_execute(&long)));
    assert!(matches!(driver.line().unwrap().wait_for(LONG, statement.as_mut()), Waited::Ended(Ok(()))));
}

#[test]
fn a_wait_has_its_end_and_goes_on_where_it_was() {
    let Connected { runtime, client, driver, answers, .. } = connect();
    let line = driver.line().unwrap();
    assert_eq!(line.wait_for(LONG, pin!(std::future::pending::<()>())), Waited::Elsewhere);

    let mut statement = pin!(driver.drive(client.batch_execute("select")));
    assert!(matches!(line.wait_for(MOMENT, statement.as_mut()), Waited::Passed));
    answers.send(done()).unwrap();
    assert!(matches!(line.wait_for(LONG, statement.as_mut()), Waited::Ended(Ok(()))));

    let mut statement = pin!(driver.drive(client.batch_execute("select")));
    assert!(matches!(line.wait_for(MOMENT, statement.as_mut()), Waited::Passed));
    answers.send(done()).unwrap();
    runtime.block_on(statement).unwrap();
}

#[test]
fn the_background_has_what_is_left_to_it() {
    let Connected { runtime, client, driver, answers, .. } = connect();
    let line = driver.line().unwrap();
    for _ in 0..3 {
        answers.send(done()).unwrap();
        runtime.block_on(client.batch_execute("by nobody but the background")).unwrap();
        answers.send(done()).unwrap();
        let mut statement = pin!(driver.drive(client.batch_execute("past the runtime")));
        assert!(matches!(line.wait_for(LONG, statement.as_mut()), Waited::Ended(Ok(()))));
        answers.send(done()).unwrap();
        runtime.block_on(driver.drive(client.batch_execute("with the runtime"))).unwrap();
    }
}

#[test]
fn an_end_is_heard_of_by_looking() {
    let Connected { client, driver, answers, server, .. } = connect();
    assert!(driver.look());
    assert!(!client.is_closed());
    drop(answers);
    server.join().unwrap();
    assert!(driver.look());
    assert!(client.is_closed());
}

#[test]
fn an_end_is_heard_of_in_the_background_and_in_a_statement() {
    let Connected { runtime, client, driver, answers, server } = connect();
    drop(answers);
    server.join().unwrap();
    let mut statement = pin!(driver.drive(client.batch_execute("select")));
    assert!(matches!(driver.line().unwrap().wait_for(LONG, statement.as_mut()), Waited::Ended(Err(_))));
    runtime.block_on(driver.run());
}
