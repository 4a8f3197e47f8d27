//! What happens at the end of a turn: the log's notices, due fetches, the controller's messages; and what other cores say.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{CoreId, TopicPartition};
use crate::base::offset::Offset;
use crate::base::storage::FilesDone;
use crate::broker::api;
use crate::broker::api::fetch::available_bytes;
use crate::broker::broker::Broker;
use crate::broker::delayed::fetch::ParkedFetch;
use crate::broker::delayed::produce::Released;
use crate::broker::event::Effect;
use crate::broker::message::Message;
use crate::log::effect::LogNotice;
use crate::metadata::delta::Delta;
use crate::metadata::image::Image;
use std::sync::Arc;

/// A list that grew longer is not kept: a failed disk releases everything at once.
const RELEASED_KEPT_MAX: usize = 1_024;

impl Broker {
    /// Deals with everything that came up; true if anything did.
    pub(super) fn settle(&mut self, now: Now) -> bool {
        let mut progress = false;
        while let Some(notice) = self.log.poll_notice() {
            progress = true;
            self.notice(notice, now);
        }
        progress |= self.settle_coordinators(now);
        while let Some((fetch, grant)) = self.next_fetch(now) {
            progress = true;
            let context = fetch.context;
            let request = (fetch.request, fetch.using);
            let outcome = api::fetch::attempt(self, &context, request, grant, fetch.patience, now);
            self.conclude(&context, outcome);
        }
        progress |= self.spend_memory(now);
        progress |= self.send_part_replies(now);
        while let Some((to, message)) = self.seat.as_mut().and_then(|seat| seat.poll_message()) {
            progress = true;
            self.send(to, message, now);
        }
        if let Some(ops) = self.seat.as_mut().and_then(|seat| seat.poll_ops(now)) {
            self.metadata_ticket += 1;
            self.effects.push_back(Effect::MetadataFiles { ticket: self.metadata_ticket, ops });
        }
        progress
    }

    /// A request to be planned again: one that has memory now, else one that is due.
    fn next_fetch(&mut self, now: Now) -> Option<(ParkedFetch, Option<u64>)> {
        let starved = self.next_starved(now).map(|(fetch, grant)| (fetch, Some(grant)));
        starved.or_else(|| self.fetches.take_due().map(|fetch| (fetch, None)))
    }

    fn notice(&mut self, notice: LogNotice, now: Now) {
        let mut released = std::mem::take(&mut self.released);
        match notice {
            LogNotice::HighWatermark { partition, high_watermark } => {
                self.advance(partition, high_watermark, &mut released);
                self.coordinator_advance(partition, high_watermark, now);
            }
            LogNotice::Opened { partition } => self.partition_changed(partition, now),
            LogNotice::Offline { partition, why } => {
                tracing::error!(%partition, why, "partition is offline until restart");
                self.produces.fail(partition, ErrorCode::KafkaStorageError, &mut released);
                self.partition_changed(partition, now);
            }
            LogNotice::Retained { partition, log_start, .. } => {
                tracing::debug!(%partition, log_start = log_start.0, "retention moved the log start");
                self.fetches.changed(partition);
            }
            LogNotice::Flushed { sequence } => {
                self.sessions.returning.begin_round(now.monotonic_ns, self.log.group_ns());
                self.deletes.flushed(sequence, &mut released);
            }
            LogNotice::ReadDone { ticket, data } => {
                if !self.coordinator_read(ticket, &data, now) {
                    api::fetch::read_done(self, ticket, data);
                }
            }
            LogNotice::SearchDone { ticket, found } => api::list_offsets::search_done(self, ticket, found),
            LogNotice::Writable => self.ring_changed(now),
            LogNotice::ReadOnly { why } => {
                tracing::error!(core = self.core.0, why, "the journal failed: this core is read-only until restart");
                self.stop_is_unclean();
                self.produces.fail_all(ErrorCode::KafkaStorageError, &mut released);
                self.deletes.fail_all(ErrorCode::KafkaStorageError, &mut released);
                self.fail_coordinators(now);
                self.ring_changed(now);
            }
            LogNotice::Forgotten { topic } => self.send(CoreId(0), Message::Forgotten { topic }, now),
            LogNotice::DirectoryGone { topic } => self.seat().forget(topic, now),
        }
        self.release(released);
    }

    /// Sends answers that were parked.
    pub(super) fn release(&mut self, mut released: Vec<Released>) {
        for (slot, answer) in released.drain(..) {
            self.sessions.answer_flushed(slot, answer, &mut self.effects);
        }
        if (1..=RELEASED_KEPT_MAX).contains(&released.capacity()) {
            self.released = released;
        }
    }

    fn advance(&mut self, partition: TopicPartition, high_watermark: Offset, released: &mut Vec<Released>) {
        self.produces.advance(partition, high_watermark, released);
        let log = &self.log;
        self.fetches.advance(partition, |from, enough| available_bytes(log, partition, from, high_watermark, enough));
    }

