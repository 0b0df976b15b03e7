//! Strongly connected components by Tarjan's algorithm, without recursion: a chain of recipes
//! may be longer than a thread's stack is deep.

/// Many sorted lists of nodes, one behind the other in one piece of memory: of each node where its
/// edges lead, or of each component its members.
#[derive(Debug)]
pub(super) struct Lists {
    /// Where each list ends.
    ends: Vec<u32>,
    all: Vec<u32>,
}

impl Lists {
    pub(super) fn with_capacity(lists: usize) -> Self {
        Self {
            ends: Vec::with_capacity(lists),
            all: Vec::with_capacity(lists),
        }
    }

    /// Adds a node to the list that is not finished yet.
    pub(super) fn push(&mut self, node: u32) {
        self.all.push(node);
    }

    /// Goes on to the next list. What was added twice is kept once.
    pub(super) fn finish(&mut self) {
        let start = self.ends.last().copied().unwrap_or(0) as usize;
        self.all[start..].sort_unstable();
        let mut end = start;
        for position in start..self.all.len() {
            if end == start || self.all[end - 1] != self.all[position] {
                self.all[end] = self.all[position];
                end += 1;
            }
        }
        self.all.truncate(end);
        let end = u32::try_from(end).expect("so many edges do not fit into memory");
        self.ends.push(end);
    }

    pub(super) fn len(&self) -> usize {
        self.ends.len()
    }

    pub(super) fn of(&self, list: u32) -> &[u32] {
        let range = self.range(list);
        &self.all[range.start as usize..range.end as usize]
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &[u32]> {
        (0..).zip(&self.ends).map(|(list, _)| self.of(list))
    }

    fn range(&self, list: u32) -> std::ops::Range<u32> {
        let list = list as usize;
        let start = list.checked_sub(1).map_or(0, |before| self.ends[before]);
        start..self.ends[list]
    }
}

/// Not visited yet.
const UNVISITED: u32 = u32::MAX;

/// The components, each sorted, each after all those that its members lead to.
pub(super) fn find(targets: &Lists) -> Lists {
    let unvisited = Node {
        number: UNVISITED,
        low: 0,
        is_open: false,
    };
    let mut search = Search {
        visited: 0,
        nodes: vec![unvisited; targets.len()],
        open: Vec::new(),
        components: Lists::with_capacity(targets.len()),
    };
    let mut path: Vec<(u32, std::ops::Range<u32>)> = Vec::new();
    for (start, _) in (0..).zip(&targets.ends) {
        if search.is_visited(start) {
            continue;
        }
        search.enter(start);
        path.push((start, targets.range(start)));
        while let Some((node, rest)) = path.last_mut() {
            let node = *node;
            match rest.next().map(|position| targets.all[position as usize]) {
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
    components: Lists,
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
        loop {
            let member = self
                .open
                .pop()
                .expect("a node stays open until its component is known");
            self.nodes[member as usize].is_open = false;
            self.components.push(member);
            if member == node {
                break;
            }
        }
        self.components.finish();
    }
}
