//! Where brokers are: `host:port`, several of them, IPv6 in brackets.

use std::fmt;

/// Port of a broker when none is named.
pub const PORT: u16 = 9092;

/// A broker's host and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Address {
    /// A name, or an address without brackets.
    pub host: String,
    /// TCP port.
    pub port: u16,
}

impl Address {
    /// Reads `a:9092,b,[::1]:9093`; what has no port gets [`PORT`].
    pub fn list(text: &str) -> Result<Vec<Address>, String> {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        let addresses = parts.map(Address::one).collect::<Result<Vec<Address>, String>>()?;
        if addresses.is_empty() { Err("no broker is named: expected host:port".to_string()) } else { Ok(addresses) }
    }

    fn one(text: &str) -> Result<Address, String> {
        let wrong = |why: &str| Err(format!("{text}: {why}"));
        let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
        let (host, port) = match bare.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(None) => return wrong("the bracket does not close"),
            Some(Some((host, rest))) => (host, rest.strip_prefix(':')),
            None if bare.matches(':').count() > 1 => return wrong("an IPv6 address needs brackets, as in [::1]:9092"),
            None => bare.split_once(':').map_or((bare, None), |(host, port)| (host, Some(port))),
        };
        if host.is_empty() {
            return wrong("the host is missing: expected host:port");
        }
        let port = match port {
            None => PORT,
            Some(port) => match port.parse() {
                Ok(port) if port > 0 => port,
                _ => return wrong("the port is no number from 1 to 65535"),
            },
        };
        Ok(Address { host: host.to_string(), port })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Address;

    #[test]
    fn lists_of_brokers() {
        let list = Address::list(" a:9093,b , [::1]:7,PLAINTEXT://c:1,[fe80::1]").expect("legal");
        let texts: Vec<String> = list.iter().map(Address::to_string).collect();
        assert_eq!(texts, ["a:9093", "b:9092", "[::1]:7", "c:1", "[fe80::1]:9092"]);
    }

    #[test]
    fn what_is_no_broker_says_why() {
        for (text, word) in [
            ("", "no broker"),
            (",", "no broker"),
            ("::1", "brackets"),
            ("[::1", "bracket"),
            ("a:0", "65535"),
            ("a:x", "65535"),
            (":9092", "host"),
            ("a:70000", "65535"),
        ] {
            let error = Address::list(text).expect_err(text);
            assert!(error.contains(word), "{text}: {error}");
        }
    }
}
