//! One line for each port.

use std::sync::Arc;
use std::time::Duration;

use chela_aws::{Bucket, Bus, Lanes, ScheduleGroup, Secrets, Table};
use chela_core::access::AccessStore;
use chela_core::approval::ApprovalStore;
use chela_core::audit::AuditLog;
use chela_core::blob::BlobStore;
use chela_core::channel_log::ChannelLog;
use chela_core::clock::{Clock, Millis};
use chela_core::cooldown::CooldownStore;
use chela_core::directory::Directory;
use chela_core::event::EventBus;
use chela_core::queue::DeadLetters;
use chela_core::schedule::Schedules;
use chela_core::secret::{SecretRef, SecretSource};
use chela_core::session::SessionStore;
use chela_core::spend::SpendStore;
use chela_testkit::laws::Subject;
use chela_testkit::laws::erasure::Erasable;
use chela_testkit::laws::queue::QueueSubject;
use chela_testkit::laws::secrets::{SecretPlace, SecretSubject};

use crate::server::{self, clients};

async fn a_table() -> Subject<dyn SessionStore> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::session_laws!(a_table);

async fn an_access_table() -> Subject<dyn AccessStore> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::access_laws!(an_access_table);

async fn a_table_of_requests() -> Subject<dyn ApprovalStore> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::approval_laws!(a_table_of_requests);

async fn a_table_of_records() -> Subject<dyn AuditLog> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::audit_laws!(a_table_of_records);

async fn a_channel_table() -> Subject<dyn ChannelLog> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::channel_log_laws!(a_channel_table);

async fn a_table_of_money() -> Subject<dyn SpendStore> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::spend_laws!(a_table_of_money);

async fn a_table_of_rests() -> Subject<dyn CooldownStore> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::cooldown_laws!(a_table_of_rests);

async fn a_table_of_conversations() -> Subject<dyn Directory> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::directory_laws!(a_table_of_conversations);

async fn a_table_that_forgets() -> Subject<dyn Erasable> {
    Subject::new(Box::new(Table::new(&clients(), &server::with_table().await).unwrap()))
}
chela_testkit::erasure_laws!(a_table_that_forgets);

async fn lanes() -> QueueSubject {
    let lanes = Lanes::new(&clients(), &server::with_queues().await).unwrap();
    QueueSubject {
        queue: Subject::new(Box::new(lanes)),
        // The service has its own clock.
        advance: Box::new(|seconds| Box::pin(tokio::time::sleep(Duration::from_secs(seconds.into())))),
    }
}
chela_testkit::queue_laws!(lanes);

async fn dead_letter_queues() -> Subject<dyn DeadLetters> {
    Subject::new(Box::new(Lanes::new(&clients(), &server::with_queues().await).unwrap()))
}
chela_testkit::dead_letter_laws!(dead_letter_queues);

async fn a_bucket() -> Subject<dyn BlobStore> {
    Subject::new(Box::new(Bucket::new(&clients(), &server::with_bucket().await).unwrap()))
}
chela_testkit::blob_laws!(a_bucket);

async fn a_schedule_group() -> Subject<dyn Schedules> {
    Subject::new(Box::new(ScheduleGroup::new(&clients(), &server::with_schedules().await).unwrap()))
}
chela_testkit::schedule_laws!(a_schedule_group);

async fn a_bus() -> Subject<dyn EventBus> {
    Subject::new(Box::new(Bus::new(&clients(), &server::with_bus().await).unwrap()))
}
chela_testkit::event_laws!(a_bus);

struct Still;

impl Clock for Still {
    fn now(&self) -> Millis {
        Millis(0)
    }

    fn unique(&self) -> String {
        "still".into()
    }
}

async fn two_secrets() -> SecretSubject {
    let name = format!("/chela/{}", server::fresh("secret"));
    let reference = |source, id: String| SecretRef { source, id };
    let place = |source, value: &str| SecretPlace {
        present: reference(source, name.clone()),
        value: value.into(),
        missing: reference(source, format!("{name}-not-there")),
    };
    let config = clients();
    aws_sdk_ssm::Client::new(config.config())
        .put_parameter()
        .name(&name)
        .value("value of the parameter")
        .r#type(aws_sdk_ssm::types::ParameterType::SecureString)
        .send()
        .await
        .unwrap();
    let secrets = aws_sdk_secretsmanager::Client::new(config.config());
    secrets.create_secret().name(&name).secret_string("value of the secret").send().await.unwrap();
    SecretSubject {
        store: Subject::new(Box::new(Secrets::new(&config, Arc::new(Still), |name| {
            (name != "NOT_THERE").then(|| format!("value of the variable {name}"))
        }))),
        places: vec![
            SecretPlace {
                present: reference(SecretSource::Env, "TELEGRAM_BOT_TOKEN".into()),
                value: "value of the variable TELEGRAM_BOT_TOKEN".into(),
                missing: reference(SecretSource::Env, "NOT_THERE".into()),
            },
            place(SecretSource::Ssm, "value of the parameter"),
            place(SecretSource::SecretsManager, "value of the secret"),
        ],
        unsupported: reference(SecretSource::File, "/etc/hostname".into()),
    }
}
chela_testkit::secret_laws!(two_secrets);
