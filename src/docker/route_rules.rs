//! Rules of the kernel's routing, given to the network namespace this thread is in.
//!
//! A rule is looked at before any route, so it holds for an interface that is added later, for neighbours on the link
//! and for packets that ask for no route.

use std::io::{self, Read};
use std::net::IpAddr;

use socket2::{Domain, Protocol, Socket, Type};

use crate::model::network::Network;

/// What is done with packets to a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rule {
    pub to: Network,
    /// Only packets of this transport protocol to this port.
    pub port: Option<(u8, u16)>,
    pub verdict: Verdict,
}

/// What a rule says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As if there were no rules. Looked at before those that prohibit.
    Pass,
    /// `EACCES` for whoever sends it.
    Prohibit,
}

// From linux/netlink.h, rtnetlink.h and fib_rules.h.
const AF_NETLINK: i32 = 16;
const NETLINK_ROUTE: i32 = 0;
const NLMSG_ERROR: u16 = 2;
const RTM_NEWRULE: u16 = 32;
/// Request, acknowledge, only when it is not there, create.
const FLAGS: u16 = 0x1 | 0x4 | 0x200 | 0x400;
const AF_INET: u8 = 2;
const AF_INET6: u8 = 10;
const TABLE_MAIN: u8 = 254;
const ACTION_TABLE: u8 = 1;
const ACTION_PROHIBIT: u8 = 8;
const FRA_DST: u16 = 1;
const FRA_PRIORITY: u16 = 6;
const FRA_IP_PROTO: u16 = 22;
const FRA_DPORT_RANGE: u16 = 24;
/// The kernel's own: 0 looks at this machine's addresses, 32766 at the routes.
const PASS_PRIORITY: u32 = 100;
const PROHIBIT_PRIORITY: u32 = 200;
const EEXIST: i32 = 17;

/// Adds rules. One that is there already counts as added.
///
/// # Errors
/// The kernel refused one: Orbitra may not set rules here, or the kernel knows no rules. Those before it stay.
pub fn add(rules: &[Rule]) -> io::Result<()> {
    let protocol = Some(Protocol::from(NETLINK_ROUTE));
    let socket = Socket::new(Domain::from(AF_NETLINK), Type::RAW, protocol)?;
    socket.set_read_timeout(Some(std::time::Duration::from_secs(5)))?;
    for rule in rules {
        socket.send(&message(rule))?;
        let mut answer = [0; 1024];
        let length = (&socket).read(&mut answer)?;
        match error_of(answer.get(..length).unwrap_or_default()) {
            Some(0 | EEXIST) => {}
            Some(number) => return Err(io::Error::from_raw_os_error(number)),
            None => return Err(io::Error::other("the kernel's answer is not understood")),
        }
    }
    Ok(())
}

fn message(rule: &Rule) -> Vec<u8> {
    let (family, address) = match rule.to.address() {
        IpAddr::V4(address) => (AF_INET, address.octets().to_vec()),
        IpAddr::V6(address) => (AF_INET6, address.octets().to_vec()),
    };
    let (table, action, priority) = match rule.verdict {
        Verdict::Pass => (TABLE_MAIN, ACTION_TABLE, PASS_PRIORITY),
        Verdict::Prohibit => (0, ACTION_PROHIBIT, PROHIBIT_PRIORITY),
    };
    // Length, kind, flags, number and sender; then the rule's own head.
    let mut message = vec![0; 4];
    message.extend(RTM_NEWRULE.to_ne_bytes());
    message.extend(FLAGS.to_ne_bytes());
    message.extend([0; 8]);
    message.extend([family, rule.to.prefix(), 0, 0, table, 0, 0, action, 0, 0, 0, 0]);
    let mut attribute = |kind: u16, value: &[u8]| {
        let length = u16::try_from(value.len() + 4).unwrap_or(4);
        message.extend(length.to_ne_bytes());
        message.extend(kind.to_ne_bytes());
        message.extend(value);
        message.resize(message.len().next_multiple_of(4), 0);
    };
    attribute(FRA_PRIORITY, &priority.to_ne_bytes());
    if rule.to.prefix() > 0 {
        attribute(FRA_DST, &address);
    }
    if let Some((protocol, port)) = rule.port {
        attribute(FRA_IP_PROTO, &[protocol]);
        attribute(FRA_DPORT_RANGE, &[port.to_ne_bytes(), port.to_ne_bytes()].concat());
    }
    let length = u32::try_from(message.len()).unwrap_or(0).to_ne_bytes();
    message[..4].copy_from_slice(&length);
    message
}

/// The error number of an acknowledgement; 0 is none.
fn error_of(answer: &[u8]) -> Option<i32> {
    let kind = u16::from_ne_bytes(answer.get(4..6)?.try_into().ok()?);
    let number = i32::from_ne_bytes(answer.get(16..20)?.try_into().ok()?);
    (kind == NLMSG_ERROR).then_some(number.saturating_neg())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_written_as_the_kernel_reads_it() {
        let to = Network::parse("10.1.0.0/16").unwrap();
        let rule = Rule { to, port: Some((17, 53)), verdict: Verdict::Pass };
        let message = message(&rule);
        assert_eq!(message.len(), 16 + 12 + 8 + 8 + 8 + 8);
        assert_eq!(message[0..4], 60_u32.to_ne_bytes());
        assert_eq!(message[16..28], [2, 16, 0, 0, 254, 0, 0, 1, 0, 0, 0, 0]);
        assert_eq!(message[40..44], [10, 1, 0, 0]);
        assert_eq!(message[48], 17);
        let prohibit = Rule { port: None, verdict: Verdict::Prohibit, ..rule };
        assert_eq!(super::message(&prohibit)[23], 8);
    }

    #[test]
    fn answers_of_the_kernel_are_understood() {
        let mut answer = vec![0; 36];
        assert_eq!(error_of(&answer), None);
        answer[4..6].copy_from_slice(&NLMSG_ERROR.to_ne_bytes());
        assert_eq!(error_of(&answer), Some(0));
        answer[16..20].copy_from_slice(&(-1_i32).to_ne_bytes());
        assert_eq!(error_of(&answer), Some(1));
        assert_eq!(error_of(&answer[..18]), None);
    }
}
