//! OpenAPI 3.0 schemas as JSON Schema.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

/// How fields that a schema does not name are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Strictness {
    /// As the schema says: mostly, they may be there.
    AsDescribed,
    /// They are faults.
    KnownFieldsOnly,
}

/// Follows a reference, if it is one.
pub(super) fn resolve<'document>(
    document: &'document Value,
    value: &'document Value,
) -> &'document Value {
    match value.get("$ref").and_then(Value::as_str) {
        Some(reference) => document
            .pointer(reference.trim_start_matches('#'))
            .unwrap_or_else(|| panic!("GitHub's description lacks {reference}")),
        None => value,
    }
}

/// Makes a validator of a schema, with only those components that it reaches.
pub(super) fn validator(document: &Value, schema: &Value, strictness: Strictness) -> Validator {
    let mut root = convert(schema, strictness);
    let mut reached = BTreeSet::new();
    let mut todo = references(&root);
    let mut schemas = Map::new();
    while let Some(reference) = todo.pop() {
        if !reached.insert(reference.clone()) {
            continue;
        }
        let name = reference
            .strip_prefix("#/components/schemas/")
            .unwrap_or_else(|| panic!("{reference} is no reference to a schema"));
        let component = &document["components"]["schemas"][name];
        assert!(
            !component.is_null(),
            "GitHub's description lacks {reference}"
        );
        let component = convert(component, strictness);
        todo.extend(references(&component));
        schemas.insert(name.to_owned(), component);
    }
    root["components"] = json!({ "schemas": schemas });
    jsonschema::draft7::options()
        .should_validate_formats(true)
        .build(&root)
        .unwrap_or_else(|error| panic!("GitHub's description has a schema that is none: {error}"))
}

/// All references in a schema.
fn references(value: &Value) -> Vec<String> {
    match value {
        Value::Object(fields) => fields
            .iter()
            .flat_map(|(name, field)| match (name.as_str(), field) {
                ("$ref", Value::String(reference)) => vec![reference.clone()],
                _ => references(field),
            })
            .collect(),
        Value::Array(items) => items.iter().flat_map(references).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => Vec::new(),
    }
}

/// Turns an OpenAPI schema into a JSON Schema: `nullable` becomes a type, and what only
/// describes goes.
fn convert(schema: &Value, strictness: Strictness) -> Value {
    let Value::Object(fields) = schema else {
        return schema.clone();
    };
    if let Some(reference) = fields.get("$ref") {
        // In OpenAPI 3.0 nothing beside a reference counts.
        return json!({ "$ref": reference });
    }
    let mut converted = Map::new();
    for (name, field) in fields {
        match name.as_str() {
            "nullable" | "example" | "examples" | "description" | "deprecated" | "externalDocs"
            | "discriminator" | "xml" | "readOnly" | "writeOnly" | "title" | "default" => {}
            "properties" => {
                converted.insert(name.clone(), convert_each(field, strictness));
            }
            "items" | "additionalProperties" | "not" => {
                converted.insert(name.clone(), convert(field, strictness));
            }
            "allOf" | "anyOf" | "oneOf" => {
                let parts = field.as_array().into_iter().flatten();
                let parts: Vec<_> = parts.map(|part| convert(part, strictness)).collect();
                converted.insert(name.clone(), Value::Array(parts));
            }
            other if other.starts_with("x-") => {}
            _ => {
                converted.insert(name.clone(), field.clone());
            }
        }
    }
    if strictness == Strictness::KnownFieldsOnly
        && converted.contains_key("properties")
        && !fields.contains_key("additionalProperties")
        && !fields.contains_key("allOf")
    {
        converted.insert("additionalProperties".to_owned(), json!(false));
    }
    if fields.get("nullable") == Some(&json!(true)) {
        allow_null(converted)
    } else {
        Value::Object(converted)
    }
}

fn convert_each(fields: &Value, strictness: Strictness) -> Value {
    fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| (name.clone(), convert(field, strictness)))
        .collect::<Map<_, _>>()
        .into()
}

fn allow_null(mut schema: Map<String, Value>) -> Value {
    match schema.get("type") {
        Some(Value::String(kind)) => {
            let kind = json!([kind, "null"]);
            schema.insert("type".to_owned(), kind);
            if let Some(Value::Array(values)) = schema.get_mut("enum")
                && !values.contains(&Value::Null)
            {
                values.push(Value::Null);
            }
            if ["allOf", "anyOf", "oneOf"]
                .iter()
                .any(|name| schema.contains_key(*name))
            {
                return json!({ "anyOf": [schema, { "type": "null" }] });
            }
            Value::Object(schema)
        }
        _ => json!({ "anyOf": [schema, { "type": "null" }] }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judge(schema: &Value, strictness: Strictness, value: &Value) -> bool {
        let document = json!({ "components": { "schemas": {
            "name": { "type": "string", "nullable": true, "enum": ["a", "b"] },
            "tree": { "type": "object", "properties": {
                "left": { "$ref": "#/components/schemas/tree", "description": "ignored" },
            }, "required": ["name"] },
        } } });
        validator(&document, schema, strictness).is_valid(value)
    }

    #[test]
    fn nullable_becomes_a_type() {
        let schema = json!({ "$ref": "#/components/schemas/name" });
        let as_described = Strictness::AsDescribed;
        assert!(judge(&schema, as_described, &Value::Null));
        assert!(judge(&schema, as_described, &json!("a")));
        assert!(!judge(&schema, as_described, &json!("c")));
        let union = json!({ "nullable": true, "oneOf": [{ "type": "string" }] });
        assert!(judge(&union, as_described, &Value::Null));
        assert!(!judge(&union, as_described, &json!(1)));
    }

    #[test]
    fn a_schema_may_reach_itself() {
        let schema = json!({ "$ref": "#/components/schemas/tree" });
        let deep = json!({ "name": 1, "left": { "name": 2 } });
        assert!(judge(&schema, Strictness::AsDescribed, &deep));
        let missing = json!({ "name": 1, "left": {} });
        assert!(!judge(&schema, Strictness::AsDescribed, &missing));
    }

    #[test]
    fn a_misspelt_field_of_a_request_is_a_fault() {
        let schema = json!({ "type": "object", "properties": { "status": { "type": "string" } } });
        let typo = json!({ "staus": "queued" });
        assert!(judge(&schema, Strictness::AsDescribed, &typo));
        assert!(!judge(&schema, Strictness::KnownFieldsOnly, &typo));
    }
}
