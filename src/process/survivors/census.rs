//! Who is there: every record, leaf and process of one daemon, each held against the others.
//!
//! ```text
//!   records ───────┐
//!   leaves ────────┼─▶ numbers ─▶ one look at each ─▶ a verdict for each record ─▶ found, void
//!   /proc, once ───┘                                  and for each process without ─▶ found, strange
//! ```
//!
//! The pass over `/proc` finds what no record names: somebody removed the records, one is torn, or the daemon died between starting
//! a process and writing down its number.

use std::{
    collections::{BTreeMap, BTreeSet},
    ffi::OsStr,
    fs, io,
    net::SocketAddr,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

use super::rebuilt;
use crate::{
    connector::{Generation, SlotId},
    process::{
        cgroup::Leaf,
        command_line::INSTANCE,
        generation_record::{Content, FOLDER, GenerationRecord},
        identity::{Evidence, Instance, Owner, Seen, Sighting, Verdict, is_born_from, judge, variable},
    },
    whole_file::Keep,
};

/// What was found.
#[derive(Default)]
pub(in crate::process) struct Census {
    /// Processes that are, or may be, a generation's.
    pub(in crate::process) found: Vec<Found>,
    /// Records of processes that are gone.
    pub(in crate::process) void: Vec<PathBuf>,
    /// What a daemon was writing when it died; the records themselves are whole.
    pub(in crate::process) unfinished: Vec<PathBuf>,
    /// Records that cannot be read and that no process was found for, and why.
    pub(in crate::process) unreadable: Vec<(PathBuf, io::Error)>,
    /// Processes that look like connectors and cannot be told which, and why.
    pub(in crate::process) strange: Vec<(u32, String)>,
    /// Leaves of connectors that are gone.
    pub(in crate::process) deserted: Vec<Leaf>,
}

/// A process of a generation.
pub(in crate::process) struct Found {
    pub(in crate::process) slot: SlotId,
    pub(in crate::process) content: Content,
    /// Where its record is, or belongs.
    pub(in crate::process) path: PathBuf,
    /// Whether its record was there and could be read.
    pub(in crate::process) is_recorded: bool,
    pub(in crate::process) sighting: Sighting,
    /// Whether it is proved to be the generation's. Where it is not it may be.
    pub(in crate::process) is_proved: bool,
    /// The leaf that it is in.
    pub(in crate::process) leaf: Option<Leaf>,
}

struct Recorded {
    slot: SlotId,
    content: Content,
    path: PathBuf,
}

impl Census {
    /// Looks at everything once. It blocks for as long as reading a few files for each process of the daemon's user takes.
    pub(in crate::process) fn take(owner: &Owner) -> io::Result<Self> {
        let mut census = Self::default();
        let folder = owner.private.join(FOLDER);
        let records = census.read_records(&folder)?;
        let leaves = match &owner.subtree {
            // Records and instance ids find the same processes.
            Some(subtree) => subtree.leaves().unwrap_or_default(),
            None => Vec::new(),
        };
        let mut sightings = census.sight(&numbers(owner, &records, &leaves)?);
        census.judge_records(owner, records, &mut sightings);
        census.judge_unrecorded(owner, &folder, &leaves, &mut sightings);
        let found: BTreeSet<&Path> = census.found.iter().map(|found| found.path.as_path()).collect();
        census.unreadable.retain(|(path, _)| !found.contains(path.as_path()));
        census.void.retain(|path| !found.contains(path.as_path()));
        census.settle_leaves(owner, leaves, &sightings);
        Ok(census)
    }

    fn read_records(&mut self, folder: &Path) -> io::Result<Vec<Recorded>> {
        let mut records = Vec::new();
        let entries = match fs::read_dir(folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(records),
            entries => entries?,
        };
        for entry in entries {
            let path = entry?.path();
            match path.extension().and_then(OsStr::to_str) {
                Some("json") => {}
                Some(_) if Keep::ThisBoot.left_unfinished(&path) => {
                    self.unfinished.push(path);
                    continue;
                }
                // It died before it wrote the record: nothing was started with this.
                Some("config") if !path.with_extension("json").exists() => {
                    self.unfinished.push(path);
                    continue;
                }
                Some(_) | None => continue,
            }
            match read(&path) {
                Ok((slot, content)) => records.push(Recorded { slot, content, path }),
                Err(error) => self.unreadable.push((path, error)),
            }
        }
        Ok(records)
    }

    fn sight(&mut self, numbers: &BTreeSet<u32>) -> BTreeMap<u32, Sighting> {
        let mut sightings = BTreeMap::new();
        for number in numbers {
            match Sighting::of(*number) {
                Ok(sighting) => sightings.extend(sighting.map(|sighting| (*number, sighting))),
                Err(error) => self.strange.push((*number, format!("it cannot be looked at: {error}"))),
            }
        }
        sightings
    }

    fn judge_records(&mut self, owner: &Owner, records: Vec<Recorded>, sightings: &mut BTreeMap<u32, Sighting>) {
        let mut by_instance: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        let mut by_cgroup: BTreeMap<String, Vec<u32>> = BTreeMap::new();
        for (pid, sighting) in &*sightings {
            by_instance.entry(sighting.seen.instance.clone().unwrap_or_default()).or_default().push(*pid);
            by_cgroup.entry(sighting.seen.cgroup.clone().unwrap_or_default()).or_default().push(*pid);
        }
        for Recorded { slot, content, path } in records {
            if content.boot_id != owner.boot_id {
                self.void.push(path);
                continue;
            }
            let named = content.process.map(|process| process.pid);
            let carrying = by_instance.get(&content.instance).into_iter().flatten().copied();
            let housed = content.leaf.as_ref().and_then(|leaf| by_cgroup.get(leaf)).into_iter().flatten().copied();
            let candidates = named.into_iter().chain(carrying).chain(housed);
            let judged = candidates.filter_map(|pid| {
                let seen = &sightings.get(&pid)?.seen;
                Some((judge(&content, seen, owner.user), pid))
            });
            // Of several the best; the one that the record names comes first.
            let best = judged.reduce(|best, next| if next.0 > best.0 { next } else { best });
            match best {
                Some((verdict @ (Verdict::Proved | Verdict::Unproved), pid)) => {
                    let sighting = sightings.remove(&pid).expect("it was judged by its sighting");
                    let is_proved = verdict == Verdict::Proved;
                    self.found.push(Found { slot, content, path, is_recorded: true, sighting, is_proved, leaf: None });
                }
                Some((Verdict::Stranger, _)) | None => self.void.push(path),
            }
        }
    }

    /// Processes that no record speaks of, by what they carry and where they are.
    fn judge_unrecorded(&mut self, owner: &Owner, folder: &Path, leaves: &[Leaf], sightings: &mut BTreeMap<u32, Sighting>) {
        let leaves: BTreeMap<&str, &Leaf> = leaves.iter().map(|leaf| (leaf.path(), leaf)).collect();
        let mut known: BTreeSet<(SlotId, Generation)> =
            self.found.iter().map(|found| (found.slot.clone(), found.content.generation)).collect();
        // What a connector started is not looked for: it goes with the connector.
        let leaders: Vec<u32> =
            sightings.values().filter(|sighting| sighting.seen.leads_session).map(|sighting| sighting.seen.pid).collect();
        for pid in leaders {
            let Some(sighting) = sightings.get(&pid) else { continue };
            let leaf = sighting.seen.cgroup.as_deref().and_then(|path| leaves.get(path)).copied();
            let Some((slot, generation, verdict)) = judge_alone(owner, &sighting.seen, leaf) else { continue };
            if !known.insert((slot.clone(), generation)) {
                self.strange.push((pid, format!("generation {generation} of {slot} is another process's")));
                continue;
            }
            let Some(metrics) = sighting.argument::<SocketAddr>("--metrics") else {
                self.strange.push((pid, format!("generation {generation} of {slot} does not say where its metrics are")));
                continue;
            };
            let content = rebuilt::content(owner, &slot, generation, sighting, metrics);
            let path = folder.join(format!("{}.json", Content::stem(&slot, generation)));
            let sighting = sightings.remove(&pid).expect("it was just looked up");
            let is_proved = verdict == Verdict::Proved;
            self.found.push(Found { slot, content, path, is_recorded: false, sighting, is_proved, leaf: None });
        }
    }

    /// Gives each leaf to its connector. What is in a leaf whose connector is gone was started by that connector.
    fn settle_leaves(&mut self, owner: &Owner, leaves: Vec<Leaf>, sightings: &BTreeMap<u32, Sighting>) {
        let mut inhabitants: BTreeMap<String, usize> = BTreeMap::new();
        for (index, found) in self.found.iter().enumerate() {
            if let Some(cgroup) = &found.sighting.seen.cgroup {
                inhabitants.entry(cgroup.clone()).or_insert(index);
            }
        }
        for leaf in leaves {
            if let Some(index) = inhabitants.get(leaf.path()) {
                self.found[*index].leaf = Some(leaf);
                continue;
            }
            let is_left_over = |pid: &u32| {
                let seen = sightings.get(pid).map(|sighting| &sighting.seen);
                seen.is_some_and(|seen| !seen.leads_session && carries_of_leaf(owner, seen, &leaf))
            };
            if leaf.processes().is_ok_and(|inside| inside.iter().all(is_left_over)) {
                self.deserted.push(leaf);
            }
        }
    }
}

fn read(path: &Path) -> io::Result<(SlotId, Content)> {
    let content = GenerationRecord::read(path)?;
    let slot = content.slot().filter(|slot| path.file_stem() == Some(OsStr::new(&Content::stem(slot, content.generation))));
    let slot = slot.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "it is about another generation than its name"))?;
    Ok((slot, content))
}

