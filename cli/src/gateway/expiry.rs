//! Removes old files of conversations: what a lifecycle rule of the bucket does on AWS.

use std::sync::Arc;
use std::time::Duration;

use chela_embedded::FolderBlobs;

/// As infra/base.yaml says for the bucket.
const KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Time between two looks.
const EVERY: Duration = Duration::from_secs(6 * 60 * 60);

/// Looks after files until `stopped` resolves.
pub(crate) async fn run(files: Arc<FolderBlobs>, stopped: impl Future<Output = ()>) -> anyhow::Result<()> {
    tokio::pin!(stopped);
    loop {
        match files.expire("media", KEPT).await {
            Ok(0) => {}
            Ok(removed) => tracing::info!(removed, "old files of conversations are removed"),
            Err(error) => tracing::warn!(%error, "old files could not be removed"),
        }
        tokio::select! {
            () = &mut stopped => return Ok(()),
            () = tokio::time::sleep(EVERY) => {}
        }
    }
}
