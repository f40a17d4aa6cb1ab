//! Every check there is. docs/audit.md is made from this table.

use crate::Severity::{self, Critical, Info, Warn};

/// One check.
#[derive(Debug, PartialEq, Eq)]
pub struct Check {
    /// Its name: what suppressions and machines go by. Never changed once it is out.
    pub id: &'static str,
    /// How much it matters.
    pub severity: Severity,
    /// What it looks for, and why that matters.
    pub looks_for: &'static str,
}

macro_rules! checks {
    ($($name:ident = ($id:literal, $severity:expr, $looks_for:literal);)+) => {
        $(pub(crate) static $name: Check = Check { id: $id, severity: $severity, looks_for: $looks_for };)+

        /// All checks, by the part of the house they look at.
        pub static CHECKS: &[&Check] = &[$(&$name),+];
    };
}

checks! {
    REFUSED = ("config.refused", Critical, "The configuration is refused, for a missing secret for instance: nothing of it holds, and functions go on with the one before.");
    OPEN_DM = ("channels.open_dm", Warn, "Anybody can write directly: strangers spend the owner's money and feed words to a model that has tools.");
    OPEN_ROOMS = ("channels.open_rooms", Critical, "Any room the bot is put into is answered: whoever can add the bot can use it.");
    UNADDRESSED = ("channels.unaddressed", Warn, "Every message of a room is answered, whether it is meant for the agent or not: each costs a turn.");
    EMPTY_LIST = ("channels.empty_list", Warn, "A list of senders is empty. It allows nobody, and often was meant to allow everybody.");
    NO_OWNER = ("channels.no_owner", Info, "No sender is an owner: nobody can approve, change a model or stop spending from a chat.");
    SHARED_SESSION = ("session.shared", Warn, "Several people share one conversation: each can be told what the others said in private. Critical where strangers are heard.");
    SHORT_TOKEN = ("gateway.short_token", Critical, "The key of the API can be guessed.");
    EXPOSED = ("gateway.exposed", Warn, "The gateway listens beyond this machine without TLS: its key can be read on the way.");
    PLAIN_ORIGIN = ("gateway.plain_origin", Warn, "Platforms are told an address without TLS.");
    NO_RATE_LIMIT = ("gateway.no_rate_limit", Warn, "One sender may write as often as they like.");
    NO_BUDGET = ("spend.no_limit", Warn, "Nothing stops spending on a day that goes wrong. AWS Budgets report 8 to 12 hours late.");
    NO_USER_BUDGET = ("spend.no_user_limit", Warn, "One stranger can use up the whole day's limit.");
    HALTED = ("spend.halted", Info, "Spending is halted in the configuration: nobody gets an answer.");
    OFTEN = ("schedules.often", Warn, "An agent may make schedules that fire more often than every five minutes: each firing is paid.");
    WEAK_MODEL = ("models.weak", Warn, "A small or old model reads what strangers write: such models follow instructions in it most easily.");
    PLAIN_PROVIDER = ("models.plain_http", Critical, "A provider's key and all that is said travel unencrypted.");
    EXEC_UNWALLED = ("exec.unwalled", Critical, "Commands run as the gateway's user, without walls: they read its secrets and reach every network.");
    EXEC_FOR_STRANGERS = ("exec.for_strangers", Critical, "Anybody can write, and what they make the model run needs nobody's consent.");
    EXEC_UNASKED = ("exec.unasked", Warn, "Every command runs without consent: what a page or a mail talks the model into, too. Critical where there are no walls.");
    EXEC_WIDE_RULE = ("exec.wide_rule", Critical, "A rule of the allow-list lets a program run that runs any other: the list is none.");
    BROWSER_PLAIN = ("browser.plain_cdp", Critical, "A browser elsewhere is spoken with unencrypted: whoever is on the way reads its token, sees what is typed, and can use it.");
    MCP_PLAIN = ("mcp.plain_http", Critical, "What a server's tools are told and answer travels unencrypted, with its key.");
    MCP_UNPINNED = ("mcp.unpinned", Warn, "A server is a program whose newest version is fetched and run: whoever publishes it runs code here.");
    MCP_UNASKED = ("mcp.unasked", Warn, "Tools that change things run without asking.");
    SKILL_CHANGED = ("skills.changed", Critical, "A skill is not what was installed: somebody wrote other instructions into it.");
    SKILL_UNPINNED = ("skills.unpinned", Info, "A skill has no pin: whoever can write its file changes what agents are told to do.");
    SKILL_ACCEPTED = ("skills.accepted", Info, "A skill was installed although the scan warned of it.");
    SECRET_WRITTEN = ("secrets.written", Warn, "A secret stands in the configuration itself and goes wherever that file is copied.");
    SECRET_REUSED = ("secrets.reused", Critical, "One value is the secret of two things: whoever learns one has both.");
    SECRET_SHORT = ("secrets.short", Warn, "A secret that we choose ourselves is short enough to be guessed.");
    READABLE = ("files.readable", Critical, "Other users of this machine can read what is private.");
    WRITABLE = ("files.writable", Critical, "Other users of this machine can change what the assistant is told to be.");
    SYMLINK = ("files.symlink", Info, "What is read is not what stands at this place.");
    WILD_ACTION = ("template.wild_action", Critical, "A role may do everything of a service.");
    WILD_RESOURCE = ("template.wild_resource", Critical, "A role may do it to resources that are not ours.");
    SCAN = ("template.scan", Critical, "A role may read the whole table or drop it.");
    PASS_ROLE = ("template.pass_role", Critical, "A role may be handed to whichever service: whoever can do that does what that role may.");
    MANAGED_POLICY = ("template.managed_policy", Warn, "A role has a policy that others change without us.");
    SANDBOX_ARMED = ("template.sandbox_armed", Critical, "The function that runs what a model wrote may do something, or carries something.");
    SANDBOX_REACHES = ("template.sandbox_reaches", Warn, "The function that runs what a model wrote has a way to the internet, for whoever breaks out of its filter.");
    SHARED_ROLE = ("template.shared_role", Warn, "Two functions share a role: each may do what the other needs.");
    NO_CEILING = ("template.no_ceiling", Warn, "A function has no reserved concurrency: its bill has no upper end.");
    OPEN_URL = ("template.open_url", Critical, "A function that proves nobody is reachable by everybody.");
    SECRET_IN_ENVIRONMENT = ("template.secret_in_environment", Critical, "A secret in a function's environment can be read by whoever may look at its configuration.");
    NO_RETENTION = ("template.no_retention", Warn, "Logs are kept, and paid for, for ever.");
    PUBLIC_BUCKET = ("template.public_bucket", Critical, "The bucket of memory and media can be made public.");
    PLAIN_BUCKET = ("template.plain_bucket", Warn, "The bucket answers without TLS.");
    NO_RECOVERY = ("template.no_recovery", Warn, "What is deleted or overwritten by mistake is gone.");
    UNENCRYPTED = ("template.unencrypted", Warn, "What is stored is not encrypted at rest.");
    OPEN_QUEUE = ("template.open_queue", Critical, "Everybody may send to a queue, a topic or the bus: what comes out of it is believed.");
    NO_DEAD_LETTERS = ("template.no_dead_letters", Warn, "A message that cannot be handled vanishes.");
    NO_AWS_BUDGET = ("template.no_budget", Info, "Nobody is told when the bill grows.");
}
