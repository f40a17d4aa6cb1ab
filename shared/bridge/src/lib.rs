#![doc = include_str!("../README.md")]

pub mod backoff;
pub mod connection;
pub mod discord;
pub mod door;
pub mod irc;
pub mod poster;
pub mod store;

use tokio::net::TcpListener;
use tokio::sync::watch;

pub use self::connection::{Connection, Ended};
pub use self::door::Door;
pub use self::poster::Poster;
pub use self::store::{Store, StoreError};

/// Why a bridge ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum BridgeError {
    /// The platform will not have us: what its owner must change.
    #[error("{0}")]
    Hopeless(String),
    /// What was heard can no longer be kept.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Orders can no longer be taken.
    #[error("orders cannot be taken: {0}")]
    Door(std::io::Error),
}

/// Runs a bridge until `stop` says true: holds the connection, posts what it hears, and takes orders where there is a
/// door. Everything is finished or safely stored when it returns.
pub async fn run(
    mut connection: Box<dyn Connection>,
    poster: Poster,
    door: Option<(TcpListener, Door)>,
    stop: watch::Sender<bool>,
) -> Result<(), BridgeError> {
    let mut tasks = tokio::task::JoinSet::new();
    let stopping = stop.subscribe();
    tasks.spawn(async move {
        let kept = connection::keep(connection.as_mut(), stopping).await;
        kept.map_err(BridgeError::Hopeless)
    });
    let stopping = stop.subscribe();
    tasks.spawn(async move { Ok(poster.run(stopping).await?) });
    if let Some((listener, door)) = door {
        let stopping = stop.subscribe();
        tasks.spawn(async move { door.serve(listener, stopping).await.map_err(BridgeError::Door) });
    }
    let mut ended = Ok(());
    while let Some(task) = tasks.join_next().await {
        // The first that ends takes the others along: none is of use alone.
        let _ = stop.send(true);
        let task = task.unwrap_or_else(|broken| Err(BridgeError::Hopeless(format!("a task broke: {broken}"))));
        if ended.is_ok() {
            ended = task;
        }
    }
    ended
}
