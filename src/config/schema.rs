//! JSON Schemas (draft 7) of config files, for editors, made from
//! the [`Shape`]s of the readers themselves.
//!
//! A schema refuses the faults that `lp check --strict` refuses, as far as a single
//! value or the keys of one table show them. It accepts older forms, as `lp` does,
//! and marks them as deprecated.

use serde_json::{Map as Object, Value, json};

use super::reader::Reader;
use super::shape::{Field, Fields, Map, Shape, UnknownKeys, When};
use super::{cameras, lpfile, recipes, scene, workloads};

/// Every schema with the name of its file in `docs/schema/`.
#[must_use]
pub fn all() -> Vec<(&'static str, Value)> {
    let file = |title: &str, shape: Shape| {
        let mut definitions = Object::new();
        let mut schema = schema(&shape, &mut definitions);
        let head = schema.as_object_mut().expect("a file is a table");
        if !definitions.is_empty() {
            head.insert("definitions".to_owned(), Value::Object(definitions));
        }
        head.insert("$schema".to_owned(), json!("http://json-schema.org/draft-07/schema#"));
        head.insert("title".to_owned(), json!(title));
        schema
    };
    vec![
        ("camera.schema.json", file("Cameras of a lane, for lp", cameras::file().shape())),
        ("lpfile.schema.json", file("Lpfile.toml", lpfile::file().shape())),
        ("models.schema.json", file("Recipes of models, for lp", recipes::file().shape())),
        ("scene.schema.json", file("A scene that clips are drawn from, for lp", scene::file().shape())),
        ("workload.schema.json", file("Workloads and their steps, for lp", workloads::file().shape())),
    ]
}

/// The schema of a shape; named ones go to `named` and are referred to.
fn schema(shape: &Shape, named: &mut Object<String, Value>) -> Value {
    match shape {
        Shape::String(None) => json!({ "type": "string" }),
        Shape::String(Some(pattern)) => json!({ "type": "string", "pattern": pattern }),
        Shape::Word(words) => json!({ "enum": words }),
        Shape::Null => json!({ "type": "null" }),
        Shape::Bool => json!({ "type": "boolean" }),
        Shape::Whole { min, max } => json!({ "type": "integer", "minimum": min, "maximum": max }),
        Shape::Number { above, max } => {
            json!({ "type": "number", "exclusiveMinimum": above, "maximum": max })
        }
        Shape::Share => json!({ "type": "number", "minimum": 0, "maximum": 1 }),
        Shape::Finite => json!({ "type": "number" }),
        Shape::List { item, is_filled: true } => {
            json!({ "type": "array", "items": schema(item, named), "minItems": 1 })
        }
        Shape::List { item, is_filled: false } => json!({ "type": "array", "items": schema(item, named) }),
        Shape::Table(fields) => table(fields, named),
        Shape::Map(names) => map(names, named),
        Shape::Cases(cases) => {
            let mut schema = one_of_cases(cases, named);
            schema["type"] = json!("object");
            schema
        }
        Shape::Named(name, shape) => {
            if !named.contains_key(*name) {
                let schema = schema(shape, named);
                named.insert((*name).to_owned(), schema);
            }
            json!({ "$ref": format!("#/definitions/{name}") })
        }
        Shape::Either(shapes) => {
            json!({ "anyOf": shapes.iter().map(|shape| schema(shape, named)).collect::<Vec<_>>() })
        }
        Shape::Old(shape) => {
            // Keys beside a `$ref` are ignored, so the `$ref` is put into a list.
            json!({ "allOf": [schema(shape, named)], "deprecated": true })
        }
    }
}

fn table(fields: &Fields, named: &mut Object<String, Value>) -> Value {
    let properties: Object<String, Value> =
        fields.fields.iter().map(|field| (field.key.to_owned(), property(field, named))).collect();
    let required: Vec<&str> =
        fields.fields.iter().filter(|field| field.is_required).map(|field| field.key).collect();
    let mut schema = json!({ "type": "object", "properties": properties, "additionalProperties": false });
    if !required.is_empty() {
        schema["required"] = json!(required);
    }
    if fields.unknown == UnknownKeys::Warn {
        schema["patternProperties"] = json!({ "^_": {} });
    }
    if !fields.one_of.is_empty() {
        // A null or blank value does not count.
        let nothing = json!({ "anyOf": [{ "type": "null" }, { "type": "string", "pattern": r"^\s*$" }] });
        let says = |key: &&str| json!({ "required": [key], "properties": { *key: { "not": nothing } } });
        let mut groups: Vec<Value> =
            fields.one_of.iter().map(|keys| keys.iter().map(says).collect()).collect();
        match groups.as_mut_slice() {
            [only] => schema["anyOf"] = only.take(),
            _ => schema["allOf"] = groups.into_iter().map(|group| json!({ "anyOf": group })).collect(),
        }
    }
    schema
}

fn property(field: &Field, named: &mut Object<String, Value>) -> Value {
    let mut schema = schema(&field.shape, named);
    if schema.get("$ref").is_some() {
        schema = json!({ "allOf": [schema] });
    }
    schema["description"] = json!(field.about);
    if field.is_old {
        schema["deprecated"] = json!(true);
    }
    schema
}

fn map(Map { names, unknown, value, is_filled }: &Map, named: &mut Object<String, Value>) -> Value {
    let value = schema(value, named);
    if names.is_empty() {
        return json!({ "type": "object", "additionalProperties": value });
    }
    let mut patterns = Object::new();
    if *unknown == UnknownKeys::Warn {
        // A key that begins with `_` is a comment, not a name.
        let inside = names.strip_prefix('^').unwrap_or(names);
        patterns.insert(format!("^(?!_){inside}"), value);
        patterns.insert("^_".to_owned(), json!({}));
    } else {
        patterns.insert(names.clone(), value);
    }
    let mut schema =
        json!({ "type": "object", "patternProperties": patterns, "additionalProperties": false });
    if *is_filled {
        // At least one key is not a comment.
        schema["not"] = json!({ "propertyNames": { "pattern": "^_" } });
    }
    schema
}

/// The first case that holds, the others in its `else`.
fn one_of_cases(cases: &[(When, Fields)], named: &mut Object<String, Value>) -> Value {
    let Some(((when, fields), rest)) = cases.split_first() else { return json!(false) };
    let condition = match when {
        When::Always => return table(fields, named),
        When::Has(key) => json!({ "required": [key] }),
        When::Matches(key, pattern) => {
            json!({ "required": [key], "properties": { *key: { "type": "string", "pattern": pattern } } })
        }
    };
    json!({ "if": condition, "then": table(fields, named), "else": one_of_cases(rest, named) })
}

#[cfg(test)]
mod tests {
    use expect_test::expect_file;

    #[test]
    fn the_schemas_in_the_manual_match_the_readers() {
        for (name, schema) in super::all() {
            let path = format!("{}/docs/schema/{name}", env!("CARGO_MANIFEST_DIR"));
            expect_file![path].assert_eq(&format!("{schema:#}\n"));
        }
    }
}
