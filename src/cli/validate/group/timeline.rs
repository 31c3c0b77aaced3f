//! A run's events as a record has them, and what follows from them: who had which partition.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Which member has each partition, and since when nobody has.
pub struct Ownership {
    /// By partition.
    owner: Vec<Option<String>>,
    unowned_since: Vec<Option<u64>>,
    intervals: BTreeMap<String, Vec<Value>>,
}

impl Ownership {
    /// Nobody has anything.
    pub fn new(n_partitions: u32) -> Ownership {
        let n = n_partitions as usize;
        let (owner, unowned_since) = (vec![None; n], vec![Some(0); n]);
        Ownership { owner, unowned_since, intervals: BTreeMap::new() }
    }

    /// A member has exactly these partitions from now on.
    pub fn assigned(&mut self, ms: u64, member: &str, partitions: &[u32]) {
        self.lost(ms, member, |partition| !partitions.contains(&partition));
        for partition in partitions {
            let index = *partition as usize;
            if let Some(since) = self.unowned_since[index].take()
                && since < ms
            {
                let interval = json!({ "from": since, "ms": ms - since });
                self.intervals.entry(format!("p{partition}")).or_default().push(interval);
            }
            self.owner[index] = Some(member.to_owned());
        }
    }

    /// A member does not have those partitions any more.
    pub fn lost(&mut self, ms: u64, member: &str, which: impl Fn(u32) -> bool) {
        for (partition, owner) in self.owner.iter_mut().enumerate() {
            if owner.as_deref() == Some(member) && which(partition as u32) {
                *owner = None;
                self.unowned_since[partition] = Some(ms);
            }
        }
    }

    /// How long each partition had no owner.
    pub fn intervals(&self) -> Value {
        json!(self.intervals)
    }

    /// Who has each partition; nobody is null.
    pub fn final_owner(&self) -> Value {
        let mut owners = Map::new();
        for (partition, owner) in self.owner.iter().enumerate() {
            owners.insert(format!("p{partition}"), json!(owner));
        }
        Value::Object(owners)
    }
}
