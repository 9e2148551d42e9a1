//! Looks through chains: what was edited, removed, reordered or cut.

use std::collections::BTreeMap;
use std::fmt;

use serde_json::Value;

use super::chain::{Checkpoint, GENESIS, Link, digest};

/// Before the name of a chain, in the details of an entry that names the state of chains.
pub const CHAIN: &str = "chain:";
/// Numbers around its own under which an entry that does not fit is looked for.
const AROUND: u64 = 10_000;

/// What is wrong at one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Flaw {
    /// The entry is not what its digest says.
    Edited,
    /// It has the digest of another number.
    Reordered {
        /// The number that it was written with.
        was: u64,
    },
    /// Entries are gone, up to this one.
    Missing {
        /// The last that is gone.
        through: u64,
    },
    /// It follows another entry than the one that stands before it: that one was exchanged.
    Unlinked,
    /// The chain ends before this number, which somebody has seen.
    Cut {
        /// The last one there is; 0: the whole chain is gone.
        last: u64,
        /// Who has seen it.
        seen_by: String,
    },
    /// No chain has it, and nobody said whose it is.
    Unknown {
        /// Who has seen it.
        seen_by: String,
    },
    /// It is not the entry that somebody has seen under its number.
    Exchanged {
        /// Who has seen another one.
        seen_by: String,
    },
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Edited => f.write_str("edited: it is not what its hash says"),
            Self::Reordered { was } => write!(f, "re-ordered: it was written as number {was}"),
            Self::Missing { through } => write!(
                f,
                "missing: entries up to {through} are gone, and no pruning says so"
            ),
            Self::Unlinked => f.write_str(
                "it does not follow the entry before it: that one was exchanged, or the chain was written anew from here",
            ),
            Self::Cut { last, seen_by } => write!(
                f,
                "cut: {seen_by} has seen it, and the chain ends with number {last}"
            ),
            Self::Unknown { seen_by } => write!(
                f,
                "unknown: {seen_by} has seen it and no chain has it; say whose it is, as HOST/SEQ:HASH"
            ),
            Self::Exchanged { seen_by } => write!(
                f,
                "exchanged: {seen_by} has seen another hash under this number, so the chain was written anew, or the database is an older state of itself that was put back"
            ),
        }
    }
}

/// The first place of a chain that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose chain.
    pub host: String,
    /// Number of the entry.
    pub seq: u64,
    /// What is wrong.
    pub flaw: Flaw,
}

/// The end of a chain: what one keeps elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Whose chain.
    pub host: String,
    /// Its first entry that is kept.
    pub first: u64,
    /// Its last entry.
    pub last: Checkpoint,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The chains there are.
    pub heads: Vec<Head>,
    /// What is wrong, one place for each chain at most.
    pub faults: Vec<Fault>,
    /// What is to be known and is not wrong.
    pub notes: Vec<String>,
}

struct Chain {
    first: u64,
    /// What the first entry says of the one before it.
    before: String,
    hashes: Vec<String>,
    fault: Option<Fault>,
}

impl Chain {
    fn last(&self) -> u64 {
        self.first + (self.hashes.len() as u64).saturating_sub(1)
    }

    fn hash(&self, seq: u64) -> Option<&str> {
        let index = usize::try_from(seq.checked_sub(self.first)?).ok()?;
        self.hashes.get(index).map(String::as_str)
    }
}

/// What somebody says of a chain.
struct Claim {
    host: Option<String>,
    at: Checkpoint,
    by: String,
}

/// Reads chains entry by entry, each chain in the order of its numbers.
#[derive(Default)]
pub struct Verifier {
    chains: BTreeMap<String, Chain>,
    /// Where chains begin after entries were pruned.
    beginnings: Vec<(String, Checkpoint)>,
    claims: Vec<Claim>,
    notes: Vec<String>,
}

impl fmt::Debug for Verifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verifier").finish_non_exhaustive()
    }
}

impl Verifier {
    /// Nothing read yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Holds the chains against an entry that was seen elsewhere; of whichever chain has it, where no host is named.
    pub fn anchor(&mut self, host: Option<String>, at: Checkpoint) {
        let by = format!("the anchor {at}");
        self.claims.push(Claim { host, at, by });
    }

    /// An entry that cannot be read, or is kept beside columns that say something else.
    pub fn edited(&mut self, host: &str, seq: u64) {
        let chain = self.chain(host, seq, GENESIS);
        fault(chain, host, seq, Flaw::Edited);
    }

    /// The next entry.
    pub fn link(&mut self, link: &Link) {
        let (host, seq) = (link.host.as_str(), link.seq);
        let chain = self.chain(host, seq, &link.previous);
        if chain.fault.is_some() {
            return;
        }
        let next = chain.first + chain.hashes.len() as u64;
        if seq != next {
            let through = seq.saturating_sub(1).max(next);
            fault(chain, host, next, Flaw::Missing { through });
            return;
        }
        if digest(&link.previous, seq, link.entry.get()) != link.hash {
            let flaw = match written_as(link) {
                Some(was) => Flaw::Reordered { was },
                None => Flaw::Edited,
            };
            fault(chain, host, seq, flaw);
            return;
        }
        if chain
            .hashes
            .last()
            .is_some_and(|last| *last != link.previous)
        {
            fault(chain, host, seq, Flaw::Unlinked);
            return;
        }
        chain.hashes.push(link.hash.clone());
        self.listen(link);
    }

