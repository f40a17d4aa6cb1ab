//! How mail gets here, and whether it gets out.

use std::time::Duration;

use chela_core::channel::{Health, Registration, SendError};
use http::StatusCode;
use serde::Deserialize;

use crate::Email;
use crate::address::halves;

const TIMEOUT: Duration = Duration::from_secs(15);

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetAccount.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Account {
    #[serde(default)]
    sending_enabled: bool,
    #[serde(default)]
    production_access_enabled: bool,
    #[serde(default)]
    send_quota: Quota,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct Quota {
    max24_hour_send: f64,
    sent_last24_hours: f64,
}

/// <https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_GetEmailIdentity.html>
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Identity {
    #[serde(default)]
    verified_for_sending_status: bool,
}

impl Email {
    /// DNS belongs to the owner, and an active rule set to the whole AWS account: neither is ours to change.
    pub(crate) fn steps(&self, url: &str) -> Registration {
        let (own, region, account) = (&self.settings.address, &self.settings.region, &self.account);
        let domain = halves(own).1;
        let stage = "<stage>";
        let gateway = url.split("/webhook").next().unwrap_or(url);
        let steps = [
            format!(
                "Amazon SES receives mail for {domain}? Steps 2 to 6. Another server does? Step 7, and for sending steps 3 and 6."
            ),
            format!(
                "Deploy the stack with its part for mail: tools/deploy --stage {stage} --parameter MailDomain={domain}"
            ),
            format!(
                "Prove that {domain} is yours: publish three records <token>._domainkey.{domain} CNAME <token>.dkim.amazonses.com with the tokens that this prints (get-email-identity prints those of an identity that is there already): aws sesv2 create-email-identity --email-identity {domain} --region {region} --query DkimAttributes.Tokens"
            ),
            format!(
                "Publish where mail goes: {domain} MX 10 inbound-smtp.{region}.amazonaws.com (replaces the server that gets the domain's mail now)"
            ),
            format!(
                "Activate the stack's rule set; an AWS account has one active rule set in each region, and mail for its other domains then needs rules in this one: aws ses set-active-receipt-rule-set --rule-set-name chela-{stage} --region {region}"
            ),
            format!(
                "New AWS accounts may write to verified addresses only; ask for more: aws sesv2 put-account-details --production-access-enabled --mail-type TRANSACTIONAL --website-url https://{domain} --region {region}"
            ),
            format!(
                "With a server of your own, let it hand each message for {own} to: chela mail --url {gateway} --account {account} --authserv-id <the server's name in Authentication-Results>. `chela mail --help` shows how Postfix and others do it."
            ),
            "See how it went: chela channels status".to_owned(),
        ];
        Registration::Manual { steps: steps.into() }
    }

    pub(crate) async fn ask_health(&self) -> Result<Health, SendError> {
        let reply = self.get("/v2/email/account", TIMEOUT).await?;
        self.judge(&reply)?;
        let account: Account = reply.json().ok_or_else(|| self.api.unknown("the answer is not one of SES"))?;
        let own = &self.settings.address;
        let mut summary = own.clone();
        let verified = self.is_verified(halves(own).1).await? || self.is_verified(own).await?;
        if !verified {
            summary.push_str(
                "; neither address nor domain is verified in Amazon SES: run `chela channels register email`",
            );
        }
        if !account.sending_enabled {
            summary.push_str("; AWS has paused sending for this account");
        }
        if !account.production_access_enabled {
            summary.push_str("; in the sandbox: mail reaches verified addresses only");
        }
        let Quota { max24_hour_send: most, sent_last24_hours: sent } = account.send_quota;
        summary.push_str(&format!("; {sent} of {most} messages sent in the last 24 hours"));
        Ok(Health { ok: verified && account.sending_enabled, summary })
    }

    async fn is_verified(&self, identity: &str) -> Result<bool, SendError> {
        let reply = self.get(&format!("/v2/email/identities/{}", identity.replace('@', "%40")), TIMEOUT).await?;
        if reply.status == StatusCode::NOT_FOUND {
            return Ok(false);
        }
        self.judge(&reply)?;
        let identity: Identity = reply.json().ok_or_else(|| self.api.unknown("the answer is not one of SES"))?;
        Ok(identity.verified_for_sending_status)
    }
}
