//! The topics of a run: found or made before, deleted afterwards if they were made.

use crate::cli::bench::flags::{TopicFlags, Workload};
use crate::cli::ending::{Trouble, complain};
use crate::cli::moment;
use crate::client::cluster::{Cluster, Topic, topic_words};
use crate::client::failure::{Cause, Failure};
use crate::client::offsets::{self, Asked};
use crate::client::topics::{self, NewTopic};
use std::collections::BTreeSet;

/// See the module.
pub(super) struct RunTopics {
    pub(super) all: Vec<Topic>,
    made: Vec<String>,
    keep: bool,
}

/// Topics that are created by one request.
const TOPICS_AT_ONCE: usize = 200;

impl RunTopics {
    /// Finds those that exist, and creates the others.
    pub(super) fn prepare(
        cluster: &mut Cluster,
        flags: TopicFlags,
        workload: &Workload,
        mode: &str,
    ) -> Result<RunTopics, Trouble> {
        let TopicFlags { topic, partitions, replicas, configs, keep, .. } = flags;
        let name = topic.unwrap_or_else(|| format!("bench-{mode}-{}-{}", moment::now(), std::process::id()));
        let names: Vec<String> = match workload.topics {
            1 => vec![name],
            many => (0..many).map(|number| format!("{name}-{number}")).collect(),
        };
        let mut found = RunTopics { all: Vec::new(), made: Vec::new(), keep };
        let new = |name: &String| NewTopic {
            name: name.clone(),
            partitions: workload.partitions,
            replicas,
            configs: configs.clone(),
        };
        match found.fill(cluster, &names, new) {
            Ok(()) => {}
            Err(failure) => {
                found.clear(cluster);
                return Err(failure.into());
            }
        }
        let is_other =
            |topic: &&Topic| partitions.is_some_and(|typed| topic.partitions.len() as i64 != i64::from(typed));
        if let Some(topic) = found.all.iter().find(is_other) {
            let has = topic.partitions.len();
            let why = format!("it exists with {has} partitions; leave --partitions out, or use another topic");
            return Err(Failure::here(why).about(topic_words(&topic.name)).into());
        }
        Ok(found)
    }

    fn fill(
        &mut self,
        cluster: &mut Cluster,
        names: &[String],
        new: impl Fn(&String) -> NewTopic,
    ) -> Result<(), Failure> {
        for names in names.chunks(TOPICS_AT_ONCE) {
            let asked: Vec<&str> = names.iter().map(String::as_str).collect();
            let known = cluster.metadata(Some(&asked), false)?;
            let exists = |name: &str| known.iter().any(|topic| topic.name == name && topic.error == 0);
            let missing: Vec<NewTopic> = names.iter().filter(|name| !exists(name)).map(&new).collect();
            if missing.is_empty() {
                continue;
            }
            for verdict in topics::create(cluster, &missing, false)? {
                verdict.result?;
                self.made.push(verdict.topic);
            }
        }
        let made: BTreeSet<&String> = self.made.iter().collect();
        for name in names {
            let topic = cluster.topic(name, false)?;
            if made.contains(name) {
                lead(cluster, &topic)?;
            }
            self.all.push(topic);
        }
        Ok(())
    }

    /// All were made for this run.
    pub(super) fn is_new(&self) -> bool {
        self.made.len() == self.all.len()
    }

    /// Deletes what was made, unless it is to stay. What cannot be deleted is said, and changes nothing else.
    pub(super) fn clear(&mut self, cluster: &mut Cluster) {
        let made = std::mem::take(&mut self.made);
        for names in made.chunks(TOPICS_AT_ONCE).filter(|_| !self.keep) {
            let failure = match topics::delete(cluster, names) {
                Ok(verdicts) => verdicts.into_iter().find_map(|verdict| verdict.result.err()),
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                // A broker that is gone has been complained about already.
                let why = match failure.cause {
                    Cause::Connection(_) => "the broker is gone".to_string(),
                    _ => failure.to_string(),
                };
                return complain(format_args!(
                    "{} of this run could not be deleted: {why}",
                    topic_words(&names.join(", "))
                ));
            }
        }
    }
}

/// Waits until the leaders of a new topic say so themselves: a broker shows them to clients before they know, and for some
/// milliseconds they refuse what a load would already send.
fn lead(cluster: &mut Cluster, topic: &Topic) -> Result<(), Failure> {
    let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
    cluster.persist(|cluster| offsets::of_each(cluster, topic, &partitions, Asked::End)).map(drop)
}