    /// A partition was loaded, went offline or was deleted.
    fn partition_changed(&mut self, partition: TopicPartition, now: Now) {
        self.fetches.changed(partition);
        self.coordinator_changed(partition, now);
        for connection in self.sessions.take_waiting_for(partition) {
            self.resume(connection, now);
        }
    }

    /// There is room in the ring, or there never will be.
    fn ring_changed(&mut self, now: Now) {
        self.wake_coordinators();
        for connection in self.sessions.take_waiting_for_ring() {
            self.resume(connection, now);
        }
    }

    /// A message from a core of this machine, perhaps from this one.
    pub(super) fn receive(&mut self, from: CoreId, message: Message, now: Now) {
        match message {
            Message::Answer { ticket, answer } => self.answered(ticket, answer, now),
            Message::Image { image, delta } => self.apply(image, &delta, now),
            Message::Ask { ticket, request } => self.seat().ask(from, ticket, request, now),
            Message::Applied { end_offset } => self.seat().applied(from, end_offset),
            Message::Forgotten { topic } => {
                if self.seat().forgotten(from, topic) {
                    self.log.remove_topic_directory(topic);
                }
            }
            Message::Part(part) => self.take_part(from, part, now),
            Message::PartAnswer { ticket, answer } => self.part_answered(ticket, *answer, now),
            Message::EndWatch { connection, ticket } => self.end_watch(from, connection, ticket),
            Message::ConnectionGone { connection } => self.part_connection_gone(from, connection),
            Message::Stopped { clean } => self.seat().core_stopped(from, clean, now),
        }
    }

    fn seat(&mut self) -> &mut crate::broker::controller_seat::ControllerSeat {
        self.seat.as_mut().expect("the controller is asked on core 0")
    }

    pub(super) fn metadata_files_done(&mut self, ticket: u64, done: &FilesDone, now: Now) {
        assert_eq!(ticket, self.metadata_ticket, "one batch of file operations at a time");
        if let Err(why) = self.seat().files_done(done, now) {
            self.effects.push_back(Effect::Fatal { why: format!("the metadata log failed: {why}") });
        }
    }

    /// Puts a new image in force: partitions come, change and go with it.
    fn apply(&mut self, image: Arc<Image>, delta: &Delta, now: Now) {
        assert!(image.end_offset() > self.image.end_offset(), "images come in order");
        let before = std::mem::replace(&mut self.image, image);
        for id in delta.configs_changed.iter().chain(&delta.topics_deleted) {
            self.topics.forget(*id);
        }
        if delta.broker_configs_changed {
            let broker_wide = self.topics.broker_wide().of_image(&self.image);
            self.topics.set_broker_wide(broker_wide);
            self.configure_machine();
        }
        self.create_partitions(delta);
        for topic in &delta.topics_deleted {
            self.log.delete_topic(*topic, now.monotonic_ms());
            let mut released = Vec::new();
            for partition in before.topic(*topic).into_iter().flat_map(|topic| topic.partition_ids()) {
                self.produces.fail(partition, ErrorCode::UnknownTopicOrPartition, &mut released);
            }
            self.release(released);
            self.fetches.topic_deleted(*topic);
            for partition in self.sessions.awaited_partitions_of(*topic) {
                self.partition_changed(partition, now);
            }
        }
        self.seat_coordinators(now);
        let names: Vec<&str> =
            delta.topics_deleted.iter().filter_map(|id| Some(before.topic(*id)?.name.as_str())).collect();
        if !names.is_empty() {
            self.coordinators_forget(&names, now);
        }
        let end_offset = self.image.end_offset();
        self.send(CoreId(0), Message::Applied { end_offset }, now);
    }

    fn create_partitions(&mut self, delta: &Delta) {
        let image = self.image.clone();
        let here = self.core;
        let created = delta.partitions_created.iter().copied();
        for partition in created.filter(|partition| image.core_of(*partition) == Some(here)) {
            let topic = image.topic(partition.topic).expect("the topic of a new partition");
            let settings = self.topics.partition_settings(topic);
            self.log.create_partition(partition, settings);
        }
        let changed = delta.configs_changed.iter().filter_map(|id| image.topic(*id));
        let all = image.topics().iter().filter(|_| delta.broker_configs_changed);
        for topic in changed.chain(all) {
            let settings = self.topics.partition_settings(topic);
            for partition in topic.partition_ids().filter(|partition| image.core_of(*partition) == Some(here)) {
                self.log.configure_partition(partition, settings);
            }
        }
    }

    /// Puts the configs of the machine itself in force, as far as they may change while it runs.
    pub(super) fn configure_machine(&mut self) {
        let value = |key: &str| {
            let set = self.topics.broker_wide().layers(key).next().map(|(value, _)| value.to_string());
            set.or_else(|| self.settings.values.iter().find(|one| one.key.name == key).map(|one| one.value.clone()))
        };
        if let Some(bytes) = value("tail.cache.bytes") {
            self.log.set_tail_cache_bytes(bytes.parse().unwrap_or(self.settings.tail_cache_bytes_auto));
        }
    }
}
