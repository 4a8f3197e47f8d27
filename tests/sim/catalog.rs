//! The metadata of the running machine: the product's `MetadataLog` and controller functions, and the order in which cores hear
//! of changes: durable first, then core by core, then the client.

use crate::disk::{Step, describe};
use crate::history::{Creation, Partition};
use crate::outcome::{Halt, Run};
use crate::plant::Plant;
use crate::world::World;
use crate::{must, trace};
use corelane::base::ids::{TopicId, TopicPartition};
use corelane::base::offset::{Durability, LeaderEpoch};
use corelane::base::prng::Prng;
use corelane::base::storage::{FileOp, FileOpResult, FilesDone, StorageError};
use corelane::log::core_log::{PartitionSettings, Retention};
use corelane::metadata::broker_wide::BrokerWide;
use corelane::metadata::controller::ControllerSettings;
use corelane::metadata::controller::alter_configs::{AlteredResource, ConfigChange, alter_configs};
use corelane::metadata::controller::create_topics::{NewTopic, create_topics};
use corelane::metadata::controller::delete_topics::{TopicSelector, delete_topics, forget_topic};
use corelane::metadata::controller::machine::clean_shutdown_records;
use corelane::metadata::controller::producer_ids::allocate_producer_ids;
use corelane::metadata::delta::Delta;
use corelane::metadata::image::Image;
use corelane::metadata::log::MetadataLog;
use corelane::metadata::record::ResourceType;
use corelane::metadata::topic_config::TopicSettings;
use corelane::metadata::topics::Topic;
use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

const TOPICS_MAX: u64 = 6;

struct MetadataJob {
    ops: Vec<FileOp>,
    step: Option<Step>,
    results: Vec<FileOpResult>,
}

/// An image on its way to the cores.
struct Published {
    image: Arc<Image>,
    delta: Delta,
    /// Cores that have it in force.
    applied: Vec<bool>,
}

/// See the module. Lives as long as a run of the machine.
pub struct Catalog {
    pub log: MetadataLog,
    settings: ControllerSettings,
    wide: BrokerWide,
    entropy: Prng,
    job: Option<MetadataJob>,
    published: VecDeque<Published>,
    /// A block of producer ids that is not durable yet, and the end offset at which it is.
    block: Option<(u64, Range<i64>)>,
}

impl Catalog {
    pub fn new(log: MetadataLog, defaults: &corelane::base::config::TopicDefaults, seed: u64) -> Catalog {
        Catalog {
            settings: ControllerSettings::new(defaults, log.image()),
            log,
            wide: BrokerWide::new(defaults),
            entropy: Prng::new(seed),
            job: None,
            published: VecDeque::new(),
            block: None,
        }
    }

    fn partition_settings(&self, topic: &Topic) -> PartitionSettings {
        let TopicSettings { durability, segment_bytes, segment_ms, retention_ms, retention_bytes, .. } =
            TopicSettings::of(topic, &self.wide);
        let retention = Retention { ms: retention_ms, bytes: retention_bytes };
        PartitionSettings { durability, segment_bytes, segment_ms, retention }
    }

    /// What is kept of a topic.
    pub fn retention(&self, topic: &Topic) -> Retention {
        self.partition_settings(topic).retention
    }
}

impl World {
    /// The running machine's metadata.
    pub fn catalog(&mut self) -> &mut Catalog {
        self.catalog.as_mut().expect("the machine runs")
    }

    /// Leader epoch of a live partition.
    pub fn epoch_of(&mut self, id: TopicPartition) -> LeaderEpoch {
        self.catalog().log.image().leader_epoch(id).expect("a live partition")
    }

