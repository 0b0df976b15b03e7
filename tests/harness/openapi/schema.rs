//! OpenAPI 3.0 schemas as JSON Schema.

use std::collections::BTreeSet;

use jsonschema::Validator;
use serde_json::{Map, Value, json};

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
pub(super) fn validator(document: &Value, schema: &Value) -> Validator {
    let mut root = convert(schema);
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
        let component = convert(component);
        todo.extend(references(&component));
        schemas.insert(name.to_owned(), component);
    }
    root["components"] = json!({ "schemas": schemas });
    jsonschema::draft7::options()
        .should_validate_formats(true)
        // GitHub's own addresses of Apps have brackets, which the standard does not allow.
        .with_format("email", is_address)
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
fn convert(schema: &Value) -> Value {
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
                converted.insert(name.clone(), convert_each(field));
            }
            "items" | "additionalProperties" | "not" => {
                converted.insert(name.clone(), convert(field));
            }
            "allOf" | "anyOf" | "oneOf" => {
                let parts = field.as_array().into_iter().flatten();
                let parts: Vec<_> = parts.map(convert).collect();
                converted.insert(name.clone(), Value::Array(parts));
            }
            other if other.starts_with("x-") => {}
            _ => {
                converted.insert(name.clone(), field.clone());
            }
        }
    }
    if fields.get("nullable") == Some(&json!(true)) {
        allow_null(converted)
    } else {
        Value::Object(converted)
    }
}

fn convert_each(fields: &Value) -> Value {
    fields
        .as_object()
        .into_iter()
        .flatten()
        .map(|(name, field)| (name.clone(), convert(field)))
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

/// The fields of a value, by their paths, that its schema does not name: neither the schema itself
/// nor any that it is made of or may be. A schema that names none at all takes any.
pub(super) fn unknown_fields(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut unknown = Vec::new();
    collect_unknown(document, &[schema], value, "", &mut unknown);
    unknown
}

fn collect_unknown(
    document: &Value,
    schemas: &[&Value],
    value: &Value,
    path: &str,
    unknown: &mut Vec<String>,
) {
    let mut parts = Vec::new();
    for schema in schemas {
        flatten(document, schema, &mut parts);
    }
    match value {
        Value::Array(items) => {
            let schemas: Vec<_> = parts.iter().filter_map(|part| part.get("items")).collect();
            for (index, item) in items.iter().enumerate() {
                collect_unknown(
                    document,
                    &schemas,
                    item,
                    &format!("{path}/{index}"),
                    unknown,
                );
            }
        }
        Value::Object(fields) => {
            let named = |name: &str| -> Vec<&Value> {
                let named = parts.iter().filter_map(|part| part.get("properties"));
                named.filter_map(|fields| fields.get(name)).collect()
            };
            let others: Vec<_> = parts
                .iter()
                .filter_map(|part| part.get("additionalProperties"))
                .filter(|schema| schema.is_object())
                .collect();
            let takes_any = parts.iter().all(|part| part.get("properties").is_none());
            for (name, field) in fields {
                let path = format!("{path}/{name}");
                let mut schemas = named(name);
                if schemas.is_empty() {
                    schemas.clone_from(&others);
                }
                if !schemas.is_empty() {
                    collect_unknown(document, &schemas, field, &path, unknown);
                } else if !takes_any {
                    unknown.push(path);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A schema and all that it is made of or may be, references followed.
fn flatten<'document>(
    document: &'document Value,
    schema: &'document Value,
    parts: &mut Vec<&'document Value>,
) {
    let schema = resolve(document, schema);
    parts.push(schema);
    for name in ["allOf", "anyOf", "oneOf"] {
        for part in schema
            .get(name)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
        {
            flatten(document, part, parts);
        }
    }
}

/// True for something before and after the one `@`.
fn is_address(text: &str) -> bool {
    let parts = text.split_once('@');
    parts.is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document() -> Value {
        json!({ "components": { "schemas": {
            "name": { "type": "string", "nullable": true, "enum": ["a", "b"] },
            "tree": { "type": "object", "properties": {
                "left": { "$ref": "#/components/schemas/tree", "description": "ignored" },
            }, "required": ["name"] },
        } } })
    }

    fn judge(schema: &Value, value: &Value) -> bool {
        validator(&document(), schema).is_valid(value)
    }

    #[test]
    fn nullable_becomes_a_type() {
        let schema = json!({ "$ref": "#/components/schemas/name" });
        assert!(judge(&schema, &Value::Null));
        assert!(judge(&schema, &json!("a")));
        assert!(!judge(&schema, &json!("c")));
        let union = json!({ "nullable": true, "oneOf": [{ "type": "string" }] });
        assert!(judge(&union, &Value::Null));
        assert!(!judge(&union, &json!(1)));
    }

    #[test]
    fn a_schema_may_reach_itself() {
        let schema = json!({ "$ref": "#/components/schemas/tree" });
        let deep = json!({ "name": 1, "left": { "name": 2 } });
        assert!(judge(&schema, &deep));
        let missing = json!({ "name": 1, "left": {} });
        assert!(!judge(&schema, &missing));
    }

    #[test]
    fn a_field_that_no_part_of_the_schema_names_is_unknown() {
        let schema = json!({
            "properties": { "status": { "type": "string" }, "free": { "type": "object" } },
            "allOf": [
                { "$ref": "#/components/schemas/tree" },
                { "oneOf": [{ "properties": { "list": { "items": {
                    "properties": { "id": {} }, "additionalProperties": true,
                } } } }] },
            ],
        });
        let unknown = |value: Value| unknown_fields(&document(), &schema, &value);
        let good = json!({
            "status": "a", "left": { "left": {} }, "list": [{ "id": 1 }], "free": { "any": 1 },
        });
        assert!(judge(
            &json!({ "properties": {} }),
            &json!({ "staus": "a" })
        ));
        assert_eq!(unknown(good), Vec::<String>::new());
        assert_eq!(unknown(json!({ "staus": "queued" })), ["/staus"]);
        assert_eq!(
            unknown(json!({ "left": { "left": { "up": 1 } } })),
            ["/left/left/up"]
        );
        assert_eq!(
            unknown(json!({ "list": [{}, { "number": 1 }] })),
            ["/list/1/number"]
        );
    }

    #[test]
    fn free_names_have_values_as_described() {
        let schema = json!({ "additionalProperties": { "$ref": "#/components/schemas/tree" } });
        let unknown = |value: Value| unknown_fields(&document(), &schema, &value);
        assert_eq!(
            unknown(json!({ "any": { "left": {} } })),
            Vec::<String>::new()
        );
        assert_eq!(unknown(json!({ "any": { "right": {} } })), ["/any/right"]);
    }
}
