//! One blocking connection to one broker: frames, correlation, and the versions that both sides know.

use crate::client::address::Address;
use crate::client::answer_shapes;
use crate::client::failure::{Cause, Failure};
use crate::client::versions::{self, Listed};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{ApiVersionsRequest, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

/// How long to wait for a broker.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a TCP connection, per address of the host.
    pub connect: Duration,
    /// For an answer, and for a job with all its repetitions.
    pub answer: Duration,
}

impl Patience {
    /// A job may take this long.
    pub fn of(whole: Duration) -> Patience {
        Patience { connect: whole.min(Duration::from_secs(5)), answer: whole }
    }

    /// What to tell a broker to wait at most.
    pub fn timeout_ms(&self) -> i32 {
        i32::try_from(self.answer.as_millis()).unwrap_or(i32::MAX)
    }
}

/// How this client calls itself.
const CLIENT_ID: &str = "corelane-cli";
/// Bytes of an answer at most: beyond it the other side is no Kafka broker.
const ANSWER_BYTES_MAX: usize = 1 << 30;
/// Bytes of the first answer of a connection at most.
const FIRST_ANSWER_BYTES_MAX: usize = 1 << 20;

/// See the module.
pub struct Connection {
    stream: TcpStream,
    /// `broker 0 at 127.0.0.1:9092`, or `127.0.0.1:9092` while its id is not known.
    name: String,
    patience: Patience,
    listed: Listed,
    correlation: i32,
    answered: i32,
    /// Requests that get no answer, sent since the last answer was read.
    unanswered: i32,
}

impl Connection {
    /// Connects and asks what the broker offers. `name` is for failures.
    pub fn open(address: &Address, name: &str, patience: Patience) -> Result<Connection, Failure> {
        let stream = connect(address, patience.connect).map_err(|error| match error.kind() {
            std::io::ErrorKind::TimedOut | std::io::ErrorKind::WouldBlock => {
                let cause = Cause::Connection(format!("no connection within {:?}", patience.connect));
                Failure { subject: String::new(), broker: name.to_string(), cause }
            }
            _ => Failure::io(name, &error),
        })?;
        let settle = || {
            stream.set_nodelay(true)?;
            stream.set_read_timeout(Some(patience.answer))?;
            stream.set_write_timeout(Some(patience.answer))
        };
        settle().map_err(|error| Failure::io(name, &error))?;
        let name = name.to_string();
        let mut connection =
            Connection { stream, name, patience, listed: Listed::new(), correlation: 0, answered: 0, unanswered: 0 };
        connection.ask_versions()?;
        Ok(connection)
    }

    /// For failures: who is at the other end.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The other end is on this machine: both ends have the same address.
    pub fn is_local(&self) -> bool {
        let ends = self.stream.local_addr().ok().zip(self.stream.peer_addr().ok());
        ends.is_some_and(|(here, there)| here.ip() == there.ip())
    }

    /// The bare connection, for who sends and receives by itself, and its name. Nothing may be outstanding.
    pub fn into_stream(self) -> (TcpStream, String) {
        (self.stream, self.name)
    }

    /// How long it waits.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// What the broker lists.
    pub fn listed(&self) -> &Listed {
        &self.listed
    }

    /// The version in which `R` is spoken here.
    pub fn version<R: Request>(&self) -> Result<i16, Failure> {
        versions::agree(R::KEY, &self.listed).map_err(|why| Failure::protocol(&self.name, why))
    }

    /// Waits this much longer for answers than the patience says: for requests that the broker holds.
    pub fn wait_longer(&mut self, held: Duration) -> Result<(), Failure> {
        let whole = self.patience.answer + held;
        self.stream.set_read_timeout(Some(whole)).map_err(|error| Failure::io(&self.name, &error))
    }

    /// A request in the highest common version, and its answer.
    pub fn call<R: Request>(&mut self, request: impl FnOnce(i16) -> R) -> Result<R::Response, Failure> {
        let version = self.version::<R>()?;
        self.send(version, &request(version))?;
        self.receive::<R>(version)
    }

