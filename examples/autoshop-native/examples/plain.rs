//! The shop without its server, for comparison: one process, axum's own loop, tokio's threads. `make bench-native` puts both
//! side by side. Called with the address to listen at; ended by any signal.

use std::env;

use autoshop_native::shop;
use ferricorn::{BoxError, Pool};
use tokio::net::TcpListener;

/// As many threads as the server is given workers.
const THREADS: usize = 2;

fn main() -> Result<(), BoxError> {
    let address = env::args().nth(1).ok_or("the address to listen at is missing: plain 127.0.0.1:8000")?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(THREADS).enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind(address).await?;
        Ok(axum::serve(listener, shop(Pool::from_environment()?)?).await?)
    })
}
