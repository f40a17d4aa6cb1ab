//! What stands in for DynamoDB and SQS obeys the laws of their ports.

use std::time::Duration;

use chela_core::session::SessionStore;
use chela_simulation::{FifoQueue, Rows};
use chela_testkit::laws::Subject;
use chela_testkit::laws::queue::QueueSubject;
use futures_util::future::BoxFuture;

chela_testkit::session_laws!(a_session_store);
chela_testkit::queue_laws!(a_queue);

async fn a_session_store() -> Subject<dyn SessionStore> {
    Subject::new(Box::new(Rows::default()))
}

async fn a_queue() -> QueueSubject {
    tokio::time::pause();
    let advance = |seconds: u32| -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::advance(Duration::from_secs(u64::from(seconds))))
    };
    QueueSubject { queue: Subject::new(Box::new(FifoQueue::default())), advance: Box::new(advance) }
}
