//! The channels of this house. A new one is a line in `Cargo.toml`, a line in [`CHANNELS`] and one among the simulators.

use chela_channel_kit::ChannelDescriptor;
#[cfg(feature = "simulator")]
use chela_channel_kit::Simulator;

/// All channels, by name.
const CHANNELS: &[ChannelDescriptor] = &[
    chela_channel_bridge::DESCRIPTOR,
    chela_channel_discord::DESCRIPTOR,
    chela_channel_email::DESCRIPTOR,
    chela_channel_feishu::DESCRIPTOR,
    chela_channel_github::DESCRIPTOR,
    chela_channel_googlechat::DESCRIPTOR,
    chela_channel_instagram::DESCRIPTOR,
    chela_channel_line::DESCRIPTOR,
    chela_channel_matrix::DESCRIPTOR,
    chela_channel_messenger::DESCRIPTOR,
    chela_channel_plivo::DESCRIPTOR,
    chela_channel_slack::DESCRIPTOR,
    chela_channel_teams::DESCRIPTOR,
    chela_channel_telegram::DESCRIPTOR,
    chela_channel_twilio::DESCRIPTOR,
    chela_channel_webhook::DESCRIPTOR,
    chela_channel_whatsapp::DESCRIPTOR,
];

#[cfg(feature = "simulator")]
const SIMULATORS: &[Simulator] = &[
    chela_channel_bridge::SIMULATOR,
    chela_channel_discord::SIMULATOR,
    chela_channel_email::SIMULATOR,
    chela_channel_feishu::SIMULATOR,
    chela_channel_github::SIMULATOR,
    chela_channel_googlechat::SIMULATOR,
    chela_channel_instagram::SIMULATOR,
    chela_channel_line::SIMULATOR,
    chela_channel_matrix::SIMULATOR,
    chela_channel_messenger::SIMULATOR,
    chela_channel_plivo::SIMULATOR,
    chela_channel_slack::SIMULATOR,
    chela_channel_teams::SIMULATOR,
    chela_channel_telegram::SIMULATOR,
    chela_channel_twilio::SIMULATOR,
    chela_channel_webhook::SIMULATOR,
    chela_channel_whatsapp::SIMULATOR,
];

/// All channels, sorted by their names.
pub fn descriptors() -> &'static [ChannelDescriptor] {
    CHANNELS
}

/// The channel of this name.
pub fn find(id: &str) -> Option<&'static ChannelDescriptor> {
    CHANNELS.iter().find(|channel| channel.id == id)
}

/// How to play the platform of this channel.
#[cfg(feature = "simulator")]
pub fn simulator(id: &str) -> Option<&'static Simulator> {
    SIMULATORS.iter().find(|simulator| simulator.channel == id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_channel_has_a_name_of_its_own_and_they_are_sorted() {
        let names: Vec<_> = descriptors().iter().map(|channel| channel.id).collect();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]), "{names:?}");
        assert!(names.iter().all(|name| find(name).is_some_and(|found| found.id == *name)));
        assert!(find("telegramm").is_none());
    }

    #[test]
    fn the_readme_leads_to_the_guide_of_every_channel() {
        let readme = include_str!("../../../README.md");
        for channel in descriptors() {
            let guide = format!("](shared/channels/{}/README.md)", channel.id);
            assert!(readme.contains(&guide), "README.md has no link to the guide of {}", channel.id);
        }
    }

    #[cfg(feature = "simulator")]
    #[test]
    fn every_channel_can_be_played() {
        for channel in descriptors() {
            let simulator = simulator(channel.id).unwrap_or_else(|| panic!("{} has no simulator", channel.id));
            let secrets = simulator.test_secrets();
            let required = channel.secrets.iter().filter(|secret| secret.required);
            assert!(required.into_iter().all(|secret| secrets.contains_key(secret.key)), "{}", channel.id);
        }
    }
}
