//! Which addresses may be spoken to.
//!
//! Public names reach only public IPv4 and `2000::/3`, minus everything that can carry another address inside
//! (6to4, Teredo, ISATAP) or that nobody may own. Names the owner configured may also be private, but never
//! link-local: that is where clouds keep their metadata and credentials.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// How far a request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// The public internet: URLs a model, a message or a redirect may have chosen.
    Public,
    /// Also loopback and private networks: host and port stand in the configuration.
    Configured,
    /// The same without loopback: a configured host on a port where Lambda listens (see [`Reach::configured`]).
    NotLoopback,
}

/// Where Lambda listens on loopback inside a function, without any authentication: the Runtime and Extensions API, where
/// one GET takes the next user's message away, and the extension that hands out parameters and secrets. A local service
/// of the owner has to take another port.
/// <https://docs.aws.amazon.com/lambda/latest/dg/runtimes-api.html>,
/// <https://docs.aws.amazon.com/systems-manager/latest/userguide/ps-integration-lambda-extensions.html>
const PORTS_OF_LAMBDA: [u16; 2] = [9001, 2773];

impl Reach {
    /// How far a request reaches to a host that stands in the configuration with this port. What names mean is known
    /// only when they are dialled, so the port decides what they may mean.
    pub(crate) fn configured(port: u16) -> Self {
        if PORTS_OF_LAMBDA.contains(&port) { Self::NotLoopback } else { Self::Configured }
    }

    /// Why `address` may not be spoken to; `Ok` if it may.
    pub(crate) fn check(self, address: IpAddr) -> Result<(), &'static str> {
        match address {
            IpAddr::V4(v4) => self.check_v4(v4),
            // `::ffff:127.0.0.1` is 127.0.0.1 to the kernel (CVE-2026-26324), so it is judged as that for configured
            // hosts, and refused as a disguise for all others.
            IpAddr::V6(v6) => match (v6.to_ipv4_mapped(), self) {
                (Some(v4), Self::Configured | Self::NotLoopback) => self.check_v4(v4),
                (Some(_), Self::Public) => Err("an IPv4 address dressed as IPv6"),
                (None, _) => self.check_v6(v6),
            },
        }
    }

    fn check_v4(self, address: Ipv4Addr) -> Result<(), &'static str> {
        find(&V4_NEVER, u32::from(address).into(), 32)?;
        match self {
            Self::Configured => Ok(()),
            Self::NotLoopback if address.is_loopback() => Err(LAMBDA),
            Self::NotLoopback => Ok(()),
            Self::Public => find(&V4_NOT_PUBLIC, u32::from(address).into(), 32),
        }
    }

    fn check_v6(self, address: Ipv6Addr) -> Result<(), &'static str> {
        let bits = u128::from(address);
        if address.is_loopback() {
            return match self {
                Self::Configured => Ok(()),
                Self::NotLoopback => Err(LAMBDA),
                Self::Public => Err("a loopback address"),
            };
        }
        find(&V6_NEVER, bits, 128)?;
        // ISATAP carries an IPv4 address behind the interface id 0000:5efe or 0200:5efe under any prefix
        // (RFC 5214 §6.1; GHSA-8cp7-rp8r-mg77).
        if (bits >> 32) & 0xfdff_ffff == 0x5efe {
            return Err("an ISATAP address, which carries an IPv4 address");
        }
        match self {
            Self::Configured | Self::NotLoopback => Ok(()),
            Self::Public if bits >> 125 != 0b001 => Err("not a public IPv6 address"),
            Self::Public => find(&V6_NOT_PUBLIC, bits, 128),
        }
    }
}

type Range = (u128, u32, &'static str);

fn find(ranges: &[Range], bits: u128, width: u32) -> Result<(), &'static str> {
    let inside = |(start, prefix, _): &&Range| bits >> (width - prefix) == start >> (width - prefix);
    ranges.iter().find(inside).map_or(Ok(()), |(_, _, reason)| Err(reason))
}

const fn v4(a: u8, b: u8, c: u8, d: u8) -> u128 {
    u32::from_be_bytes([a, b, c, d]) as u128
}

