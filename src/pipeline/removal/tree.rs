//! The elements of a spec as a tree that can be edited: elements come and go, and what they
//! were linked with stays linked.

use crate::pipeline::{Element, PipelineSpec};

/// Elements by an id that does not change: those of the spec have their index.
pub(super) struct Tree {
    /// In the order of the spec; a parent is before its children.
    nodes: Vec<Node>,
    next_id: usize,
}

struct Node {
    id: usize,
    element: Element,
    /// The element that it is linked from; `None` for the source.
    parent: Option<usize>,
}

impl Tree {
    pub(super) fn of(spec: &PipelineSpec) -> Tree {
        let node = |(id, element): (usize, &Element)| Node {
            id,
            element: Element { from: None, ..element.clone() },
            parent: spec.upstream(id),
        };
        Tree { nodes: spec.elements.iter().enumerate().map(node).collect(), next_id: spec.elements.len() }
    }

    pub(super) fn has(&self, id: usize) -> bool {
        self.nodes.iter().any(|node| node.id == id)
    }

    fn place(&self, id: usize) -> usize {
        self.nodes.iter().position(|node| node.id == id).expect("the element was not removed")
    }

    pub(super) fn element(&self, id: usize) -> &Element {
        &self.nodes[self.place(id)].element
    }

    pub(super) fn children(&self, id: usize) -> Vec<usize> {
        self.nodes.iter().filter(|node| node.parent == Some(id)).map(|node| node.id).collect()
    }

    /// All elements that come after this one, on any branch.
    pub(super) fn below(&self, id: usize) -> Vec<usize> {
        let (mut found, mut open) = (Vec::new(), self.children(id));
        while let Some(next) = open.pop() {
            open.extend(self.children(next));
            found.push(next);
        }
        found
    }

    /// Takes an element out. What was linked from it is linked from the one before it.
    pub(super) fn remove(&mut self, id: usize) {
        let node = self.nodes.remove(self.place(id));
        for child in self.nodes.iter_mut().filter(|child| child.parent == Some(id)) {
            child.parent = node.parent;
        }
    }

    /// Takes out a step, and the converter that was put in before it.
    pub(super) fn remove_step(&mut self, id: usize) {
        let before = self.nodes[self.place(id)].parent;
        self.remove(id);
        let Some(before) = before else { return };
        let element = self.element(before);
        if element.factory == "videoconvert" && element.name.is_none() {
            self.remove(before);
        }
    }

    pub(super) fn replace(&mut self, id: usize, element: Element) {
        let place = self.place(id);
        self.nodes[place].element = element;
    }

    /// Puts an element after another, before all that is linked from that. Its id.
    pub(super) fn insert_after(&mut self, id: usize, element: Element) -> usize {
        let new = self.next_id;
        self.next_id += 1;
        for child in self.nodes.iter_mut().filter(|child| child.parent == Some(id)) {
            child.parent = Some(new);
        }
        let place = self.place(id) + 1;
        self.nodes.insert(place, Node { id: new, element, parent: Some(id) });
        new
    }

    /// The spec with these elements, and where its streams' sinks are.
    pub(super) fn spec(self, spec: &PipelineSpec, sinks: &[usize]) -> (PipelineSpec, Vec<usize>) {
        let place = |id: usize| self.place(id);
        let sinks: Vec<usize> = sinks.iter().map(|sink| place(*sink)).collect();
        let [delivery, ingress, decoder] =
            [spec.delivery, spec.ingress, spec.decoder].map(|index| index.map(place));
        let sink = place(spec.sink);
        let element = |(at, node): (usize, &Node)| {
            let from = node.parent.map(place);
            let follows = from == at.checked_sub(1);
            Element { from: from.filter(|_| !follows), ..node.element.clone() }
        };
        let elements = self.nodes.iter().enumerate().map(element).collect();
        (PipelineSpec { elements, delivery, ingress, decoder, sink, ..spec.clone() }, sinks)
    }
}
