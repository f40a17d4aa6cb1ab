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
use chela_meta::{APP_ID, GRAPH_API_VERSION, REPLY_TO_MODE};

#[cfg(feature = "simulator")]
pub use crate::simulator::SIMULATOR;

/// The channel's name.
pub const ID: &str = "instagram";

/// Proves what Meta posts.
const APP_SECRET: SecretSpec = SecretSpec {
    key: "appSecret",
    env: "INSTAGRAM_APP_SECRET",
    doc: "The Instagram app's secret: App Dashboard → Instagram → API setup with Instagram login → Instagram app secret.",
    required: true,
};

/// Proves that Meta asks for our challenge.
const VERIFY_TOKEN: SecretSpec = SecretSpec {
    key: "verifyToken",
    env: "INSTAGRAM_VERIFY_TOKEN",
    doc: "A random word of your own, which Meta repeats when the webhook is set.",
    required: true,
};

/// Authorises what we send.
const ACCESS_TOKEN: SecretSpec = SecretSpec {
    key: "accessToken",
    env: "INSTAGRAM_ACCESS_TOKEN",
    doc: "The professional account's access token: App Dashboard → Instagram → API setup with Instagram login → Generate token.",
    required: true,
};

const ACCOUNT_ID: OptionSpec = OptionSpec {
    key: "igId",
    doc: "The professional account's id, as posts name it: posts about other accounts of the app are ignored.",
};

/// A message holds 1000 bytes of UTF-8
/// (<https://developers.facebook.com/docs/messenger-platform/instagram/features/send-message>), and a UTF-16 unit can be
/// three bytes: what is no longer than this fits in every script.
const LIMITS: Limits =
    Limits { text: 330, edit_every: None, typing_for: Some(Duration::from_secs(18)), choices: MOST_CHOICES };

/// How the registry knows this channel.
pub const DESCRIPTOR: ChannelDescriptor = ChannelDescriptor {
    id: ID,
    title: "Instagram",
    secrets: &[APP_SECRET, VERIFY_TOKEN, ACCESS_TOKEN],
    options: &[ACCOUNT_ID, APP_ID, GRAPH_API_VERSION, REPLY_TO_MODE, MESSAGE_TAG, API_BASE_URL],
    urls: &[API_BASE_URL.key],
    limits: LIMITS,
    features: Features { groups: false, threads: false, media: true, uploads: true, buttons: true, reactions: false },
    make: |settings| Ok(Arc::new(Page::new(settings, &TRAITS)?)),
};

/// In what Instagram is not Messenger.
static TRAITS: Traits = Traits {
    channel: ID,
    object: "instagram",
    base_url: "https://graph.instagram.com",
    app_secret: APP_SECRET,
    verify_token: VERIFY_TOKEN,
    access_token: ACCESS_TOKEN,
    own_id: ACCOUNT_ID,
    limits: LIMITS,
    own_id_is_me: false,
    longest: 1_000,
    measure: str::len,
    messaging_type: false,
    uploads: false,
    attachment: setup::attachment,
    fields: &["messages", "messaging_postbacks"],
    menu: setup::menu,
    steps: setup::steps,
};
