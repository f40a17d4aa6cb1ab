//! The app's manifest: what Slack posts to us, where, and what the bot may do.
//! <https://docs.slack.dev/reference/app-manifest>

use chela_core::channel::{MenuEntry, Registration, SendError};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::outbound::{Credential, WebApi};
use crate::settings::{Settings, native_name};

/// Everything the bot may hear of. A mention is heard of twice where both families are subscribed, once as a message
/// and once as `app_mention` (which does not tell group DMs from channels), so an app has one or the other.
const MESSAGES: [&str; 4] = ["message.channels", "message.groups", "message.im", "message.mpim"];
const MENTIONS: [&str; 2] = ["app_mention", "message.im"];

/// Sets the app's manifest by API, or says how to do it by hand.
pub(crate) async fn register(
    web: &WebApi,
    manager: Option<&Credential>,
    settings: &Settings,
    url: &str,
    menu: &[MenuEntry],
) -> Result<Registration, SendError> {
    let menu = if settings.native_commands { menu } else { &[] };
    let (Some(manager), Some(app)) = (manager, settings.app_id.as_deref()) else {
        return Ok(Registration::Manual { steps: steps(settings, url, menu) });
    };
    #[derive(Deserialize)]
    struct Exported {
        manifest: Value,
    }
    #[derive(Deserialize)]
    struct Updated {
        #[serde(default)]
        permissions_updated: bool,
    }
    let reply = web.administer(manager, "apps.manifest.export", &json!({ "app_id": app })).await?;
    let Some(Exported { manifest: before }) = reply.json() else {
        return Err(web.api.not_sent("apps.manifest.export answers without a manifest"));
    };
    let after = pointed_at(&before, settings, url, menu);
    if after == before {
        return Ok(Registration::Done { summary: format!("app {app} already posts to {url}") });
    }
    let body = json!({ "app_id": app, "manifest": after.to_string() });
    let reply = web.administer(manager, "apps.manifest.update", &body).await?;
    let permissions = reply.json().is_some_and(|updated: Updated| updated.permissions_updated);
    let reinstall = if permissions {
        format!("; its permissions changed: reinstall it at https://api.slack.com/apps/{app}/install-on-team")
    } else {
        String::new()
    };
    Ok(Registration::Done {
        summary: format!("app {app} now posts its events, commands and buttons to {url}{reinstall}"),
    })
}

/// A whole manifest for a new app.
pub(crate) fn manifest(settings: &Settings, url: &str, menu: &[MenuEntry]) -> Value {
    let fresh = json!({
        "display_information": { "name": "Chela", "description": "Your assistant, in Slack" },
        "features": { "bot_user": { "display_name": "Chela", "always_online": true } },
    });
    pointed_at(&fresh, settings, url, menu)
}

/// `manifest` with our URL, events, commands and scopes; what else stands in it is the owner's.
fn pointed_at(manifest: &Value, settings: &Settings, url: &str, menu: &[MenuEntry]) -> Value {
    let mut manifest = manifest.clone();
    within(&mut manifest, &["features"], |features| {
        features.entry("bot_user").or_insert(json!({ "display_name": "Chela", "always_online": true }));
        items(features, "slash_commands", |items| commands(items, settings.command(), menu, url));
    });
    // Without the messages tab nobody can write to the bot directly.
    within(&mut manifest, &["features", "app_home"], |home| {
        home.insert("messages_tab_enabled".into(), json!(true));
        home.insert("messages_tab_read_only_enabled".into(), json!(false));
    });
    within(&mut manifest, &["oauth_config", "scopes"], |scopes| {
        items(scopes, "bot", |scopes| add_missing(scopes, &wanted_scopes(settings)));
    });
    within(&mut manifest, &["settings", "event_subscriptions"], |events| {
        events.insert("request_url".into(), json!(url));
        items(events, "bot_events", |events| subscriptions(events, settings));
    });
    within(&mut manifest, &["settings", "interactivity"], |interactivity| {
        interactivity.insert("is_enabled".into(), json!(true));
        interactivity.insert("request_url".into(), json!(url));
    });
    within(&mut manifest, &["settings"], |settings| {
        // In socket mode Slack posts nothing.
        settings.insert("socket_mode_enabled".into(), json!(false));
    });
    manifest
}