    fn chain(&mut self, host: &str, seq: u64, previous: &str) -> &mut Chain {
        self.chains.entry(host.to_owned()).or_insert_with(|| Chain {
            first: seq,
            before: previous.to_owned(),
            hashes: Vec::new(),
            fault: None,
        })
    }

    /// What an entry that fits says of chains.
    fn listen(&mut self, link: &Link) {
        let Ok(entry) = serde_json::from_str::<Value>(link.entry.get()) else {
            return;
        };
        let action = entry.pointer("/action").and_then(Value::as_str);
        let named = |entry: &Value| -> Vec<(String, Checkpoint)> {
            let details = entry.pointer("/details").and_then(Value::as_object);
            let details = details.into_iter().flatten();
            details
                .filter_map(|(key, value)| {
                    let at = Checkpoint::parse(value.as_str()?)?;
                    Some((key.strip_prefix(CHAIN)?.to_owned(), at))
                })
                .collect()
        };
        match action {
            Some("audit-pruned") => self.beginnings.extend(named(&entry)),
            Some("host-started") => {
                let by = format!("entry {} of {}", link.seq, link.host);
                self.claims
                    .extend(named(&entry).into_iter().map(|(host, at)| Claim {
                        host: Some(host),
                        at,
                        by: by.clone(),
                    }));
            }
            Some("database-restored") => {
                let at = entry.pointer("/at").and_then(Value::as_str);
                self.notes.push(format!(
                    "entry {} of {}: a backup was put in the place of the database at {}; what had been written after the backup is in the file that was set aside",
                    link.seq,
                    link.host,
                    at.unwrap_or_default()
                ));
            }
            _ => {}
        }
    }

    /// What was found.
    #[must_use]
    pub fn finish(mut self) -> Report {
        for (host, chain) in &mut self.chains {
            if chain.fault.is_some() {
                continue;
            }
            let pruned = |(of, at): &(String, Checkpoint)| {
                of == host && at.seq + 1 == chain.first && at.hash == chain.before
            };
            let whole = chain.first == 1 && chain.before == GENESIS;
            if whole || self.beginnings.iter().any(pruned) {
                continue;
            }
            let (seq, flaw) = match chain.first {
                0 | 1 => (1, Flaw::Unlinked),
                first => (1, Flaw::Missing { through: first - 1 }),
            };
            fault(chain, host, seq, flaw);
        }
        let mut report = Report {
            notes: std::mem::take(&mut self.notes),
            ..Report::default()
        };
        for claim in std::mem::take(&mut self.claims) {
            self.hold(&claim, &mut report);
        }
        for (host, chain) in self.chains {
            report.faults.extend(chain.fault.clone());
            if let Some(hash) = chain.hashes.last() {
                report.heads.push(Head {
                    host,
                    first: chain.first,
                    last: Checkpoint {
                        seq: chain.last(),
                        hash: hash.clone(),
                    },
                });
            }
        }
        report
    }

    /// Holds a claim against the chain that it is about.
    fn hold(&mut self, claim: &Claim, report: &mut Report) {
        let Checkpoint { seq, hash } = &claim.at;
        let host = match &claim.host {
            Some(host) => host.clone(),
            None => {
                if self
                    .chains
                    .values()
                    .any(|chain| chain.hash(*seq) == Some(hash.as_str()))
                {
                    return;
                }
                let mut hosts = self.chains.keys();
                match (hosts.next(), hosts.next()) {
                    (Some(host), None) => host.clone(),
                    _ => {
                        report.faults.push(Fault {
                            host: "whichever host".to_owned(),
                            seq: *seq,
                            flaw: Flaw::Unknown {
                                seen_by: claim.by.clone(),
                            },
                        });
                        return;
                    }
                }
            }
        };
        let seen_by = claim.by.clone();
        let Some(chain) = self.chains.get_mut(&host) else {
            let pruned = |(of, at): &(String, Checkpoint)| *of == host && at.seq >= *seq;
            if !self.beginnings.iter().any(pruned) {
                report.faults.push(Fault {
                    host,
                    seq: *seq,
                    flaw: Flaw::Cut { last: 0, seen_by },
                });
            }
            return;
        };
        if chain.fault.is_some() {
            return;
        }
        let last = chain.last();
        if *seq > last {
            fault(chain, &host, last + 1, Flaw::Cut { last, seen_by });
        } else if *seq + 1 < chain.first {
            report.notes.push(format!(
                "{seen_by}: entry {seq} of {host} was pruned, so it proves nothing any more"
            ));
        } else {
            let known = match *seq + 1 == chain.first {
                true => Some(chain.before.as_str()),
                false => chain.hash(*seq),
            };
            if known != Some(hash.as_str()) {
                fault(chain, &host, *seq, Flaw::Exchanged { seen_by });
            }
        }
    }
}

/// Keeps the first fault of a chain.
fn fault(chain: &mut Chain, host: &str, seq: u64, flaw: Flaw) {
    chain.fault.get_or_insert_with(|| Fault {
        host: host.to_owned(),
        seq,
        flaw,
    });
}

/// The number that an entry was written with, where that is another one.
fn written_as(link: &Link) -> Option<u64> {
    let from = link.seq.saturating_sub(AROUND).max(1);
    let to = link.seq.saturating_add(AROUND);
    (from..=to).find(|seq| digest(&link.previous, *seq, link.entry.get()) == link.hash)
}
