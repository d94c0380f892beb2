//! The registry: factories, and the properties of their elements.

use std::collections::BTreeMap;

use gst::glib;
use gst::prelude::*;
use gstreamer as gst;

use lp::pipeline::machine::{Factory, OWN_PLUGIN, PropertyInfo, PropertyKind};
use lp::worker::protocol::EventBody;

use crate::property;

/// Plugin and version of each; `None` for those that are not installed.
pub(crate) fn factories(names: Vec<String>) -> BTreeMap<String, Option<Factory>> {
    let find = |name: &str| {
        let factory = gst::ElementFactory::find(name)?;
        let Some(plugin) = factory.plugin() else {
            // It is registered here, without a file.
            let version = env!("CARGO_PKG_VERSION").to_owned();
            return Some(Factory { plugin: OWN_PLUGIN.to_owned(), version, file: None });
        };
        let file = plugin.filename().and_then(|file| file.to_str().map(str::to_owned));
        Some(Factory {
            plugin: plugin.plugin_name().to_string(),
            version: plugin.version().to_string(),
            file,
        })
    };
    names.into_iter().map(|name| (name.clone(), find(&name))).collect()
}

/// The answer to `describe`.
pub(crate) fn describe(names: Vec<String>) -> EventBody {
    let factories = factories(names);
    let properties = factories.keys().filter_map(|name| Some((name.clone(), properties(name)?))).collect();
    let names = if factories.values().any(Option::is_none) { all_names() } else { Vec::new() };
    EventBody::Described { factories, properties, names }
}

/// The names of all factories that are elements, sorted.
fn all_names() -> Vec<String> {
    let factories = gst::Registry::get().features(gst::ElementFactory::static_type());
    let mut names: Vec<String> = factories.iter().map(|feature| feature.name().to_string()).collect();
    names.sort();
    names.dedup();
    names
}

/// The properties of a factory's elements. `None` if it cannot be loaded. Only
/// its class is: no element is made.
fn properties(name: &str) -> Option<BTreeMap<String, PropertyInfo>> {
    let factory = gst::ElementFactory::find(name)?.load().ok()?;
    let class =
        glib::object::ObjectClass::from_type(factory.downcast::<gst::ElementFactory>().ok()?.element_type())?;
    Some(class.list_properties().iter().map(|spec| (spec.name().to_owned(), info(spec))).collect())
}

fn info(spec: &glib::ParamSpec) -> PropertyInfo {
    let default = spec.default_value().serialize().ok().map(|text| text.to_string());
    PropertyInfo { kind: kind(spec), writable: property::is_writable(spec), default }
}

fn kind(spec: &glib::ParamSpec) -> PropertyKind {
    macro_rules! limits {
        ($kind:ident as $number:ty: $($spec:ident),*) => {
            $(if let Some(limits) = spec.downcast_ref::<glib::$spec>() {
                let (min, max) = (limits.minimum(), limits.maximum());
                return limits!(@$kind, min, max);
            })*
        };
        (@Int, $min:ident, $max:ident) => {
            PropertyKind::Int {
                min: i64::try_from($min).unwrap_or(i64::MAX),
                max: u64::try_from($max).unwrap_or(0),
            }
        };
        (@Number, $min:ident, $max:ident) => {
            PropertyKind::Number { min: f64::from($min), max: f64::from($max) }
        };
    }
    limits!(Int as i64: ParamSpecInt, ParamSpecUInt, ParamSpecInt64, ParamSpecUInt64, ParamSpecUChar);
    limits!(Number as f64: ParamSpecFloat, ParamSpecDouble);
    if let Some(class) = glib::EnumClass::with_type(spec.value_type()) {
        return PropertyKind::Word { nicks: class.values().iter().map(|v| v.nick().to_owned()).collect() };
    }
    if let Some(class) = glib::FlagsClass::with_type(spec.value_type()) {
        return PropertyKind::Words { nicks: class.values().iter().map(|v| v.nick().to_owned()).collect() };
    }
    match spec.value_type() {
        glib::Type::BOOL => PropertyKind::Bool,
        glib::Type::STRING => PropertyKind::Text,
        other => PropertyKind::Other { name: other.to_string() },
    }
}
