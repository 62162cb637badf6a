//! `include=`: which keys of an object are written: the given ones, some more, or all.

use std::borrow::Cow;
use std::marker::PhantomData;

use serde::{Serialize, Serializer};
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::Schema;
use utoipa::{PartialSchema, ToSchema};

use super::schema;
use super::select::select;

/// An object of which only some keys are written unless more are asked for.
pub trait Selectable: Serialize + ToSchema {
    /// The name of the part in the API's description.
    const PART: &'static str;
    /// Keys that are always written.
    const GIVEN: &'static [&'static str];
    /// Keys `include` may add. With the given ones these are all keys there are.
    const MORE: &'static [&'static str];
}

/// What `include=` asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Include {
    /// Exactly the keys that are given.
    Given,
    /// Those and these.
    Named(Vec<&'static str>),
    All,
}

impl Include {
    /// Whether a key beyond the given ones is wanted.
    pub fn wants(&self, key: &str) -> bool {
        match self {
            Self::Given => false,
            Self::Named(names) => names.contains(&key),
            Self::All => true,
        }
    }

    /// The wanted part of a full object.
    pub fn of<V>(&self, full: V) -> Part<V> {
        Part { full, include: self.clone() }
    }
}

/// The wanted part of a full object, its keys in their order.
pub struct Part<V> {
    full: V,
    include: Include,
}

impl<V: Selectable> Serialize for Part<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let wanted = |key: &str| V::GIVEN.contains(&key) || self.include.wants(key);
        select(&self.full, &wanted, serializer)
    }
}

impl<V: Selectable> PartialSchema for Part<V> {
    fn schema() -> RefOr<Schema> {
        schema::part_of(schema::object_of::<V>(), V::GIVEN).into()
    }
}

impl<V: Selectable> ToSchema for Part<V> {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed(V::PART)
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        V::schemas(schemas);
    }
}

/// One of the names `include` takes, for the API's description.
pub struct Includable<V>(PhantomData<V>);

impl<V: Selectable> PartialSchema for Includable<V> {
    fn schema() -> RefOr<Schema> {
        let names: Vec<_> = V::MORE.iter().chain(&["*"]).collect();
        schema::words(&names).into()
    }
}

impl<V: Selectable> ToSchema for Includable<V> {}
