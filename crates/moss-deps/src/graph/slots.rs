//! A sorted list of recipes, mostly of one: most things are provided by one recipe.

/// Places of recipes, sorted, each once.
///
/// Most hold one at most, and there are millions: they are to be small.
#[derive(Debug, Clone, Default)]
#[expect(
    clippy::box_collection,
    reason = "a list would make each of them half as large again"
)]
pub(super) enum Slots {
    #[default]
    None,
    One(u32),
    Many(Box<Vec<u32>>),
}

impl Slots {
    pub(super) fn as_slice(&self) -> &[u32] {
        match self {
            Self::None => &[],
            Self::One(place) => std::slice::from_ref(place),
            Self::Many(places) => places,
        }
    }

    pub(super) fn insert(&mut self, place: u32) {
        match self {
            Self::None => *self = Self::One(place),
            Self::One(other) if *other == place => {}
            Self::One(other) => {
                *self = Self::Many(Box::new(vec![place.min(*other), place.max(*other)]));
            }
            Self::Many(places) => {
                // Recipes that are added in their order come last.
                if places.last().is_some_and(|last| *last < place) {
                    places.push(place);
                } else if let Err(position) = places.binary_search(&place) {
                    places.insert(position, place);
                }
            }
        }
    }

    pub(super) fn remove(&mut self, place: u32) {
        match self {
            Self::One(other) if *other == place => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Many(places) => {
                if let Ok(position) = places.binary_search(&place) {
                    places.remove(position);
                }
                if let [only] = places[..] {
                    *self = Self::One(only);
                }
            }
        }
    }
}
