//! The `mail` function: Amazon SES has stored a message in the bucket and says so; it is signed with the account's own
//! secret and received like every other. What fails is an error, so that Lambda tries again.

mod deliver;
mod event;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use aws_lambda_events::event::ses::SimpleEmailEvent;
use chela_app::install::Scope;
use chela_app::live::Live;
use chela_app::receive::Receiver;
use chela_core::queue::Lane;
use chela_lambda::Deployment;
use lambda_runtime::{Error, LambdaEvent, run, service_fn};

use crate::deliver::Postman;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let deployment = Deployment::open()?;
    let ground = deployment.ground(Scope::Channel(chela_channel_email::ID.to_owned()));
    let (files, secrets) = (deployment.files.clone(), ground.secrets.clone());
    let (live, warm) = tokio::join!(Live::open(ground), deployment.queue.warm(Lane::Live));
    warm?;
    let (live, clock) = (Arc::new(live?), deployment.clock.clone());
    let receiver = Receiver::new(deployment.doorway()?, live.clone(), Arc::default());
    let postman = Postman { files, secrets, live, receiver, clock };
    run(service_fn(async |event: LambdaEvent<SimpleEmailEvent>| {
        for mail in event::read(event.payload) {
            match mail {
                Ok(mail) => postman.deliver(&mail).await?,
                Err(dropped) => tracing::warn!(mail = dropped.id, why = dropped.why, "mail dropped"),
            }
        }
        Ok::<_, Error>(())
    }))
    .await
}
