//! Strongly connected components by Tarjan's algorithm, without recursion: a chain of recipes
//! may be longer than a thread's stack is deep.

/// Where the edges of each node lead, all in one list.
#[derive(Debug)]
pub(super) struct Targets {
    /// Where those of each node end.
    ends: Vec<usize>,
    all: Vec<u32>,
}

impl Targets {
    pub(super) fn with_capacity(nodes: usize) -> Self {
        Self {
            ends: Vec::with_capacity(nodes),
            all: Vec::new(),
        }
    }

    /// Adds a target of the node that is not finished yet.
    pub(super) fn push(&mut self, target: u32) {
        self.all.push(target);
    }

    /// Goes on to the next node. Targets that were added twice are kept once.
    pub(super) fn finish(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0);
        self.all[start..].sort_unstable();
        let mut end = start;
        for position in start..self.all.len() {
            if end == start || self.all[end - 1] != self.all[position] {
                self.all[end] = self.all[position];
                end += 1;
            }
        }
        self.all.truncate(end);
        self.ends.push(end);
    }

    pub(super) fn of(&self, node: u32) -> &[u32] {
        &self.all[self.range(node)]
    }

    fn range(&self, node: u32) -> std::ops::Range<usize> {
        let node = node as usize;
        let start = node.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[node]
    }
}

/// Not visited yet.
const UNVISITED: u32 = u32::MAX;

/// The components, each sorted, each after all those that its members lead to.
pub(super) fn find(targets: &Targets) -> Vec<Vec<u32>> {
    let unvisited = Node {
        number: UNVISITED,
        low: 0,
        is_open: false,
    };
    let mut search = Search {
        visited: 0,
        nodes: vec![unvisited; targets.ends.len()],
        open: Vec::new(),
        components: Vec::new(),
    };
    let mut path: Vec<(u32, std::ops::Range<usize>)> = Vec::new();
    for (start, _) in (0..).zip(&targets.ends) {
        if search.is_visited(start) {
            continue;
        }
        search.enter(start);
        path.push((start, targets.range(start)));
        while let Some((node, rest)) = path.last_mut() {
            let node = *node;
            match rest.next().map(|position| targets.all[position]) {
                Some(target) if !search.is_visited(target) => {
                    search.enter(target);
                    path.push((target, targets.range(target)));
                }
                Some(target) => search.see(node, target),
                None => {
                    path.pop();
                    search.leave(node);
                    if let Some((before, _)) = path.last() {
                        search.pass_up(node, *before);
                    }
                }
            }
        }
    }
    search.components
}

struct Search {
    visited: u32,
    nodes: Vec<Node>,
    /// Visited nodes whose component is not known yet, in the order of their numbers.
    open: Vec<u32>,
    components: Vec<Vec<u32>>,
}

#[derive(Debug, Clone, Copy)]
struct Node {
    /// In the order of the visits.
    number: u32,
    /// The least number known to be in the same component.
    low: u32,
    is_open: bool,
}

impl Search {
    fn is_visited(&self, node: u32) -> bool {
        self.nodes[node as usize].number != UNVISITED
    }

    fn enter(&mut self, node: u32) {
        self.nodes[node as usize] = Node {
            number: self.visited,
            low: self.visited,
            is_open: true,
        };
        self.visited += 1;
        self.open.push(node);
    }

    fn see(&mut self, node: u32, target: u32) {
        let target = self.nodes[target as usize];
        if target.is_open {
            self.lower(node, target.number);
        }
    }

    fn pass_up(&mut self, node: u32, before: u32) {
        let node = self.nodes[node as usize];
        if node.is_open {
            self.lower(before, node.low);
        }
    }

    fn lower(&mut self, node: u32, to: u32) {
        let low = &mut self.nodes[node as usize].low;
        *low = to.min(*low);
    }

    /// All targets of a node were looked at. If none led further back, it is the first of its
    /// component, and the rest of that was opened after it.
    fn leave(&mut self, node: u32) {
        let Node { number, low, .. } = self.nodes[node as usize];
        if low != number {
            return;
        }
        let first = self
            .open
            .iter()
            .rposition(|&open| open == node)
            .expect("a node stays open until its component is known");
        let mut members = self.open.split_off(first);
        for &member in &members {
            self.nodes[member as usize].is_open = false;
        }
        members.sort_unstable();
        self.components.push(members);
    }
}
