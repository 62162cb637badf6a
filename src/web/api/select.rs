//! Writing some fields of a struct: a serializer that hands a struct on without the fields nobody wants.

use serde::ser::{Error, Impossible, Serialize, SerializeStruct, Serializer};

/// Writes the fields of a struct that are wanted, in their order. What lies within a field is written whole.
///
/// # Errors
/// As the serializer; also when the value is no struct with named fields.
pub fn select<T, F, S>(value: &T, wanted: &F, serializer: S) -> Result<S::Ok, S::Error>
where
    T: Serialize + ?Sized,
    F: Fn(&str) -> bool,
    S: Serializer,
{
    value.serialize(Select { wanted, serializer })
}

struct Select<'a, F, S> {
    wanted: &'a F,
    serializer: S,
}

struct Fields<'a, F, S> {
    wanted: &'a F,
    fields: S,
}

impl<F: Fn(&str) -> bool, S: SerializeStruct> SerializeStruct for Fields<'_, F, S> {
    type Ok = S::Ok;
    type Error = S::Error;

    fn serialize_field<T: Serialize + ?Sized>(
        &mut self,
        key: &'static str,
        value: &T,
    ) -> Result<(), S::Error> {
        if (self.wanted)(key) { self.fields.serialize_field(key, value) } else { Ok(()) }
    }

    fn skip_field(&mut self, key: &'static str) -> Result<(), S::Error> {
        self.fields.skip_field(key)
    }

    fn end(self) -> Result<S::Ok, S::Error> {
        self.fields.end()
    }
}

fn no_struct<T, E: Error>() -> Result<T, E> {
    Err(E::custom("only the fields of a struct can be chosen"))
}

macro_rules! refused {
    ($($method:ident($type:ty);)+) => {$(
        fn $method(self, _: $type) -> Result<S::Ok, S::Error> {
            no_struct()
        }
    )+};
}

impl<'a, F: Fn(&str) -> bool, S: Serializer> Serializer for Select<'a, F, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Impossible<S::Ok, S::Error>;
    type SerializeTuple = Impossible<S::Ok, S::Error>;
    type SerializeTupleStruct = Impossible<S::Ok, S::Error>;
    type SerializeTupleVariant = Impossible<S::Ok, S::Error>;
    type SerializeMap = Impossible<S::Ok, S::Error>;
    type SerializeStruct = Fields<'a, F, S::SerializeStruct>;
    type SerializeStructVariant = Impossible<S::Ok, S::Error>;

    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        let fields = self.serializer.serialize_struct(name, length)?;
        Ok(Fields { wanted: self.wanted, fields })
    }

    refused! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_unit_struct(&'static str);
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        no_struct()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<S::Ok, S::Error> {
        no_struct()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        no_struct()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
    ) -> Result<S::Ok, S::Error> {
        no_struct()
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        no_struct()
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<S::Ok, S::Error> {
        no_struct()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        no_struct()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, S::Error> {
        no_struct()
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        no_struct()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        no_struct()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        no_struct()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        no_struct()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize)]
    struct Place {
        id: u32,
        name: &'static str,
        inner: Inner,
    }

    #[derive(serde::Serialize)]
    struct Inner {
        id: u32,
    }

    struct Only<'a, T>(&'a T, &'static [&'static str]);

    impl<T: Serialize> Serialize for Only<'_, T> {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            select(self.0, &|key| self.1.contains(&key), serializer)
        }
    }

    #[test]
    fn wanted_fields_stay_in_their_order() {
        let place = Place { id: 1, name: "here", inner: Inner { id: 2 } };
        let json = |wanted| serde_json::to_string(&Only(&place, wanted)).expect("a struct");
        assert_eq!(json(&["name", "id"]), r#"{"id":1,"name":"here"}"#);
        assert_eq!(json(&["inner"]), r#"{"inner":{"id":2}}"#);
        assert_eq!(json(&[]), "{}");
        assert!(serde_json::to_string(&Only(&"text", &[])).is_err());
    }
}
