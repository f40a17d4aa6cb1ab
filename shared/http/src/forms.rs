//! Addresses in all the spellings that parsers understand, against what Python and the C library make of them.

use std::io::Write;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::process::{Command, Stdio};

use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;
use url::Host;

use crate::HostPort;
use crate::target::Target;

/// One spelling of an address, as it stands in a URL.
#[derive(Clone, Debug)]
struct Form {
    written: String,
    /// The address that is dialled.
    outer: String,
    /// The address that it carries inside; else the same.
    inner: String,
    /// Whether the C library reads the spelling.
    libc: bool,
}

/// Says of each line whether both addresses are global, and whether the inner one is link-local. Where the C library
/// reads the spelling, its meaning must be the address that we say it is.
const ORACLE: &str = r"
import ipaddress, socket, sys
for line in sys.stdin:
    written, outer, inner, libc = line.rstrip('\n').split(' ')
    if libc == '1':
        assert socket.inet_aton(written) == ipaddress.IPv4Address(inner).packed, line
    both = [ipaddress.ip_address(outer), ipaddress.ip_address(inner)]
    print(int(all(one.is_global for one in both)), int(any(one.is_link_local for one in both)))
";

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let special = select(
        &[
            ("127.0.0.0", 8),
            ("10.0.0.0", 8),
            ("172.16.0.0", 12),
            ("192.168.0.0", 16),
            ("169.254.0.0", 16),
            ("169.254.169.254", 32),
            ("100.64.0.0", 10),
            ("0.0.0.0", 8),
            ("192.0.0.0", 24),
            ("192.0.2.0", 24),
            ("198.18.0.0", 15),
            ("198.51.100.0", 24),
            ("203.0.113.0", 24),
            ("224.0.0.0", 4),
            ("240.0.0.0", 4),
            ("255.255.255.255", 32),
            ("127.0.0.1", 32),
            ("169.254.100.1", 32),
        ][..],
    );
    let near = (special, any::<u32>()).prop_map(|((start, prefix), low)| {
        let mask = u32::MAX.checked_shr(prefix).unwrap_or(0);
        Ipv4Addr::from(u32::from(start.parse::<Ipv4Addr>().unwrap()) | (low & mask))
    });
    prop_oneof![3 => near, 1 => any::<u32>().prop_map(Ipv4Addr::from)]
}

/// The spellings of one part of an IPv4 address.
fn number(value: u32, base: usize, zeros: usize) -> String {
    match base {
        0 => value.to_string(),
        1 => format!("0x{}{value:x}", "0".repeat(zeros)),
        2 => format!("0X{value:X}"),
        _ => format!("0{}{value:o}", "0".repeat(zeros)),
    }
}

/// `inet_aton`: one to four parts, the last of which takes the rest; decimal, octal or hexadecimal.
fn v4_spelled() -> impl Strategy<Value = Form> {
    (v4(), 1..5_usize, prop::array::uniform4(0..4_usize), 0..3_usize, 0..8_usize).prop_map(
        |(address, parts, bases, zeros, dress)| {
            let bits = u32::from(address);
            let mut words: Vec<String> =
                (0..parts - 1).map(|at| number(u32::from(address.octets()[at]), bases[at], zeros)).collect();
            let rest = if parts == 1 { bits } else { bits & (u32::MAX >> (8 * (parts - 1))) };
            words.push(number(rest, bases[3], zeros));
            let text = words.join(".");
            let (written, libc) = match dress {
                0 => (format!("{text}."), false),
                1 => (text.replace('.', "。"), false),
                2 => (text.chars().map(|c| format!("%{:02x}", u32::from(c))).collect(), false),
                3 => (text.chars().map(wide).collect(), false),
                4 => (format!("a@{text}"), false),
                _ => (text, true),
            };
            Form { written, outer: address.to_string(), inner: address.to_string(), libc }
        },
    )
}

fn wide(c: char) -> char {
    if c.is_ascii_digit() { char::from_u32(u32::from(c) - u32::from('0') + 0xff10).unwrap() } else { c }
}

/// IPv6 addresses that carry an IPv4 address, each by its RFC.
fn carrying() -> impl Strategy<Value = (Ipv6Addr, Ipv4Addr)> {
    (v4(), 0..10_usize, any::<[u16; 4]>()).prop_map(|(inner, how, noise)| {
        let bits = u128::from(u32::from(inner));
        let prefix = |a: u16, b: u16, c: u16| u128::from(a) << 112 | u128::from(b) << 96 | u128::from(c) << 80;
        let network = prefix(0x2a00 | noise[0] & 0xff, noise[1], noise[2]) | u128::from(noise[3]) << 64;
        let outer = match how {
            0 => 0xffff << 32 | bits,
            1 => bits,
            2 => 0xffff << 48 | bits,
            3 => prefix(0x64, 0xff9b, 0) | bits,
            4 => prefix(0x64, 0xff9b, 1) | bits,
            5 => prefix(0x2002, 0, 0) | bits << 80 | u128::from(noise[0]),
            // Teredo: the client's address is inverted.
            6 => prefix(0x2001, 0, noise[0]) | (bits ^ 0xffff_ffff),
            7 => network | 0x5efe << 32 | bits,
            8 => network | 0x0200_5efe << 32 | bits,
            _ => prefix(0xfe80, 0, 0) | 0x5efe << 32 | bits,
        };
        (Ipv6Addr::from(outer), inner)
    })
}