    /// A client asks for a topic.
    pub fn create_topic(&mut self) -> Run<()> {
        let now = self.now();
        let name = format!("topic-{}", self.prng.below(TOPICS_MAX));
        let durability = match self.prng.below(10) {
            0..=1 => Durability::Device,
            2 => Durability::Memory,
            _ => Durability::Disk,
        };
        let partitions = 1 + self.prng.below(4) as i32;
        let mut configs = vec![("durability".to_string(), Some(durability.name().to_string()))];
        configs.extend(self.some_retention().into_iter().map(|(key, value)| (key.to_string(), Some(value))));
        let topic = NewTopic { name: name.clone(), partitions, replication_factor: -1, configs, ..NewTopic::default() };
        let catalog = self.catalog();
        if !catalog.log.may_grow() {
            return Ok(());
        }
        let image = catalog.log.proposed().clone();
        let decision = create_topics(&image, &catalog.settings, &[topic], false, &mut catalog.entropy);
        let Ok(created) = &decision.answer[0].outcome else { return Ok(()) };
        trace!("create {name} {} with {partitions} partitions, {durability:?}", created.id);
        catalog.log.append(decision.records, now);
        let creation = Creation { name, partitions, durability };
        self.history.creating.insert(created.id, creation);
        Ok(())
    }

