//! Trees over path segments: prefixes of services, templates of operations.

use std::collections::HashMap;
use std::hash::BuildHasherDefault;

use super::segment::{Partial, Pattern, Segments, comparable};
use super::{MAX_DEPTH, MAX_LITERAL, MAX_STEPS, Quick};

type Literals = HashMap<Box<[u8]>, u32, BuildHasherDefault<Quick>>;

/// Templates of one method; each leads to the operation's position.
#[derive(Default)]
pub(super) struct TemplateTree {
    nodes: Vec<Node>,
}

#[derive(Default)]
struct Node {
    literals: Literals,
    /// Most specific first.
    partials: Vec<(Partial, u32)>,
    variable: Option<u32>,
    operation: Option<usize>,
}

impl TemplateTree {
    /// `None` for a template that is not well formed or too long. An equal shape keeps its first operation.
    pub(super) fn insert(&mut self, template: &str, operation: usize) -> Option<()> {
        let mut segments = Segments::of(template)?;
        if self.nodes.is_empty() {
            self.nodes.push(Node::default());
        }
        let mut at = 0u32;
        let mut depth = 0;
        while let Some((segment, rest)) = segments.split() {
            depth += 1;
            if depth > MAX_DEPTH {
                return None;
            }
            at = self.child(at, Pattern::of(std::str::from_utf8(segment).ok()?)?)?;
            segments = rest;
        }
        self.nodes.get_mut(at as usize)?.operation.get_or_insert(operation);
        Some(())
    }

    fn child(&mut self, at: u32, pattern: Pattern) -> Option<u32> {
        let next = u32::try_from(self.nodes.len()).ok()?;
        let node = self.nodes.get_mut(at as usize)?;
        let child = match pattern {
            Pattern::Literal(literal) => *node.literals.entry(literal).or_insert(next),
            Pattern::Variable => *node.variable.get_or_insert(next),
            Pattern::Partial(partial) => match node.partials.iter().find(|(known, _)| *known == partial) {
                Some((_, child)) => *child,
                None => {
                    let place = node
                        .partials
                        .partition_point(|(known, _)| known.specificity() >= partial.specificity());
                    node.partials.insert(place, (partial, next));
                    next
                }
            },
        };
        if child == next {
            self.nodes.push(Node::default());
        }
        Some(child)
    }

    pub(super) fn find(&self, path: &str) -> Option<usize> {
        let mut steps = MAX_STEPS;
        self.search(self.nodes.first()?, Segments::of(path)?, &mut steps)
    }

    /// Recursion is as deep as the tree, at most [`MAX_DEPTH`].
    fn search(&self, node: &Node, segments: Segments<'_>, steps: &mut u32) -> Option<usize> {
        let Some((segment, rest)) = segments.split() else { return node.operation };
        *steps = steps.checked_sub(1)?;
        let enter = |child: u32, steps: &mut u32| self.search(self.nodes.get(child as usize)?, rest, steps);
        if let Some(child) = named(&node.literals, segment, segments.is_encoded())
            && let Some(found) = enter(child, steps)
        {
            return Some(found);
        }
        for (partial, child) in &node.partials {
            let mut buffer = [0; MAX_LITERAL];
            if comparable(segment, &mut buffer).is_some_and(|segment| partial.matches(segment))
                && let Some(found) = enter(*child, steps)
            {
                return Some(found);
            }
        }
        match node.variable {
            Some(child) if !segment.is_empty() => enter(child, steps),
            _ => None,
        }
    }
}

/// Path prefixes; each leads to a service's position.
#[derive(Default)]
pub(super) struct PrefixTree {
    nodes: Vec<PrefixNode>,
}

#[derive(Default)]
struct PrefixNode {
    literals: Literals,
    service: Option<usize>,
}

impl PrefixTree {
    /// The position that already stands there, if one does; the outer `None` for what is no prefix.
    pub(super) fn insert(&mut self, prefix: &str, service: usize) -> Option<Option<usize>> {
        let trimmed = prefix.strip_suffix('/').unwrap_or(prefix);
        if !prefix.starts_with('/') {
            return None;
        }
        if self.nodes.is_empty() {
            self.nodes.push(PrefixNode::default());
        }
        let mut at = 0u32;
        let mut segments = Segments::of(trimmed);
        for _ in 0..=MAX_DEPTH {
            let Some((segment, rest)) = segments.and_then(Segments::split) else { break };
            let mut buffer = [0; MAX_LITERAL];
            let literal = comparable(segment, &mut buffer).filter(|literal| literal.len() <= MAX_LITERAL)?;
            let next = u32::try_from(self.nodes.len()).ok()?;
            at = *self.nodes.get_mut(at as usize)?.literals.entry(literal.into()).or_insert(next);
            if at == next {
                self.nodes.push(PrefixNode::default());
            }
            segments = Some(rest);
        }
        if segments.and_then(Segments::split).is_some() {
            return None;
        }
        let place = &mut self.nodes.get_mut(at as usize)?.service;
        let before = *place;
        place.get_or_insert(service);
        Some(before)
    }

    pub(super) fn longest(&self, path: &str) -> Option<usize> {
        let mut node = self.nodes.first()?;
        let mut found = node.service;
        let mut segments = Segments::of(path);
        while let Some((segment, rest)) = segments.and_then(Segments::split) {
            let child = named(&node.literals, segment, rest.is_encoded());
            let Some(child) = child.and_then(|child| self.nodes.get(child as usize)) else { break };
            node = child;
            found = node.service.or(found);
            segments = Some(rest);
        }
        found
    }
}

fn named(literals: &Literals, segment: &[u8], encoded: bool) -> Option<u32> {
    if literals.is_empty() {
        return None;
    }
    if !encoded {
        return literals.get(segment).copied();
    }
    literals.get(comparable(segment, &mut [0; MAX_LITERAL])?).copied()
}