/// The processes to look at.
fn numbers(owner: &Owner, records: &[Recorded], leaves: &[Leaf]) -> io::Result<BTreeSet<u32>> {
    let recorded = records.iter().filter(|record| record.content.boot_id == owner.boot_id);
    let mut numbers: BTreeSet<u32> = recorded.filter_map(|record| Some(record.content.process?.pid)).collect();
    for leaf in leaves {
        numbers.extend(leaf.processes().unwrap_or_default());
    }
    for entry in fs::read_dir("/proc")? {
        // Processes come and go meanwhile.
        let Ok(entry) = entry else { continue };
        let Some(number) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
        if numbers.contains(&number) {
            continue; // it is looked at in any case
        }
        let is_our_users = entry.metadata().is_ok_and(|metadata| metadata.uid() == owner.user);
        let carries = || {
            let environment = fs::read(entry.path().join("environ")).unwrap_or_default();
            variable(&environment, INSTANCE).is_some_and(|instance| owner.home.is_in(instance))
        };
        if is_our_users && carries() {
            numbers.insert(number);
        }
    }
    Ok(numbers)
}

/// What to make of a process that no record speaks of.
fn judge_alone(owner: &Owner, seen: &Seen, leaf: Option<&Leaf>) -> Option<(SlotId, Generation, Verdict)> {
    let instance = seen.instance.as_deref().filter(|_| seen.is_near).and_then(|instance| owner.home.parse(instance));
    let Some(instance) = instance else {
        let leaf = leaf?;
        return Some((leaf.slot().clone(), leaf.generation(), Verdict::Unproved));
    };
    let evidence = Evidence {
        birth: is_born_from(instance.begun, seen.start_time),
        leaf: leaf.is_some_and(|leaf| is_of_leaf(&instance, leaf)),
        instance: true,
    };
    Some((instance.slot, instance.generation, evidence.verdict(seen.user == owner.user)))
}

fn carries_of_leaf(owner: &Owner, seen: &Seen, leaf: &Leaf) -> bool {
    let instance = seen.instance.as_deref().and_then(|instance| owner.home.parse(instance));
    instance.is_some_and(|instance| is_of_leaf(&instance, leaf))
}

fn is_of_leaf(instance: &Instance, leaf: &Leaf) -> bool {
    (&instance.slot, instance.generation) == (leaf.slot(), leaf.generation())
}
