//! A halt that crosses the first reservation of a day, or another halt, at each of their requests.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use chela_aws::{AwsClients, AwsEnvironment, Table};
use chela_core::spend::{Reserved, SpendStore};
use tokio::sync::Notify;

use crate::requests::wish;
use crate::server::{clients, with_table};

const TODAY: &str = "2026-11-21";

/// Holds one request until it is let go.
#[derive(Clone, Debug)]
struct Held<T> {
    inner: T,
    pause: Arc<Pause>,
}

#[derive(Debug, Default)]
struct Pause {
    before: AtomicUsize,
    reached: Notify,
    go: Notify,
}

impl HttpClient for Held<SharedHttpClient> {
    fn http_connector(&self, settings: &HttpConnectorSettings, components: &RuntimeComponents) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(Held { inner, pause: self.pause.clone() })
    }
}

impl HttpConnector for Held<SharedHttpConnector> {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let Self { inner, pause } = self.clone();
        HttpConnectorFuture::new(async move {
            if pause.before.fetch_sub(1, Ordering::SeqCst) == 0 {
                pause.reached.notify_one();
                pause.go.notified().await;
            }
            inner.call(request).await
        })
    }
}

/// A table whose client waits before its request of this number, from 0.
fn held(environment: &AwsEnvironment, before: usize) -> (Arc<Table>, Arc<Pause>) {
    let pause = Arc::new(Pause { before: AtomicUsize::new(before), ..Pause::default() });
    let inner = clients().config().http_client().unwrap();
    let http = SharedHttpClient::new(Held { inner, pause: pause.clone() });
    let clients = AwsClients::over(environment, http).unwrap();
    (Arc::new(Table::new(&clients, environment).unwrap()), pause)
}

#[tokio::test]
async fn a_day_that_is_being_opened_is_halted() {
    for before in 0..5 {
        let environment = with_table().await;
        let table = Table::new(&clients(), &environment).unwrap();
        let (slow, pause) = held(&environment, before);
        let opening = tokio::spawn(async move { slow.reserve(&wish("beside", TODAY)).await });
        pause.reached.notified().await;
        table.halt("default", true).await.unwrap();
        pause.go.notify_one();
        let beside = opening.await.unwrap().unwrap();
        assert_eq!(beside, Reserved::Halted, "before request {before}: it was not granted yet");
        assert_eq!(table.reserve(&wish("after", TODAY)).await.unwrap(), Reserved::Halted, "before request {before}");
    }
}

#[tokio::test]
async fn a_halt_meets_days_that_are_opened_meanwhile() {
    for before in 0..2 {
        let environment = with_table().await;
        let table = Table::new(&clients(), &environment).unwrap();
        let (slow, pause) = held(&environment, before);
        let halting = tokio::spawn(async move { slow.halt("default", true).await });
        pause.reached.notified().await;
        table.reserve(&wish("beside", TODAY)).await.unwrap();
        pause.go.notify_one();
        halting.await.unwrap().unwrap();
        assert_eq!(table.reserve(&wish("after", TODAY)).await.unwrap(), Reserved::Halted, "before request {before}");
    }
}

#[tokio::test]
async fn a_slow_resumption_does_not_undo_a_later_halt() {
    for before in 1..3 {
        let environment = with_table().await;
        let table = Table::new(&clients(), &environment).unwrap();
        table.reserve(&wish("before", TODAY)).await.unwrap();
        table.halt("default", true).await.unwrap();
        let (slow, pause) = held(&environment, before);
        let resuming = tokio::spawn(async move { slow.halt("default", false).await });
        pause.reached.notified().await;
        table.halt("default", true).await.unwrap();
        pause.go.notify_one();
        resuming.await.unwrap().unwrap();
        assert!(table.halted("default").await.unwrap());
        assert_eq!(table.reserve(&wish("after", TODAY)).await.unwrap(), Reserved::Halted, "before request {before}");
    }
}

/// Whoever died between making a day and opening it leaves a day that opens.
#[tokio::test]
async fn a_day_that_was_left_half_open_opens() {
    for before in 1..5 {
        let environment = with_table().await;
        let (slow, pause) = held(&environment, before);
        let dying = tokio::spawn(async move { slow.reserve(&wish("lost", TODAY)).await });
        pause.reached.notified().await;
        dying.abort();
        let table = Table::new(&clients(), &environment).unwrap();
        let answer = table.reserve(&wish("next", TODAY)).await.unwrap();
        assert!(matches!(answer, Reserved::Granted(_)), "before request {before}: {answer:?}");
    }
}