const fn v6(a: u16, b: u16, c: u16) -> u128 {
    (a as u128) << 112 | (b as u128) << 96 | (c as u128) << 80
}

const METADATA: &str = "a metadata service of a cloud";
const LAMBDA: &str = "loopback on a port of Lambda's own APIs; let your service listen on another port";

/// Refused even to configured hosts.
const V4_NEVER: [Range; 7] = [
    (v4(0, 0, 0, 0), 8, "an address of \"this network\""),
    // Also Lambda's 169.254.100.1:9001 and the credentials of ECS at 169.254.170.2.
    (v4(169, 254, 0, 0), 16, "a link-local address, where clouds keep their metadata service"),
    (v4(100, 100, 100, 200), 32, METADATA),
    // https://docs.oracle.com/en-us/iaas/Content/Compute/Tasks/gettingmetadata.htm, of its older machines.
    (v4(192, 0, 0, 192), 32, METADATA),
    // https://learn.microsoft.com/azure/virtual-network/what-is-ip-address-168-63-129-16
    (v4(168, 63, 129, 16), 32, METADATA),
    (v4(224, 0, 0, 0), 4, "a multicast address"),
    (v4(240, 0, 0, 0), 4, "a reserved address"),
];

/// <https://www.iana.org/assignments/iana-ipv4-special-registry>
const V4_NOT_PUBLIC: [Range; 12] = [
    (v4(10, 0, 0, 0), 8, "a private address"),
    (v4(100, 64, 0, 0), 10, "a carrier's private address"),
    (v4(127, 0, 0, 0), 8, "a loopback address"),
    (v4(172, 16, 0, 0), 12, "a private address"),
    (v4(192, 0, 0, 0), 24, "a protocol assignment"),
    (v4(192, 0, 2, 0), 24, "an address for documentation"),
    (v4(192, 52, 193, 0), 24, "a tunnel relay"),
    (v4(192, 88, 99, 0), 24, "a 6to4 relay"),
    (v4(192, 168, 0, 0), 16, "a private address"),
    (v4(198, 18, 0, 0), 15, "an address for benchmarks"),
    (v4(198, 51, 100, 0), 24, "an address for documentation"),
    (v4(203, 0, 113, 0), 24, "an address for documentation"),
];

/// Refused even to configured hosts.
const V6_NEVER: [Range; 11] = [
    // `::` itself, and what carries any IPv4 address, a metadata service among them: RFC 4291 §2.5.5.1, RFC 2765, 6to4, Teredo.
    (0, 96, "the unspecified address, or one that carries an IPv4 address"),
    (0xffff << 48, 96, "an IPv4-translated address"),
    (v6(0x2002, 0, 0), 16, "a 6to4 address, which carries an IPv4 address"),
    (v6(0x2001, 0, 0), 32, "a Teredo address, which carries an IPv4 address"),
    (v6(0xfe80, 0, 0), 10, "a link-local address, where clouds keep their metadata service"),
    (v6(0xfec0, 0, 0), 10, "a site-local address"),
    (v6(0xff00, 0, 0), 8, "a multicast address"),
    // NAT64 carries any IPv4 address, the well-known prefix and the local one (RFC 6052, RFC 8215).
    (v6(0x64, 0xff9b, 0), 48, "a NAT64 address, which carries an IPv4 address"),
    (v6(0x64, 0xff9b, 1), 48, "a NAT64 address, which carries an IPv4 address"),
    // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/configuring-instance-metadata-service.html
    (v6(0xfd00, 0x0ec2, 0), 32, METADATA),
    // https://cloud.google.com/compute/docs/metadata/querying-metadata, of machines without IPv4.
    (v6(0xfd20, 0x00ce, 0), 48, METADATA),
];

