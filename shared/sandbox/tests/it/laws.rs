//! The laws of the port, in the jail. The function passes them in `tests/it/sandbox.rs`, through the real adapter.

use std::sync::Arc;

use chela_core::sandbox::Sandbox;
use chela_testkit::laws::Subject;

use crate::place;

async fn jail() -> Subject<dyn Sandbox> {
    let jail: Arc<dyn Sandbox> = Arc::new(place::jail().await);
    Subject::keeping(jail, ())
}

chela_testkit::sandbox_laws!(jail);
