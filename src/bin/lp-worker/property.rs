//! Setting properties from a spec, refusing values that do not fit.
//!
//! GObject answers a wrong name or value with a warning on stderr and goes on,
//! and its Rust binding panics. Here both become a text before GObject is asked.

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::{Property, Value};

/// Sets a property, or returns why it cannot be set.
pub(crate) fn set(element: &gst::Element, property: &Property) -> Result<(), String> {
    let refused = |why: String| format!("{}: {why}", shown(element));
    let Property { name, value } = property;
    let spec = element.find_property(name).ok_or_else(|| refused(format!("no property `{name}`")))?;
    if !is_writable(&spec) {
        return Err(refused(format!("property `{name}` cannot be set")));
    }
    let text = match value {
        Value::Text(text) => text.clone(),
        Value::Int(number) => number.to_string(),
        Value::Float(number) => number.to_string(),
        Value::Bool(value) => value.to_string(),
        Value::Input(_) | Value::Inputs(_) | Value::Output(_) | Value::StreamFile(_) | Value::Secret(_) => {
            return Err(refused(format!("property `{name}` was not resolved for this machine")));
        }
    };
    let expected = || {
        let wanted = wanted(&spec);
        refused(format!("expected {wanted} for property `{name}`, found `{text}`"))
    };
    let value = convert(&text, &spec).filter(|value| in_range(value, &spec)).ok_or_else(expected)?;
    element.set_property_from_value(name, &value);
    Ok(())
}

/// Whether a property can be set once its element is made.
pub(crate) fn is_writable(spec: &glib::ParamSpec) -> bool {
    let flags = spec.flags();
    flags.contains(glib::ParamFlags::WRITABLE) && !flags.contains(glib::ParamFlags::CONSTRUCT_ONLY)
}

/// An element as it is named in texts: `` `avdec_h264` (`camera-3_1_decoder`) ``.
pub(crate) fn shown(element: &gst::Element) -> String {
    match element.factory() {
        Some(factory) => format!("`{}` (`{}`)", factory.name(), element.name()),
        None => format!("`{}`", element.name()),
    }
}

macro_rules! numbers {
    ($apply:ident) => {
        $apply!(i32: ParamSpecInt, u32: ParamSpecUInt, i64: ParamSpecInt64, u64: ParamSpecUInt64,
                f32: ParamSpecFloat, f64: ParamSpecDouble, u8: ParamSpecUChar)
    };
}

fn convert(text: &str, spec: &glib::ParamSpec) -> Option<glib::Value> {
    let value_type = spec.value_type();
    // Deserialising would unquote and unescape a literal string.
    if value_type == glib::Type::STRING {
        return Some(text.to_value());
    }
    // As `gst-launch-1.0` does: `video-sink=fakesink`.
    if value_type.is_a(gst::Element::static_type()) {
        return gst::ElementFactory::make(text).build().ok().map(|element| element.to_value());
    }
    // GStreamer reads `-1` as the largest unsigned number. Hexadecimal is its own.
    if !text.starts_with("0x") {
        macro_rules! parse {
            ($($number:ty: $spec:ident),*) => {
                $(if spec.is::<glib::$spec>() {
                    return text.parse::<$number>().ok().map(|number| number.to_value());
                })*
            };
        }
        numbers!(parse);
    }
    let value = <glib::Value as gst::prelude::GstValueExt>::deserialize(text, value_type).ok()?;
    value.type_().is_a(value_type).then_some(value)
}

/// Whether a number lies within the property's limits.
fn in_range(value: &glib::Value, spec: &glib::ParamSpec) -> bool {
    macro_rules! check {
        ($($number:ty: $spec:ident),*) => {
            $(if let Some(spec) = spec.downcast_ref::<glib::$spec>() {
                return value.get::<$number>().is_ok_and(|n| (spec.minimum()..=spec.maximum()).contains(&n));
            })*
        };
    }
    numbers!(check);
    true
}

