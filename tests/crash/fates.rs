//! Topics that come and go while the broker is killed: created, written, deleted, made again under the same name.

use super::support::Random;
use super::support::batch;
use super::support::client::{Connection, Failure};
use super::support::history::{History, Identity, value_of};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;

const PARTITIONS: i32 = 2;
const NAMES: u64 = 6;

#[derive(Clone, Debug, PartialEq, Eq)]
enum Fate {
    Present([u8; 16]),
    Gone,
    /// A request about it had no answer.
    Open,
}

/// Survives all restarts of one run.
#[derive(Default)]
pub struct Fates {
    topics: BTreeMap<String, Fate>,
    /// Ids of topics whose deletion was answered or seen: none may ever come back.
    dead: BTreeSet<[u8; 16]>,
    next_producer: u32,
    pub created: u64,
    pub deleted: u64,
}

impl Fates {
    /// One step: deletes a topic that is there, or creates one and writes to it. Any answer is noted.
    pub fn step(
        &mut self,
        connection: &mut Connection,
        history: &Mutex<History>,
        random: &mut Random,
    ) -> Result<(), Failure> {
        let name = format!("fate-{}", random.below(NAMES));
        match self.topics.get(&name).cloned().unwrap_or(Fate::Gone) {
            Fate::Open => Ok(()),
            Fate::Present(id) => {
                self.topics.insert(name.clone(), Fate::Open);
                connection.delete_topic(&name)?;
                self.bury(&name, id, history);
                Ok(())
            }
            Fate::Gone => {
                self.topics.insert(name.clone(), Fate::Open);
                connection.create_topic(&name, PARTITIONS, &[])?;
                let leaders = connection.leaders(&[&name])?.remove(0);
                let Some(leaders) = leaders else {
                    history.lock().expect("history").violate(format!("{name} is unknown after its creation"));
                    return Ok(());
                };
                self.appeared(&name, leaders.id, history);
                self.created += 1;
                self.write(&name, &leaders.addresses, history)
            }
        }
    }

    fn bury(&mut self, name: &str, id: [u8; 16], history: &Mutex<History>) {
        self.topics.insert(name.to_string(), Fate::Gone);
        self.dead.insert(id);
        self.deleted += 1;
        history.lock().expect("history").forget_topic(name);
    }

    fn appeared(&mut self, name: &str, id: [u8; 16], history: &Mutex<History>) {
        let mut history = history.lock().expect("history");
        if self.dead.contains(&id) {
            history.violate(format!("{name}: a deleted topic is back"));
        }
        self.topics.insert(name.to_string(), Fate::Present(id));
        for partition in 0..PARTITIONS {
            history.partition(name, partition);
        }
    }

    fn write(&mut self, name: &str, addresses: &[String], history: &Mutex<History>) -> Result<(), Failure> {
        for (partition, address) in addresses.iter().enumerate() {
            let partition = partition as i32;
            // Far from the numbers of the other producers.
            let producer = 1_000_000 + self.next_producer;
            self.next_producer += 1;
            let mut connection = Connection::open(address)?;
            for number in 0..3 {
                let record = Identity { producer, number };
                let offset =
                    connection.produce(name, partition, batch::encode(None, &[value_of(record, partition)]))?;
                history.lock().expect("history").acknowledge(name, partition, offset, &[record]);
            }
        }
        Ok(())
    }

    /// After a restart: what was answered must have stayed, what is open gets its answer from what is served.
    pub fn verify(&mut self, connection: &mut Connection, history: &Mutex<History>) -> Result<(), Failure> {
        let names: Vec<String> = self.topics.keys().cloned().collect();
        let asked: Vec<&str> = names.iter().map(String::as_str).collect();
        let found = connection.leaders(&asked)?;
        for (name, found) in names.iter().zip(found) {
            let fate = self.topics[name].clone();
            match (fate, found) {
                (Fate::Gone, None) => {}
                (Fate::Open, None) => {
                    self.topics.insert(name.clone(), Fate::Gone);
                    history.lock().expect("history").forget_topic(name);
                }
                (Fate::Open, Some(leaders)) => self.appeared(name, leaders.id, history),
                (Fate::Present(id), Some(leaders)) if id == leaders.id => {}
                (fate, found) => {
                    let text = format!("{name} was {fate:?} before the crash and is {found:?} now");
                    history.lock().expect("history").violate(text);
                }
            }
        }
        Ok(())
    }
}
