//! Which peers are trusted: addresses and networks, or everybody.

use serde::{Deserialize, Serialize};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A list of networks to look addresses up in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct AddressList {
    everybody: bool,
    networks: Vec<(IpAddr, u8)>,
}

impl AddressList {
    /// From `*`, addresses, `address/prefix` and `address/mask`; the error says what is wrong with which one.
    pub fn parse<'a>(entries: impl IntoIterator<Item = &'a str>) -> Result<AddressList, String> {
        let mut list = AddressList::default();
        for entry in entries {
            match entry {
                "*" => list.everybody = true,
                entry => list.networks.push(network(entry)?),
            }
        }
        Ok(list)
    }

    /// Whether that peer is trusted. An IPv4 peer of an IPv6 socket is looked up as the IPv4 address it is.
    pub fn allows(&self, peer: IpAddr) -> bool {
        let peer = peer.to_canonical();
        self.everybody || self.networks.iter().any(|(network, prefix)| masked(peer, *prefix) == Some(*network))
    }
}

/// The address with the bits after `prefix` cleared; `None` when it has fewer bits than that.
fn masked(address: IpAddr, prefix: u8) -> Option<IpAddr> {
    match address {
        IpAddr::V4(v4) => {
            let bits = 32u32.checked_sub(prefix.into())?;
            Some(Ipv4Addr::from_bits(v4.to_bits() & u32::MAX.checked_shl(bits).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            let bits = 128u32.checked_sub(prefix.into())?;
            Some(Ipv6Addr::from_bits(v6.to_bits() & u128::MAX.checked_shl(bits).unwrap_or(0)).into())
        }
    }
}

fn network(entry: &str) -> Result<(IpAddr, u8), String> {
    let unknown = || format!("'{entry}' is neither an IP address nor a network");
    let (address, prefix) = match entry.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix)),
        None => (entry, None),
    };
    let address: IpAddr = address.parse().map_err(|_| unknown())?;
    let width = if address.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => width,
        Some(prefix) => prefix_length(prefix).filter(|length| *length <= width).ok_or_else(unknown)?,
    };
    match masked(address, prefix) {
        Some(start) if start == address => Ok((address, prefix)),
        _ => Err(format!("'{entry}' has bits set after its prefix")),
    }
}

/// `24`, or `255.255.255.0`, or the same inverted as Cisco writes it.
fn prefix_length(text: &str) -> Option<u8> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        return text.parse().ok();
    }
    let mask = text.parse::<Ipv4Addr>().ok()?.to_bits();
    let ones = if mask.leading_ones() > 0 { mask } else { !mask };
    let length = ones.leading_ones();
    (ones.count_ones() == length).then_some(length as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(entries: &[&str]) -> AddressList {
        AddressList::parse(entries.iter().copied()).unwrap()
    }

    fn allows(list: &AddressList, peer: &str) -> bool {
        list.allows(peer.parse().unwrap())
    }

    #[test]
    fn networks_hold_their_addresses_and_no_others() {
        let list = list(&["10.0.0.0/8", "192.168.7.0/255.255.255.0", "172.16.0.0/0.0.255.255", "::1", "2001:db8::/32"]);
        for peer in ["10.255.0.1", "192.168.7.9", "172.16.9.9", "::1", "2001:db8:1::", "::ffff:10.0.0.1"] {
            assert!(allows(&list, peer), "{peer}");
        }
        for peer in ["11.0.0.1", "192.168.8.9", "172.17.0.0", "::2", "2001:db9::", "127.0.0.1"] {
            assert!(!allows(&list, peer), "{peer}");
        }
    }

    #[test]
    fn a_star_is_everybody_and_a_zero_prefix_is_one_family() {
        assert!(allows(&list(&["*"]), "203.0.113.9"));
        assert!(allows(&list(&["0.0.0.0/0"]), "203.0.113.9"));
        assert!(!allows(&list(&["0.0.0.0/0"]), "::1"));
    }

    #[test]
    fn what_is_no_network_is_named() {
        let problem = |entry| AddressList::parse([entry]).unwrap_err();
        assert_eq!(problem("a"), "'a' is neither an IP address nor a network");
        assert_eq!(problem("10.0.0.0/33"), "'10.0.0.0/33' is neither an IP address nor a network");
        assert_eq!(problem("10.0.0.1/8"), "'10.0.0.1/8' has bits set after its prefix");
        assert_eq!(problem("10.0.0.0/255.0.255.0"), "'10.0.0.0/255.0.255.0' is neither an IP address nor a network");
    }
}
