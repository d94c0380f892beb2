//! Devices and precisions as OpenVINO names them, in any case.

use super::reader::{Reader, by};
use super::shape::{Shape, folded};
use super::values::read_string;
use crate::diag::codes;

const PRECISIONS: [&str; 5] = ["INT8", "FP16", "FP32", "FP16-INT8", "FP32-INT8"];

/// Devices for "did you mean".
const DEVICES: [&str; 8] = ["CPU", "GPU", "NPU", "GPU.0", "GPU.1", "AUTO", "MULTI:GPU,CPU", "HETERO:GPU,CPU"];

/// A device: `CPU`, `NPU`, `GPU`, `GPU.1`, or a name for several:
/// `AUTO`, `AUTO:GPU,-CPU`, `MULTI:GPU(2),CPU`, `HETERO:GPU.1,CPU`. Upper-cased,
/// without blanks. <https://docs.openvino.ai/2025/openvino-workflow/running-inference/inference-devices-and-modes.html>
pub(super) fn device() -> impl Reader<Value = String> + Copy {
    let shape = || {
        let one = r"([cC][pP][uU]|[nN][pP][uU]|[gG][pP][uU](\.[0-9]{1,2})?)";
        let item = format!(r"\s*-?{one}(\([0-9]{{1,3}}\))?\s*");
        let auto = format!(r"[aA][uU][tT][oO](:{item}(,{item})*)?");
        let several = format!(r"([mM][uU][lL][tT][iI]|[hH][eE][tT][eE][rR][oO]):{item}(,{item})*");
        Shape::String(Some(format!(r"^\s*({one}|{auto}|{several})\s*$")))
    };
    by(shape, |at, diagnostics| {
        let written = read_string(at, diagnostics)?;
        let device: String = written.to_uppercase().trim().to_owned();
        match read_device(&device) {
            Ok(device) => Some(device),
            Err(expected) => {
                let message = format!("`{}` must be {expected}", at.name);
                diagnostics.push(at.fault(codes::UNKNOWN_WORD, &message).suggest(
                    &device,
                    DEVICES,
                    diagnostics,
                ));
                None
            }
        }
    })
}

/// The device without blanks, or the expected value.
fn read_device(device: &str) -> Result<String, &'static str> {
    if is_single(device) || device == "AUTO" {
        return Ok(device.to_owned());
    }
    let Some((mode, list)) = device.split_once(':') else {
        return Err(match device {
            "MULTI" => "`MULTI` with its devices, such as `MULTI:GPU,CPU`",
            "HETERO" => "`HETERO` with its devices, such as `HETERO:GPU,CPU`",
            _ => "a device such as `CPU`, `GPU`, `GPU.1`, `NPU`, `AUTO` or `HETERO:GPU,CPU`",
        });
    };
    if !["AUTO", "MULTI", "HETERO"].contains(&mode) {
        return Err("a device such as `CPU`, `GPU`, `GPU.1`, `NPU`, `AUTO` or `HETERO:GPU,CPU`");
    }
    let mut devices: Vec<&str> = Vec::new();
    for part in list.split(',').map(str::trim) {
        let name = part.strip_prefix('-').filter(|_| mode == "AUTO").unwrap_or(part);
        let name = name.split_once('(').map_or(name, |(name, _)| name);
        let rest = &part[part.find('(').unwrap_or(part.len())..];
        let is_count =
            |inside: &str| (1..=3).contains(&inside.len()) && inside.bytes().all(|b| b.is_ascii_digit());
        let has_count = rest.strip_prefix('(').and_then(|rest| rest.strip_suffix(')')).is_some_and(is_count);
        if !is_single(name) || !(rest.is_empty() || (mode == "MULTI" && has_count)) {
            return Err("a list of devices after the `:`, such as `GPU,CPU`");
        }
        if devices.contains(&part) {
            return Err("a list of different devices after the `:`");
        }
        devices.push(part);
    }
    Ok(format!("{mode}:{}", devices.join(",")))
}

fn is_single(device: &str) -> bool {
    let numbered = device
        .strip_prefix("GPU.")
        .is_some_and(|n| (1..3).contains(&n.len()) && n.bytes().all(|byte| byte.is_ascii_digit()));
    numbered || ["CPU", "GPU", "NPU"].contains(&device)
}

/// A precision, upper-cased.
pub(super) fn precision() -> impl Reader<Value = String> + Copy {
    by(
        || Shape::String(Some(folded(PRECISIONS))),
        |at, diagnostics| {
            let precision = read_string(at, diagnostics)?.trim().to_uppercase();
            if PRECISIONS.contains(&&*precision) {
                return Some(precision);
            }
            let quoted: Vec<String> = PRECISIONS.iter().map(|word| format!("`{word}`")).collect();
            let message = format!("`{}` must be one of {}", at.name, quoted.join(", "));
            diagnostics.push(at.fault(codes::UNKNOWN_WORD, &message).suggest(
                &precision,
                PRECISIONS,
                diagnostics,
            ));
            None
        },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_are_as_openvino_names_them() {
        for (written, expected) in [
            ("CPU", Some("CPU")),
            ("GPU.0", Some("GPU.0")),
            ("GPU.12", Some("GPU.12")),
            ("AUTO", Some("AUTO")),
            ("AUTO:GPU, CPU", Some("AUTO:GPU,CPU")),
            ("AUTO:-CPU", Some("AUTO:-CPU")),
            ("MULTI:GPU.1(2),CPU", Some("MULTI:GPU.1(2),CPU")),
            ("HETERO:NPU,GPU,CPU", Some("HETERO:NPU,GPU,CPU")),
            ("GPU.", None),
            ("GPU.x", None),
            ("CPU.1", None),
            ("MULTI", None),
            ("HETERO:", None),
            ("HETERO:GPU,", None),
            ("HETERO:GPU(2),CPU", None),
            ("MULTI:GPU()", None),
            ("MULTI:GPU(2", None),
            ("MULTI:-GPU", None),
            ("AUTO:GPU,GPU", None),
            ("BATCH:GPU", None),
            ("", None),
        ] {
            assert_eq!(read_device(written).ok().as_deref(), expected, "{written}");
        }
    }
}
