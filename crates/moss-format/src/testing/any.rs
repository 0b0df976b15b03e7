//! What the properties of several modules are tried on.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::unknown_payloads;
use crate::Meta;
use crate::dependency::{Dependency, Kind, Provider};
use crate::meta::RawRecord;
use crate::stone::Kept;

prop_compose! {
    fn any_named()(kind in 0..9_u8, name in "[ -~é]{1,12}") -> (Kind, String) {
        (Kind::from_byte(kind).unwrap(), name)
    }
}

fn dependencies() -> impl Strategy<Value = Vec<Dependency>> {
    let new = |(kind, name)| Dependency::new(kind, name).unwrap();
    prop::collection::vec(any_named().prop_map(new), 0..5)
}

fn providers() -> impl Strategy<Value = BTreeSet<Provider>> {
    let new = |(kind, name)| Provider::new(kind, name).unwrap();
    let written = |provider: &Provider| provider.kind() != Kind::PackageName;
    let one = any_named().prop_map(new).prop_filter("written", written);
    prop::collection::btree_set(one, 0..5)
}

prop_compose! {
    fn any_record()(tag in 21..u16::MAX, primitive: u8, value: Vec<u8>) -> RawRecord {
        RawRecord { tag, primitive, value }
    }
}

prop_compose! {
    /// Metadata with anything that can be written and read back.
    pub(crate) fn any_meta()(
        texts in prop::array::uniform7("[^\0]{0,20}"),
        numbers: (u64, u64, Option<u64>),
        optional in prop::array::uniform5(prop::option::of("[^\0]{0,20}")),
        mut licenses in prop::collection::vec("[^\0]{0,8}", 0..4),
        depends in dependencies(),
        provides in providers(),
        conflicts in providers(),
        build_depends in dependencies(),
        other in prop::collection::vec(any_record(), 0..3),
    ) -> Meta {
        let [name, version, architecture, summary, description, source_id, homepage] = texts;
        let [uri, hash, source_uri, source_path, source_ref] = optional;
        let (release, build_release, size) = numbers;
        licenses.sort();
        Meta {
            name, version, release, build_release, architecture, summary, description, source_id,
            homepage, uri, hash, size, licenses, depends: depends.into_iter().collect(), provides,
            conflicts, build_depends, source_uri, source_path, source_ref, other,
        }
    }
}

/// Payloads that are not understood, each after at most this many others, in
/// their order.
pub(crate) fn any_kept(most: usize) -> impl Strategy<Value = Vec<Kept>> {
    let one = (0..=most, prop::sample::select(unknown_payloads().to_vec()));
    prop::collection::vec(one, 0..4).prop_map(|mut kept| {
        kept.sort_by_key(|(place, _)| *place);
        let new = |(place, payload)| Kept { place, payload };
        kept.into_iter().map(new).collect()
    })
}