    /// Sends without waiting.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<(), Failure> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str(CLIENT_ID)));
        let mut frame = BytesMut::new();
        frame.extend_from_slice(&[0; 4]);
        let encoded =
            header.encode(&mut frame, R::header_version(version)).and_then(|()| request.encode(&mut frame, version));
        encoded.map_err(|error| Failure::protocol(&self.name, format!("cannot encode the request: {error}")))?;
        let length = i32::try_from(frame.len() - 4).map_err(|_| Failure::here("a request of more than 2 GiB"))?;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame).map_err(|error| Failure::io(&self.name, &error))
    }

    /// Sends what no broker answers: Produce with acks=0.
    pub fn send_unanswered<R: Request>(&mut self, version: i16, request: &R) -> Result<(), Failure> {
        self.send(version, request)?;
        self.unanswered += 1;
        Ok(())
    }

    /// The answer to the oldest request that has none yet.
    pub fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response, Failure> {
        let mut frame = self.receive_frame()?;
        let undecodable = |error: &dyn std::fmt::Display| {
            Failure::protocol(&self.name, format!("cannot decode the answer to API key {}: {error}", R::KEY))
        };
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version))
            .map_err(|error| undecodable(&error))?;
        if header.correlation_id != self.answered {
            return Err(undecodable(&"it belongs to another request"));
        }
        decode_answer::<R>(frame, version).map(|(answer, _)| answer).map_err(|why| undecodable(&why))
    }

    fn receive_frame(&mut self) -> Result<Bytes, Failure> {
        let failed = |error: &std::io::Error| Failure::io(&self.name, error);
        let mut length = [0; 4];
        self.stream.read_exact(&mut length).map_err(|error| failed(&error))?;
        let bytes_max = if self.answered == 0 { FIRST_ANSWER_BYTES_MAX } else { ANSWER_BYTES_MAX };
        let bytes = usize::try_from(i32::from_be_bytes(length)).ok().filter(|bytes| *bytes <= bytes_max);
        let Some(bytes) = bytes else {
            let what = match &length {
                b"HTTP" => "this is an HTTP port, not a Kafka listener",
                [0x15, 3, ..] => "this listener wants TLS, which this client does not speak",
                _ => "the answer is not Kafka's protocol: is this a Kafka listener, without TLS?",
            };
            return Err(Failure::protocol(&self.name, what));
        };
        // Room grows with what arrives, not with what is announced.
        let mut frame = Vec::with_capacity(bytes.min(1 << 20));
        let got = (&self.stream).take(bytes as u64).read_to_end(&mut frame).map_err(|error| failed(&error))?;
        if got < bytes {
            return Err(failed(&std::io::ErrorKind::UnexpectedEof.into()));
        }
        self.answered += 1 + std::mem::take(&mut self.unanswered);
        Ok(Bytes::from(frame))
    }

    /// KIP-511: the highest version first; a broker that does not know it answers UNSUPPORTED_VERSION in version 0.
    fn ask_versions(&mut self) -> Result<(), Failure> {
        const HIGHEST: i16 = 3;
        let request = ApiVersionsRequest::default()
            .with_client_software_name(StrBytes::from_static_str("corelane"))
            .with_client_software_version(StrBytes::from_static_str(env!("CARGO_PKG_VERSION")));
        self.send(HIGHEST, &request)?;
        let mut frame = self.receive_frame()?;
        ResponseHeader::decode(&mut frame, 0).map_err(|_| Failure::protocol(&self.name, NOT_KAFKA))?;
        let version = if frame.starts_with(&UNSUPPORTED_VERSION.to_be_bytes()) { 0 } else { HIGHEST };
        let (mut answer, _) = decode_answer::<ApiVersionsRequest>(frame, version)
            .map_err(|why| Failure::protocol(&self.name, format!("{NOT_KAFKA} ({why})")))?;
        if answer.error_code == UNSUPPORTED_VERSION {
            self.send(0, &ApiVersionsRequest::default())?;
            answer = self.receive::<ApiVersionsRequest>(0)?;
        }
        if answer.error_code != 0 {
            return Err(Failure::code(answer.error_code, None).about("ApiVersions").from_broker(&self.name));
        }
        self.listed = answer.api_keys.iter().map(|api| (api.api_key, (api.min_version, api.max_version))).collect();
        Ok(())
    }
}

const UNSUPPORTED_VERSION: i16 = 35;
const NOT_KAFKA: &str = "the answer is not Kafka's protocol: is this a Kafka listener?";

/// The answer in a frame without its header, and how many bytes follow it; an error says what is wrong. Whatever the bytes are, it takes no
/// more memory than they justify.
pub fn decode_answer<R: Request>(mut body: Bytes, version: i16) -> Result<(R::Response, usize), String> {
    answer_shapes::check(R::KEY, version, &body).map_err(|error| error.to_string())?;
    let answer = R::Response::decode(&mut body, version).map_err(|error| error.to_string())?;
    Ok((answer, body.len()))
}

/// Tries every address that the name has; the last error counts.
fn connect(address: &Address, limit: Duration) -> std::io::Result<TcpStream> {
    let mut last = std::io::Error::new(std::io::ErrorKind::NotFound, "the host has no address");
    for target in (address.host.as_str(), address.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&target, limit) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}
