//! Strongly connected components by Tarjan's algorithm, without recursion: a chain of recipes
//! may be longer than a thread's stack is deep.

/// Not visited yet.
const UNVISITED: usize = usize::MAX;

/// The components, each sorted, each after all those that its members lead to.
pub(super) fn find<'nodes, Node, Targets>(
    nodes: &'nodes [Node],
    targets: impl Fn(&'nodes Node) -> Targets,
) -> Vec<Vec<usize>>
where
    Targets: Iterator<Item = usize>,
{
    let mut search = Search {
        visited: 0,
        number: vec![UNVISITED; nodes.len()],
        low: vec![0; nodes.len()],
        open: Vec::new(),
        is_open: vec![false; nodes.len()],
        components: Vec::new(),
    };
    let mut path: Vec<(usize, Targets)> = Vec::new();
    for start in 0..nodes.len() {
        if search.number[start] != UNVISITED {
            continue;
        }
        search.enter(start);
        path.push((start, targets(&nodes[start])));
        while let Some((node, rest)) = path.last_mut() {
            let node = *node;
            match rest.next() {
                Some(target) if search.number[target] == UNVISITED => {
                    search.enter(target);
                    path.push((target, targets(&nodes[target])));
                }
                Some(target) => search.see(node, target),
                None => {
                    path.pop();
                    search.leave(node);
                    if let Some((before, _)) = path.last() {
                        search.low[*before] = search.low[*before].min(search.low[node]);
                    }
                }
            }
        }
    }
    search.components
}

struct Search {
    visited: usize,
    /// When a node was first visited.
    number: Vec<usize>,
    /// The least number known to be in the same component.
    low: Vec<usize>,
    /// Visited nodes whose component is not known yet, in the order of their numbers.
    open: Vec<usize>,
    is_open: Vec<bool>,
    components: Vec<Vec<usize>>,
}

impl Search {
    fn enter(&mut self, node: usize) {
        self.number[node] = self.visited;
        self.low[node] = self.visited;
        self.visited += 1;
        self.open.push(node);
        self.is_open[node] = true;
    }

    fn see(&mut self, node: usize, target: usize) {
        if self.is_open[target] {
            self.low[node] = self.low[node].min(self.number[target]);
        }
    }

    /// All targets of a node were looked at. If none led further back, it is the first of its
    /// component, and the rest of that was opened after it.
    fn leave(&mut self, node: usize) {
        if self.low[node] != self.number[node] {
            return;
        }
        let first = self
            .open
            .iter()
            .rposition(|&open| open == node)
            .expect("a node stays open until its component is known");
        let mut members = self.open.split_off(first);
        for &member in &members {
            self.is_open[member] = false;
        }
        members.sort_unstable();
        self.components.push(members);
    }
}