/// What the bot uses and nothing more: to answer, to read what it is told, for files in both directions, and for emoji.
fn wanted_scopes(settings: &Settings) -> Vec<&'static str> {
    let mut scopes = vec!["chat:write", "commands", "files:read", "files:write", "im:history", "reactions:write"];
    if settings.mentions_only {
        scopes.push("app_mentions:read");
    } else {
        scopes.extend(["channels:history", "groups:history", "mpim:history"]);
    }
    scopes
}

fn commands(commands: &mut Vec<Value>, name: &str, menu: &[MenuEntry], url: &str) {
    let mut add = |name: &str, description: &str, usage_hint: &str| {
        let name = format!("/{name}");
        if commands.iter().any(|command| command.get("command").and_then(Value::as_str) == Some(&name)) {
            return;
        }
        let mut command = json!({ "command": name, "description": description, "should_escape": false });
        if let (false, Value::Object(fields)) = (usage_hint.is_empty(), &mut command) {
            fields.insert("usage_hint".to_owned(), json!(usage_hint));
        }
        commands.push(command);
    };
    add(name, "Write to the assistant", "[message or /command]");
    for entry in menu {
        add(&native_name(entry.name), entry.description, if entry.takes_text { "[text]" } else { "" });
    }
    for command in commands.iter_mut().filter_map(Value::as_object_mut) {
        command.insert("url".into(), json!(url));
    }
}

fn subscriptions(events: &mut Vec<Value>, settings: &Settings) {
    let wanted: &[&str] = if settings.mentions_only { &MENTIONS } else { &MESSAGES };
    let ours = |event: &Value| MESSAGES.iter().chain(&MENTIONS).any(|name| event == name);
    events.retain(|event| !ours(event) || wanted.iter().any(|name| event == name));
    add_missing(events, wanted);
}

fn add_missing(present: &mut Vec<Value>, wanted: &[&str]) {
    for name in wanted {
        if !present.iter().any(|value| value == name) {
            present.push(json!(name));
        }
    }
}

/// Changes the object at a path, which is made where it is not.
fn within(value: &mut Value, path: &[&str], change: impl FnOnce(&mut Map<String, Value>)) {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    let Some(fields) = value.as_object_mut() else { return };
    match path.split_first() {
        Some((name, rest)) => within(fields.entry(*name).or_insert(Value::Null), rest, change),
        None => change(fields),
    }
}

/// Changes the list of that name, which is made where it is not.
fn items(fields: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let list = fields.entry(name).or_insert(Value::Null);
    if !list.is_array() {
        *list = Value::Array(Vec::new());
    }
    if let Some(items) = list.as_array_mut() {
        change(items);
    }
}

fn steps(settings: &Settings, url: &str, menu: &[MenuEntry]) -> Vec<String> {
    let app = settings.app_id.as_deref().unwrap_or_default();
    let manifest = manifest(settings, url, menu);
    vec![
        format!("Open https://api.slack.com/apps/{app}, choose the app, then Features → App Manifest → JSON."),
        "Replace what stands there by the manifest below and press Save Changes.".to_owned(),
        "If Slack says that the URL isn't verified, press Click here to verify: chela must be running at that URL."
            .to_owned(),
        "If Slack asks to reinstall the app, do so, and set channels.slack.botToken to the token it then shows."
            .to_owned(),
        "In every channel the bot shall read, type /invite @Chela.".to_owned(),
        "To have `chela channels register` do all this, set channels.slack.appId (Basic Information → App ID) and \
         channels.slack.appConfigToken (https://api.slack.com/apps → Your App Configuration Tokens → Generate Token)."
            .to_owned(),
        format!("{manifest:#}"),
    ]
}
