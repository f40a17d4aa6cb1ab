//! The ports in memory obey the laws of their ports.

use chela_core::approval::ApprovalStore;
use chela_core::audit::AuditLog;
use chela_core::cooldown::CooldownStore;
use chela_core::directory::Directory;
use chela_core::spend::SpendStore;
use chela_testkit::laws::Subject;
use chela_testkit::memory::{MemoryApprovals, MemoryCooldowns, MemoryDirectory, MemorySpend};

chela_testkit::approval_laws!(requests);
chela_testkit::audit_laws!(records);
chela_testkit::spend_laws!(counters);
chela_testkit::cooldown_laws!(rests);
chela_testkit::directory_laws!(listings);

async fn requests() -> Subject<dyn ApprovalStore> {
    Subject::new(Box::new(MemoryApprovals::default()))
}

async fn records() -> Subject<dyn AuditLog> {
    Subject::new(Box::new(MemoryApprovals::default()))
}

async fn counters() -> Subject<dyn SpendStore> {
    Subject::new(Box::new(MemorySpend::default()))
}

async fn rests() -> Subject<dyn CooldownStore> {
    Subject::new(Box::new(MemoryCooldowns::default()))
}

async fn listings() -> Subject<dyn Directory> {
    Subject::new(Box::new(MemoryDirectory::default()))
}