/// <https://www.iana.org/assignments/iana-ipv6-special-registry>; outside `2000::/3` nothing is public anyway.
const V6_NOT_PUBLIC: [Range; 4] = [
    // Benchmarks 2001:2::/48, ORCHID 2001:10::/28 and 2001:20::/28, …
    (v6(0x2001, 0, 0), 23, "a protocol assignment"),
    (v6(0x2001, 0x0db8, 0), 32, "an address for documentation"),
    (v6(0x3ffe, 0, 0), 16, "an address of the closed 6bone"),
    (v6(0x3fff, 0, 0), 20, "an address for documentation"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn verdicts(address: &str) -> (bool, bool) {
        let address: IpAddr = address.parse().unwrap();
        (Reach::Public.check(address).is_ok(), Reach::Configured.check(address).is_ok())
    }

    #[test]
    fn public_addresses_are_open_to_all() {
        for address in ["1.1.1.1", "93.184.216.34", "172.32.0.1", "100.63.255.255", "2606:4700::1111", "2a00:1450::1"] {
            assert_eq!(verdicts(address), (true, true), "{address}");
        }
    }

    #[test]
    fn private_addresses_are_only_for_configured_hosts() {
        for address in ["127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "::1"] {
            assert_eq!(verdicts(address), (false, true), "{address}");
        }
        for address in ["100.64.0.1", "192.0.0.1", "192.0.2.1", "198.18.0.1", "198.19.255.255", "198.51.100.1"] {
            assert_eq!(verdicts(address), (false, true), "{address}");
        }
        for address in ["203.0.113.9", "192.88.99.1", "192.52.193.1", "fc00::1", "fd12:3456::1", "::ffff:10.0.0.1"] {
            assert_eq!(verdicts(address), (false, true), "{address}");
        }
    }

    #[test]
    fn ipv6_that_is_not_public_or_hides_ipv4_is_not_for_the_public() {
        for address in ["2001:2::1", "2001:10::1", "2001:20::1", "2001:db8::1", "100::1", "1000::1"] {
            assert_eq!(verdicts(address), (false, true), "{address}");
        }
        for address in ["3ffe::1", "3fff:fff::1", "5f00::1", "4000::1", "2001:1ff::1", "fc00::1"] {
            assert_eq!(verdicts(address), (false, true), "{address}");
        }
        for address in ["2001::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2002:7f00:1::", "2002:a9fe:a9fe::1"] {
            assert_eq!(verdicts(address), (false, false), "{address}");
        }
        for address in
            ["2a00::5efe:7f00:1", "2a00::200:5efe:a9fe:a9fe", "::5efe:7f00:1", "::7f00:1", "::ffff:0:a9fe:a9fe"]
        {
            assert_eq!(verdicts(address), (false, false), "{address}");
        }
    }

    #[test]
    fn metadata_and_what_is_no_host_is_for_nobody() {
        for address in ["169.254.169.254", "169.254.170.2", "169.254.100.1", "100.100.100.200", "168.63.129.16"] {
            assert_eq!(verdicts(address), (false, false), "{address}");
        }
        for address in ["0.0.0.0", "0.1.2.3", "224.0.0.1", "239.1.1.1", "240.0.0.1", "255.255.255.255"] {
            assert_eq!(verdicts(address), (false, false), "{address}");
        }
        for address in ["::", "fe80::1", "febf::1", "fec0::1", "ff02::1", "fd00:ec2::254", "64:ff9b::7f00:1"] {
            assert_eq!(verdicts(address), (false, false), "{address}");
        }
        for address in ["64:ff9b:1::a00:1", "::ffff:169.254.169.254", "fd20:ce::254", "192.0.0.192"] {
            assert_eq!(verdicts(address), (false, false), "{address}");
        }
    }

    #[test]
    fn the_ports_of_lambda_are_never_spoken_to_on_loopback() {
        for port in [9001, 2773] {
            let reach = Reach::configured(port);
            for address in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "::7f00:1", "169.254.100.1", "0.0.0.0"]
            {
                assert!(reach.check(address.parse().unwrap()).is_err(), "{address}:{port}");
            }
            assert!(
                reach.check("10.0.0.1".parse().unwrap()).is_ok() && reach.check("fd12::1".parse().unwrap()).is_ok()
            );
        }
        assert!(Reach::configured(9000).check("127.0.0.1".parse().unwrap()).is_ok());
    }

    #[test]
    fn a_mapped_public_address_is_still_a_disguise() {
        assert_eq!(verdicts("::ffff:93.184.216.34"), (false, true));
    }
}
