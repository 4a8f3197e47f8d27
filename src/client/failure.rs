//! What went wrong, for people: the thing, the broker, Kafka's code by name and number, and what to do about it.

use kafka_protocol::error::ResponseError;
use std::fmt;
use std::io;

/// Why a job, or a part of it, was not done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What it was about, if it was about something: `topic orders, partition 3`.
    pub subject: String,
    /// Who said so: `broker 0 at 127.0.0.1:9092`.
    pub broker: String,
    /// What happened.
    pub cause: Cause,
}

/// See [`Failure`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The broker answered with an error code, and perhaps words of its own.
    Code {
        /// Kafka's number.
        code: i16,
        /// What the broker adds to it.
        message: Option<String>,
    },
    /// No connection, or it broke.
    Connection(String),
    /// No answer in time.
    Late(String),
    /// What came back is not Kafka's protocol, or not a version that both sides speak.
    Protocol(String),
    /// Something here: a file, an output, a value that cannot be.
    Here(String),
}

impl Failure {
    /// About nothing on a broker.
    pub fn here(why: impl Into<String>) -> Failure {
        Failure { subject: String::new(), broker: String::new(), cause: Cause::Here(why.into()) }
    }

    /// A broken or impossible connection to `broker`; lateness is told apart.
    pub fn io(broker: &str, error: &io::Error) -> Failure {
        let cause = match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => Cause::Late("no answer in time".to_string()),
            io::ErrorKind::UnexpectedEof => Cause::Connection("the broker closed the connection".to_string()),
            _ => Cause::Connection(error.to_string()),
        };
        Failure { subject: String::new(), broker: broker.to_string(), cause }
    }

    /// Not Kafka, or not a Kafka that we can talk to.
    pub fn protocol(broker: &str, why: impl Into<String>) -> Failure {
        Failure { subject: String::new(), broker: broker.to_string(), cause: Cause::Protocol(why.into()) }
    }

    /// An error code of an answer.
    pub fn code(code: i16, message: Option<&str>) -> Failure {
        let message = message.filter(|text| !text.is_empty()).map(str::to_string);
        Failure { subject: String::new(), broker: String::new(), cause: Cause::Code { code, message } }
    }

    /// Says what it is about, unless that is known.
    pub fn about(mut self, subject: impl Into<String>) -> Failure {
        if self.subject.is_empty() {
            self.subject = subject.into();
        }
        self
    }

    /// Says who answered, unless that is known.
    pub fn from_broker(mut self, broker: &str) -> Failure {
        if self.broker.is_empty() {
            self.broker = broker.to_string();
        }
        self
    }

    /// Kafka's code, if a broker answered with one.
    pub fn number(&self) -> Option<i16> {
        match self.cause {
            Cause::Code { code, .. } => Some(code),
            _ => None,
        }
    }

    /// Another leader, another controller, or the same request a moment later may do.
    pub fn may_pass(&self) -> bool {
        match &self.cause {
            Cause::Code { code, .. } => PASSING.contains(code),
            Cause::Connection(_) | Cause::Late(_) => true,
            Cause::Protocol(_) | Cause::Here(_) => false,
        }
    }

    /// The cause in words, without subject and broker.
    pub fn reason(&self) -> String {
        match &self.cause {
            Cause::Code { code, message: Some(message) } => format!("{} ({code}): {message}", name_of(*code)),
            Cause::Code { code, message: None } => format!("{} ({code})", name_of(*code)),
            Cause::Connection(why) | Cause::Late(why) | Cause::Protocol(why) | Cause::Here(why) => why.clone(),
        }
    }

    /// What a person may do about it.
    pub fn remedy(&self) -> Option<&'static str> {
        match &self.cause {
            Cause::Code { code, .. } => remedy_of(*code),
            Cause::Connection(_) => {
                Some("is the broker running, and are --bootstrap and its advertised.listeners reachable from here?")
            }
            Cause::Late(_) => Some("a busy broker may need a longer --timeout"),
            Cause::Protocol(_) | Cause::Here(_) => None,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.subject.is_empty(), self.broker.is_empty()) {
            (true, true) => {}
            (true, false) => write!(formatter, "{}: ", self.broker)?,
            (false, true) => write!(formatter, "{}: ", self.subject)?,
            (false, false) => write!(formatter, "{} ({}): ", self.subject, self.broker)?,
        }
        let reason = self.reason();
        match self.remedy() {
            Some(remedy) => write!(formatter, "{}; {remedy}", reason.trim_end_matches('.')),
            None => formatter.write_str(&reason),
        }
    }
}

impl std::error::Error for Failure {}

/// Leaders, controllers and replicas on the move; storage and coordinators that may recover.
const PASSING: &[i16] = &[5, 6, 7, 8, 9, 13, 14, 15, 16, 19, 20, 41, 56, 72, 74, 75, 78, 89, 129];

/// Kafka's name of a code, as its documentation writes it: `NOT_LEADER_OR_FOLLOWER`.
pub fn name_of(code: i16) -> String {
    let Some(error) = ResponseError::try_from_code(code) else { return "NONE".to_string() };
    if matches!(error, ResponseError::Unknown(_)) {
        return "unknown error code".to_string();
    }
    let mut name = String::new();
    for letter in error.to_string().chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

fn remedy_of(code: i16) -> Option<&'static str> {
    Some(match code {
        -1 => "the broker's log says more",
        1 => "corelane topic describe shows where the partition starts and ends",
        3 => "corelane topic list shows what there is, corelane topic create makes one",
        5 | 6 | 9 => "the partition has no reachable leader now; try again, or see corelane topic describe",
        7 => "the broker did not finish in time; try again or give a longer --timeout",
        10 => "make the records smaller, or raise max.message.bytes of the topic (corelane topic alter)",
        17 => "a name has 1 to 249 letters, digits, dots, underscores and hyphens",
        19 | 20 => "fewer replicas are in sync than min.insync.replicas asks for",
        22 | 25 | 27 | 68 => "the group has members: stop its consumers, or wait until their session timeouts are over",
        24 => "the name of a group must not be empty",
        29..=31 => "this client does not authenticate; the broker has to allow it",
        33 | 34 | 58 => "this client speaks no SASL; use a listener without authentication",
        35 => "the broker is too old or too new for this request",
        36 => "corelane topic describe shows it",
        37 => "a topic needs at least 1 partition, and their number can only grow",
        38 => "one machine keeps one replica; use --replicas -1 for the broker's default",
        40 => "corelane topic describe shows the configs with their values",
        41 => "the controller is moving; try again",
        44 => "the broker's policy forbids it",
        56 => "the broker's disk failed or is full; its log says more",
        69 => "corelane group list shows what there is",
        73 => "the broker has delete.topic.enable=false",
        87 => "the broker refuses the record; see the topic's configs",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_kafkas() {
        assert_eq!(name_of(6), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(name_of(-1), "UNKNOWN_SERVER_ERROR");
        assert_eq!(name_of(3), "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(name_of(1234), "unknown error code");
    }

    #[test]
    fn one_line_names_everything() {
        let failure = Failure::code(3, Some("gone")).about("topic t").from_broker("broker 1 at h:9092");
        let text = failure.to_string();
        assert!(text.starts_with("topic t (broker 1 at h:9092): UNKNOWN_TOPIC_OR_PARTITION (3): gone; "), "{text}");
        assert!(text.contains("corelane topic create"), "{text}");
        assert_eq!(Failure::here("no such file").to_string(), "no such file");
    }
}
