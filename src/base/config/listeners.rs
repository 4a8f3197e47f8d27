//! `listeners` and `advertised.listeners`: where core 0 listens and where clients reach it. Core c adds c to the port.

use crate::base::ids::CoreId;
use std::fmt;
use std::net::IpAddr;

/// A host (name or address, without brackets) and the port of core 0.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// Port of core 0; 0 means any free port for each core.
    pub port: u16,
}

impl Endpoint {
    /// The port of `core`: 0 stays 0, others count up. `None` above 65535.
    pub fn port_of(&self, core: CoreId) -> Option<u16> {
        if self.port == 0 { Some(0) } else { self.port.checked_add(core.0) }
    }

    /// True if clients on other machines could reach it: not loopback.
    pub fn is_exposed(&self) -> bool {
        match self.host.parse::<IpAddr>() {
            Ok(address) => !address.is_loopback(),
            Err(_) => self.host != "localhost",
        }
    }

    /// True if it means every address of the machine.
    pub fn is_wildcard(&self) -> bool {
        self.host.parse::<IpAddr>().is_ok_and(|address| address.is_unspecified())
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(formatter, "[{}]:{}", self.host, self.port)
        } else {
            write!(formatter, "{}:{}", self.host, self.port)
        }
    }
}

/// How Kafka's listener names are read: which are controller listeners, which protocol the others speak.
#[derive(Clone, Debug, Default)]
pub struct ListenerNames {
    controllers: Vec<String>,
    protocols: Vec<(String, String)>,
}

impl ListenerNames {
    /// From `controller.listener.names` and `listener.security.protocol.map`.
    pub fn parse(controllers: &str, protocols: &str) -> Result<ListenerNames, String> {
        let mut names =
            ListenerNames { controllers: entries(controllers).map(str::to_uppercase).collect(), protocols: Vec::new() };
        for entry in entries(protocols) {
            let (name, protocol) = entry.split_once(':').ok_or_else(|| format!("{entry} is not NAME:PROTOCOL"))?;
            names.protocols.push((name.trim().to_uppercase(), protocol.trim().to_uppercase()));
        }
        Ok(names)
    }

    /// The one client listener of a list such as `PLAINTEXT://:9092,CONTROLLER://:9093`; an empty host means every address.
    pub fn client_endpoint(&self, list: &str) -> Result<Endpoint, String> {
        let mut found = None;
        for entry in entries(list) {
            let (name, address) = entry.split_once("://").unwrap_or(("PLAINTEXT", entry));
            let name = name.to_uppercase();
            if self.controllers.contains(&name) {
                continue;
            }
            let protocol = self
                .protocols
                .iter()
                .find(|(known, _)| *known == name)
                .map_or(name.as_str(), |(_, protocol)| protocol.as_str());
            match protocol {
                "PLAINTEXT" => {}
                "SSL" | "SASL_PLAINTEXT" | "SASL_SSL" => {
                    return Err(format!("{entry}: {protocol} is not in this release, only PLAINTEXT"));
                }
                _ => {
                    return Err(format!(
                        "{entry}: {name} is no protocol; use PLAINTEXT://host:port, or name it in listener.security.protocol.map"
                    ));
                }
            }
            if found.is_some() {
                return Err(format!("{entry}: more than one client listener is not in this release"));
            }
            found = Some(endpoint(address).map_err(|why| format!("{entry}: {why}"))?);
        }
        found.ok_or_else(|| "names no client listener; expected PLAINTEXT://host:port".to_string())
    }
}

fn entries(list: &str) -> impl Iterator<Item = &str> {
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty())
}

fn endpoint(address: &str) -> Result<Endpoint, String> {
    let (host, port) = address.rsplit_once(':').ok_or("expected host:port")?;
    let port = port.parse::<u16>().map_err(|_| format!("{port} is not a port (0 to 65535)"))?;
    let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(inner) if inner.parse::<std::net::Ipv6Addr>().is_ok() => inner,
        Some(inner) => return Err(format!("{inner} is not an IPv6 address")),
        None if host.contains(':') => return Err("an IPv6 address needs brackets: [::1]:9092".to_string()),
        None => host,
    };
    let host = if host.is_empty() { "0.0.0.0" } else { host };
    if host.bytes().any(|byte| byte <= b' ' || byte == b'/') {
        return Err(format!("{host} is not a host"));
    }
    Ok(Endpoint { host: host.to_string(), port })
}

#[cfg(test)]
mod tests {
    use super::ListenerNames;
    use crate::base::ids::CoreId;

    fn read(list: &str) -> Result<String, String> {
        let names =
            ListenerNames::parse("CONTROLLER", "CONTROLLER:PLAINTEXT,INSIDE:PLAINTEXT,OUTSIDE:SASL_SSL").unwrap();
        names.client_endpoint(list).map(|endpoint| endpoint.to_string())
    }

    #[test]
    fn forms_that_kafka_users_write() {
        assert_eq!(read("PLAINTEXT://localhost:9092").unwrap(), "localhost:9092");
        assert_eq!(read("PLAINTEXT://:9092,CONTROLLER://:9093").unwrap(), "0.0.0.0:9092");
        assert_eq!(read("INSIDE://[::1]:0").unwrap(), "[::1]:0");
        assert_eq!(read("127.0.0.1:9092").unwrap(), "127.0.0.1:9092");
    }

    #[test]
    fn refusals_name_the_entry() {
        for list in [
            "",
            "CONTROLLER://:9093",
            "SSL://a:1",
            "OUTSIDE://a:1",
            "FOO://a:1",
            "PLAINTEXT://a:99999",
            "PLAINTEXT://a",
            "PLAINTEXT://::1:9092",
            "PLAINTEXT://a:1,INSIDE://a:2",
        ] {
            assert!(read(list).is_err(), "{list}");
        }
    }

    #[test]
    fn ports_count_up() {
        let endpoint = ListenerNames::default().client_endpoint("PLAINTEXT://h:65534").unwrap();
        assert_eq!((endpoint.port_of(CoreId(1)), endpoint.port_of(CoreId(2))), (Some(65535), None));
        let any = ListenerNames::default().client_endpoint("PLAINTEXT://h:0").unwrap();
        assert_eq!(any.port_of(CoreId(7)), Some(0));
        assert!(endpoint.is_exposed() && !endpoint.is_wildcard());
    }
}
