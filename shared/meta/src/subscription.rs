//! Telling Meta where we are. <https://developers.facebook.com/docs/graph-api/reference/app/subscriptions>

use chela_core::channel::SendError;
use chela_core::secret::Secret;
use serde::Deserialize;

use crate::graph::Graph;

/// An app with its secret: together they are its token.
pub struct App {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
}

/// What is subscribed to.
pub struct Subscription<'a> {
    /// `whatsapp_business_account`, `page` or `instagram`.
    pub object: &'a str,
    /// The webhook's URL. Meta asks it for its challenge before it answers.
    pub url: &'a str,
    /// What the URL is asked with.
    pub verify_token: &'a Secret,
    /// What is posted.
    pub fields: &'a [&'a str],
}

#[derive(Deserialize)]
struct Outcome {
    #[serde(default)]
    success: bool,
}

/// Subscribes the app, and replaces what it was subscribed to for this object. The secrets go in the body: URLs are
/// written down by proxies.
pub async fn subscribe(graph: &Graph, app: &App, subscription: &Subscription<'_>) -> Result<(), SendError> {
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("object", subscription.object)
        .append_pair("callback_url", subscription.url)
        .append_pair("verify_token", subscription.verify_token.expose())
        .append_pair("fields", &subscription.fields.join(","))
        .append_pair("access_token", &format!("{}|{}", app.id, app.secret.expose()))
        .finish();
    let reply = graph.post_form(&format!("{}/subscriptions", app.id), form).await?;
    confirmed(graph, graph.read::<Outcome>(&reply, "confirmation")?.success)
}

/// Subscribes the token's app to one page or business account.
pub async fn subscribe_object(graph: &Graph, path: &str) -> Result<(), SendError> {
    let nothing = serde_json::json!({});
    let reply = graph.post(path, &nothing, crate::graph::ADMINISTRATION).await?;
    confirmed(graph, graph.read::<Outcome>(&reply, "confirmation")?.success)
}

fn confirmed(graph: &Graph, success: bool) -> Result<(), SendError> {
    if success { Ok(()) } else { Err(graph.api().refused("the subscription was not made")) }
}