fn v6() -> impl Strategy<Value = (Ipv6Addr, String)> {
    let special = select(
        &[
            ("::", 128),
            ("::1", 128),
            ("fc00::", 7),
            ("fe80::", 10),
            ("fec0::", 10),
            ("ff00::", 8),
            ("100::", 64),
            ("2001::", 23),
            ("2001:db8::", 32),
            ("2001:2::", 48),
            ("3fff::", 20),
            ("5f00::", 16),
            ("64:ff9b:1::", 48),
            ("fd00:ec2::", 32),
            ("2620:4f:8000::", 48),
            ("2000::", 3),
            ("::", 0),
        ][..],
    );
    let plain = (special, any::<u128>()).prop_map(|((start, prefix), low)| {
        let mask = u128::MAX.checked_shr(prefix).unwrap_or(0);
        let address = Ipv6Addr::from(u128::from(start.parse::<Ipv6Addr>().unwrap()) | (low & mask));
        (address, address.to_string())
    });
    prop_oneof![1 => plain, 1 => carrying().prop_map(|(outer, inner)| (outer, inner.to_string()))]
}

fn v6_spelled() -> impl Strategy<Value = Form> {
    (v6(), 0..8_usize).prop_map(|((address, inner), how)| {
        let groups = address.segments();
        let (high, low) = (&groups[..6], u32::from(groups[6]) << 16 | u32::from(groups[7]));
        let joined = |groups: &[u16]| groups.iter().map(|group| format!("{group:x}")).collect::<Vec<_>>().join(":");
        let text = match how {
            0 => joined(&groups),
            1 => groups.map(|group| format!("{group:04X}")).join(":"),
            2 => format!("{}:{}", joined(high), Ipv4Addr::from(low)),
            3 => address.to_string().to_uppercase(),
            4 => format!("{address}%25eth0"),
            5 => format!("{address}%eth0"),
            _ => address.to_string(),
        };
        Form { written: format!("[{text}]"), outer: address.to_string(), inner, libc: false }
    })
}

fn oracle(forms: &[Form]) -> Vec<(bool, bool)> {
    let mut python = Command::new("python3");
    let mut python = python.args(["-c", ORACLE]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = forms.iter().map(|form| {
        format!("{} {} {} {}\n", form.written.replace(' ', ""), form.outer, form.inner, u8::from(form.libc))
    });
    let mut stdin = python.stdin.take().unwrap();
    let text = lines.collect::<String>();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = python.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    assert!(output.status.success());
    let said = String::from_utf8(output.stdout).unwrap();
    said.lines().map(|line| (line.starts_with('1'), line.ends_with('1'))).collect()
}

/// S06, S14: whatever the spelling, what is not public is not spoken to, and what is spoken to is what was meant. The
/// owner's list opens no link-local address either, however it is dressed.
#[test]
fn s06_no_spelling_of_an_address_reaches_what_is_not_public() {
    let mut runner = TestRunner::default();
    let strategy = prop_oneof![v4_spelled(), v6_spelled()];
    let forms: Vec<Form> = (0..20_000).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect();
    let verdicts = oracle(&forms);
    assert_eq!(verdicts.len(), forms.len());
    let mut spoken_to = 0;
    for (form, (global, link_local)) in forms.iter().zip(verdicts) {
        let url = format!("https://{}/", form.written);
        let Ok(target) = Target::parse(&url) else { continue };
        let host = match target.url.host().unwrap() {
            Host::Ipv4(address) => address.to_string(),
            Host::Ipv6(address) => address.to_string(),
            Host::Domain(name) => panic!("{form:?} was taken for the name {name}"),
        };
        assert_eq!(host, form.outer, "{form:?}");
        let listed = [HostPort::of_url(&url).unwrap()];
        assert!(!link_local || target.reach(&listed).is_err(), "{form:?} is link-local");
        if target.reach(&[]).is_ok() {
            assert!(global, "{form:?} is not public");
            spoken_to += 1;
        }
    }
    assert!(spoken_to > 100, "only {spoken_to} of the public ones are spoken to");
}