fn wanted(spec: &glib::ParamSpec) -> String {
    macro_rules! say {
        ($($number:ty: $spec:ident),*) => {
            $(if let Some(limits) = spec.downcast_ref::<glib::$spec>() {
                return format!("a number from {} to {}", limits.minimum(), limits.maximum());
            })*
        };
    }
    numbers!(say);
    if let Some(class) = glib::EnumClass::with_type(spec.value_type()) {
        let nicks: Vec<String> = class.values().iter().map(|value| format!("`{}`", value.nick())).collect();
        return format!("one of {}", nicks.join(", "));
    }
    if let Some(class) = glib::FlagsClass::with_type(spec.value_type()) {
        let nicks: Vec<String> = class.values().iter().map(|value| format!("`{}`", value.nick())).collect();
        return format!("some of {} joined by `+`", nicks.join(", "));
    }
    match spec.value_type() {
        glib::Type::BOOL => "`true` or `false`".to_owned(),
        other => format!("a `{other}`"),
    }
}

#[cfg(test)]
mod tests {
    use expect_test::{Expect, expect};

    use super::*;

    #[track_caller]
    fn check(factory: &str, name: &str, value: Value, expect: Expect) {
        gst::init().unwrap();
        let element = gst::ElementFactory::make(factory).name("it").build().unwrap();
        let text = match set(&element, &Property { name: name.to_owned(), value }) {
            Ok(()) => {
                let value = element.property_value(name);
                value.serialize().map_or_else(|_| format!("{value:?}"), |text| text.to_string())
            }
            Err(refused) => refused,
        };
        expect.assert_eq(&text);
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn values_are_read_as_their_property_needs_them() {
        check("queue", "leaky", text("downstream"), expect!["downstream"]);
        check("queue", "max-size-buffers", Value::Int(4), expect!["4"]);
        check("queue", "max-size-buffers", text("4"), expect!["4"]);
        check("fakesink", "sync", Value::Bool(true), expect!["true"]);
        check("identity", "drop-probability", Value::Int(1), expect!["1"]);
        check(
            "capsfilter",
            "caps",
            text("video/x-raw,width=3"),
            expect![[r#""video/x-raw\,\ width\=\(int\)3""#]],
        );
        check("filesrc", "location", text(r#"/a b\"c"#), expect![[r#""/a\ b\\\"c""#]]);
    }

    #[test]
    fn an_element_is_made_by_its_factory() {
        gst::init().unwrap();
        let element = gst::ElementFactory::make("fpsdisplaysink").build().unwrap();
        set(&element, &Property { name: "video-sink".to_owned(), value: text("fakesink") }).unwrap();
        let sink = element.property::<gst::Element>("video-sink");
        assert_eq!(sink.factory().unwrap().name(), "fakesink");
    }

    #[test]
    fn values_that_do_not_fit_are_refused_with_a_reason() {
        check("queue", "leeky", Value::Int(1), expect!["`queue` (`it`): no property `leeky`"]);
        check(
            "queue",
            "leaky",
            text("sideways"),
            expect![
                "`queue` (`it`): expected one of `no`, `upstream`, `downstream` for property `leaky`, found `sideways`"
            ],
        );
        check(
            "queue",
            "max-size-buffers",
            Value::Int(-1),
            expect![
                "`queue` (`it`): expected a number from 0 to 4294967295 for property `max-size-buffers`, found `-1`"
            ],
        );
        check(
            "identity",
            "drop-probability",
            Value::Float(1.5),
            expect![
                "`identity` (`it`): expected a number from 0 to 1 for property `drop-probability`, found `1.5`"
            ],
        );
        check(
            "fakesink",
            "sync",
            text("perhaps"),
            expect!["`fakesink` (`it`): expected `true` or `false` for property `sync`, found `perhaps`"],
        );
        check(
            "capsfilter",
            "caps",
            text("video/x-raw,width=("),
            expect![
                "`capsfilter` (`it`): expected a `GstCaps` for property `caps`, found `video/x-raw,width=(`"
            ],
        );
        check(
            "queue",
            "current-level-buffers",
            Value::Int(1),
            expect!["`queue` (`it`): property `current-level-buffers` cannot be set"],
        );
    }
}
