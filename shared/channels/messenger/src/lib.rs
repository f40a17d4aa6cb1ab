#![doc = include_str!("../README.md")]

mod setup;
#[cfg(feature = "simulator")]
mod simulator;

use std::sync::Arc;
use std::time::Duration;

use chela_channel_kit::account::API_BASE_URL;
use chela_channel_kit::{ChannelDescriptor, Features, OptionSpec, SecretSpec};
use chela_core::channel::Limits;
use chela_meta::page::{MESSAGE_TAG, MOST_CHOICES, Page, Traits};
use chela_meta::readable::units;
use chela_meta::{APP_ID, GRAPH_API_VERSION, REPLY_TO_MODE};

#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "messenger";

/// Proves what Meta posts.
const APP_SECRET: SecretSpec = SecretSpec {
    key: "appSecret",
    env: "MESSENGER_APP_SECRET",
    doc: "The app's secret: App Dashboard → App settings → Basic → App secret.",
    required: true,
};

/// Proves that Meta asks for our challenge.
const VERIFY_TOKEN: SecretSpec = SecretSpec {
    key: "verifyToken",
    env: "MESSENGER_VERIFY_TOKEN",
    doc: "A random word of your own, which Meta repeats when the webhook is set.",
    required: true,
};

/// Authorises what we send.
const ACCESS_TOKEN: SecretSpec = SecretSpec {
    key: "pageAccessToken",
    env: "MESSENGER_PAGE_ACCESS_TOKEN",
    doc: "The page's access token: App Dashboard → Messenger → Messenger API Settings → Generate access tokens.",
    required: true,
};

const PAGE_ID: OptionSpec =
    OptionSpec { key: "pageId", doc: "The page's id: posts about other pages of the app are ignored." };

/// A message holds 2000 characters (<https://developers.facebook.com/docs/messenger-platform/reference/send-api>); what
/// lists and tables may grow by is left free. The three dots stay for 20 seconds.
const LIMITS: Limits =
    Limits { text: 1_900, edit_every: None, typing_for: Some(Duration::from_secs(18)), choices: MOST_CHOICES };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Messenger",
    secrets: &[APP_SECRET, VERIFY_TOKEN, ACCESS_TOKEN],
    options: &[PAGE_ID, APP_ID, GRAPH_API_VERSION, REPLY_TO_MODE, MESSAGE_TAG, API_BASE_URL],
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: false, threads: false, media: true, uploads: true, buttons: true, reactions: false },
    make: |settings| Ok(Arc::new(Page::new(settings, &TRAITS)?)),
};

/// In what Messenger is not Instagram.
static TRAITS: Traits = Traits {
    channel: ID,
    object: "page",
    base_url: "https://graph.facebook.com",
    app_secret: APP_SECRET,
    verify_token: VERIFY_TOKEN,
    access_token: ACCESS_TOKEN,
    own_id: PAGE_ID,
    limits: LIMITS,
    own_id_is_me: true,
    longest: 2_000,
    measure: units,
    messaging_type: true,
    uploads: true,
    attachment: setup::attachment,
    fields: &["messages", "messaging_postbacks", "message_edits"],
    menu: setup::menu,
    steps: setup::steps,
};
