//! What is read by hand, because serde's own shapes would lose the order or the places of what is written.
use crate::at::At;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use std::borrow::Cow;

/// Names and texts, in their order, with the places of both.
#[derive(Debug, Clone, Default)]
pub struct Table(pub Vec<(At<String>, At<String>)>);

/// A published port: one number for both sides, or `outside:inside`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Port {
    /// The same outside and inside.
    Same(u16),
    /// To be read as `outside:inside`.
    Pair(String),
}

impl JsonSchema for Table {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Table".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "object", "additionalProperties": { "type": "string" } })
    }
}

impl<'de> Deserialize<'de> for Table {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Table, D::Error> {
        struct Entries;
        impl<'de> Visitor<'de> for Entries {
            type Value = Table;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("names and texts")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Table, A::Error> {
                let mut entries = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    entries.push(entry);
                }
                Ok(Table(entries))
            }
        }
        deserializer.deserialize_map(Entries)
    }
}

impl JsonSchema for Port {
    fn inline_schema() -> bool {
        true
    }
    fn schema_name() -> Cow<'static, str> {
        "Port".into()
    }
    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "anyOf": [{ "type": "integer", "minimum": 1, "maximum": 65535 }, { "type": "string" }] })
    }
}

impl<'de> Deserialize<'de> for Port {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Port, D::Error> {
        struct PortVisitor;
        impl Visitor<'_> for PortVisitor {
            type Value = Port;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a port, or `outside:inside`")
            }
            fn visit_u64<E: serde::de::Error>(self, port: u64) -> Result<Port, E> {
                u16::try_from(port).map(Port::Same).map_err(|_| E::custom("a port is at most 65535"))
            }
            fn visit_str<E>(self, text: &str) -> Result<Port, E> {
                Ok(Port::Pair(text.to_owned()))
            }
        }
        deserializer.deserialize_any(PortVisitor)
    }
}
