//! Counts of what a broker did, per core, since its start. Plain numbers: the runtime copies them out on request.

use crate::broker::message::Message;
use crate::wire::api::{APIS, ApiKey};

/// See the module. Monotonic.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Requests per API, in the order of [`APIS`].
    pub requests: [u64; APIS.len()],
    /// Requests whose answer carried an error code anywhere, or that closed the connection.
    pub request_errors: u64,
    /// Messages sent to other cores, by kind. Produce and Fetch of stock clients cause none.
    pub messages_sent: MessageCounts,
    /// Connections handed over to the core that they belong to.
    pub connections_handed_over: u64,
    /// Record batches appended.
    pub appended_batches: u64,
    /// Bytes of record batches appended.
    pub appended_bytes: u64,
    /// Bytes of record batches fetched that were in memory.
    pub fetched_cached_bytes: u64,
    /// Bytes of record batches fetched that were read from the disk.
    pub fetched_disk_bytes: u64,
}

/// Messages sent to other cores.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MessageCounts {
    /// Questions to the controller.
    pub questions: u64,
    /// The controller's answers.
    pub answers: u64,
    /// Metadata images.
    pub images: u64,
    /// Reports to the controller: image in force, topic forgotten, stopped.
    pub reports: u64,
    /// Parts of clients' requests.
    pub parts: u64,
    /// What becomes of them: answers, watches ended, clients gone.
    pub part_answers: u64,
}

impl MessageCounts {
    /// All of them.
    pub fn total(&self) -> u64 {
        self.questions + self.answers + self.images + self.reports + self.parts + self.part_answers
    }
}

impl Counters {
    /// Requests of one API.
    pub fn requests_of(&self, key: ApiKey) -> u64 {
        self.requests[place(key)]
    }

    pub(super) fn count_request(&mut self, key: ApiKey) {
        self.requests[place(key)] += 1;
    }

    pub(super) fn count_message(&mut self, message: &Message) {
        let counts = &mut self.messages_sent;
        *match message {
            Message::Ask { .. } => &mut counts.questions,
            Message::Answer { .. } => &mut counts.answers,
            Message::Image { .. } => &mut counts.images,
            Message::Part(_) => &mut counts.parts,
            Message::PartAnswer { .. } | Message::EndWatch { .. } | Message::ConnectionGone { .. } => {
                &mut counts.part_answers
            }
            Message::Applied { .. } | Message::Forgotten { .. } | Message::Stopped { .. } => &mut counts.reports,
        } += 1;
    }
}

fn place(key: ApiKey) -> usize {
    APIS.iter().position(|api| api.key == key).expect("every key has a row")
}
