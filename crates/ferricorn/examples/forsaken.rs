//! What becomes of a transaction whose `BEGIN` nobody waited for, as when a handler is dropped at its deadline: prints the
//! state of the transaction that the next borrower of the connection finds. A test runs this with `DB_POOL_MAX=1`.

use std::error::Error;
use std::future::poll_fn;
use std::pin::pin;
use std::task::Poll;

use ferricorn::Pool;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let pool = Pool::from_environment()?;
    let lease = pool.get().await?;
    {
        let mut begin = pin!(lease.connection().batch_execute("BEGIN"));
        // One poll sends it.
        poll_fn(|context| Poll::Ready(begin.as_mut().poll(context).is_pending())).await;
    }
    drop(lease);
    let lease = pool.get().await?;
    lease.connection().query_typed("SELECT 1", &[]).await?;
    println!("{:?}", lease.transaction());
    Ok(())
}
