//! The webhook, and how the account is doing.
//! <https://docs.github.com/en/rest/apps/webhooks>, <https://docs.github.com/en/rest/repos/webhooks>

use std::time::Duration;

use chela_core::channel::{Health, Registration, SendError};
use chela_core::secret::Secret;
use http::Method;
use serde_json::{Value, json};

use crate::credential::{App, Credential};
use crate::rest::Rest;
use crate::settings::Settings;

/// For calls that no lease waits for.
const ADMINISTRATION: Duration = Duration::from_secs(15);

/// What we read.
const EVENTS: [&str; 5] =
    ["issue_comment", "issues", "pull_request", "pull_request_review", "pull_request_review_comment"];

impl Rest {
    /// Sets the app's webhook, or one of each repository that is named; else lists the steps.
    pub(crate) async fn register(
        &self,
        settings: &Settings,
        secret: &Secret,
        url: &str,
    ) -> Result<Registration, SendError> {
        let config = json!({ "url": url, "content_type": "json", "secret": secret.expose(), "insecure_ssl": "0" });
        let summary = match &self.credential {
            Credential::App(app) => self.register_app(app, &config, url).await?,
            Credential::User(_) => {
                let mut done = Vec::new();
                for (owner, repo) in settings.repos.named() {
                    self.register_repository((owner, repo), &config, url).await?;
                    done.push(format!("{owner}/{repo}"));
                }
                if done.is_empty() {
                    return Ok(Registration::Manual { steps: steps(url) });
                }
                format!("{} posts to {url}", done.join(", "))
            }
        };
        Ok(Registration::Done { summary })
    }

    async fn register_app(&self, app: &App, config: &Value, url: &str) -> Result<String, SendError> {
        let until = self.until(ADMINISTRATION);
        self.ask(&self.own(app)?, Method::PATCH, "/app/hook/config", Some(config), until).await?;
        Ok(format!(
            "the app posts to {url}; its events are set by hand, under Permissions & events: {}",
            EVENTS.join(", ")
        ))
    }

    async fn register_repository(&self, repo: (&str, &str), config: &Value, url: &str) -> Result<(), SendError> {
        let until = self.until(ADMINISTRATION);
        let hooks = self.call(repo, Method::GET, "/hooks?per_page=100", None, until).await?;
        let is_ours = |hook: &&Value| hook.pointer("/config/url").and_then(Value::as_str) == Some(url);
        let ours = hooks.as_array().into_iter().flatten().find(is_ours);
        let ours = ours.and_then(|hook| hook.get("id")).and_then(Value::as_u64);
        let mut hook = json!({ "active": true, "events": EVENTS, "config": config });
        match (ours, hook.as_object_mut()) {
            (None, Some(fields)) => {
                fields.insert("name".to_owned(), json!("web"));
                self.call(repo, Method::POST, "/hooks", Some(&hook), until).await.map(drop)
            }
            (Some(id), _) => {
                self.call(repo, Method::PATCH, &format!("/hooks/{id}"), Some(&hook), until).await.map(drop)
            }
            (None, None) => Ok(()),
        }
    }

    /// Asks who we are.
    pub(crate) async fn health(&self, settings: &Settings) -> Result<Health, SendError> {
        let asked = async {
            let until = self.until(ADMINISTRATION);
            let (authorization, path, field) = match &self.credential {
                Credential::User(authorization) => (authorization.clone(), "/user", "login"),
                Credential::App(app) => (self.own(app)?, "/app", "slug"),
            };
            let who = self.ask(&authorization, Method::GET, path, None, until).await?;
            let mut summary = String::new();
            if matches!(self.credential, Credential::App(_)) {
                let hook = self.ask(&authorization, Method::GET, "/app/hook/config", None, until).await?;
                let url = hook.get("url").and_then(Value::as_str).filter(|url| !url.is_empty());
                summary = format!("; posts to {}", url.unwrap_or("nobody: run `chela channels register github`"));
            }
            Ok((who.get(field).and_then(Value::as_str).unwrap_or("?").to_owned(), summary))
        };
        match asked.await {
            Ok((login, rest)) => Ok(told(settings, &login, &rest)),
            Err(SendError::Refused { reason, .. }) => Ok(Health { ok: false, summary: reason }),
            Err(other) => Err(other),
        }
    }
}

fn told(settings: &Settings, login: &str, rest: &str) -> Health {
    let known = settings.is_us(login);
    let mut summary = format!("@{login}{rest}");
    if !known {
        summary.push_str(&format!(
            "; botLogin is \"{}\": set it to \"{login}\", or our own comments are taken for somebody else's",
            settings.bot_login
        ));
    }
    Health { ok: known && !rest.contains("posts to nobody"), summary }
}

fn steps(url: &str) -> Vec<String> {
    vec![
        "Open the repository's (or organisation's) Settings → Webhooks → Add webhook.".to_owned(),
        format!("Payload URL: {url}"),
        "Content type: application/json".to_owned(),
        "Secret: the word that channels.github.webhookSecret has.".to_owned(),
        "Choose \"Let me select individual events\" and tick Issue comments, Issues, Pull requests, Pull request \
         reviews and Pull request review comments."
            .to_owned(),
        "To have `chela channels register` do this, list the repositories in channels.github.repos.".to_owned(),
    ]
}
