//! User and password of an RTSP source, in its URI.
//!
//! Not here: where they come from (`config`, `action::run`).

use super::{Element, Value};

/// Moves user and password of an RTSP source into its URI. `rtspsrc` of GStreamer
/// 1.22 sends a wrong password eight times per start if properties give it, which
/// locks accounts, and once if the URI does.
pub(super) fn log_in(element: &mut Element) {
    if element.factory != "rtspsrc" {
        return;
    }
    let mut login = Vec::new();
    for name in ["user-id", "user-pw"] {
        let Some(at) = element.properties.iter().position(|property| property.name == name) else { continue };
        if let Value::Text(text) = element.properties.remove(at).value {
            login.push(escaped(&text));
        }
    }
    let location = element.properties.iter_mut().find(|property| property.name == "location");
    if let Some(Value::Text(uri)) = location.map(|property| &mut property.value)
        && let Some((scheme, rest)) = uri.split_once("://")
        && !login.is_empty()
    {
        *uri = format!("{scheme}://{}@{rest}", login.join(":"));
    }
}

/// A string as a part of a URI: all but letters, digits and `-._~` as `%40`.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            escaped.push(char::from(byte));
        } else {
            escaped.push_str(&format!("%{byte:02X}"));
        }
    }
    escaped
}

/// A part of a URI without escapes, `%40` as `@`; an invalid escape stays as it is.
#[must_use]
pub fn unescaped(text: &str) -> String {
    let (mut bytes, mut rest) = (Vec::new(), text.as_bytes());
    while let [first, after @ ..] = rest {
        let digits = after.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        let escaped = digits.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' && !byte.is_ascii_control() => {
                bytes.push(byte);
                rest = &after[2..];
            }
            _ => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8(bytes).unwrap_or_else(|_| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unescaping_reverses_escaping() {
        for text in ["p@s:s/ü%", "%zz", "a%", ""] {
            assert_eq!(unescaped(&escaped(text)), text);
        }
        assert_eq!(unescaped("p%40s%4"), "p@s%4");
    }
}
