//! Modules that name each other in a circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use petgraph::algo::tarjan_scc;
use petgraph::graphmap::DiGraphMap;

use super::arrows::Arrows;

/// The groups of modules each of which reaches every other of its group, the largest first.
pub fn groups(arrows: &Arrows) -> Vec<BTreeSet<&str>> {
    groups_of(arrows.keys())
}

/// The same of some arrows.
fn groups_of<'a>(arrows: impl Iterator<Item = &'a (String, String)>) -> Vec<BTreeSet<&'a str>> {
    let pairs = arrows.map(|(from, to)| (from.as_str(), to.as_str(), ()));
    let graph = DiGraphMap::<&str, ()>::from_edges(pairs);
    let groups = tarjan_scc(&graph).into_iter();
    let groups = groups.filter(|group| group.len() > 1);
    let mut groups: Vec<BTreeSet<_>> = groups.map(|group| group.into_iter().collect()).collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    groups
}

/// How many modules are in circles.
pub fn count(arrows: &Arrows) -> usize {
    groups(arrows).iter().map(BTreeSet::len).sum()
}

/// The arrows between modules of one group.
pub fn within<'a>(
    arrows: &'a Arrows,
    group: &BTreeSet<&str>,
) -> impl Iterator<Item = &'a (String, String)> {
    let both = |(from, to): &&(String, String)| {
        group.contains(from.as_str()) && group.contains(to.as_str())
    };
    arrows.keys().filter(both)
}

/// The shortest circle that goes through an arrow: its modules, each naming the next and the last naming the first.
pub fn shortest_through<'a>(arrows: &'a Arrows, through: &'a (String, String)) -> Vec<&'a str> {
    let (first, second) = (through.0.as_str(), through.1.as_str());
    let mut next: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (from, to) in arrows.keys() {
        next.entry(from).or_default().push(to);
    }
    let mut came_from = BTreeMap::from([(second, first)]);
    let mut waiting = VecDeque::from([second]);
    while let Some(at) = waiting.pop_front() {
        for to in next.get(at).into_iter().flatten().copied() {
            if to == first {
                let back = std::iter::successors(Some(at), |at| came_from.get(at).copied());
                let mut circle: Vec<_> = back.take_while(|at| *at != first).collect();
                circle.push(first);
                circle.reverse();
                return circle;
            }
            if !came_from.contains_key(to) {
                came_from.insert(to, at);
                waiting.push_back(to);
            }
        }
    }
    Vec::new()
}

/// The shortest circle of a group.
pub fn shortest<'a>(arrows: &'a Arrows, group: &BTreeSet<&str>) -> Vec<&'a str> {
    let circles = within(arrows, group).map(|arrow| shortest_through(arrows, arrow));
    let circles = circles.filter(|circle| !circle.is_empty());
    circles.min_by_key(Vec::len).unwrap_or_default()
}

/// A way to take a module out of its circles.
#[derive(Debug)]
pub struct Cut<'a> {
    pub module: &'a str,
    /// The fewer of the arrows from it and to it.
    pub arrows: Vec<&'a (String, String)>,
    /// How many modules are in no circle any more without these arrows.
    pub frees: usize,
}

/// For each module of a group the way to take it out, the cheapest first.
pub fn cuts<'a>(arrows: &'a Arrows, group: &BTreeSet<&'a str>) -> Vec<Cut<'a>> {
    let inside: Vec<_> = within(arrows, group).collect();
    let mut cuts = Vec::new();
    for module in group {
        let from = inside.iter().filter(|(from, _)| from == module);
        let to = inside.iter().filter(|(_, to)| to == module);
        let (from, to): (Vec<_>, Vec<_>) = (from.copied().collect(), to.copied().collect());
        let cut = match to.len() < from.len() {
            true => to,
            false => from,
        };
        let left = inside.iter().filter(|arrow| !cut.contains(arrow));
        let left: usize = groups_of(left.copied()).iter().map(BTreeSet::len).sum();
        cuts.push(Cut {
            module,
            arrows: cut,
            frees: group.len() - left,
        });
    }
    cuts.sort_by_key(|cut| (cut.arrows.len(), std::cmp::Reverse(cut.frees)));
    cuts
}