    /// Half of the time no bound, else one or both.
    fn some_retention(&mut self) -> [(&'static str, String); 2] {
        let ms = if self.prng.percent(70) { -1 } else { 500 + self.prng.below(20_000) as i64 };
        let bytes = if self.prng.percent(70) { -1 } else { 40_000 + self.prng.below(300_000) as i64 };
        [("retention.ms", ms.to_string()), ("retention.bytes", bytes.to_string())]
    }

    /// A client changes what is kept of a topic.
    pub fn change_retention(&mut self) -> Run<()> {
        let Some(id) = self.pick() else { return Ok(()) };
        let now = self.now();
        let configs = self.some_retention();
        let catalog = self.catalog();
        let image = catalog.log.proposed().clone();
        let Some(topic) = image.topic(id.topic).filter(|_| catalog.log.may_grow()) else { return Ok(()) };
        let change = |(key, value): (&str, String)| ConfigChange { key: key.into(), operation: 0, value: Some(value) };
        let resource = AlteredResource {
            kind: ResourceType::Topic as i8,
            name: topic.name.clone(),
            changes: configs.into_iter().map(change).collect(),
            replace: false,
        };
        let decision = alter_configs(&image, &catalog.wide, &[resource], false);
        must!(decision.answer == [Ok(())], "{} keeps its configs: {:?}", topic.name, decision.answer);
        trace!("retention of {} changes: {:?}", topic.name, decision.records);
        if !decision.records.is_empty() {
            catalog.log.append(decision.records, now);
        }
        let changed = self.catalog().log.proposed().clone();
        let retention = self.catalog().retention(changed.topic(id.topic).expect("a live topic"));
        let here = self.history.partitions.values_mut().filter(|partition| partition.id.topic == id.topic);
        here.for_each(|partition| partition.retentions.push(retention));
        self.coverage.hit("retention changed");
        Ok(())
    }

    /// A client deletes a topic.
    pub fn delete_topic(&mut self) -> Run<()> {
        if self.regime.calm || self.history.topics().len() < 2 {
            return Ok(());
        }
        let Some(id) = self.pick() else { return Ok(()) };
        let now = self.now();
        let catalog = self.catalog();
        let image = catalog.log.proposed().clone();
        let decision = delete_topics(&image, &[TopicSelector { name: None, id: id.topic }]);
        must!(decision.answer[0].outcome.is_ok(), "{} cannot be deleted: {:?}", id.topic, decision.answer);
        trace!("delete {}", id.topic);
        catalog.log.append(decision.records, now);
        self.history.deleting.insert(id.topic);
        Ok(())
    }

    /// A producer id, once a block of them is durable; never one that was given before (J3).
    pub fn next_producer_id(&mut self) -> Option<i64> {
        if let Some(id) = self.history.producer_ids.next() {
            return Some(id);
        }
        let now = self.now();
        let catalog = self.catalog();
        if catalog.block.is_none() && catalog.log.may_grow() {
            let decision = allocate_producer_ids(catalog.log.proposed());
            let end_offset = catalog.log.append(decision.records, now);
            catalog.block = Some((end_offset, decision.answer));
        }
        None
    }

    fn take_producer_ids(&mut self, end_offset: u64) -> Run<()> {
        let Some((_, ids)) = self.catalog().block.take_if(|(wanted, _)| *wanted <= end_offset) else { return Ok(()) };
        let given = self.history.producer_ids_end;
        must!(ids.start >= given, "producer ids {ids:?} are given a second time, all below {given} were");
        self.history.producer_ids_end = ids.end;
        // Few of each block, so that a seed asks for many.
        self.history.producer_ids = ids.start..ids.start + 4;
        self.coverage.hit("producer ids allocated");
        Ok(())
    }

    /// The last trace of a deleted topic is gone: metadata may forget its id.
    pub fn forget_topic(&mut self, topic: TopicId) -> Run<()> {
        let dir = format!("topics/{topic}");
        must!(!self.disk.names_anything(&dir), "S13: {topic} is to be forgotten but {dir} is there");
        let now = self.now();
        let catalog = self.catalog();
        let records = forget_topic(catalog.log.proposed(), topic);
        catalog.log.append(records, now);
        self.history.forgetting.insert(topic);
        Ok(())
    }

    /// The metadata log goes a step further, if it has anything to do.
    pub fn step_metadata(&mut self) -> Run<bool> {
        let now = self.now();
        let Some(catalog) = &mut self.catalog else { return Ok(false) };
        if catalog.job.is_none() {
            let Some(ops) = catalog.log.poll_ops(now) else { return Ok(false) };
            for op in &ops {
                trace!("  metadata {}", describe(op));
            }
            catalog.job = Some(MetadataJob { ops, step: None, results: Vec::new() });
        }
        let job = catalog.job.as_mut().expect("just made");
        let op = &job.ops[job.results.len()];
        let result = match job.step.take() {
            None => match self.disk.begin(op) {
                Ok(step) => {
                    job.step = Some(step);
                    return Ok(true);
                }
                Err(error) => Err(error),
            },
            Some(step) => self.disk.finish(op, step),
        };
        if matches!(result, Err(StorageError::Crashed)) {
            return Err(Halt::Crashed);
        }
        let ended = result.is_err();
        job.results.push(result);
        if ended || job.results.len() == job.ops.len() {
            let job = catalog.job.take().expect("it ended");
            self.end_metadata_job(FilesDone { results: job.results })?;
        }
        Ok(true)
    }

    fn end_metadata_job(&mut self, done: FilesDone) -> Run<()> {
        let cores = self.cores.len();
        let faulty = self.faulty();
        let catalog = self.catalog();
        let committed = match catalog.log.handle_done(&done) {
            Ok(committed) => committed,
            Err(why) => {
                must!(faulty, "the metadata log failed without a fault: {why}");
                trace!("FATAL {why}");
                return Err(Halt::Crashed);
            }
        };
        catalog.log.check();
        let Some(committed) = committed else { return Ok(()) };
        trace!("metadata committed {:?}", committed.delta);
        self.take_producer_ids(committed.image.end_offset())?;
        for topic in &committed.delta.topics_deleted {
            self.history.delete(*topic);
            if self.disk.plant == Plant::S13ForgottenEarly {
                let now = self.now();
                let records = forget_topic(self.catalog().log.proposed(), *topic);
                self.catalog().log.append(records, now);
                self.history.forgetting.insert(*topic);
            }
            self.coverage.hit("topic deleted");
        }
        for topic in &committed.delta.topics_forgotten {
            self.history.forget(*topic);
            self.coverage.hit("topic forgotten");
        }
        let published = Published { image: committed.image, delta: committed.delta, applied: vec![false; cores] };
        self.catalog().published.push_back(published);
        Ok(())
    }

    /// Some core puts the oldest image that it does not have yet in force.
    pub fn deliver_image(&mut self) -> Run<bool> {
        let core = self.prng.below(self.cores.len() as u64) as usize;
        let catalog = self.catalog.as_mut().expect("the machine runs");
        let Some(published) = catalog.published.iter_mut().find(|one| !one.applied[core]) else {
            return Ok(!self.catalog().published.is_empty());
        };
        published.applied[core] = true;
        let (image, delta) = (published.image.clone(), published.delta.clone());
        for id in delta
            .partitions_created
            .iter()
            .filter(|id| image.core_of(**id).is_some_and(|one| usize::from(one.0) == core))
        {
            let settings = catalog.partition_settings(image.topic(id.topic).expect("the topic of a new partition"));
            self.cores[core].log.create_partition(*id, self.disk.plant.retention(settings, false));
        }
        for topic in delta.configs_changed.iter().filter_map(|id| image.topic(*id)) {
            let plant = self.disk.plant;
            let settings = plant.retention(self.catalog().partition_settings(topic), true);
            for id in
                topic.partition_ids().filter(|id| image.core_of(*id).is_some_and(|one| usize::from(one.0) == core))
            {
                self.cores[core].log.configure_partition(id, settings);
            }
        }
        let now_ms = self.now().monotonic_ms();
        for topic in &delta.topics_deleted {
            self.cores[core].log.delete_topic(*topic, now_ms);
        }
        self.end_turn(core)?;
        self.retire_images();
        Ok(true)
    }

    /// What all cores have in force may be used by clients.
    fn retire_images(&mut self) {
        while self.catalog().published.front().is_some_and(|one| one.applied.iter().all(|applied| *applied)) {
            let published = self.catalog().published.pop_front().expect("looked at");
            for topic in &published.delta.topics_created {
                // Perhaps it was deleted meanwhile.
                if let Some(topic) = published.image.topic(*topic)
                    && !self.history.deleted.contains(&topic.id)
                    && !self.history.forgotten.contains(&topic.id)
                {
                    self.admit_topic(topic);
                }
            }
        }
    }

    fn admit_topic(&mut self, topic: &Topic) {
        let settings = self.catalog().partition_settings(topic);
        self.history.creating.remove(&topic.id);
        self.coverage.hit("topic created");
        let image = self.catalog().log.image().clone();
        for id in topic.partition_ids() {
            let mut partition = Partition::new(id, settings);
            partition.core = image.core_of(id).map_or(0, |core| usize::from(core.0));
            self.history.partitions.insert((id.topic, id.partition), partition);
        }
    }

    /// After a start: the image must hold what was answered, and nothing that nobody asked for.
    pub fn reconcile(&mut self) -> Run<()> {
        let image = self.catalog().log.image().clone();
        let live: Vec<Arc<Topic>> = image.topics().iter().cloned().collect();
        for topic in &live {
            if self.history.topics().contains(&topic.id) {
                continue;
            }
            let creation = self.history.creating.get(&topic.id);
            must!(creation.is_some(), "topic {} is there, and nobody asked for it or it was deleted", topic.id);
            let settings = self.catalog().partition_settings(topic);
            let creation = self.history.creating.get(&topic.id).expect("looked at");
            must!(
                creation.name == topic.name
                    && creation.partitions as usize == topic.partitions.len()
                    && creation.durability == settings.durability,
                "topic {topic:?} is not what was asked for: {creation:?}"
            );
            self.admit_topic(topic);
        }
        for topic in self.history.topics() {
            if image.topic(topic).is_none() {
                must!(self.history.deleting.contains(&topic), "topic {topic} is LOST");
                self.history.delete(topic);
            }
        }
        for topic in self.history.deleted.clone() {
            if !image.deleted().contains(&topic) {
                must!(self.history.forgetting.contains(&topic), "deleted topic {topic} is forgotten too early");
                self.history.forget(topic);
            }
        }
        // Created and deleted, and no answer to either.
        self.history.deleted.extend(image.deleted().iter().copied());
        self.history.creating.clear();
        self.history.deleting.clear();
        for partition in self.history.partitions.values_mut() {
            partition.core = usize::from(image.core_of(partition.id).expect("a live partition").0);
        }
        Ok(())
    }

    /// Last part of a graceful stop.
    pub fn close_metadata(&mut self, clean: bool) -> Run<()> {
        // What is under way first: a stop takes no new records.
        let idle = self.settle(20_000, |world| Ok(!world.step_metadata()?))?;
        must!(idle || self.faulty(), "the metadata log never rests");
        let now = self.now();
        let catalog = self.catalog();
        if clean {
            let records = clean_shutdown_records(catalog.log.proposed());
            catalog.log.append(records, now);
        }
        catalog.log.begin_stop();
        let closed = self.settle(20_000, |world| {
            world.step_metadata()?;
            Ok(world.catalog().log.is_idle())
        })?;
        must!(closed || self.faulty(), "the metadata log does not close");
        Ok(())
    }
}
